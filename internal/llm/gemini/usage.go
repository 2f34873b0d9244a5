package gemini

import (
	"math"

	"github.com/understudyhq/understudy/internal/llm"
)

// usage counts the prompt with what was cached of it, and thoughts beside the candidates.
// Counts that are 0 may be absent.
type usage struct {
	Prompt     integer `json:"promptTokenCount"`
	Cached     integer `json:"cachedContentTokenCount"`
	ToolPrompt integer `json:"toolUsePromptTokenCount"`
	Candidates integer `json:"candidatesTokenCount"`
	Thoughts   integer `json:"thoughtsTokenCount"`
}

func (u *usage) canonical() llm.Usage {
	return llm.Usage{
		Input:     counted(u.Prompt) + counted(u.ToolPrompt),
		CacheRead: counted(u.Cached),
		Output:    counted(u.Candidates) + counted(u.Thoughts),
		Reasoning: counted(u.Thoughts),
	}
}

// counted keeps a count to what Google's SDKs can read.
func counted(n integer) int64 { return min(max(int64(n), 0), math.MaxInt32) }

// usage appends the member of that name. Tokens written to a cache have no count.
func (w *writer) usage(u *llm.Usage) {
	var none llm.Usage
	if u == nil {
		u = &none
	}
	input, output, thoughts := counted(integer(u.Input)), counted(integer(u.Output)), counted(integer(u.Reasoning))
	w.member(`"usageMetadata":`)
	w.raw("{")
	w.num(`"promptTokenCount":`, input)
	if cached := counted(integer(u.CacheRead)); cached > 0 {
		w.num(`"cachedContentTokenCount":`, cached)
	}
	w.num(`"candidatesTokenCount":`, max(output-thoughts, 0))
	if thoughts > 0 {
		w.num(`"thoughtsTokenCount":`, thoughts)
	}
	w.num(`"totalTokenCount":`, min(input+max(output, thoughts), math.MaxInt32))
	w.raw("}")
}
