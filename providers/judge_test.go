package providers_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/providers"
)

// vendor classifies by status alone, which it takes from the body of an error event.
type vendor struct{}

func (vendor) Formats() []providers.Format { return []providers.Format{providers.OpenAIChat} }

func (vendor) URL(base *url.URL, _ providers.Call) (*url.URL, error) { return base, nil }

func (vendor) Authorize(http.Header, providers.Secret) {}

func (vendor) Classify(a providers.Answer) providers.Outcome {
	return providers.Classify(a, func(a providers.Answer) providers.Signals {
		return providers.Signals{Status: providers.StatusNamed(a.Body)}
	})
}

// judged returns what a means for a credential with rules own at an upstream with rules others.
func judged(a providers.Answer, own, others []providers.ErrorRule) providers.Outcome {
	a.Now = now
	u := &providers.Upstream{Provider: vendor{}, Rules: others}
	return providers.Judge(&providers.Credential{Upstream: u, Rules: own}, a)
}

func failing(status int, body string) providers.Answer {
	call := providers.Call{Format: providers.OpenAIChat, Operation: providers.Generate, Model: "big"}
	return providers.Answer{Call: call, Status: status, Body: []byte(body)}
}

func TestJudge_ActsAsItsRuleSays(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		rule providers.ErrorRule
		want providers.Outcome
		next bool
	}{
		"stop": {
			providers.ErrorRule{Action: providers.ActionStop},
			providers.Outcome{Then: providers.ThenStop, Neutral: true, Scope: providers.ScopeCredential, Reason: "401, rule: stop"},
			false,
		},
		"next": {
			providers.ErrorRule{Action: providers.ActionNext},
			providers.Outcome{Then: providers.ThenNext, Neutral: true, Scope: providers.ScopeCredential, Reason: "401, rule: next"},
			true,
		},
		"rest": {
			providers.ErrorRule{Action: providers.ActionRest, Rest: 10 * time.Minute},
			providers.Outcome{Then: providers.ThenNext, Rest: 10 * time.Minute, Scope: providers.ScopeModel, Reason: "401, rule: rest"},
			true,
		},
		"ignore": {
			providers.ErrorRule{Action: providers.ActionIgnore},
			providers.Outcome{Neutral: true, Scope: providers.ScopeCredential, Reason: "401, rule: ignore"},
			true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.want.Kind, tt.want.Status = providers.Unauthorized, 401
			got := judged(failing(401, "{}"), []providers.ErrorRule{tt.rule}, nil)
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.next, got.Retryable())
		})
	}
	ignored := judged(failing(400, "{}"), []providers.ErrorRule{{Action: providers.ActionIgnore}}, nil)
	require.False(t, ignored.Retryable(), "what the request does without the rule")
}

