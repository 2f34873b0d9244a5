package llm_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

func TestRequest_ToolNamedKnowsNamesThatWereMadeToFit(t *testing.T) {
	t.Parallel()
	long := "mcp__" + strings.Repeat("server_", 12) + "tool"
	r := &llm.Request{Tools: []llm.Tool{{Name: "plain"}, {Name: "with.dot"}, {Name: long}}}
	require.Equal(t, "plain", r.ToolNamed("plain").Name)
	require.Equal(t, "with.dot", r.ToolNamed(llm.SafeID("with.dot", 64), 64).Name)
	require.Equal(t, long, r.ToolNamed(llm.SafeID(long, 64), 128, 64).Name)
	require.Nil(t, r.ToolNamed(llm.SafeID(long, 64)), "without a limit")
	require.Nil(t, r.ToolNamed("", 64))
	require.Nil(t, r.ToolNamed("other", 64))
}
