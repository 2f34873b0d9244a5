package sdk_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// overflowing is how each vendor says that a conversation is too long for its model.
func overflowing(f providers.Format) string {
	return map[providers.Format]string{
		providers.OpenAIChat:      `{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
		providers.OpenAIResponses: `{"error":{"message":"Your input exceeds the context window of this model.","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}`,
		providers.Anthropic:       `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}`,
		providers.Gemini:          `{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}`,
	}[f]
}

// TestOverflow_IsToldAsAgentsKnowIt: they shorten the conversation then.
func TestOverflow_IsToldAsAgentsKnowIt(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(string(w.sdk)+" "+w.method, func(t *testing.T) {
			t.Parallel()
			atEveryVendor(t, func(t *testing.T, f providers.Format) {
				g, vendor := startScripted(t, f, func(fake.Request) fake.Reply {
					return fake.Reply{Status: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(overflowing(f))}
				})
				_, err := w.say(t.Context(), g.client, w.model, "a long story")
				refused, typed := w.sdk.understand(err)
				require.True(t, typed, "%v", err)
				require.Equal(t, http.StatusBadRequest, refused.status)
				switch w.format {
				case providers.Anthropic:
					require.Regexp(t, "^prompt is too long", refused.message)
				case providers.OpenAIChat, providers.OpenAIResponses:
					require.Equal(t, "context_length_exceeded", refused.code)
				default:
					require.Equal(t, "INVALID_ARGUMENT", refused.kind)
				}
				require.Len(t, vendor.Requests(), 1, "no other credential would do better")
			})
		})
	}
}