func TestJudge_MatchesAllThatARuleSets(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		rule   providers.ErrorRule
		answer providers.Answer
		want   bool
	}{
		"status":                         {providers.ErrorRule{Status: 403}, failing(403, "{}"), true},
		"another status":                 {providers.ErrorRule{Status: 403}, failing(404, "{}"), false},
		"status without a body":          {providers.ErrorRule{Status: 403}, failing(403, ""), true},
		"text":                           {providers.ErrorRule{Contains: "Daily quota"}, failing(403, `{"error":"Daily quota used"}`), true},
		"text in another case":           {providers.ErrorRule{Contains: "daily quota"}, failing(403, `{"error":"Daily quota used"}`), false},
		"pattern":                        {providers.ErrorRule{Pattern: regexp.MustCompile(`(?i)DAILY\s+quota`)}, failing(403, `{"error":"Daily quota used"}`), true},
		"another pattern":                {providers.ErrorRule{Pattern: regexp.MustCompile(`^quota`)}, failing(403, `{"error":"Daily quota used"}`), false},
		"status and text":                {providers.ErrorRule{Status: 403, Contains: "quota"}, failing(403, "quota"), true},
		"text with another status":       {providers.ErrorRule{Status: 403, Contains: "quota"}, failing(429, "quota"), false},
		"status with another text":       {providers.ErrorRule{Status: 403, Contains: "quota"}, failing(403, "policy"), false},
		"anything":                       {providers.ErrorRule{}, failing(500, "{}"), true},
		"event that names the status":    {providers.ErrorRule{Status: 502}, failing(200, `{"error":{"code":502}}`), true},
		"event that names another":       {providers.ErrorRule{Status: 502}, failing(200, `{"error":{"code":503}}`), false},
		"status named in a failing body": {providers.ErrorRule{Status: 502}, failing(500, `{"error":{"code":502}}`), false},
		"event by its text":              {providers.ErrorRule{Contains: "busy"}, failing(200, `{"error":{"message":"busy"}}`), true},
		"frame of a WebSocket":           {providers.ErrorRule{Status: 429}, failing(101, `{"type":"error","status":429,"error":{}}`), true},
		"body that broke off":            {providers.ErrorRule{Status: 500}, providers.Answer{Status: 500, Err: io.ErrUnexpectedEOF}, true},
		"success":                        {providers.ErrorRule{Status: 200}, providers.Answer{Status: 200}, false},
		"success that broke off":         {providers.ErrorRule{}, providers.Answer{Status: 200, Err: io.ErrUnexpectedEOF}, false},
		"no answer":                      {providers.ErrorRule{}, providers.Answer{Err: errors.New("refused")}, false},
		"client gone (CD28)":             {providers.ErrorRule{}, providers.Answer{Status: 500, Err: context.Canceled}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.rule.Action = providers.ActionStop
			got := judged(tt.answer, nil, []providers.ErrorRule{tt.rule})
			require.Equal(t, tt.want, got.Then == providers.ThenStop)
			require.Equal(t, tt.want, got.Neutral)
			plain := judged(tt.answer, nil, nil)
			require.Equal(t, plain.Kind, got.Kind, "the kind is told all the same")
		})
	}
}

func TestJudge_TakesTheFirstRuleThatMatches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule := rapid.Custom(func(t *rapid.T) providers.ErrorRule {
			return providers.ErrorRule{
				Status: rapid.SampledFrom([]int{0, 500, 503}).Draw(t, "status"),
				Action: providers.ActionRest,
				Rest:   time.Duration(rapid.IntRange(1, 1000).Draw(t, "rest")),
			}
		})
		own, others := rapid.SliceOf(rule).Draw(t, "own"), rapid.SliceOf(rule).Draw(t, "others")
		var want time.Duration
		for _, r := range append(append([]providers.ErrorRule(nil), own...), others...) {
			if r.Status == 0 || r.Status == 500 {
				want = r.Rest
				break
			}
		}
		require.Equal(t, want, judged(failing(500, "{}"), own, others).Rest)
	})
}

func TestJudge_ARuleOutranksWhatIsNeutralByItself(t *testing.T) {
	t.Parallel()
	a := failing(500, "{}")
	a.Call.Operation = providers.Compact
	require.True(t, judged(a, nil, nil).Neutral, "CD39")
	require.False(t, judged(a, []providers.ErrorRule{{Action: providers.ActionRest, Rest: time.Minute}}, nil).Neutral)
}

func TestJudge_KeepsTheLimitsThatAnswersTell(t *testing.T) {
	t.Parallel()
	limits := header("X-Ratelimit-Limit-Tokens: 100", "X-Ratelimit-Remaining-Tokens: 40", "X-Ratelimit-Reset-Tokens: 6s")
	want := []providers.Quota{{Name: "tokens", Limit: 100, Remaining: 40, Utilization: 0.6, ResetAt: now.Add(6 * time.Second)}}
	for _, a := range []providers.Answer{{Status: 200}, {Status: 500}, {Status: 429}, {Status: 200, Body: []byte("{}")}} {
		a.Header = limits
		require.Equal(t, want, judged(a, nil, nil).Quotas, "status %d", a.Status)
		a.Header = header("Content-Type: application/json")
		require.Nil(t, judged(a, nil, nil).Quotas, "status %d", a.Status)
	}
}

