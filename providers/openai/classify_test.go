package openai_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/openai"
	"github.com/understudyhq/understudy/providers/providertest"
)

func TestClassify_ReadsOpenAIsErrors(t *testing.T) {
	t.Parallel()
	call := providers.Call{Format: providers.OpenAIChat, Operation: providers.Generate, Model: "gpt-5.5"}
	providertest.RunAnswers(t, openai.Provider{}, call, map[string]providers.Outcome{
		"rate-limit-text":                {Kind: providers.RateLimited, RetryAfter: 7660 * time.Millisecond, Reason: "429 rate_limit_exceeded"},
		"rate-limit-headers":             {Kind: providers.RateLimited, RetryAfter: 59500 * time.Millisecond, Reason: "429 rate_limit_exceeded"},
		"rate-limit-retry-after-ms":      {Kind: providers.RateLimited, RetryAfter: 1250 * time.Millisecond, Reason: "429 rate_limit_exceeded"},
		"rate-limit-request-code (CD14)": {Kind: providers.RateLimited, Reason: "429 invalid_request_error"},
		"slow-down":                      {Kind: providers.RateLimited, Reason: "429 slow_down"},
		"slow-down-503":                  {Kind: providers.Overloaded, Reason: "503 slow_down"},

		"insufficient-quota":       {Kind: providers.OutOfFunds, Scope: providers.ScopeCredential, Reason: "429 insufficient_quota"},
		"credit-balance-exhausted": {Kind: providers.OutOfFunds, Scope: providers.ScopeCredential, Reason: "429 credit_balance_exhausted"},
		"spend-limit":              {Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, Reason: "429 project_spend_limit_exceeded"},
		"codex-usage-limit":        {Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, RetryAfter: 210 * time.Minute, Reason: "429 usage_limit_reached"},

		"invalid-key":          {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "401 invalid_api_key"},
		"invalid-grant (CD19)": {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "400 invalid_grant"},
		"country":              {Kind: providers.Forbidden, Scope: providers.ScopeCredential, Reason: "403 unsupported_country_region_territory"},

		"codex-model-for-account": {Kind: providers.ModelUnsupported, Reason: "400"},
		"model-not-found (CD16)":  {Kind: providers.ModelUnsupported, Reason: "404 model_not_found"},
		"model-not-found-text":    {Kind: providers.ModelUnsupported, Reason: "404 invalid_request_error"},
		"model-no-access":         {Kind: providers.Forbidden, Reason: "403 model_not_found"},

		"wrong-endpoint":              {Kind: providers.RequestFault, Reason: "404 invalid_request_error"},
		"context-length (CD31)":       {Kind: providers.RequestFault, Reason: "400 context_length_exceeded"},
		"unsupported-parameter":       {Kind: providers.RequestFault, Reason: "400 unsupported_parameter"},
		"tool-does-not-exist":         {Kind: providers.RequestFault, Reason: "400 invalid_request_error"},
		"invalid-prompt":              {Kind: providers.RequestFault, Reason: "400 invalid_prompt"},
		"previous-response-400":       {Kind: providers.RequestFault, Reason: "400 previous_response_not_found"},
		"websocket-previous-response": {Kind: providers.RequestFault, Reason: "400 previous_response_not_found"},
		"invalid-encrypted-content":   {Kind: providers.RequestFault, Reason: "400 invalid_encrypted_content"},
		"previous-response-not-found": {Kind: providers.RequestFault, Reason: "404 previous_response_not_found"},

		"server-overloaded":              {Kind: providers.Overloaded, RetryAfter: 3 * time.Second, Reason: "503 server_is_overloaded"},
		"service-unavailable":            {Kind: providers.Overloaded, Reason: "503 service_unavailable_error"},
		"server-unavailable":             {Kind: providers.Transient, Reason: "503 server_error"},
		"server-error (CD20)":            {Kind: providers.Transient, Reason: "500 server_error"},
		"broken-upstream-blames-request": {Kind: providers.Transient, Reason: "502 context_length_exceeded"},

		"stream-failed-overloaded":     {Kind: providers.Overloaded, Reason: "server_is_overloaded"},
		"stream-failed-rate-limit":     {Kind: providers.RateLimited, RetryAfter: 11054 * time.Millisecond, Reason: "rate_limit_exceeded"},
		"stream-failed-invalid-prompt": {Kind: providers.RequestFault, Reason: "invalid_prompt"},
		"stream-error-event":           {Kind: providers.Transient, Reason: "server_error"},
		"stream-chat-invalid-request":  {Kind: providers.RequestFault, Reason: "invalid_request_error"},
		"stream-unknown":               {Kind: providers.Transient, Reason: "error event"},
		"websocket-rate-limit":         {Kind: providers.RateLimited, RetryAfter: 3 * time.Second, Reason: "429 x"},
	})
}

func TestClassify_CompactionThatFailsLeavesTheModelAlone(t *testing.T) {
	t.Parallel()
	call := providers.Call{Format: providers.OpenAIResponses, Operation: providers.Compact, Model: "gpt-5.5"}
	for file, want := range map[string]providers.Outcome{
		"server-error":      {Kind: providers.Transient, Neutral: true, Status: 500, Reason: "500 server_error"},                          // CD39, 500
		"invalid-key":       {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Status: 401, Reason: "401 invalid_api_key"}, // CD39, 401
		"server-overloaded": {Kind: providers.Overloaded, RetryAfter: 3 * time.Second, Status: 503, Reason: "503 server_is_overloaded"},
	} {
		a := providertest.ReadAnswer(t, "testdata/"+file+".http")
		a.Call = call
		o := openai.Provider{}.Classify(a)
		require.Equal(t, want, o, file)
		require.True(t, o.Retryable(), file)
	}
	o := openai.Provider{}.Classify(providers.Answer{Call: call, Err: io.EOF})
	require.Equal(t, providers.Outcome{Kind: providers.Transient, Reason: "connection closed early"}, o, "the host is in trouble, not the route")
}

func FuzzClassify(f *testing.F) { providertest.FuzzAnswers(f, openai.Provider{}) }

func TestClassify_KeepsSentWordsOutOfTheReason(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"sk-secret", "Mixed_Case", "two words", "naïve", "a_code_that_is_much_longer_than_any_code_should_be", ""} {
		o := openai.Provider{}.Classify(providers.Answer{Status: 400, Body: []byte(`{"error":{"code":"` + code + `","message":"m"}}`)})
		require.Contains(t, []string{"400", "400 mixed_case"}, o.Reason, "%q", code)
	}
}
