package providers_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestMatch_KnowsOnlyTheStar(t *testing.T) {
	t.Parallel()
	tests := []struct {
		glob, name string
		want       bool
	}{
		{"gpt-5.5", "gpt-5.5", true},
		{"gpt-5.5", "gpt-5x5", false},
		{"gpt-5.5", "gpt-5.5-mini", false},
		{"gpt-*", "gpt-", true},
		{"gpt-*", "gpt-5.5", true},
		{"gpt-*", "o3", false},
		{"gpt-*", "a-gpt-5", false},
		{"*-preview", "gemini-3-preview", true},
		{"*-preview", "-preview", true},
		{"*-preview", "gemini-3-preview-2", false},
		{"*mini*", "gpt-5-mini-2026", true},
		{"a*b*c", "abc", true},
		{"a*b*c", "a/b/b/c", true},
		{"a*b*c", "acb", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*ab", "aab", true},
		{"*ab*ab", "ab", false},
		{"*", "", true},
		{"*", "any/thing", true},
		{"**", "x", true},
		{"", "", true},
		{"", "x", false},
		{"?", "x", false},
		{"[ab]", "a", false},
		{`\*`, `\anything`, true},
		{"Gpt-*", "gpt-5", false},
		{"vendor/*", "vendor/a/b", true},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, providers.Match(tt.glob, tt.name), "%q on %q", tt.glob, tt.name)
	}
}

func TestMatchAny_NeedsOne(t *testing.T) {
	t.Parallel()
	require.False(t, providers.MatchAny(nil, "x"))
	require.False(t, providers.MatchAny([]string{"a*", "b"}, "x"))
	require.True(t, providers.MatchAny([]string{"a*", "x"}, "x"))
}

func TestCredential_ServesWhatItsListsAllow(t *testing.T) {
	t.Parallel()
	upstream := &providers.Upstream{Exclude: []string{"*-preview"}}
	tests := map[string]struct {
		credential providers.Credential
		model      string
		want       bool
	}{
		"no lists":              {providers.Credential{Upstream: upstream}, "m", true},
		"excluded upstream":     {providers.Credential{Upstream: upstream}, "m-preview", false},
		"allowed":               {providers.Credential{Upstream: upstream, Models: []string{"m*"}}, "m1", true},
		"not allowed":           {providers.Credential{Upstream: upstream, Models: []string{"m*"}}, "n", false},
		"excluded":              {providers.Credential{Upstream: upstream, Exclude: []string{"m"}}, "m", false},
		"allowed and excluded":  {providers.Credential{Upstream: upstream, Models: []string{"m"}, Exclude: []string{"m"}}, "m", false},
		"allowed, not upstream": {providers.Credential{Upstream: upstream, Models: []string{"*"}}, "m-preview", false},
	}
	for name, tt := range tests {
		require.Equal(t, tt.want, tt.credential.Serves(tt.model), name)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("a*b*c", "abbc")
	f.Add("*", "")
	f.Add("gpt-*", "gpt-5.5")
	f.Add("a*a", "a")
	f.Add("**.+(", "x.+(")
	f.Fuzz(func(t *testing.T, glob, name string) {
		// Names are bytes to Match, and characters to a regular expression.
		if !utf8.ValidString(glob) || !utf8.ValidString(name) {
			return
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, `.*`)
		want := regexp.MustCompile(`(?s)\A` + pattern + `\z`).MatchString(name)
		require.Equal(t, want, providers.Match(glob, name))
	})
}
