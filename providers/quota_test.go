package providers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestQuotas_ReadsBothFamilies(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lines []string
		want  []providers.Quota
	}{
		"none": {[]string{"Content-Type: text/plain", "X-Ratelimit: 5", "Anthropic-Ratelimit-Limit: 5", "Ratelimit-Limit: 5"}, nil},
		"OpenAI": {
			[]string{
				"X-Ratelimit-Limit-Requests: 500", "X-Ratelimit-Remaining-Requests: 400", "X-Ratelimit-Reset-Requests: 120ms",
				"X-Ratelimit-Limit-Tokens: 30000", "X-Ratelimit-Remaining-Tokens: 0", "X-Ratelimit-Reset-Tokens: 6m0s",
			},
			[]providers.Quota{
				{Name: "requests", Limit: 500, Remaining: 400, Utilization: 0.2, ResetAt: now.Add(120 * time.Millisecond)},
				{Name: "tokens", Limit: 30000, Remaining: 0, Utilization: 1, ResetAt: now.Add(6 * time.Minute)},
			},
		},
		"a single limit": {
			[]string{"X-RateLimit-Limit: 50", "X-RateLimit-Remaining: 25", "X-RateLimit-Reset: 1893553505000"},
			[]providers.Quota{{Name: "requests", Limit: 50, Remaining: 25, Utilization: 0.5, ResetAt: now.Add(time.Minute)}},
		},
		"limits per period": {
			[]string{"X-Ratelimit-Limit-Requests-Day: 10", "X-Ratelimit-Remaining-Tokens-Minute: 7", "X-Ratelimit-Reset-Tokens-Minute: 12.5"},
			[]providers.Quota{
				{Name: "requests-day", Limit: 10, Remaining: -1, Utilization: -1},
				{Name: "tokens-minute", Limit: -1, Remaining: 7, Utilization: -1, ResetAt: now.Add(12500 * time.Millisecond)},
			},
		},
		"Anthropic": {
			[]string{
				"Anthropic-Ratelimit-Input-Tokens-Limit: 1000", "Anthropic-Ratelimit-Input-Tokens-Remaining: 750", "Anthropic-Ratelimit-Input-Tokens-Reset: 2030-01-02T03:05:05Z",
				"Anthropic-Ratelimit-Requests-Limit: 50",
			},
			[]providers.Quota{
				{Name: "input-tokens", Limit: 1000, Remaining: 750, Utilization: 0.25, ResetAt: now.Add(time.Minute)},
				{Name: "requests", Limit: 50, Remaining: -1, Utilization: -1},
			},
		},
		"a subscription": {
			[]string{
				"Anthropic-Ratelimit-Unified-Status: allowed_warning", "Anthropic-Ratelimit-Unified-Reset: 1893557045",
				"Anthropic-Ratelimit-Unified-5h-Utilization: 0.91", "Anthropic-Ratelimit-Unified-5h-Status: allowed_warning", "Anthropic-Ratelimit-Unified-5h-Reset: 1893557045",
				"Anthropic-Ratelimit-Unified-7d_opus-Utilization: 1.01", "Anthropic-Ratelimit-Unified-7d_opus-Status: Rejected",
				"Anthropic-Ratelimit-Unified-Representative-Claim: five_hour", "Anthropic-Ratelimit-Unified-Fallback-Percentage: 0.5",
				"Anthropic-Ratelimit-Unified-Overage-Status: rejected", "Anthropic-Ratelimit-Unified-Slow-Budget-Reset: 1893557045",
			},
			[]providers.Quota{
				{Name: "unified", Limit: -1, Remaining: -1, Utilization: -1, ResetAt: now.Add(time.Hour), Status: "allowed_warning"},
				{Name: "unified-5h", Limit: -1, Remaining: -1, Utilization: 0.91, ResetAt: now.Add(time.Hour), Status: "allowed_warning"},
				{Name: "unified-7d_opus", Limit: -1, Remaining: -1, Utilization: 1.01, Status: "rejected"},
			},
		},
		"unreadable values": {
			[]string{"X-Ratelimit-Limit-Tokens: many", "X-Ratelimit-Remaining-Tokens: -3", "X-Ratelimit-Reset-Tokens: 1e16", "Anthropic-Ratelimit-Unified-5h-Utilization: NaN"},
			[]providers.Quota{
				{Name: "tokens", Limit: -1, Remaining: -1, Utilization: -1},
				{Name: "unified-5h", Limit: -1, Remaining: -1, Utilization: -1},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := providers.Quotas(header(tt.lines...), now)
			require.Len(t, got, len(tt.want))
			for i, want := range tt.want {
				require.InDelta(t, want.Utilization, got[i].Utilization, 1e-9)
				got[i].Utilization = want.Utilization
				require.Equal(t, want, got[i])
			}
		})
	}
}

func TestQuota_KnowsWhenItIsExhausted(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lines []string
		want  bool
	}{
		"something remains":        {[]string{"X-Ratelimit-Remaining-Tokens: 1"}, false},
		"nothing remains":          {[]string{"X-Ratelimit-Remaining-Tokens: 0"}, true},
		"nothing is known":         {[]string{"X-Ratelimit-Limit-Tokens: 9"}, false},
		"rejected":                 {[]string{"Anthropic-Ratelimit-Unified-5h-Status: rejected"}, true},
		"allowed beyond the limit": {[]string{"Anthropic-Ratelimit-Unified-5h-Status: allowed", "Anthropic-Ratelimit-Unified-5h-Utilization: 1.2"}, false},
	}
	for name, tt := range tests {
		quotas := providers.Quotas(header(tt.lines...), now)
		require.Len(t, quotas, 1, name)
		require.Equal(t, tt.want, quotas[0].Exhausted(), name)
	}
}
