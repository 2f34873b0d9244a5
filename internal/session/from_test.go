package session

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const uuid = "ac980658-63bd-4fb3-97ba-8da64cb1e344"

// oldForm is metadata.user_id as older versions of Claude Code send it.
const oldForm = "user_0123abcd_account__session_" + uuid

func raw(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// named is what From returns for an id found by source.
func named(source Source, id string) Keys {
	return Keys{Primary: keyOf("scope", source, id), Source: source}
}

// strongest is what From returns but for further ids.
func strongest(h http.Header, b Body, scope string) Keys {
	keys := From(h, b, scope)
	keys.IDs = nil
	return keys
}

func TestFrom_FindsExplicitIDs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header http.Header
		body   Body
		want   Keys
	}{
		"AF3 nothing": {nil, Body{}, Keys{}},
		"AF4 Claude id, old form": {
			nil, Body{Metadata: raw(`{"user_id":"` + oldForm + `"}`)}, named(SourceClaude, uuid),
		},
		"AF4 without an account": {
			nil, Body{Metadata: raw(`{"user_id":"user_0123_session_` + uuid + `"}`)}, named(SourceClaude, uuid),
		},
		"AF4 the last session counts": {
			nil, Body{Metadata: raw(`{"user_id":"user_a_session_b_session_` + uuid + `"}`)}, named(SourceClaude, uuid),
		},
		"someone else's id that looks a little like it": {
			nil, Body{Metadata: raw(`{"user_id":"bob_session_42"}`)}, named(SourceUser, "bob_session_42"),
		},
		"AF5 Claude id, JSON form": {
			nil, Body{Metadata: raw(`{"user_id":"{\"device_id\":\"d\",\"session_id\":\"s-1\"}"}`)}, named(SourceClaude, "s-1"),
		},
		"AF6 JSON form without a session": {
			nil, Body{Metadata: raw(`{"user_id":"{\"device_id\":\"d\"}"}`)}, named(SourceUser, `{"device_id":"d"}`),
		},
		"AF6 JSON form with a session that does not count": {
			nil, Body{Metadata: raw(`{"user_id":"{\"session_id\":7}"}`)}, named(SourceUser, `{"session_id":7}`),
		},
		"AF7 very long JSON form": {
			nil,
			Body{Metadata: raw(`{"user_id":"{\"device_id\":\"` + strings.Repeat("d", 5000) + `\",\"session_id\":\"s-1\"}"}`)},
			named(SourceClaude, "s-1"),
		},
		"AF7 very long without a session": {
			nil, Body{Metadata: raw(`{"user_id":"{\"device_id\":\"` + strings.Repeat("d", 5000) + `\"}"}`)}, Keys{},
		},
		"AF9 Idempotency-Key alone": {http.Header{"Idempotency-Key": {"k"}}, Body{}, Keys{}},
		"AF9 Idempotency-Key with a Claude id": {
			http.Header{"Idempotency-Key": {"k"}}, Body{Metadata: raw(`{"user_id":"` + oldForm + `"}`)}, named(SourceClaude, uuid),
		},
		"AF12 Claude's header": {
			http.Header{"X-Claude-Code-Session-Id": {uuid}}, Body{}, named(SourceClaude, uuid),
		},
		"AF10 Codex's header": {http.Header{"Session-Id": {"c"}}, Body{}, named(SourceCodex, "c")},
		"AF10 with an underscore, as net/http spells it": {
			http.Header{http.CanonicalHeaderKey("session_id"): {"c"}}, Body{}, named(SourceCodex, "c"),
		},
		"AF10 with an underscore, as it was sent": {http.Header{"session_id": {"c"}}, Body{}, named(SourceCodex, "c")},
		"AF10 with X-Client-Request-Id": {
			http.Header{"Session-Id": {"c"}, "X-Client-Request-Id": {"r"}}, Body{}, named(SourceCodex, "c"),
		},
		"AF10 thread-id":                     {http.Header{"Thread-Id": {"t"}}, Body{}, named(SourceCodex, "t")},
		"AF10 conversation_id":               {http.Header{"Conversation_id": {"c"}}, Body{}, named(SourceCodex, "c")},
		"session-id before its other forms":  {http.Header{"Session-Id": {"a"}, "Session_id": {"b"}, "Thread-Id": {"c"}}, Body{}, named(SourceCodex, "a")},
		"session_id before thread-id":        {http.Header{"Session_id": {"b"}, "Thread-Id": {"c"}}, Body{}, named(SourceCodex, "b")},
		"thread-id before conversation_id":   {http.Header{"Thread-Id": {"c"}, "Conversation_id": {"d"}}, Body{}, named(SourceCodex, "c")},
		"thread-id if session-id is invalid": {http.Header{"Session-Id": {"a\n"}, "Thread-Id": {"c"}}, Body{}, named(SourceCodex, "c")},
		"AF11 X-Client-Request-Id alone":     {http.Header{"X-Client-Request-Id": {"r"}}, Body{}, Keys{}},
		"AF12 X-Session-Affinity":            {http.Header{"X-Session-Affinity": {"a"}}, Body{}, named(SourceAffinity, "a")},
		"AF12 session_id":                    {nil, Body{SessionID: raw(`"s"`)}, named(SourceSession, "s")},
		"AF12 sessionId":                     {nil, Body{CamelSessionID: raw(`"s"`)}, named(SourceSession, "s")},
		"AF12 request.session_id":            {nil, Body{Request: raw(`{"contents":[],"session_id":"s"}`)}, named(SourceSession, "s")},
		"AF12 prompt_cache_key":              {nil, Body{PromptCacheKey: raw(`"p"`)}, named(SourcePromptCacheKey, "p")},
		"session_id before its other forms": {
			nil, Body{SessionID: raw(`"a"`), CamelSessionID: raw(`"b"`), Request: raw(`{"session_id":"c"}`)}, named(SourceSession, "a"),
		},
		"sessionId if session_id is invalid": {
			nil, Body{SessionID: raw(`7`), CamelSessionID: raw(`"b"`), Request: raw(`{"session_id":"c"}`)}, named(SourceSession, "b"),
		},
		"request.session_id at last": {
			nil, Body{SessionID: raw(`null`), CamelSessionID: raw(`""`), Request: raw(`{"session_id":" c "}`)}, named(SourceSession, "c"),
		},
		"socket":                         {nil, Body{Socket: "ws-1", Messages: raw(`[{"role":"user","content":"hi"}]`)}, named(SourceSocket, "ws-1")},
		"AF34 nothing but a header":      {http.Header{"X-Session-Id": {"s"}}, Body{}, named(SourceHeader, "s")},
		"AF12 conversation as a string":  {nil, Body{Conversation: raw(`"conv_1"`)}, named(SourceConversation, "conv_1")},
		"AF12 conversation as an object": {nil, Body{Conversation: raw(`{"x":[],"id":"conv_1"}`)}, named(SourceConversation, "conv_1")},
		"AF12 conversation_id":           {nil, Body{ConversationID: raw(`"conv_1"`)}, named(SourceConversation, "conv_1")},
		"conversation before conversation_id": {
			nil, Body{Conversation: raw(`"a"`), ConversationID: raw(`"b"`)}, named(SourceConversation, "a"),
		},
		"ids must be strings": {
			nil,
			Body{
				Metadata: raw(`{"user_id":5}`), Conversation: raw(`7`), ConversationID: raw(`["x"]`), PromptCacheKey: raw(`1`),
				SessionID: raw(`true`), CamelSessionID: raw(`{}`), Request: raw(`{"session_id":4}`),
			},
			Keys{},
		},
		"members of the wrong type": {
			nil, Body{Metadata: raw(`[{"user_id":"x"}]`), Conversation: raw(`[{"id":"x"}]`), Request: raw(`"session_id"`)}, Keys{},
		},
		"escaped id":          {nil, Body{Conversation: raw(`"caf\u00e9"`)}, named(SourceConversation, "café")},
		"blanks around an id": {http.Header{"X-Session-Id": {"  s1 "}}, Body{}, named(SourceHeader, "s1")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, From(tt.header, tt.body, "scope"))
		})
	}
}

