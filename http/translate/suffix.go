package translate

import (
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/providers"
)

// minThinkingTokens is the least budget that Anthropic takes.
const minThinkingTokens = 1024

// SetReasoning returns a client's body with the reasoning that the suffix of its model asks
// for, in place of its own, as its format says it. Nothing else changes. What the model
// makes of it is the upstream's business. body must be a JSON object; it is not changed.
func SetReasoning(f providers.Format, body []byte, r llm.Reasoning) ([]byte, error) {
	switch f {
	case providers.OpenAIResponses:
		return sjson.SetBytes(body, "reasoning.effort", string(r.AsLevel()))
	case providers.Anthropic:
		return setThinking(body, r)
	case providers.Gemini:
		tokens, _ := r.AsBudget()
		return sjson.SetBytes(body, geminiConfig(body)+".thinkingConfig", map[string]int64{"thinkingBudget": tokens})
	default:
		return sjson.SetBytes(body, "reasoning_effort", string(r.AsLevel()))
	}
}

// geminiConfig is how a body spells the member that holds its settings.
func geminiConfig(body []byte) string {
	if gjson.GetBytes(body, "generation_config").Exists() {
		return "generation_config"
	}
	return "generationConfig"
}

// setThinking keeps Anthropic's own rules: the budget is part of max_tokens, and a model that
// thinks takes no temperature of its own.
func setThinking(body []byte, r llm.Reasoning) ([]byte, error) {
	tokens, _ := r.AsBudget()
	switch {
	case r.Off():
		return sjson.SetRawBytes(body, "thinking", []byte(`{"type":"disabled"}`))
	case tokens < 0:
		return sjson.SetRawBytes(body, "thinking", []byte(`{"type":"adaptive"}`))
	}
	tokens = max(tokens, minThinkingTokens)
	body, err := sjson.SetBytes(body, "thinking", thinking{"enabled", tokens})
	if limit := gjson.GetBytes(body, "max_tokens").Int(); err == nil && limit <= tokens {
		body, err = sjson.SetBytes(body, "max_tokens", tokens+max(limit, minThinkingTokens))
	}
	for _, name := range [...]string{"temperature", "top_k"} {
		if err == nil {
			body, err = sjson.DeleteBytes(body, name)
		}
	}
	return body, err
}

type thinking struct {
	Type   string `json:"type"`
	Budget int64  `json:"budget_tokens"`
}
