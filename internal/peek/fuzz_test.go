package peek

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// seeds are bodies that have little in common.
func seeds() []string {
	return []string{
		`{"model":"gpt-5.5","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
		`{"mod\u0065l":"a","metadata":{"user_id":"x"},"mod\u0065l":"b"}`,
		`{"prompt_cache_key":"p","session_id":"s","sessionId":1,"request":{},"previous_response_id":"r","thread":{},"thread":[]}`,
		`{"model":null}`, `{"moDel":null}`, `{"input":[1],"model":"m","input": {}}`, `{"contents":[{}],"system_instruction":{"parts":[]},"systemInstruction":1}`,
		`[1,-0,0.5,1e9,1E-2,1e+05,-12.25e-1,01,1.,.5,+1,-,1e,0x1]`, `{"a":{"b":[{"c":[]}]}}`,
		`"\ud83d\ude00\udc00\u00e9\/\x"`, "\"0123456\x1f\"", "\"01234567\\\"89\"", "\ufeff{}", "nul", "truefalse", "\x00",
		` { "a" : [ true , false , null ] } `, `{"a":1,}`, `{,}`, `[,]`, `{"a"}`, `{"a":}`, `{1:2}`, `]`, `{"a":[}`,
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1),
	}
}

func FuzzValid(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := Valid(b)
		if errors.Is(err, ErrTooDeep) {
			require.Greater(t, depth(b), MaxDepth)
			return
		}
		require.Equal(t, json.Valid(b), err == nil, "%v", err)
		require.True(t, err == nil || errors.Is(err, ErrNotJSON))
	})
}

func FuzzScan(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := Scan(body)
		if !json.Valid(body) {
			require.Error(t, err)
			return
		}
		if want := faults(t, body); len(want) > 0 {
			require.ErrorIs(t, errors.Join(want...), sentinel(err))
			return
		}
		require.NoError(t, err)
		require.Equal(t, decoded(t, body), withoutPlace(got))
		require.Equal(t, string(got.Input), string(body[got.InputAt.Start:got.InputAt.End]))
		if got.ModelAt != (Span{}) {
			var model string
			require.NoError(t, json.Unmarshal(body[got.ModelAt.Start:got.ModelAt.End], &model))
			require.Equal(t, model, got.Model)
		}
	})
}

func FuzzSplice(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s), "other")
	}
	f.Fuzz(func(t *testing.T, body []byte, model string) {
		before, err := Scan(body)
		if err != nil || before.ModelAt == (Span{}) {
			t.Skip("no model to replace")
		}
		spliced := Splice(nil, body, before.ModelAt, AppendString(nil, model))
		after, err := Scan(spliced)
		require.NoError(t, err)
		require.Equal(t, string([]rune(model)), after.Model, "each bad byte becomes U+FFFD")

		want, got := membersOf(t, body), membersOf(t, spliced)
		delete(want, "model")
		delete(got, "model")
		require.Equal(t, want, got)
	})
}

func TestAppendString_RoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		quoted := AppendString(nil, s)
		var spelled string
		require.NoError(t, json.Unmarshal(quoted, &spelled))
		require.True(t, utf8.Valid(quoted))
		require.Equal(t, spelled, unquote(quoted))
		require.Equal(t, string([]rune(s)), spelled, "each bad byte becomes U+FFFD, all else stays")
	})
}

// faults lists every reason there is to refuse a valid body. Scan stops at the first.
func faults(t *testing.T, body []byte) []error {
	if depth(body) > MaxDepth {
		// Where it gets too deep, other faults may have come before.
		return []error{ErrTooDeep, ErrDuplicateModel, ErrModelNotString}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, _ := dec.Token(); open != json.Delim('{') {
		return []error{ErrNotObject}
	}
	var found []error
	models := 0
	for dec.More() {
		name, err := dec.Token()
		require.NoError(t, err)
		var value json.RawMessage
		require.NoError(t, dec.Decode(&value))
		key, _ := name.(string)
		if len(key) == len("model") && key != "model" && strings.EqualFold(key, "model") {
			found = append(found, ErrDuplicateModel) // even if it is the only one: decoders differ
		}
		if key != "model" {
			continue
		}
		if models++; models == 2 {
			found = append(found, ErrDuplicateModel)
		}
		if value[0] != '"' {
			found = append(found, ErrModelNotString)
		}
	}
	return found
}

func sentinel(err error) error {
	for _, e := range []error{ErrTooDeep, ErrNotObject, ErrDuplicateModel, ErrModelNotString} {
		if errors.Is(err, e) {
			return e
		}
	}
	return errors.New("none of the expected")
}

// decoded is what Scan should find in a faultless body, but for where.
func decoded(t *testing.T, body []byte) Request {
	m := membersOf(t, body)
	r := Request{
		Stream:   string(m["stream"]) == "true",
		Messages: m["messages"], System: m["system"], Input: m["input"], Instructions: m["instructions"], Contents: m["contents"],
		Metadata: m["metadata"], Conversation: m["conversation"], ConversationID: m["conversation_id"],
		PromptCacheKey: m["prompt_cache_key"], SessionID: m["session_id"], CamelSessionID: m["sessionId"], Request: m["request"],
		PreviousResponseID: m["previous_response_id"], Thread: m["thread"],
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	_, _ = dec.Token()
	for dec.More() { // the last of two spellings of one member
		key, _ := dec.Token()
		var value json.RawMessage
		require.NoError(t, dec.Decode(&value))
		if key == "systemInstruction" || key == "system_instruction" {
			r.SystemInstruction = value
		}
	}
	return r
}

func withoutPlace(r Request) Request {
	r.Model, r.ModelAt, r.InputAt = "", Span{}, Span{}
	return r
}

func membersOf(t *testing.T, body []byte) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &m))
	return m
}

// depth is how deep b is nested at most, if it is JSON.
func depth(b []byte) int {
	deepest, open, inString := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			open++
			deepest = max(deepest, open)
		case c == ']' || c == '}':
			open--
		}
	}
	return deepest
}
