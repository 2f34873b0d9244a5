package providers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

const month = 31 * 24 * time.Hour

// header builds a header from "Name: value" lines.
func header(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

func TestRetryHint_ReadsEveryForm(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header http.Header
		body   string
		want   time.Duration
	}{
		"nothing":                      {nil, "", 0},
		"milliseconds":                 {header("Retry-After-Ms: 1500"), "", 1500 * time.Millisecond},
		"fraction of a millisecond":    {header("retry-after-ms: 0.5"), "", 500 * time.Microsecond},
		"seconds":                      {header("Retry-After: 30"), "", 30 * time.Second},
		"fraction of a second":         {header("Retry-After: 2.25"), "", 2250 * time.Millisecond},
		"date":                         {header("Retry-After: Wed, 02 Jan 2030 03:05:05 GMT"), "", time.Minute},
		"date in the past":             {header("Retry-After: Wed, 02 Jan 2030 03:03:05 GMT"), "", 0},
		"zero":                         {header("Retry-After: 0"), "", 0},
		"negative":                     {header("Retry-After: -5"), "", 0},
		"not a number":                 {header("Retry-After: NaN"), "", 0},
		"infinite":                     {header("Retry-After: +Inf"), "", month},
		"a year":                       {header("Retry-After: 31536000"), "", month},
		"a year as date":               {header("Retry-After: Thu, 02 Jan 2031 03:04:05 GMT"), "", month},
		"soon":                         {header("Retry-After: soon"), "", 0},
		"resets in seconds":            {nil, `{"error":{"resets_in_seconds":90}}`, 90 * time.Second},
		"resets in seconds, in stream": {nil, `{"response":{"error":{"resets_in_seconds":1.5}}}`, 1500 * time.Millisecond},
		"resets in seconds, on top":    {nil, `{"resets_in_seconds":7}`, 7 * time.Second},
		"resets at epoch":              {nil, `{"error":{"resets_at":1893553505}}`, time.Minute},
		"resets at epoch milliseconds": {nil, `{"error":{"resets_at":1893553505000}}`, time.Minute},
		"resets at RFC 3339":           {nil, `{"error":{"resets_at":"2030-01-02T04:04:05+01:00"}}`, 0},
		"resets at RFC 3339 later":     {nil, `{"error":{"resets_at":"2030-01-02T05:04:05+01:00"}}`, time.Hour},
		"retry info":                   {nil, `{"error":{"details":[{"@type":"x"},{"retryDelay":"34.07s"}]}}`, 34070 * time.Millisecond},
		"retry info in an array":       {nil, `[{"error":{"details":[{"retryDelay":"900ms"}]}}]`, 900 * time.Millisecond},
		"retry info without unit":      {nil, `{"error":{"details":[{"retryDelay":"34"}]}}`, 0},
		"headers of an event":          {nil, `{"type":"error","headers":{"retry-after":"4"}}`, 4 * time.Second},
		"headers in metadata":          {nil, `{"error":{"metadata":{"headers":{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1893553505000"}}}}`, time.Minute},
		"text, seconds":                {nil, `{"error":{"message":"Please try again in 7.66s."}}`, 7660 * time.Millisecond},
		"text, minutes":                {nil, "Try again in 1m30s", 90 * time.Second},
		"text, milliseconds":           {nil, "try again in 250ms.", 250 * time.Millisecond},
		"text, words":                  {nil, "please RETRY AFTER 1 minute 20 seconds.", 80 * time.Second},
		"text, days":                   {nil, "try again in 2 days", 48 * time.Hour},
		"text, hours and more":         {nil, "Please retry in 2h0m5.5s", 2*time.Hour + 5500*time.Millisecond},
		"text, second phrase counts":   {nil, "try again in a while, or retry in 3s", 3 * time.Second},
		"text without a unit":          {nil, "try again in 20", 0},
		"text with a foreign unit":     {nil, "retry after 3 attempts", 0},
		"bucket that is used up": {
			header("X-Ratelimit-Remaining-Requests: 9", "X-Ratelimit-Limit-Requests: 10", "X-Ratelimit-Reset-Requests: 6m0s",
				"X-Ratelimit-Remaining-Tokens: 0", "X-Ratelimit-Limit-Tokens: 100", "X-Ratelimit-Reset-Tokens: 20ms"), "", 20 * time.Millisecond,
		},
		"later of two used up": {
			header("X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: 1s",
				"X-Ratelimit-Remaining-Tokens: 0", "X-Ratelimit-Reset-Tokens: 2m59.56s"), "", 2*time.Minute + 59560*time.Millisecond,
		},
		"used up furthest": {
			header("X-Ratelimit-Remaining-Requests: 90", "X-Ratelimit-Limit-Requests: 100", "X-Ratelimit-Reset-Requests: 1h",
				"X-Ratelimit-Remaining-Tokens: 5", "X-Ratelimit-Limit-Tokens: 100", "X-Ratelimit-Reset-Tokens: 3"), "", 3 * time.Second,
		},
		"a reset alone":                {header("X-Ratelimit-Reset-Tokens: 12"), "", 12 * time.Second},
		"a reset in the past":          {header("Anthropic-Ratelimit-Requests-Remaining: 0", "Anthropic-Ratelimit-Requests-Reset: 2030-01-02T03:04:00Z"), "", 0},
		"epoch reset of a window":      {header("Anthropic-Ratelimit-Unified-5h-Status: rejected", "Anthropic-Ratelimit-Unified-5h-Reset: 1893557045"), "", time.Hour},
		"reset after a thousand years": {header("X-Ratelimit-Reset: 32503680000"), "", month},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, providers.RetryHint(tt.header, []byte(tt.body), now))
		})
	}
}

