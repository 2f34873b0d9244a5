package session

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// id is one of several ids, as From returns it.
func id(source Source, value string) ID {
	rank := uint8(1 + slices.Index([]Source{
		SourceClaude, SourceHeader, SourceCodex, SourceAffinity, SourceSession, SourceUser, SourceConversation, SourcePromptCacheKey,
	}, source))
	return ID{Key: keyOf("scope", source, value), Rank: rank}
}

func TestFrom_ListsSeveralIDs(t *testing.T) {
	t.Parallel()
	const claudeUser = `{"user_id":"{\"session_id\":\"s-1\"}"}`
	messages := raw(`[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]`)
	tests := map[string]struct {
		header http.Header
		body   Body
		want   []ID
	}{
		"none":          {nil, Body{}, nil},
		"one":           {http.Header{"X-Session-Id": {"s"}}, Body{Messages: messages}, nil},
		"only implicit": {nil, Body{Socket: "ws", Messages: messages}, nil},
		"implicit ones never count": {
			http.Header{"X-Session-Id": {"s"}},
			Body{Conversation: raw(`"c"`), Socket: "ws", Messages: messages},
			[]ID{id(SourceHeader, "s"), id(SourceConversation, "c")},
		},
		"one from each source": {
			http.Header{"Session-Id": {"s", "t"}, "Thread-Id": {"u"}},
			Body{Conversation: raw(`"c"`), ConversationID: raw(`"d"`)},
			[]ID{id(SourceCodex, "s"), id(SourceConversation, "c")},
		},
		"AF36 cache key and conversation: the cache key is less specific": {
			nil, Body{PromptCacheKey: raw(`"p"`), Conversation: raw(`{"id":"c"}`)}, []ID{id(SourceConversation, "c"), id(SourcePromptCacheKey, "p")},
		},
		"AF38 another conversation with that cache key": {
			nil, Body{PromptCacheKey: raw(`"p"`), Conversation: raw(`"d"`)}, []ID{id(SourceConversation, "d"), id(SourcePromptCacheKey, "p")},
		},
		"Codex": {
			http.Header{"Session-Id": {"t"}, "Thread-Id": {"t"}, "X-Client-Request-Id": {"t"}},
			Body{PromptCacheKey: raw(`"t"`)},
			[]ID{id(SourceCodex, "t"), id(SourcePromptCacheKey, "t")},
		},
		"opencode": {
			http.Header{"X-Session-Affinity": {"ses"}, "X-Session-Id": {"ses"}},
			Body{PromptCacheKey: raw(`"ses"`)},
			[]ID{id(SourceHeader, "ses"), id(SourceAffinity, "ses"), id(SourcePromptCacheKey, "ses")},
		},
		"Claude Code says one id twice": {http.Header{"X-Claude-Code-Session-Id": {"s-1"}}, Body{Metadata: raw(claudeUser)}, nil},
		"Claude's header beside another's user": {
			http.Header{"X-Claude-Code-Session-Id": {"s-1"}},
			Body{Metadata: raw(`{"user_id":"u"}`)},
			[]ID{id(SourceClaude, "s-1"), id(SourceUser, "u")},
		},
		"all of them": {
			http.Header{"X-Session-Id": {"h"}, "Session_id": {"x"}, "X-Amp-Thread-Id": {"a"}, "X-Claude-Code-Session-Id": {"k"}},
			Body{
				PromptCacheKey: raw(`"p"`), SessionID: raw(`"s"`), Metadata: raw(`{"user_id":"u"}`), ConversationID: raw(`"c"`),
			},
			[]ID{
				id(SourceClaude, "k"), id(SourceHeader, "h"), id(SourceCodex, "x"), id(SourceAffinity, "a"),
				id(SourceSession, "s"), id(SourceUser, "u"), id(SourceConversation, "c"), id(SourcePromptCacheKey, "p"),
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, From(tt.header, tt.body, "scope").IDs)
		})
	}
}

// AF37: an id that comes alone is the key under which it comes with others.
func TestFrom_IDsComeUnderOneKeyAloneAndTogether(t *testing.T) {
	t.Parallel()
	cacheKey, conversation := raw(`"p"`), raw(`"c"`)
	first := From(nil, Body{PromptCacheKey: cacheKey}, "scope")
	both := From(nil, Body{PromptCacheKey: cacheKey, Conversation: conversation}, "scope")
	last := From(nil, Body{Conversation: conversation}, "scope")
	require.Equal(t, SourcePromptCacheKey, both.Source, "the source goes by strength, not by how specific an id is")
	require.Equal(t, first.Primary, both.Primary)
	require.Equal(t, []Key{last.Primary, first.Primary}, []Key{both.IDs[0].Key, both.IDs[1].Key})
}

func TestFrom_FindsAffinityHeadersInOrder(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	names := []string{"X-Session-Affinity", "x-opencode-session", "X-Task-ID", "X-Roo-Task-ID", "X-Amp-Thread-Id", "x-litellm-session-id"}
	for _, name := range slices.Backward(names) {
		h.Set(name, name)
		require.Equal(t, named(SourceAffinity, name), From(h, Body{}, "scope"))
	}
	h.Set(names[0], "\x00")
	require.Equal(t, named(SourceAffinity, names[1]), From(h, Body{}, "scope"))
}

// AF25: the caller cuts a model's suffix off, so its variants have one scope; AF26, AF42:
// other models and other clients have another.
func TestFrom_OneBindingPerScope(t *testing.T) {
	t.Parallel()
	h, scope := http.Header{"X-Session-Id": {"s"}}, "client\x00m"
	require.Equal(t, From(h, Body{}, scope), From(h.Clone(), Body{}, scope))
	for _, other := range []string{"client\x00n", "other\x00m", "client\x00m\x00", "clientm", ""} {
		require.NotEqual(t, From(h, Body{}, scope).Primary, From(h, Body{}, other).Primary, other)
	}
}

