package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDistance_CountsEdits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abc", 0},
		{"kitten", "sitting", 3},
		{"knid", "kind", 2},
		{"ab", "b", 1},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, distance(tt.a, tt.b), "%s %s", tt.a, tt.b)
	}
}

func TestDidYouMean_NamesOnlyWhatIsNear(t *testing.T) {
	t.Parallel()
	known := []string{"kind", "name", "session-affinity"}
	require.Equal(t, ` (did you mean "session-affinity"?)`, didYouMean("Session_Affinty", known))
	require.Equal(t, ` (did you mean "name"?)`, didYouMean("nam", known))
	require.Empty(t, didYouMean("zzz", known))
	require.Empty(t, didYouMean("", known))
	require.Empty(t, didYouMean(strings.Repeat("kind", 1000), known))
}

func TestPrintable_EndsWhereAKeyWould(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                      "",
		"max-body_Bytes":        "max-body_Bytes",
		"api-key:sk-123":        "api-key…",
		"sk-123":                "sk-…",
		"ключ":                  "…",
		strings.Repeat("a", 41): strings.Repeat("a", 40) + "…",
	}
	for in, want := range tests {
		require.Equal(t, want, printable(in))
	}
}
