package vertex_test

import (
	"testing"
	"time"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/providertest"
	"github.com/understudyhq/understudy/providers/vertex"
)

func TestClassify_ReadsVertexErrors(t *testing.T) {
	t.Parallel()
	call := providers.Call{Format: providers.Gemini, Operation: providers.Generate, Model: "gemini-3-pro"}
	untilReset := time.Date(2030, 1, 2, 8, 0, 0, 0, time.UTC).Sub(providertest.Now())
	providertest.RunAnswers(t, vertex.Provider{}, call, map[string]providers.Outcome{
		"exhausted":     {Kind: providers.RateLimited, Reason: "429 RESOURCE_EXHAUSTED"},
		"quota":         {Kind: providers.RateLimited, Reason: "429 RESOURCE_EXHAUSTED"},
		"quota-per-day": {Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, RetryAfter: untilReset, Reason: "429 RESOURCE_EXHAUSTED"},
		"array":         {Kind: providers.RateLimited, RetryAfter: 12 * time.Second, Reason: "429 RESOURCE_EXHAUSTED"},

		"expired-token":    {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "401 ACCESS_TOKEN_EXPIRED"},
		"api-key":          {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "401 ACCESS_TOKEN_TYPE_UNSUPPORTED"},
		"permission":       {Kind: providers.Forbidden, Scope: providers.ScopeCredential, Reason: "403 IAM_PERMISSION_DENIED"},
		"service-disabled": {Kind: providers.Forbidden, Scope: providers.ScopeCredential, Reason: "403 SERVICE_DISABLED"},

		"model-not-found": {Kind: providers.ModelUnsupported, Reason: "404 NOT_FOUND"},
		"region":          {Kind: providers.ModelUnsupported, Reason: "400 FAILED_PRECONDITION"},
		"not-allowed":     {Kind: providers.ModelUnsupported, Reason: "400 FAILED_PRECONDITION"},
		"precondition":    {Kind: providers.RequestFault, Reason: "400 FAILED_PRECONDITION"},
		"quoted":          {Kind: providers.RequestFault, Reason: "400 INVALID_ARGUMENT"},
		"no-role":         {Kind: providers.RequestFault, Reason: "400 INVALID_ARGUMENT"},

		"unavailable":   {Kind: providers.Overloaded, Reason: "503 UNAVAILABLE"},
		"internal":      {Kind: providers.Transient, Reason: "500 INTERNAL"},
		"cancelled-499": {Kind: providers.Transient, Reason: "499 CANCELLED"},

		"stream-exhausted": {Kind: providers.RateLimited, Reason: "429 RESOURCE_EXHAUSTED"},
	})
}

func FuzzClassify(f *testing.F) { providertest.FuzzAnswers(f, vertex.Provider{}) }
