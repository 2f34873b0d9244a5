package messages

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocs_ListTheLosses holds the table at the end of the format's section against the code.
func TestDocs_ListTheLosses(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/formats.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "\n## Anthropic Messages\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	_, table, ok := strings.Cut(section, "| what | why |\n| --- | --- |\n")
	require.True(t, ok)
	var want strings.Builder
	for _, l := range (Codec{}).Losses() {
		want.WriteString("| `" + l.Path + "` | " + l.Reason + " |\n")
	}
	require.Equal(t, strings.TrimSpace(want.String()), strings.TrimSpace(table))
}
