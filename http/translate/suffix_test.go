package translate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/providers"
)

// Row TR71: what the gateway knows nothing about is written in the target's form.
func TestSetReasoning_WritesTheFormatsOwnForm(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		format       providers.Format
		suffix       string
		body, wanted string
	}{
		"chat":                       {providers.OpenAIChat, "(high)", `{"model":"m","x":1}`, `{"model":"m","x":1,"reasoning_effort":"high"}`},
		"chat, in place of its own":  {providers.OpenAIChat, "(none)", `{"reasoning_effort":"high","x":1}`, `{"reasoning_effort":"none","x":1}`},
		"chat, a budget":             {providers.OpenAIChat, "(9000)", `{}`, `{"reasoning_effort":"high"}`},
		"responses":                  {providers.OpenAIResponses, "(low)", `{"reasoning":{"summary":"auto","effort":"max"}}`, `{"reasoning":{"summary":"auto","effort":"low"}}`},
		"anthropic":                  {providers.Anthropic, "(8192)", `{"max_tokens":9000,"temperature":0.5}`, `{"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":8192}}`},
		"anthropic, room for it":     {providers.Anthropic, "(low)", `{"max_tokens":500}`, `{"max_tokens":2048,"thinking":{"type":"enabled","budget_tokens":1024}}`},
		"anthropic, least budget":    {providers.Anthropic, "(minimal)", `{"max_tokens":5000}`, `{"max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":1024}}`},
		"anthropic, off":             {providers.Anthropic, "(none)", `{"thinking":{"type":"adaptive"}}`, `{"thinking":{"type":"disabled"}}`},
		"anthropic, up to the model": {providers.Anthropic, "(auto)", `{"max_tokens":1}`, `{"max_tokens":1,"thinking":{"type":"adaptive"}}`},
		"gemini":                     {providers.Gemini, "(medium)", `{"generationConfig":{"seed":1}}`, `{"generationConfig":{"seed":1,"thinkingConfig":{"thinkingBudget":8192}}}`},
		"gemini, none yet":           {providers.Gemini, "(auto)", `{"contents":[]}`, `{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":-1}}}`},
		"gemini, the other spelling": {providers.Gemini, "(0)", `{"generation_config":{}}`, `{"generation_config":{"thinkingConfig":{"thinkingBudget":0}}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := llm.ParseSuffix(tt.suffix)
			require.NoError(t, err)
			body, err := translate.SetReasoning(tt.format, []byte(tt.body), r)
			require.NoError(t, err)
			require.JSONEq(t, tt.wanted, string(body))
		})
	}
}
