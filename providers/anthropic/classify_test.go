package anthropic_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/anthropic"
	"github.com/understudyhq/understudy/providers/providertest"
)

func TestClassify_ReadsAnthropicsErrors(t *testing.T) {
	t.Parallel()
	call := providers.Call{Format: providers.Anthropic, Operation: providers.Generate, Model: "claude-opus-5"}
	untilFebruary := time.Date(2030, 2, 1, 0, 0, 0, 0, time.UTC).Sub(providertest.Now())
	providertest.RunAnswers(t, anthropic.Provider{}, call, map[string]providers.Outcome{
		"rate-limit":         {Kind: providers.RateLimited, RetryAfter: 12 * time.Second, Reason: "429 rate_limit_error"},
		"rate-limit-headers": {Kind: providers.RateLimited, RetryAfter: 30 * time.Second, Reason: "429 rate_limit_error"},
		"unified-allowed":    {Kind: providers.RateLimited, RetryAfter: 5 * time.Second, Reason: "429 rate_limit_error"},

		"unified-5h-rejected":      {Kind: providers.WindowExhausted, Scope: providers.ScopeAccount, RetryAfter: 2 * time.Hour, Reason: "429 rate_limit_error"},
		"unified-all-rejected":     {Kind: providers.WindowExhausted, Scope: providers.ScopeAccount, RetryAfter: 48 * time.Hour, Reason: "429 rate_limit_error"},
		"unified-family-rejected":  {Kind: providers.WindowExhausted, RetryAfter: 24 * time.Hour, Reason: "429 rate_limit_error"},
		"unified-summary-rejected": {Kind: providers.WindowExhausted, Scope: providers.ScopeAccount, RetryAfter: 90 * time.Second, Reason: "429 rate_limit_error"},
		"spend-limit":              {Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, RetryAfter: untilFebruary, Reason: "400 invalid_request_error"},
		"spend-limit-429":          {Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, Reason: "429 rate_limit_error"},
		"credit-balance":           {Kind: providers.OutOfFunds, Scope: providers.ScopeCredential, Reason: "400 invalid_request_error"},
		"billing":                  {Kind: providers.OutOfFunds, Scope: providers.ScopeCredential, Reason: "402 billing_error"},

		"unified-other-family": {Kind: providers.RateLimited, RetryAfter: 7 * time.Second, Reason: "429 rate_limit_error"},
		"unified-overage":      {Kind: providers.RateLimited, RetryAfter: 7 * time.Second, Reason: "429 rate_limit_error"},

		"invalid-key":           {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "401 authentication_error"},
		"invalid-grant (CD19)":  {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "400 invalid_grant"},
		"login-revoked":         {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "403 permission_error"},
		"permission":            {Kind: providers.Forbidden, Scope: providers.ScopeCredential, Reason: "403 permission_error"},
		"permission-model":      {Kind: providers.Forbidden, Reason: "403 permission_error"},
		"organization-disabled": {Kind: providers.Forbidden, Scope: providers.ScopeCredential, Reason: "400 invalid_request_error"},
		"challenge (CD15)":      {Kind: providers.Forbidden, Scope: providers.ScopeCredential, RetryAfter: 10 * time.Second, Reason: "403"},

		"model-not-found (CD16)": {Kind: providers.ModelUnsupported, Reason: "404 not_found_error"},
		"thread-not-found":       {Kind: providers.RequestFault, Reason: "404 thread_not_found"},
		"not-found":              {Kind: providers.RequestFault, Reason: "404 not_found_error"},
		"prompt-too-long (CD31)": {Kind: providers.RequestFault, Reason: "400 invalid_request_error"},
		"request-too-large":      {Kind: providers.RequestFault, Reason: "413 request_too_large"},

		"overloaded":       {Kind: providers.Overloaded, Reason: "529 overloaded_error"},
		"api-error (CD20)": {Kind: providers.Transient, Reason: "500 api_error"},
		"timeout":          {Kind: providers.Transient, Reason: "504 timeout_error"},

		"stream-overloaded":      {Kind: providers.Overloaded, Reason: "overloaded_error"},
		"stream-api-error":       {Kind: providers.Transient, Reason: "api_error"},
		"stream-rate-limit":      {Kind: providers.RateLimited, RetryAfter: 30 * time.Second, Reason: "rate_limit_error"},
		"stream-invalid-request": {Kind: providers.RequestFault, Reason: "invalid_request_error"},
	})
}

func TestClassify_TellsAMissingRouteFromAMissingModel(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]providers.Kind{
		"not-found":       providers.RequestFault,     // CD17, generic text
		"model-not-found": providers.ModelUnsupported, // CD17, text naming the model
	} {
		a := providertest.ReadAnswer(t, "testdata/"+file+".http")
		a.Call = providers.Call{Format: providers.Anthropic, Operation: providers.CountTokens, Model: "claude-opus-5"}
		require.Equal(t, want, anthropic.Provider{}.Classify(a).Kind, file)
	}
}

func FuzzClassify(f *testing.F) { providertest.FuzzAnswers(f, anthropic.Provider{}) }
