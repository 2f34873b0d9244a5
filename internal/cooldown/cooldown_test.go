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
	held := func(d time.Duration, k providers.Kind) State {
		return State{Since: now, Until: now.Add(d), ProbeAt: now.Add(d), Held: true, Kind: k}
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
		"hint above max is shown and probed": {
			State{},
			hinted(providers.RateLimited, 7*24*time.Hour),
			State{Since: now, Until: now.Add(7 * 24 * time.Hour), ProbeAt: now.Add(30 * time.Minute), Kind: providers.RateLimited},
		},
		"hint for overload is capped lower":     {State{}, hinted(providers.Overloaded, time.Hour), rest(0, time.Minute, providers.Overloaded)},
		"shorter hint does not shorten":         {rest(0, 20*time.Minute, providers.RateLimited), hinted(providers.RateLimited, time.Second), rest(0, 20*time.Minute, providers.RateLimited)},
		"transient is capped lower":             {over(10), outcome(providers.Transient), rest(11, time.Minute, providers.Transient)},
		"overloaded grows":                      {over(2), outcome(providers.Overloaded), rest(3, 4*time.Second, providers.Overloaded)},
		"unauthorized rests max":                {State{}, outcome(providers.Unauthorized), held(30*time.Minute, providers.Unauthorized)},
		"forbidden rests max":                   {State{}, outcome(providers.Forbidden), held(30*time.Minute, providers.Forbidden)},
		"challenge page rests its hint (CD15)":  {State{}, hinted(providers.Forbidden, 10*time.Second), rest(0, 10*time.Second, providers.Forbidden)},
		"unsupported model rests 30 min":        {State{}, outcome(providers.ModelUnsupported), held(30*time.Minute, providers.ModelUnsupported)},
		"out of funds rests max (CD13)":         {State{}, outcome(providers.OutOfFunds), held(30*time.Minute, providers.OutOfFunds)},
		"request fault is neutral (CD31)":       {over(2), outcome(providers.RequestFault), over(2)},
		"cancel is neutral (CD28)":              {over(2), outcome(providers.Canceled), over(2)},
		"gateway bug is neutral":                {over(2), outcome(providers.GatewayBug), over(2)},
		"success ends the streak (CD32)":        {over(5), outcome(providers.Success), State{}},
		"window without a time is probed":       {State{}, outcome(providers.WindowExhausted), held(30*time.Minute, providers.WindowExhausted)},
		"success that used its window up rests": {over(3), hinted(providers.Success, time.Minute), rest(0, time.Minute, providers.WindowExhausted)},
		"a rule's rest is exact": {
			over(3),
			providers.Outcome{Kind: providers.RequestFault, Rest: 2 * time.Hour},
			State{Level: 3, Since: now, Until: now.Add(2 * time.Hour), Kind: providers.RequestFault},
		},
		"a rule keeps a failure from the credential": {over(3), providers.Outcome{Kind: providers.Transient, Neutral: true}, over(3)},
		"a late answer of the same held rest is no news": {
			held(30*time.Minute, providers.Unauthorized), outcome(providers.Unauthorized), held(30*time.Minute, providers.Unauthorized),
		},
		"a late weaker failure leaves a held rest": {held(30*time.Minute, providers.OutOfFunds), outcome(providers.Transient), held(30*time.Minute, providers.OutOfFunds)},
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

func TestPolicy_ProbesAreHalfOpen(t *testing.T) {
	t.Parallel()
	outcome := func(k providers.Kind) providers.Outcome { return providers.Outcome{Kind: k} }
	week := policy().Next(State{}, Attempt{Outcome: providers.Outcome{Kind: providers.RateLimited, RetryAfter: 7 * 24 * time.Hour}, Granted: now, Now: now})
	refused := policy().Next(State{}, Attempt{Outcome: outcome(providers.Unauthorized), Granted: now, Now: now})
	due := now.Add(30 * time.Minute)
	for name, s := range map[string]State{"a long hint": week, "a held rest": refused} {
		t.Run(name, func(t *testing.T) {
			require.False(t, s.ProbeDue(due.Add(-1)))
			require.True(t, s.Resting(due), "a due probe does not end the rest")
			require.True(t, s.ProbeDue(due))
			require.Equal(t, due, s.Due(now))

			probe := Attempt{Granted: due, Now: due.Add(time.Second), Probe: true}
			probe.Outcome = outcome(providers.Success)
			require.Equal(t, State{}, policy().Next(s, probe))
			for _, kind := range []providers.Kind{providers.RequestFault, providers.Canceled} {
				probe.Outcome = outcome(kind)
				require.True(t, policy().Next(s, probe).ProbeDue(probe.Now), "%s says nothing: the next one may probe", kind)
			}
			for _, kind := range []providers.Kind{s.Kind, providers.Transient, providers.RateLimited} {
				probe.Outcome = outcome(kind)
				renewed := policy().Next(s, probe)
				require.Equal(t, probe.Now.Add(30*time.Minute), renewed.Due(probe.Now), "%s renews the rest", kind)
				require.False(t, renewed.Until.Before(s.Until))
			}
		})
	}
}

func TestState_OverKeepsTheStreak(t *testing.T) {
	t.Parallel()
	s := State{Level: 3, Since: now, Until: now.Add(time.Minute), Kind: providers.Transient}
	require.Equal(t, s, s.Over(now))
	require.Equal(t, State{Level: 3, Since: now, Kind: providers.Transient}, s.Over(now.Add(time.Minute)))
	s.Held = true
	require.Equal(t, s, s.Over(now.Add(time.Hour)), "a held rest does not end by itself")
}

func TestPolicy_DisabledRecordsWithoutResting(t *testing.T) {
	t.Parallel()
	p := policy()
	p.Disabled = true
	limited := Attempt{Outcome: providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Hour}, Now: now}
	s := p.Next(State{}, limited)
	require.False(t, s.Resting(now.Add(time.Second)))
	require.Equal(t, providers.RateLimited, s.Kind)
	require.Equal(t, now.Add(time.Hour), s.Until)
	s = p.Next(s, Attempt{Outcome: providers.Outcome{Kind: providers.RateLimited, Rest: time.Minute}, Now: now})
	require.True(t, s.Resting(now), "an error rule says so (RT17)")
	require.False(t, s.Resting(now.Add(time.Minute)), "and no longer than it says")
	require.Equal(t, s, p.Next(s, limited), "what does not count leaves it as it is")
}

