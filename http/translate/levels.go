package translate

import (
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/providers"
)

// lostReasoning is the one loss that comes from what is configured about a model and not from
// a format.
func lostReasoning() llm.Loss {
	return llm.Loss{Path: "reasoning", Reason: "the model does not have the level that is asked for"}
}

// levels are those of a model's configuration; empty = not known.
func levels(words []string) []llm.Level {
	if len(words) == 0 {
		return nil
	}
	list := make([]llm.Level, len(words))
	for i, w := range words {
		list[i] = llm.Level(w)
	}
	return list
}

// Thinks reports whether a model that takes only these levels thinks at all.
func Thinks(of []string) bool { return llm.Thinks(levels(of)) }

// Takes reports whether a model that takes only these levels takes r as it is.
func Takes(r Reasoning, of []string) bool { return r.Takes(levels(of)) }

// Fit returns r for a model that takes only these levels: the nearest lower one, else the
// lowest, and nothing for a model that does not think.
func Fit(r Reasoning, of []string) Reasoning { return r.Fit(levels(of)) }

// HasReasoning reports whether a client's body says how much the model should think.
func HasReasoning(f providers.Format, body []byte) bool {
	for _, path := range reasoningOf(f) {
		if gjson.GetBytes(body, path).Exists() {
			return true
		}
	}
	return false
}

// DropReasoning returns a client's body without all that HasReasoning looks for. body is not
// changed.
func DropReasoning(f providers.Format, body []byte) ([]byte, error) {
	for _, path := range reasoningOf(f) {
		if !gjson.GetBytes(body, path).Exists() {
			continue
		}
		next, err := sjson.DeleteBytes(body, path)
		if err != nil {
			return nil, err
		}
		body = next
	}
	return body, nil
}

// reasoningOf returns the paths of a format's settings of reasoning.
func reasoningOf(f providers.Format) []string {
	switch f {
	case providers.OpenAIResponses:
		return []string{"reasoning"}
	case providers.Anthropic:
		return []string{"thinking", "output_config.effort"}
	case providers.Gemini:
		return []string{
			"generationConfig.thinkingConfig", "generationConfig.thinking_config",
			"generation_config.thinkingConfig", "generation_config.thinking_config",
		}
	default:
		return []string{"reasoning_effort", "reasoning", "thinking"}
	}
}
