package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
)

func TestKeyring_FindsARightKeyInAnyPlace(t *testing.T) {
	t.Parallel()
	ring := newKeyring([]config.APIKey{{Key: "right", Name: "one"}, {Key: "other", Name: "two"}})
	tests := map[string]struct {
		query  string
		header http.Header
		want   string // the key's name; empty = refused
	}{
		"bearer":                         {"", http.Header{"Authorization": {"Bearer right"}}, "one"},
		"bearer in other case":           {"", http.Header{"Authorization": {"bearer  right "}}, "one"},
		"x-api-key":                      {"", http.Header{"X-Api-Key": {"right"}}, "one"},
		"x-goog-api-key":                 {"", http.Header{"X-Goog-Api-Key": {"other"}}, "two"},
		"query":                          {"?alt=sse&key=right", nil, "one"},
		"escaped query":                  {"?k%65y=%72ight", nil, "one"},
		"wrong header, right query":      {"?key=right", http.Header{"X-Api-Key": {"wrong"}}, "one"},
		"second of two values":           {"", http.Header{"X-Api-Key": {"wrong", "right"}}, "one"},
		"none":                           {"", nil, ""},
		"wrong everywhere":               {"?key=no", http.Header{"X-Api-Key": {"no"}, "Authorization": {"Bearer no"}}, ""},
		"basic is no bearer":             {"", http.Header{"Authorization": {"Basic right"}}, ""},
		"a prefix of a key":              {"", http.Header{"X-Api-Key": {"righ"}}, ""},
		"empty":                          {"?key=", http.Header{"X-Api-Key": {""}}, ""},
		"another parameter of the query": {"?apikey=right", nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/"+tt.query, nil)
			r.Header = tt.header
			found := ring.find(r)
			if tt.want == "" {
				require.Nil(t, found)
				return
			}
			require.NotNil(t, found)
			require.Equal(t, tt.want, found.name)
		})
	}
}

func TestKeyring_IsOpenWithoutKeys(t *testing.T) {
	t.Parallel()
	key := newKeyring(nil).find(httptest.NewRequest(http.MethodGet, "/", nil))
	require.NotNil(t, key)
	require.True(t, key.allows("anything"))
}

func TestClientKey_AllowsByGlob(t *testing.T) {
	t.Parallel()
	key := &clientKey{models: []string{"gpt-*", "main"}}
	require.True(t, key.allows("gpt-5.5"))
	require.True(t, key.allows("main"))
	require.False(t, key.allows("claude"))
}

func TestWithoutKey_KeepsEverythingElse(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                          "",
		"key=x":                     "",
		"alt=sse":                   "alt=sse",
		"b=%20&key=x&a=1&a=2&":      "b=%20&a=1&a=2&",
		"key=x&beta=true&k%65y=y":   "beta=true",
		"akey=1&keys=2&key&x=key=1": "akey=1&keys=2&x=key=1",
	} {
		require.Equal(t, want, withoutKey(query), query)
	}
}

func FuzzWithoutKey(f *testing.F) {
	f.Add("alt=sse&key=x")
	f.Add("k%65y=1&%zz=2&&")
	f.Fuzz(func(t *testing.T, query string) {
		kept := withoutKey(query)
		require.False(t, hasKeyPair(kept))
		require.Equal(t, kept, withoutKey(kept))
		if !hasKeyPair(query) {
			require.Equal(t, query, kept)
		}
	})
}
