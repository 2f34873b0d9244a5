package cooldown

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/providers"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func policy() Policy {
	return Policy{Base: time.Second, Max: 30 * time.Minute, TransientMax: time.Minute}
}

func TestPolicy_Next(t *testing.T) {
	t.Parallel()
	outcome := func(k providers.Kind) providers.Outcome { return providers.Outcome{Kind: k} }
	hinted := func(k providers.Kind, d time.Duration) providers.Outcome {
		return providers.Outcome{Kind: k, RetryAfter: d}
	}
	rest := func(level int, d time.Duration, k providers.Kind) State {
		return State{Level: level, Since: now, Until: now.Add(d), Kind: k}
	}
	over := func(level int) State { return State{Level: level, Since: now.Add(-time.Hour), Until: now} }
	tests := map[string]struct {
		state   State
		outcome providers.Outcome
		want    State
	}{
		"first 429 rests the base (CD7)":           {State{}, outcome(providers.RateLimited), rest(1, time.Second, providers.RateLimited)},
		"second rest doubles (CD7)":                {over(1), outcome(providers.RateLimited), rest(2, 2*time.Second, providers.RateLimited)},
		"third rest doubles again (CD7)":           {over(2), outcome(providers.RateLimited), rest(3, 4*time.Second, providers.RateLimited)},
		"no rest exceeds max (CD11)":               {over(11), outcome(providers.RateLimited), rest(12, 30*time.Minute, providers.RateLimited)},
		"a huge level does not overflow (CD11)":    {over(1 << 40), outcome(providers.RateLimited), rest(1<<40+1, 30*time.Minute, providers.RateLimited)},
		"second 429 of one window counts once":     {rest(1, time.Second, providers.RateLimited), outcome(providers.RateLimited), rest(1, time.Second, providers.RateLimited)},
		"hint sets the rest, not the level (CD10)": {rest(1, time.Second, providers.RateLimited), hinted(providers.RateLimited, 10*time.Second), rest(1, 10*time.Second, providers.RateLimited)},
		"hint above max is capped":                 {State{}, hinted(providers.RateLimited, 7*24*time.Hour), rest(0, 30*time.Minute, providers.RateLimited)},
		"hint for overload is capped lower":        {State{}, hinted(providers.Overloaded, time.Hour), rest(0, time.Minute, providers.Overloaded)},
		"shorter hint does not shorten":            {rest(0, time.Hour, providers.RateLimited), hinted(providers.RateLimited, time.Second), rest(0, time.Hour, providers.RateLimited)},
		"transient is capped lower":                {over(10), outcome(providers.Transient), rest(11, time.Minute, providers.Transient)},
		"overloaded grows":                         {over(2), outcome(providers.Overloaded), rest(3, 4*time.Second, providers.Overloaded)},
		"unauthorized rests max":                   {State{}, outcome(providers.Unauthorized), rest(0, 30*time.Minute, providers.Unauthorized)},
		"forbidden rests max":                      {State{}, outcome(providers.Forbidden), rest(0, 30*time.Minute, providers.Forbidden)},
		"challenge page rests its hint (CD15)":     {State{}, hinted(providers.Forbidden, 10*time.Second), rest(0, 10*time.Second, providers.Forbidden)},
		"unsupported model rests 30 min":           {State{}, outcome(providers.ModelUnsupported), rest(0, 30*time.Minute, providers.ModelUnsupported)},
		"out of funds rests max (CD13)":            {State{}, outcome(providers.OutOfFunds), rest(0, 30*time.Minute, providers.OutOfFunds)},
		"request fault is neutral (CD31)":          {over(2), outcome(providers.RequestFault), over(2)},
		"cancel is neutral (CD28)":                 {over(2), outcome(providers.Canceled), over(2)},
		"gateway bug is neutral":                   {over(2), outcome(providers.GatewayBug), over(2)},
		"success ends the streak (CD32)":           {over(5), outcome(providers.Success), State{}},
		"late success leaves a newer rest alone":   {rest(1, time.Minute, providers.RateLimited), outcome(providers.Success), rest(1, time.Minute, providers.RateLimited)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := Attempt{Outcome: tt.outcome, Granted: now.Add(-time.Second), Now: now}
			require.Equal(t, tt.want, policy().Next(tt.state, a))
		})
	}
}

func TestPolicy_SuccessOfAProbeEndsTheRest(t *testing.T) {
	t.Parallel()
	s := policy().Next(State{}, Attempt{Outcome: providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Minute}, Granted: now, Now: now})
	require.True(t, s.Resting(now.Add(30*time.Second)))
	probe := now.Add(10 * time.Second)
	s = policy().Next(s, Attempt{Outcome: providers.Outcome{Kind: providers.Success}, Granted: probe, Now: probe.Add(time.Second)})
	require.Equal(t, State{}, s)
}

func TestPolicy_JitterLengthensAHintByAtMostATenth(t *testing.T) {
	t.Parallel()
	o := providers.Outcome{Kind: providers.RateLimited, RetryAfter: 10 * time.Second}
	for spread, want := range map[float64]time.Duration{0: 10 * time.Second, 0.5: 10500 * time.Millisecond, 1: 11 * time.Second} {
		s := policy().Next(State{}, Attempt{Outcome: o, Now: now, Spread: spread})
		require.Equal(t, now.Add(want), s.Until)
	}
}

func TestPolicy_DisabledNeverRests(t *testing.T) {
	t.Parallel()
	p := policy()
	p.Disabled = true
	require.Equal(t, State{}, p.Next(State{}, Attempt{Outcome: providers.Outcome{Kind: providers.RateLimited}, Now: now}))
}

func TestPolicy_AFailureNeverShortensARest(t *testing.T) {
	t.Parallel()
	kinds := []providers.Kind{
		providers.ModelUnsupported, providers.RateLimited, providers.WindowExhausted, providers.OutOfFunds,
		providers.Unauthorized, providers.Forbidden, providers.Overloaded, providers.Transient, providers.RequestFault, providers.Canceled,
	}
	rapid.Check(t, func(t *rapid.T) {
		var s State
		at := now
		for range rapid.IntRange(1, 50).Draw(t, "answers") {
			at = at.Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "ms")) * time.Millisecond)
			next := policy().Next(s, Attempt{
				Outcome: providers.Outcome{
					Kind:       rapid.SampledFrom(kinds).Draw(t, "kind"),
					RetryAfter: time.Duration(rapid.IntRange(0, 3600).Draw(t, "hint")) * time.Second,
				},
				Granted: at.Add(-time.Second), Now: at, Spread: rapid.Float64Range(0, 1).Draw(t, "spread"),
			})
			require.False(t, next.Until.Before(s.Until), "%v then %v", s, next)
			require.LessOrEqual(t, next.Until.Sub(at), policy().Max)
			s = next
		}
	})
}