// AF13: whatever a request carries besides, its strongest source counts.
func TestFrom_PrefersTheStrongerSource(t *testing.T) {
	t.Parallel()
	header, body := http.Header{}, Body{}
	for _, stronger := range []struct {
		want Source
		add  func()
	}{
		{"", func() {}},
		{SourceOpening, func() { body.Messages = raw(`[{"role":"user","content":"hi"}]`) }},
		{SourceSocket, func() { body.Socket = "ws-1" }},
		{SourceConversation, func() { body.ConversationID = raw(`"c"`) }},
		{SourceUser, func() { body.Metadata = raw(`{"user_id":"u"}`) }},
		{SourceSession, func() { body.SessionID = raw(`"s"`) }},
		{SourcePromptCacheKey, func() { body.PromptCacheKey = raw(`"p"`) }},
		{SourceAffinity, func() { header.Set("X-Session-Affinity", "a") }},
		{SourceCodex, func() { header.Set("session_id", "c") }},
		{SourceHeader, func() { header.Set("X-Session-ID", "s") }},
		{SourceClaude, func() { header.Set("X-Claude-Code-Session-Id", uuid) }},
	} {
		stronger.add()
		require.Equal(t, stronger.want, strongest(header, body, "scope").Source)
	}
	fromHeader := strongest(header, body, "scope")
	body.Metadata = raw(`{"user_id":"` + oldForm + `"}`)
	require.Equal(t, fromHeader, strongest(header, body, "scope"), "both forms name one session alike")
	body.Metadata = raw(`{"user_id":"{\"session_id\":\"other\"}"}`)
	require.Equal(t, named(SourceClaude, "other"), strongest(header, body, "scope"), "the body comes first")
}

