package chat

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLosses_AreThoseOfTheDocumentation holds the table of losses in docs/formats.md against
// the code.
func TestLosses_AreThoseOfTheDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/formats.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## OpenAI chat\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	_, table, found := strings.Cut(section, "| what | why |\n| --- | --- |\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	var want strings.Builder
	for _, l := range (Codec{}).Losses() {
		want.WriteString("| `" + l.Path + "` | " + l.Reason + " |\n")
	}
	require.Equal(t, strings.TrimSpace(want.String()), strings.TrimSpace(table))
}
