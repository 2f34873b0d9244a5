package providers_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestEndpoint_JoinsAsWritten(t *testing.T) {
	t.Parallel()
	tests := []struct{ base, path, query, want string }{
		{"https://h", "/v1/x", "", "https://h/v1/x"},
		{"https://h/", "/v1/x", "", "https://h/v1/x"},
		{"https://h/a//b/", "/x", "", "https://h/a//b/x"},
		{"https://u:p@h:1/a", "/x", "", "https://u:p@h:1/a/x"},
		{"https://h/a#part", "/x", "", "https://h/a/x"},
		{"https://h/a%2Fb/", "/x", "", "https://h/a%2Fb/x"},
		{"https://h/a", "/b%2Fc", "", "https://h/a/b%2Fc"},
		{"https://h/a b", "/c", "", "https://h/a%20b/c"},
		{"https://h/a b", "/c%2Fd", "", "https://h/a%20b/c%2Fd"},
		{"https://h", "/x", "b=%7e&a&&=1", "https://h/x?b=%7e&a&&=1"},
		{"https://h?v=1", "/x", "", "https://h/x?v=1"},
		{"https://h?v=1", "/x", "a=1", "https://h/x?v=1&a=1"},
	}
	for _, tt := range tests {
		base, err := url.Parse(tt.base)
		require.NoError(t, err)
		got := providers.Endpoint(base, tt.path, tt.query)
		require.Equal(t, tt.want, got.String())
		again, err := url.Parse(tt.base)
		require.NoError(t, err)
		require.Equal(t, again, base, "the base stays")
	}
}

func FuzzEndpoint(f *testing.F) {
	f.Add("https://h/v1/", "gpt-5.5", "a=1")
	f.Add("https://h/a%2Fb", "a b/c?d#e", "")
	f.Fuzz(func(t *testing.T, base, name, query string) {
		u, err := url.Parse(base)
		if err != nil || u.Opaque != "" {
			return
		}
		before := *u
		got := providers.Endpoint(u, "/"+url.PathEscape(name), query)
		require.Equal(t, before, *u)
		require.Equal(t, u.Host, got.Host)
		plain, err := url.PathUnescape(got.EscapedPath())
		require.NoError(t, err)
		require.Equal(t, got.Path, plain, "both forms of the path agree")
	})
}