// AF14: values that do not count leave the word to the next value, then the next source.
func TestFrom_SkipsInvalidValues(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("é", maxIDBytes/2)
	tests := map[string]struct {
		value string
		valid bool
	}{
		"256 bytes":                   {longest, true},
		"257 bytes":                   {longest + "x", false},
		"256 bytes and blanks":        {" " + longest + " ", true},
		"empty":                       {"", false},
		"blanks":                      {"   ", false},
		"control character inside":    {"a\x01b", false},
		"control character at an end": {"ab\n", false},
		"tab at an end":               {"ab\t", false},
		"delete":                      {"a\x7f", false},
		"C1 control character":        {"a\u0085", false},
		"NUL":                         {"a\x00b", false},
		"bytes that are no text":      {"a\xffb", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := Body{Conversation: raw(`"next source"`)}
			want, wantAmongSeveral := named(SourceConversation, "next source"), named(SourceHeader, "next value")
			if tt.valid {
				want = named(SourceHeader, strings.TrimSpace(tt.value))
				wantAmongSeveral = want
			}
			require.Equal(t, want, strongest(http.Header{"X-Session-Id": {tt.value}}, body, "scope"))
			require.Equal(t, wantAmongSeveral, strongest(http.Header{"X-Session-Id": {tt.value, "next value", "third"}}, body, "scope"))
		})
	}
}