// AF42: an id made of the opening stays while the conversation grows, and is not there
// beside an explicit one.
func TestFrom_DerivesIDsOnlyWithoutAnExplicitOne(t *testing.T) {
	t.Parallel()
	const begin = `[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}`
	turn2 := From(nil, Body{Messages: raw(begin + "]")}, "scope")
	turn3 := From(nil, Body{Messages: raw(begin + `,{"role":"user","content":"more"}]`)}, "scope")
	require.Equal(t, turn2, turn3)
	require.Equal(t, SourceOpening, turn2.Source)
	require.NotEqual(t, turn2.Primary, From(nil, Body{Messages: raw(begin + "]")}, "another client").Primary)
	explicit := From(http.Header{"X-Session-Id": {"s"}}, Body{Messages: raw(begin + "]")}, "scope")
	require.Equal(t, named(SourceHeader, "s"), explicit)
}

func TestKeys_ForAnotherModel(t *testing.T) {
	t.Parallel()
	require.Zero(t, Keys{}.For("m"))
	keys := From(nil, Body{PromptCacheKey: raw(`"p"`), Conversation: raw(`"c"`)}, "scope")
	before := slices.Clone(keys.IDs)
	fallback := keys.For("m")
	require.Equal(t, fallback, keys.For("m"))
	require.Equal(t, before, keys.IDs, "the keys themselves stay")
	require.Equal(t, keys.Source, fallback.Source)
	require.True(t, fallback.Fallback.IsZero())
	require.Equal(t, fallback.Primary, fallback.IDs[1].Key, "an id alone and among others stay one")
	require.Equal(t, "f0ad6d6a07151cf26bd090803b4f7302", Keys{Primary: Key{1}}.For("m").Primary.String(), "keys outlive the process")
}

// request draws a request out of few enough values for two to be equal now and then.
func request(t *rapid.T) (http.Header, Body) {
	value := func(name string) string {
		return rapid.SampledFrom([]string{"", "", "a", "b", " a ", "a\n", strings.Repeat("x", 300)}).Draw(t, name)
	}
	member := func(name string) []byte {
		v := value(name)
		if v == "" {
			return nil
		}
		quoted, err := json.Marshal(v)
		require.NoError(t, err)
		return quoted
	}
	h := http.Header{}
	for _, name := range []string{"X-Claude-Code-Session-Id", "X-Session-Id", "Session-Id", "thread-id", "X-Task-Id", "X-Client-Request-Id"} {
		if v := value(name); v != "" {
			h[name] = []string{v}
		}
	}
	b := Body{
		PromptCacheKey: member("pck"), SessionID: member("session_id"), CamelSessionID: member("sessionId"),
		Conversation: member("conversation"), ConversationID: member("conversation_id"), Input: member("input"),
		Socket: value("socket"),
	}
	if user := member("user_id"); user != nil {
		b.Metadata = raw(`{"user_id":` + string(user) + `}`)
	}
	return h, b
}

// all are the keys there are in k.
func all(k Keys) []Key {
	keys := []Key{k.Primary, k.Fallback}
	for _, id := range k.IDs {
		keys = append(keys, id.Key)
	}
	return slices.DeleteFunc(keys, Key.IsZero)
}

func TestFrom_PropertiesOfKeys(t *testing.T) {
	t.Parallel()
	scopes := rapid.SampledFrom([]string{"", "a\x00m", "a\x00n", "am", "b\x00m", "a\x00m\x00"})
	rapid.Check(t, func(t *rapid.T) {
		h, b := request(t)
		other, otherBody := request(t)
		scope, otherScope := scopes.Draw(t, "scope"), scopes.Draw(t, "other scope")
		keys := From(h, b, scope)
		require.Equal(t, keys, From(h.Clone(), b, scope), "equal requests have equal keys")
		require.Equal(t, keys.Source == "", keys.Primary.IsZero())
		requireOrderedIDs(t, keys)

		fallback := keys.For("fallback")
		require.Equal(t, keys.For("fallback"), fallback)
		require.Len(t, all(fallback), len(all(keys)))
		for _, k := range all(keys) {
			require.NotContains(t, all(fallback), k)
			require.NotContains(t, all(keys.For("fallback2")), k)
			if scope != otherScope {
				require.NotContains(t, all(From(other, otherBody, otherScope)), k, "scopes never share a key")
				require.NotContains(t, all(From(h, b, otherScope)), k)
			}
		}
	})
}

// requireOrderedIDs checks that there is no list of fewer than two ids, that the most
// specific one comes first, one of each kind, and that the primary key is among them.
func requireOrderedIDs(t require.TestingT, keys Keys) {
	if keys.IDs == nil {
		return
	}
	require.Greater(t, len(keys.IDs), 1)
	primary := false
	for i, id := range keys.IDs {
		primary = primary || id.Key == keys.Primary
		if i > 0 {
			require.Greater(t, id.Rank, keys.IDs[i-1].Rank)
		}
	}
	require.True(t, primary)
	require.True(t, keys.Fallback.IsZero())
}

func TestFrom_AllocatesNothingForOneID(t *testing.T) {
	h := http.Header{"Content-Type": {"application/json"}, "X-Session-Id": {"s1"}}
	b := Body{Messages: raw(`[{"role":"user","content":"hi"}]`), Metadata: raw(`{"trace":"x"}`)}
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = From(h, b, "client\x00model") }))
	body := Body{PromptCacheKey: raw(`"p"`)}
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = From(nil, body, "client\x00model") }))
}