func TestRetryHint_PrefersWhatIsAboutThisRefusal(t *testing.T) {
	t.Parallel()
	buckets := []string{"X-Ratelimit-Remaining-Tokens: 0", "X-Ratelimit-Reset-Tokens: 50s"}
	text := `"message":"try again in 40s"`
	members := `"resets_in_seconds":20`
	repeated := `"headers":{"retry-after":"30"}`
	tests := []struct {
		header http.Header
		body   string
		want   time.Duration
	}{
		{header(append(buckets, "Retry-After: 10", "Retry-After-Ms: 5000")...), "{" + text + "," + members + "," + repeated + "}", 5 * time.Second},
		{header(append(buckets, "Retry-After: 10")...), "{" + text + "," + members + "," + repeated + "}", 10 * time.Second},
		{header(buckets...), "{" + text + "," + members + "," + repeated + "}", 20 * time.Second},
		{header(buckets...), "{" + text + "," + repeated + "}", 30 * time.Second},
		{header(buckets...), "{" + text + "}", 40 * time.Second},
		{header(buckets...), "{}", 50 * time.Second},
		{header(append(buckets, "Retry-After: 0")...), "{}", 50 * time.Second},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, providers.RetryHint(tt.header, []byte(tt.body), now))
	}
}

func TestRetryHint_LooksOnlyAtTheBeginningOfAText(t *testing.T) {
	t.Parallel()
	body := strings.Repeat(".", 64<<10) + "try again in 5s"
	require.Zero(t, providers.RetryHint(nil, []byte(body), now))
}

func FuzzRetryHint(f *testing.F) {
	f.Add("30", "1500", "6m0s", `{"error":{"resets_in_seconds":90}}`)
	f.Add("Wed, 02 Jan 2030 03:05:05 GMT", "", "1893553505", `[{"error":{"details":[{"retryDelay":"34.07s"}]}}]`)
	f.Add("1e308", "-1", "2030-01-02T04:04:05Z", "try again in 99999999999999999999 days")
	f.Add("NaN", "Inf", "-5s", `{"headers":{"retry-after":"\u0000"},"error":{"resets_at":-1}}`)
	f.Add("", "", "", "retry in 1h1h1h1h 1m  2s.retry after .s")
	f.Fuzz(func(t *testing.T, after, afterMs, reset, body string) {
		h := http.Header{"Retry-After": {after}, "Retry-After-Ms": {afterMs}, "X-Ratelimit-Reset-Tokens": {reset}}
		d := providers.RetryHint(h, []byte(body), now)
		require.GreaterOrEqual(t, d, time.Duration(0))
		require.LessOrEqual(t, d, month)
		for _, q := range providers.Quotas(h, now) {
			require.GreaterOrEqual(t, q.ResetAt.Year(), 0)
		}
	})
}
