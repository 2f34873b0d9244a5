package compat_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/compat"
	"github.com/understudyhq/understudy/providers/providertest"
)

func TestClassify_ReadsTheErrorsOfManyServers(t *testing.T) {
	t.Parallel()
	call := providers.Call{Format: providers.OpenAIChat, Operation: providers.Generate, Model: "vendor/large"}
	providertest.RunAnswers(t, compat.Provider{}, call, map[string]providers.Outcome{
		"insufficient-balance (CD13)": {Kind: providers.OutOfFunds, Scope: providers.ScopeCredential, Reason: "402 invalid_request_error"},
		"credits-used-up":             {Kind: providers.OutOfFunds, Scope: providers.ScopeCredential, Reason: "403"},
		"free-models-per-day":         {Kind: providers.RateLimited, RetryAfter: 150 * time.Minute, Reason: "429"},
		"groq-style-wait":             {Kind: providers.RateLimited, RetryAfter: 86400 * time.Millisecond, Reason: "429 rate_limit_exceeded"},

		"model-not-exist":    {Kind: providers.ModelUnsupported, Reason: "400 invalid_request_error"},
		"invalid-model-flat": {Kind: providers.ModelUnsupported, Reason: "400"},
		"moderation":         {Kind: providers.RequestFault, Reason: "403"},
		"validation-list":    {Kind: providers.RequestFault, Reason: "422"},

		"challenge (CD15)": {Kind: providers.Forbidden, Scope: providers.ScopeCredential, RetryAfter: 10 * time.Second, Reason: "403"},
		"unknown-route":    {Kind: providers.Transient, Reason: "404"},
		"proxy-page":       {Kind: providers.Transient, Reason: "404"},
		"eof-502 (CD29)":   {Kind: providers.Transient, Reason: "502 upstream_error"},
		"bad-gateway-page": {Kind: providers.Transient, Reason: "502"},
		"busy":             {Kind: providers.Overloaded, RetryAfter: 20 * time.Second, Reason: "503 internal"},

		"stream-numeric-code":       {Kind: providers.Transient, Reason: "502"},
		"stream-numeric-code-funds": {Kind: providers.OutOfFunds, Scope: providers.ScopeCredential, Reason: "402"},
	})
}

func FuzzClassify(f *testing.F) { providertest.FuzzAnswers(f, compat.Provider{}) }

// CD17, generic text.
func TestClassify_LeavesAModelAloneWhenASideRouteIsMissing(t *testing.T) {
	t.Parallel()
	a := providertest.ReadAnswer(t, "testdata/unknown-route.http")
	a.Call = providers.Call{Format: providers.OpenAIResponses, Operation: providers.CountTokens, Model: "vendor/large"}
	require.Equal(t, providers.Outcome{Kind: providers.RequestFault, Status: 404, Reason: "404"}, compat.Provider{}.Classify(a))
}
