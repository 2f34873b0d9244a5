package llm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

func TestRequest_CheckNeededNamesWhatOnlyAnotherFormatKnows(t *testing.T) {
	t.Parallel()
	part := &llm.Opaque{Origin: llm.Responses, Needed: "an item of the type computer_call"}
	for name, parts := range map[string][]llm.Part{
		"in a message":         {&llm.Text{Text: "a"}, part},
		"in a tool's result":   {&llm.ToolResult{ID: "1", Content: []llm.Part{part}}},
		"after one without it": {&llm.Opaque{Origin: llm.Responses}, part},
	} {
		r := &llm.Request{Messages: []llm.Message{{Role: llm.User}, {Role: llm.User, Parts: parts}}}
		require.NoError(t, r.CheckNeeded(llm.Responses), name)
		require.Equal(t, &llm.UnsupportedError{Format: llm.Chat, What: part.Needed}, r.CheckNeeded(llm.Chat), name)
	}
	r := &llm.Request{Messages: []llm.Message{{Parts: []llm.Part{&llm.Opaque{Origin: llm.Responses}}}}}
	require.NoError(t, r.CheckNeeded(llm.Chat), "nothing depends on it")
}