func TestFrom_SkipsInvalidBodyValues(t *testing.T) {
	t.Parallel()
	tooLong := strings.Repeat("x", maxIDBytes+1)
	next := Body{ConversationID: raw(`"next"`)}
	for name, body := range map[string]Body{
		"user id too long":             {Metadata: raw(`{"user_id":"` + tooLong + `"}`)},
		"user id with a control":       {Metadata: raw(`{"user_id":"a\u0000b"}`)},
		"old form with a control":      {Metadata: raw(`{"user_id":"\u0007` + oldForm + `"}`)},
		"old form too long":            {Metadata: raw(`{"user_id":"` + tooLong + oldForm + `"}`)},
		"JSON form on several lines":   {Metadata: raw(`{"user_id":"{\n\"session_id\":\"a\\u0001\"}"}`)},
		"cache key too long":           {PromptCacheKey: raw(`"` + tooLong + `"`)},
		"session with a control":       {SessionID: raw(`"a\u0085"`), CamelSessionID: raw(`"\t"`), Request: raw(`{"session_id":"` + tooLong + `"}`)},
		"conversation too long":        {Conversation: raw(`"` + tooLong + `"`)},
		"conversation id with control": {Conversation: raw(`{"id":"a\n"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body.ConversationID = next.ConversationID
			require.Equal(t, named(SourceConversation, "next"), From(nil, body, "scope"))
		})
	}
}

// AF15: names match in any case, also where a header map was not filled by net/http.
func TestFrom_FindsHeadersInAnyCase(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header http.Header
		want   Keys
	}{
		"lower case":                     {http.Header{"x-session-id": {"a"}}, named(SourceHeader, "a")},
		"as documented":                  {http.Header{"X-Session-ID": {"a"}}, named(SourceHeader, "a")},
		"Claude's, upper case":           {http.Header{"X-CLAUDE-CODE-SESSION-ID": {"a"}}, named(SourceClaude, "a")},
		"canonical one first":            {http.Header{"X-SESSION-ID": {"a"}, "X-Session-Id": {"b"}, "x-session-id": {"c"}}, named(SourceHeader, "b")},
		"then by spelling":               {http.Header{"x-session-id": {"c"}, "X-SESSION-ID": {"a"}, "X-session-id": {"b"}}, named(SourceHeader, "a")},
		"invalid under one spelling":     {http.Header{"X-Session-Id": {" "}, "X-SESSION-ID": {"a\n"}, "x-session-id": {"c"}}, named(SourceHeader, "c")},
		"no value":                       {http.Header{"X-Session-Id": nil, "x-session-id": {}}, Keys{}},
		"Codex's, canonical one first":   {http.Header{"SESSION_ID": {"a"}, "Session_id": {"b"}}, named(SourceCodex, "b")},
		"Codex's first name, odd":        {http.Header{"SESSION-ID": {"a"}, "Thread-Id": {"b"}}, named(SourceCodex, "a")},
		"as a gateway documents it":      {http.Header{"x-litellm-session-id": {"a"}}, named(SourceAffinity, "a")},
		"another name of the same shape": {http.Header{"X_Session_Id": {"a"}, "X-Session-Ids": {"a"}}, Keys{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 20 { // maps are walked in random order
				require.Equal(t, tt.want, From(tt.header, Body{}, "scope"))
			}
		})
	}
}

func TestFrom_KeepsScopesAndSourcesApart(t *testing.T) {
	t.Parallel()
	header := http.Header{"X-Session-Id": {"id"}}
	seen := map[Key]string{}
	for _, scope := range []string{"", "team-a\x00m", "team-a\x00n", "team-b\x00m", "\x00"} {
		seen[From(header, Body{}, scope).Primary] = scope
		seen[From(nil, Body{Conversation: raw(`"id"`)}, scope).Primary] = scope
		seen[From(nil, Body{Metadata: raw(`{"user_id":"id"}`)}, scope).Primary] = scope
		seen[From(nil, Body{PromptCacheKey: raw(`"id"`)}, scope).Primary] = scope
		seen[From(nil, Body{Socket: "id"}, scope).Primary] = scope
		opening := From(nil, Body{Messages: raw(`[{"role":"user","content":"id"},{"role":"assistant","content":"x"}]`)}, scope)
		seen[opening.Primary], seen[opening.Fallback] = scope, scope
	}
	require.Len(t, seen, 5*7)
	require.NotContains(t, seen, Key{})
}

// Keys outlive a process once bindings do, so the way they are made must not change.
func TestFrom_KeysStayTheSame(t *testing.T) {
	t.Parallel()
	keys := From(http.Header{"X-Session-Id": {"id"}}, Body{}, "team-a\x00gpt-5.5")
	require.Equal(t, "896be4307fef26dfe3977db2d93668c4", keys.Primary.String()) // printf 'team-a\0gpt-5.5\0header:id' | sha256sum | cut -c-32
	opening := From(nil, Body{
		System:   raw(`"Be brief."`),
		Messages: raw(`[{"role":"user","content":"hi"},{"role":"assistant","content":"Hello."}]`),
	}, "")
	require.Equal(t, keyOf("", SourceOpening, "d634fcbde3f6a176"), opening.Primary)
	require.Equal(t, keyOf("", SourceOpening, "cefff4b2ffac216c"), opening.Fallback)
}
