package fault_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/tap"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// An upstream of another format may answer with any status: clients find the word that their
// own vendor has for it.
func TestBody_NamesEveryStatusAsItsFormatDoes(t *testing.T) {
	t.Parallel()
	tests := map[int]struct{ openAI, code, anthropic, gemini string }{
		400: {"invalid_request_error", "", "invalid_request_error", "INVALID_ARGUMENT"},
		401: {"authentication_error", "", "authentication_error", "UNAUTHENTICATED"},
		402: {"insufficient_quota", "insufficient_quota", "billing_error", "FAILED_PRECONDITION"},
		403: {"invalid_request_error", "", "permission_error", "PERMISSION_DENIED"},
		404: {"invalid_request_error", "", "not_found_error", "NOT_FOUND"},
		405: {"invalid_request_error", "", "invalid_request_error", "UNIMPLEMENTED"},
		408: {"invalid_request_error", "", "timeout_error", "DEADLINE_EXCEEDED"},
		409: {"invalid_request_error", "", "invalid_request_error", "ABORTED"},
		413: {"invalid_request_error", "", "request_too_large", "INVALID_ARGUMENT"},
		422: {"invalid_request_error", "", "invalid_request_error", "INVALID_ARGUMENT"},
		429: {"rate_limit_error", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"},
		500: {"server_error", "", "api_error", "INTERNAL"},
		501: {"server_error", "", "api_error", "UNIMPLEMENTED"},
		502: {"server_error", "", "api_error", "UNAVAILABLE"},
		503: {"service_unavailable_error", "server_is_overloaded", "overloaded_error", "UNAVAILABLE"},
		504: {"server_error", "", "timeout_error", "DEADLINE_EXCEEDED"},
		520: {"server_error", "", "api_error", "INTERNAL"},
		529: {"service_unavailable_error", "server_is_overloaded", "overloaded_error", "UNAVAILABLE"},
	}
	for status, want := range tests {
		e := &fault.Error{Status: status, Message: "m"}
		openAI := gjson.ParseBytes(fault.Body(providers.OpenAIChat, e, "r"))
		require.Equal(t, want.openAI, openAI.Get("error.type").Str, status)
		require.Equal(t, want.code, openAI.Get("error.code").Str, status)
		require.True(t, openAI.Get("error.code").Exists(), "null at least")
		anthropic := gjson.ParseBytes(fault.Body(providers.Anthropic, e, "r"))
		require.Equal(t, want.anthropic, anthropic.Get("error.type").Str, status)
		require.False(t, anthropic.Get("error.code").Exists())
		gemini := gjson.ParseBytes(fault.Body(providers.Gemini, e, "r"))
		require.Equal(t, want.gemini, gemini.Get("error.status").Str, status)
		require.EqualValues(t, status, gemini.Get("error.code").Int())
		require.False(t, gemini.Get("error.details").Exists(), "nobody has told a reason")
	}
}

// Clients of Responses read nothing but the code of a failure in a stream.
func TestEvent_OfResponsesAlwaysHasACode(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusBadRequest:          "invalid_prompt",
		http.StatusForbidden:           "server_error",
		http.StatusTooManyRequests:     "rate_limit_exceeded",
		http.StatusInternalServerError: "server_error",
		529:                            "server_is_overloaded",
	} {
		for path, seen := range map[string]tap.Progress{"response.error.code": {ResponseID: "resp_1"}, "code": {}} {
			event := fault.Event(providers.OpenAIResponses, &fault.Error{Status: status, Message: "m"}, "r", seen)
			var scanner sse.Scanner
			require.NoError(t, scanner.Feed(event, func(e sse.Event) error {
				require.Equal(t, want, gjson.GetBytes(e.Data, path).Str, status)
				return nil
			}))
		}
	}
}

func TestError_NamesItsCodeIfItHasOne(t *testing.T) {
	t.Parallel()
	require.EqualError(t, &fault.Error{Message: "m"}, "m")
	require.EqualError(t, &fault.Error{Message: "m", Code: "c"}, "c: m")
	require.EqualError(t, &fault.Error{Message: "m", Code: "c", Cause: http.ErrAbortHandler}, "c: net/http: abort Handler")
}
