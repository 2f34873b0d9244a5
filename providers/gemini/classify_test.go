package gemini_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/gemini"
	"github.com/understudyhq/understudy/providers/providertest"
)

func TestClassify_ReadsGeminisErrors(t *testing.T) {
	t.Parallel()
	call := providers.Call{Format: providers.Gemini, Operation: providers.Generate, Model: "gemini-3-pro"}
	untilReset := time.Date(2030, 1, 2, 8, 0, 0, 0, time.UTC).Sub(providertest.Now())
	providertest.RunAnswers(t, gemini.Provider{}, call, map[string]providers.Outcome{
		"per-minute":        {Kind: providers.RateLimited, RetryAfter: 34070 * time.Millisecond, Reason: "429 RESOURCE_EXHAUSTED"},
		"per-minute-millis": {Kind: providers.RateLimited, RetryAfter: 900 * time.Millisecond, Reason: "429 RATE_LIMIT_EXCEEDED"},
		"retry-in-text":     {Kind: providers.RateLimited, RetryAfter: 34 * time.Second, Reason: "429 RESOURCE_EXHAUSTED"},
		"no-hint":           {Kind: providers.RateLimited, Reason: "429 RESOURCE_EXHAUSTED"},
		"exhausted-499":     {Kind: providers.RateLimited, RetryAfter: 2 * time.Second, Reason: "499 RESOURCE_EXHAUSTED"},

		"per-day-model":            {Kind: providers.WindowExhausted, RetryAfter: untilReset, Reason: "429 RESOURCE_EXHAUSTED"},
		"per-day-array":            {Kind: providers.WindowExhausted, RetryAfter: untilReset, Reason: "429 RESOURCE_EXHAUSTED"},
		"not-entitled":             {Kind: providers.WindowExhausted, RetryAfter: untilReset, Reason: "429 RESOURCE_EXHAUSTED"},
		"per-day-project":          {Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, RetryAfter: untilReset, Reason: "429 RESOURCE_EXHAUSTED"},
		"quota-exhausted":          {Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, RetryAfter: 5 * time.Hour, Reason: "429 QUOTA_EXHAUSTED"},
		"spending-cap":             {Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, Reason: "429 RESOURCE_EXHAUSTED"},
		"credits-depleted-per-day": {Kind: providers.OutOfFunds, Scope: providers.ScopeCredential, Reason: "429 RESOURCE_EXHAUSTED"},
		"credits-depleted":         {Kind: providers.OutOfFunds, Scope: providers.ScopeCredential, Reason: "429 RESOURCE_EXHAUSTED"},

		"invalid-grant (CD19)": {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "400 invalid_grant"},
		"invalid-key":          {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "400 API_KEY_INVALID"},
		"expired-key":          {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "400 INVALID_ARGUMENT"},
		"unauthenticated":      {Kind: providers.Unauthorized, Scope: providers.ScopeCredential, Reason: "401 ACCESS_TOKEN_EXPIRED"},
		"validation-required":  {Kind: providers.Forbidden, Scope: providers.ScopeCredential, Reason: "403 VALIDATION_REQUIRED"},
		"service-disabled":     {Kind: providers.Forbidden, Scope: providers.ScopeCredential, Reason: "403 SERVICE_DISABLED"},
		"location":             {Kind: providers.Forbidden, Scope: providers.ScopeCredential, Reason: "400 FAILED_PRECONDITION"},

		"cached-content":          {Kind: providers.RequestFault, Reason: "403 PERMISSION_DENIED"},
		"file":                    {Kind: providers.RequestFault, Reason: "403 PERMISSION_DENIED"},
		"precondition":            {Kind: providers.RequestFault, Reason: "400 FAILED_PRECONDITION"},
		"invalid-argument":        {Kind: providers.RequestFault, Reason: "400 INVALID_ARGUMENT"},
		"embedding-by-chat-model": {Kind: providers.RequestFault, Reason: "404 NOT_FOUND"},

		"not-found":              {Kind: providers.RequestFault, Reason: "404 NOT_FOUND"},
		"model-not-found (CD16)": {Kind: providers.ModelUnsupported, Reason: "404 NOT_FOUND"},

		"unavailable":     {Kind: providers.Overloaded, Reason: "503 UNAVAILABLE"},
		"internal (CD20)": {Kind: providers.Transient, Reason: "500 INTERNAL"},
		"deadline":        {Kind: providers.Transient, Reason: "504 DEADLINE_EXCEEDED"},
		"cancelled-499":   {Kind: providers.Transient, Reason: "499 CANCELLED"},

		"stream-unavailable":      {Kind: providers.Overloaded, Reason: "503 UNAVAILABLE"},
		"stream-exhausted":        {Kind: providers.RateLimited, RetryAfter: 250 * time.Millisecond, Reason: "429 RESOURCE_EXHAUSTED"},
		"stream-invalid-argument": {Kind: providers.RequestFault, Reason: "400 INVALID_ARGUMENT"},
		"stream-internal":         {Kind: providers.Transient, Reason: "500 INTERNAL"},
	})
}

func FuzzClassify(f *testing.F) { providertest.FuzzAnswers(f, gemini.Provider{}) }

func TestClassify_KnowsWhenDailyQuotasReset(t *testing.T) {
	t.Parallel()
	a := providertest.ReadAnswer(t, "testdata/per-day-model.http")
	for _, tt := range []struct {
		now  string
		want time.Duration
	}{
		{"2030-01-02T07:59:59Z", time.Second},
		{"2030-01-02T08:00:00Z", 24 * time.Hour},
		{"2030-01-02T23:00:00-09:00", 24 * time.Hour},
		{"2030-01-02T22:00:00Z", 10 * time.Hour},
	} {
		at, err := time.Parse(time.RFC3339, tt.now)
		require.NoError(t, err)
		a.Now = at
		require.Equal(t, tt.want, gemini.Provider{}.Classify(a).RetryAfter, tt.now)
	}
}