func TestJudge_ASuccessMayUseALimitUp(t *testing.T) {
	t.Parallel()
	const reset, later = "1893557045", "1893560645" // in one hour, in two
	tests := map[string]struct {
		lines []string
		rest  time.Duration
		scope providers.Scope
	}{
		"something remains":        {[]string{"X-Ratelimit-Remaining-Requests: 1", "X-Ratelimit-Reset-Requests: 5s"}, 0, providers.ScopeModel},
		"no requests remain":       {[]string{"X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: 5s"}, 5 * time.Second, providers.ScopeModel},
		"neither of two remains":   {[]string{"X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: 5s", "X-Ratelimit-Remaining-Tokens: 0", "X-Ratelimit-Reset-Tokens: 9s"}, 9 * time.Second, providers.ScopeModel},
		"the one that remains":     {[]string{"X-Ratelimit-Remaining-Requests: 3", "X-Ratelimit-Reset-Requests: 1h", "X-Ratelimit-Remaining-Tokens: 0", "X-Ratelimit-Reset-Tokens: 9s"}, 9 * time.Second, providers.ScopeModel},
		"no reset told":            {[]string{"X-Ratelimit-Remaining-Requests: 0"}, 0, providers.ScopeModel},
		"reset in the past":        {[]string{"Anthropic-Ratelimit-Tokens-Remaining: 0", "Anthropic-Ratelimit-Tokens-Reset: 2030-01-02T03:04:05Z"}, 0, providers.ScopeModel},
		"reset out of bounds":      {[]string{"Anthropic-Ratelimit-Tokens-Remaining: 0", "Anthropic-Ratelimit-Tokens-Reset: 2030-02-03T03:04:05Z"}, 0, providers.ScopeModel},
		"a limit that is none":     {[]string{"X-Ratelimit-Limit-Tokens: 0", "X-Ratelimit-Remaining-Tokens: 0", "X-Ratelimit-Reset-Tokens: 9s"}, 0, providers.ScopeModel},
		"Anthropic's input tokens": {[]string{"Anthropic-Ratelimit-Input-Tokens-Limit: 9", "Anthropic-Ratelimit-Input-Tokens-Remaining: 0", "Anthropic-Ratelimit-Input-Tokens-Reset: 2030-01-02T03:05:05Z"}, time.Minute, providers.ScopeModel},

		"window used up":            {unified("5h", "rejected", "1.0", reset), time.Hour, providers.ScopeAccount},
		"window that is nearly so":  {unified("5h", "allowed_warning", "0.99", reset), 0, providers.ScopeModel},
		"window with nothing left":  {[]string{"Anthropic-Ratelimit-Unified-5h-Remaining: 0", "Anthropic-Ratelimit-Unified-5h-Reset: " + reset}, time.Hour, providers.ScopeAccount},
		"rejected in words only":    {unified("5h", "rejected", "0.5", reset), 0, providers.ScopeModel},
		"beyond it, but allowed":    {unified("5h", "allowed", "1.3", reset), 0, providers.ScopeModel},
		"overage goes on":           {append(unified("5h", "rejected", "1.3", reset), "Anthropic-Ratelimit-Unified-Overage-Status: allowed_warning"), 0, providers.ScopeModel},
		"no overage":                {append(unified("5h", "rejected", "1.3", reset), "Anthropic-Ratelimit-Unified-Overage-Status: rejected"), time.Hour, providers.ScopeAccount},
		"summary allows":            {append(unified("5h", "rejected", "1.3", reset), "Anthropic-Ratelimit-Unified-Status: allowed"), 0, providers.ScopeModel},
		"summary alone":             {[]string{"Anthropic-Ratelimit-Unified-Status: rejected", "Anthropic-Ratelimit-Unified-Reset: " + reset}, 0, providers.ScopeModel},
		"window of the family":      {unified("7d_big", "rejected", "1", reset), time.Hour, providers.ScopeModel},
		"window of another family":  {unified("7d_small", "rejected", "1", reset), 0, providers.ScopeModel},
		"two windows":               {append(unified("5h", "rejected", "1", reset), unified("7d", "rejected", "1", later)...), 2 * time.Hour, providers.ScopeAccount},
		"the wider of two scopes":   {append(unified("5h", "rejected", "1", reset), unified("7d_big", "rejected", "1", later)...), time.Hour, providers.ScopeAccount},
		"the wider, told with more": {append(unified("5h", "rejected", "1", reset), "X-Ratelimit-Remaining-Tokens: 0", "X-Ratelimit-Reset-Tokens: 9s"), time.Hour, providers.ScopeAccount},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := failing(200, "")
			a.Body, a.Header = nil, header(tt.lines...)
			o := judged(a, []providers.ErrorRule{{Action: providers.ActionStop}}, nil)
			require.Equal(t, providers.Success, o.Kind)
			require.Equal(t, tt.rest, o.RetryAfter)
			require.Equal(t, tt.scope, o.Scope)
			require.False(t, o.Retryable())
			a.Call.Operation = providers.CountTokens
			require.Zero(t, judged(a, nil, nil).RetryAfter, "a side route has limits of its own")
		})
	}
}