func TestPolicy_SpareCutsToTheBaseStep(t *testing.T) {
	t.Parallel()
	for _, kind := range []providers.Kind{providers.Overloaded, providers.Transient} {
		s := State{Level: 5, Since: now, Until: now.Add(16 * time.Second), Kind: kind}
		require.Equal(t, State{Level: 1, Since: now, Until: now.Add(time.Second), Kind: kind}, policy().Spare(s))
	}
	limited := State{Level: 5, Since: now, Until: now.Add(16 * time.Second), Kind: providers.RateLimited}
	require.Equal(t, limited, policy().Spare(limited))
}

func TestPolicy_SparingCutsNoHint(t *testing.T) {
	t.Parallel()
	kinds := []providers.Kind{providers.RateLimited, providers.Overloaded, providers.Transient}
	rapid.Check(t, func(t *rapid.T) {
		var s State
		var named time.Time // by the upstream, as the end of a rate limit
		at := now
		for range rapid.IntRange(1, 20).Draw(t, "answers") {
			at = at.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
			o := providers.Outcome{
				Kind:       rapid.SampledFrom(kinds).Draw(t, "kind"),
				RetryAfter: time.Duration(rapid.IntRange(0, 60).Draw(t, "hint")) * time.Second,
			}
			s = policy().Next(s, Attempt{Outcome: o, Granted: at.Add(-time.Second), Now: at})
			if end := at.Add(o.RetryAfter); o.Kind == providers.RateLimited && o.RetryAfter > 0 && end.After(named) {
				named = end
			}
			if rapid.Bool().Draw(t, "spare") {
				s = policy().Spare(s)
			}
			if named.After(at) {
				require.False(t, s.Until.Before(named), "%v ends before %v", s, named)
			}
		}
	})
}

func TestEvidence_TakesThreeCredentialsWithinTenSeconds(t *testing.T) {
	t.Parallel()
	at := func(s float64) time.Time { return now.Add(time.Duration(s * float64(time.Second))) }
	var e Evidence
	require.False(t, e.Note("a", at(0)))
	require.False(t, e.Note("a", at(1)))
	require.False(t, e.Note("b", at(2)))
	require.False(t, e.Note("b", at(3)))
	require.True(t, e.Note("c", at(11)), "a was last seen at 1")
	require.True(t, e.Wide(at(11)))
	require.False(t, e.Wide(at(11.5)), "a is too long ago")
	require.False(t, e.Note("b", at(30)))
	require.False(t, e.Note("d", at(31)))
	require.True(t, e.Note("e", at(32)))
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
			if next.Resting(at) {
				require.LessOrEqual(t, next.Due(at).Sub(at), policy().Max+policy().Max/10, "nobody is left alone for longer")
			}
			s = next
		}
	})
}

// Under a coarse clock a grant and the answer that begins a rest share an instant.
func TestPolicy_TakesAGrantInTheInstantARestBeganForOneUnderWay(t *testing.T) {
	t.Parallel()
	overloaded := providers.Outcome{Kind: providers.Overloaded}
	resting := policy().Next(State{}, Attempt{Outcome: overloaded, Granted: now.Add(-time.Second), Now: now})

	late := policy().Next(resting, Attempt{Outcome: providers.Outcome{Kind: providers.Success}, Granted: now, Now: now.Add(time.Millisecond)})
	require.Equal(t, resting, late, "its success ends no rest")

	late = policy().Next(resting, Attempt{Outcome: overloaded, Granted: now, Now: resting.Until.Add(time.Millisecond)})
	require.Equal(t, resting, late, "its failure begins no second one")
}
