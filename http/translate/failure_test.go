package translate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/providers"
)

// Agents shorten a conversation that is too long if they are told so in their format's words.
func TestFailure_TellsAnOverflowAsTheClientKnowsIt(t *testing.T) {
	t.Parallel()
	upstreams := map[providers.Format][]string{
		providers.OpenAIChat: {
			`{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
			`{"error":{"message":"This model's maximum context length is 8192 tokens.","code":400}}`,
		},
		providers.OpenAIResponses: {
			`{"error":{"message":"Your input exceeds the context window of this model. Please adjust your input and try again.","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}`,
		},
		providers.Anthropic: {
			`{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}`,
			"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000\"}}",
		},
		providers.Gemini: {
			`{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}`,
		},
	}
	for from, bodies := range upstreams {
		for _, body := range bodies {
			for _, to := range providers.AllFormats() {
				f := translate.Failure(from, to, 400, []byte(body))
				require.Equal(t, "context_length_exceeded", f.Code, body)
				if to == providers.Anthropic {
					require.Regexp(t, "^prompt is too long", f.Message)
				}
				require.NotContains(t, f.Message, "prompt is too long: prompt is too long")
			}
		}
	}
}

func TestFailure_LeavesOtherErrorsAlone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"error":{"message":"Write about the maximum context length.","code":"invalid_prompt"}}`,
		`{"error":{"message":"messages: at least one message is required"}}`,
	} {
		f := translate.Failure(providers.OpenAIChat, providers.Anthropic, 400, []byte(body))
		require.NotEqual(t, "context_length_exceeded", f.Code)
		require.Contains(t, body, f.Message)
	}
	f := translate.Failure(providers.OpenAIChat, providers.Anthropic, 500, []byte(`{"error":{"message":"maximum context length"}}`))
	require.Empty(t, f.Code, "the upstream failed: nothing is said of the request")
}

func TestFailure_WritesGooglesReasonsAsOthersWriteTheirs(t *testing.T) {
	t.Parallel()
	body := []byte(`{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED"}]}}`)
	require.Equal(t, "rate_limit_exceeded", translate.Failure(providers.Gemini, providers.OpenAIChat, 429, body).Code)
	require.Equal(t, "RATE_LIMIT_EXCEEDED", translate.Failure(providers.Gemini, providers.Gemini, 429, body).Code)
}