// unified is how one window of a subscription is told.
func unified(window, status, utilization, reset string) []string {
	prefix := "Anthropic-Ratelimit-Unified-" + window
	return []string{prefix + "-Status: " + status, prefix + "-Utilization: " + utilization, prefix + "-Reset: " + reset}
}

func TestJudge_CostsNothingWhenNothingIsTold(t *testing.T) {
	u := &providers.Upstream{Provider: vendor{}, Rules: []providers.ErrorRule{{Status: 500, Action: providers.ActionStop}}}
	c := &providers.Credential{Upstream: u}
	a := failing(200, "")
	a.Body, a.Header = nil, header("Content-Type: application/json", "X-Request-Id: 1", "Anthropic-Version: 1")
	require.Zero(t, testing.AllocsPerRun(100, func() { providers.Judge(c, a) }))
}

func TestStatusNamed_FindsTheStatusOfAnError(t *testing.T) {
	t.Parallel()
	tests := map[string]int{
		`{"error":{"code":429}}`:                                  429,
		`{"error":{"code":"503"}}`:                                503,
		`{"error":{"code":"rate_limit_exceeded","status":429}}`:   429,
		`[{"error":{"code":503,"status":"UNAVAILABLE"}}]`:         503,
		`{"type":"error","status":400,"error":{"code":"x"}}`:      400,
		`{"response":{"status":"failed","error":{"code":"500"}}}`: 500,
		`{"code":529,"message":"m"}`:                              529,
		`{"error":{"code":200}}`:                                  0,
		`{"error":{"code":600}}`:                                  0,
		`{"error":"429"}`:                                         0,
		`429`:                                                     0,
		`"429"`:                                                   0,
		``:                                                        0,
		`{"error":`:                                               0,
	}
	for body, want := range tests {
		require.Equal(t, want, providers.StatusNamed([]byte(body)), body)
	}
}

func FuzzJudge(f *testing.F) {
	f.Add(200, `{"error":{"code":429}}`, "0", "5s")
	f.Add(200, "", "0", "1893557045")
	f.Add(403, "[[", "-1", "NaN")
	f.Add(500, `[{"error":{"status":502}}]`, "9", "2030-01-02T04:04:05Z")
	rules := []providers.ErrorRule{{Status: 502, Action: providers.ActionNext}, {Contains: "e", Action: providers.ActionRest, Rest: time.Minute}}
	f.Fuzz(func(t *testing.T, status int, body, remaining, reset string) {
		a := failing(status, body)
		a.Header = http.Header{"X-Ratelimit-Remaining-Tokens": {remaining}, "X-Ratelimit-Reset-Tokens": {reset}}
		o := judged(a, nil, rules)
		require.NotEmpty(t, o.Kind)
		require.GreaterOrEqual(t, o.RetryAfter, time.Duration(0))
		require.LessOrEqual(t, o.RetryAfter, month)
		require.LessOrEqual(t, len(o.Reason), 64)
		if o.Kind == providers.Success {
			require.False(t, o.Neutral)
			require.Empty(t, o.Then)
		}
		if n := providers.StatusNamed([]byte(body)); n != 0 {
			require.True(t, n >= 400 && n < 600)
		}
	})
}
