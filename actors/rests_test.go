package actors

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// inAccounts gives each credential of the plan an account; "" = none.
func inAccounts(names ...string) func(*Plan) {
	return func(p *Plan) {
		for i, name := range names {
			p.Credentials[i].Account = name
		}
	}
}

// ready lists the credentials that serve model now, without a probe.
func (e *engine) ready(model string) []string {
	var ids []string
	for _, c := range e.plan.Credentials {
		l, err := e.Acquire(context.Background(), e.on(string(c.ID), chat(model)))
		if err != nil {
			continue
		}
		if l.Why != WhyProbe {
			ids = append(ids, string(c.ID))
		}
		e.report(l, providers.Outcome{Kind: providers.Canceled})
	}
	return ids
}

// readyAt is ready after d.
func (e *engine) readyAt(d time.Duration, model string) []string {
	time.Sleep(d)
	synctest.Wait()
	return e.ready(model)
}

func (e *engine) view(id string) CredentialView {
	e.t.Helper()
	s, err := e.Snapshot(context.Background())
	require.NoError(e.t, err)
	i := slices.IndexFunc(s.Credentials, func(v CredentialView) bool { return string(v.ID) == id })
	require.GreaterOrEqual(e.t, i, 0)
	return s.Credentials[i]
}

func TestRests_WindowsOfAnAccountRestItsCredentialsOnly(t *testing.T) {
	t.Parallel()
	used := func(k providers.Kind, scope providers.Scope) providers.Outcome {
		return providers.Outcome{Kind: k, Scope: scope, RetryAfter: 20 * time.Minute}
	}
	for name, tt := range map[string]struct {
		outcome   providers.Outcome
		ready, m2 []string
	}{
		"a refusal, account":       {used(providers.WindowExhausted, providers.ScopeAccount), []string{"c3", "c4"}, []string{"c3", "c4"}},
		"a refusal, credential":    {used(providers.WindowExhausted, providers.ScopeCredential), []string{"c2", "c3", "c4"}, []string{"c2", "c3", "c4"}},
		"a refusal, model":         {used(providers.RateLimited, providers.ScopeModel), []string{"c2", "c3", "c4"}, []string{"c1", "c2", "c3", "c4"}},
		"the last one, account":    {used(providers.Success, providers.ScopeAccount), []string{"c3", "c4"}, []string{"c3", "c4"}},
		"the last one, model":      {used(providers.Success, providers.ScopeModel), []string{"c2", "c3", "c4"}, []string{"c1", "c2", "c3", "c4"}},
		"the last one, credential": {used(providers.Success, providers.ScopeCredential), []string{"c2", "c3", "c4"}, []string{"c2", "c3", "c4"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 4, inAccounts("x", "x", "y", ""), func(t *testing.T, e *engine) {
				for _, id := range []string{"c1", "c2", "c3", "c4"} { // so that they are known
					e.fail(e.on(id, chat("m2")), success)
				}
				e.fail(e.on("c1", chat("m")), tt.outcome)
				require.Equal(t, tt.ready, e.ready("m"))
				require.Equal(t, tt.m2, e.ready("m2"))
				require.Equal(t, tt.ready, e.readyAt(20*time.Minute-time.Millisecond, "m"))
				require.Len(t, e.readyAt(2*time.Minute+2*time.Millisecond, "m"), 4)
				require.Len(t, e.ready("m2"), 4)
			})
		})
	}
}

// What one credential's success says of its account ends no rest of another one.
func TestRests_ALastSuccessOfAnAccountEndsNobodysRest(t *testing.T) {
	t.Parallel()
	for _, kind := range []providers.Kind{providers.Unauthorized, providers.OutOfFunds} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			inEngine(t, 2, inAccounts("x", "x"), func(t *testing.T, e *engine) {
				e.fail(e.on("c2", chat("m")), providers.Outcome{Kind: kind, Scope: providers.ScopeCredential})
				time.Sleep(time.Second)
				e.fail(e.on("c1", chat("m")), providers.Outcome{Kind: providers.Success, Scope: providers.ScopeAccount, RetryAfter: time.Minute})
				require.Equal(t, []string{"c1"}, e.readyAt(5*time.Minute, "m"))
			})
		})
	}
}

func overloaded() providers.Outcome { return providers.Outcome{Kind: providers.Overloaded} }

// streak makes id fail with kind n times in a row, each time when its rest is over, and
// returns how long the last one is at most.
func (e *engine) streak(id string, kind providers.Kind, n int) {
	for i := range n {
		e.fail(e.on(id, chat("m")), providers.Outcome{Kind: kind})
		if i < n-1 {
			time.Sleep(time.Second << i)
		}
	}
}

func TestRests_ThreeOverloadedCredentialsShowThatTheProviderIs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		credentials int
		apart       time.Duration
		wide        bool
	}{
		"two of them are their own trouble": {2, time.Second, false},
		"three within ten seconds":          {3, 2 * time.Second, true},
		"three over eleven seconds":         {3, 5500 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 5, nil, func(t *testing.T, e *engine) {
				e.streak("c1", providers.Overloaded, 5)
				time.Sleep(16*time.Second + time.Minute) // far from what follows
				for i := range tt.credentials {
					if i > 0 {
						time.Sleep(tt.apart)
					}
					e.fail(e.on("c"+string(rune('1'+i)), chat("m")), overloaded())
				}
				if tt.wide {
					require.Equal(t, []string{"c1", "c2", "c4", "c5"}, e.ready("m"), "the longer rest ends at the base step")
					require.Len(t, e.readyAt(time.Second, "m"), 5)
				} else {
					time.Sleep(time.Second)
					require.NotContains(t, e.ready("m"), "c1", "it rests 32 s")
				}
			})
		})
	}
}

func TestRests_OverloadOfOneProviderSaysNothingOfAnother(t *testing.T) {
	t.Parallel()
	other := func(p *Plan) {
		u := testUpstream("other", "m")
		for _, c := range p.Credentials[2:] {
			c.Upstream = u
		}
	}
	inEngine(t, 5, other, func(t *testing.T, e *engine) {
		e.streak("c1", providers.Overloaded, 4)
		e.fail(e.on("c3", chat("m")), overloaded())
		e.fail(e.on("c4", chat("m")), overloaded())
		time.Sleep(time.Second)
		require.NotContains(t, e.ready("m"), "c1", "it rests 8 s")
	})
}

func TestRests_TheLastReadyOneRestsTheBaseStep(t *testing.T) {
	t.Parallel()
	for _, kind := range []providers.Kind{providers.Overloaded, providers.Transient} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			inEngine(t, 2, nil, func(t *testing.T, e *engine) {
				e.streak("c1", kind, 4) // rests 8 s
				e.fail(e.on("c2", chat("m")), providers.Outcome{Kind: kind, RetryAfter: 40 * time.Second})
				require.Empty(t, e.ready("m"))
				require.Equal(t, []string{"c2"}, e.readyAt(time.Second, "m"))
				require.Equal(t, []string{"c1", "c2"}, e.readyAt(7*time.Second, "m"), "who went first rests on")
				e.fail(e.on("c2", chat("m")), providers.Outcome{Kind: kind, RetryAfter: 40 * time.Second})
				time.Sleep(time.Second)
				require.Equal(t, []string{"c1"}, e.ready("m"), "it is not the last one any more")
			})
		})
	}
}

func TestRests_TheLastReadyOneIsRestedForAllElse(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		e.fail(chat("m"), providers.Outcome{Kind: providers.RateLimited, RetryAfter: 20 * time.Second})
		require.Empty(t, e.readyAt(20*time.Second-time.Millisecond, "m"))
		require.Equal(t, []string{"c1"}, e.readyAt(2*time.Second, "m"))
	})
}

// Nobody has asked for the name since the plan was applied.
func TestRests_TheLastReadyOneIsSparedRightAfterAPlan(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		l := e.acquire(chat("m"))
		e.plan.Credentials = append(e.plan.Credentials, testCredential(testUpstream("other", "x"), "c9"))
		require.NoError(t, e.Apply(t.Context(), e.plan))
		e.report(l, providers.Outcome{Kind: providers.Transient, RetryAfter: 40 * time.Second})
		time.Sleep(time.Second)
		require.Equal(t, []string{"c1"}, e.ready("m"))
	})
}

// A hint that came together with the transient trouble still holds.
func TestRests_SparingDoesNotCutAHint(t *testing.T) {
	t.Parallel()
	hint := providers.Outcome{Kind: providers.RateLimited, RetryAfter: 10 * time.Second}
	trouble := providers.Outcome{Kind: providers.Transient, RetryAfter: 30 * time.Second}
	for name, order := range map[string][2]providers.Outcome{"hint first": {hint, trouble}, "trouble first": {trouble, hint}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 1, nil, func(t *testing.T, e *engine) {
				a, b := e.acquire(chat("m")), e.acquire(chat("m"))
				e.report(a, order[0])
				e.report(b, order[1])
				require.Empty(t, e.readyAt(10*time.Second-time.Millisecond, "m"), "the upstream has named a time")
			})
		})
	}
}

func TestRests_AfterEdits(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	limited := providers.Outcome{Kind: providers.RateLimited, RetryAfter: hour}
	window := providers.Outcome{Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, RetryAfter: hour}
	unauthorized := providers.Outcome{Kind: providers.Unauthorized, Scope: providers.ScopeCredential}
	funds := providers.Outcome{Kind: providers.OutOfFunds, Scope: providers.ScopeCredential}
	forbidden := providers.Outcome{Kind: providers.Forbidden, Scope: providers.ScopeCredential}
	label := func(e *engine) { e.edit("c1", func(c *providers.Credential) { c.Priority, c.Weight = 3, 7 }) }
	secret := func(e *engine) {
		e.edit("c1", func(c *providers.Credential) { c.Secret = providers.NewSecret("sk-another") })
	}
	toggled := func(e *engine) {
		e.edit("c1", func(c *providers.Credential) { c.Disabled = true })
		e.edit("c1", func(c *providers.Credential) { c.Disabled = false })
	}
	readded := func(e *engine) {
		all := e.plan.Credentials
		e.withCredentials(all[1:]...)
		e.withCredentials(all...)
	}
	for name, tt := range map[string]struct {
		outcome providers.Outcome
		change  func(*engine)
		clears  bool
	}{
		"an edit keeps the rest of a model (CD34)":        {limited, label, false},
		"an edit keeps a window (CD34)":                   {window, label, false},
		"an edit keeps unauthorized (CD34)":               {unauthorized, label, false},
		"another secret clears unauthorized":              {unauthorized, secret, true},
		"another secret clears out of funds":              {funds, secret, true},
		"another secret keeps the rest of a model":        {limited, secret, false},
		"another secret keeps a window":                   {window, secret, false},
		"another secret keeps forbidden":                  {forbidden, secret, false},
		"disabled and enabled clears a model's (CD35)":    {limited, toggled, true},
		"disabled and enabled clears a window (CD35)":     {window, toggled, true},
		"disabled and enabled clears unauthorized (CD35)": {unauthorized, toggled, true},
		"disabled and enabled clears forbidden (CD35)":    {forbidden, toggled, true},
		"deleted and added again, a model's":              {limited, readded, true},
		"deleted and added again, a window":               {window, readded, true},
		"deleted and added again, unauthorized":           {unauthorized, readded, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 2, nil, func(t *testing.T, e *engine) {
				e.fail(e.on("c1", chat("m")), tt.outcome)
				require.Equal(t, []string{"c2"}, e.ready("m"))
				tt.change(e)
				if !tt.clears {
					require.Equal(t, []string{"c2"}, e.ready("m"))
					require.NotEqual(t, "active", e.view("c1").Status)
					return
				}
				require.Equal(t, []string{"c1", "c2"}, e.ready("m"))
				require.Equal(t, "active", e.view("c1").Status)
			})
		})
	}
}

func TestRests_DisableCooldown(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for name, tt := range map[string]struct {
		global bool
		own    *bool
		rests  bool
	}{
		"nobody says so":                            {false, nil, true},
		"all of them":                               {true, nil, false},
		"this one (CD26)":                           {false, &yes, false},
		"all but this one (CD27)":                   {true, &no, true},
		"all, and this one":                         {true, &yes, false},
		"this one counts, as it does anyway (CD27)": {false, &no, true},
	} {
		for _, o := range []providers.Outcome{
			{Kind: providers.RateLimited, RetryAfter: time.Minute},
			{Kind: providers.Forbidden, Scope: providers.ScopeCredential},
			{Kind: providers.Unauthorized, Scope: providers.ScopeCredential},
			{Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, RetryAfter: 2 * time.Hour},
			{Kind: providers.Transient},
			{Kind: providers.Success, Scope: providers.ScopeCredential, RetryAfter: time.Hour},
		} {
			t.Run(name+", "+string(o.Kind), func(t *testing.T) {
				t.Parallel()
				set := func(p *Plan) {
					p.Settings.Cooldown.Disabled = tt.global
					p.Credentials[0].DisableCooldown = tt.own
				}
				inEngine(t, 2, set, func(t *testing.T, e *engine) {
					e.fail(e.on("c1", chat("m")), o)
					require.Equal(t, !tt.rests, slices.Contains(e.ready("m"), "c1"))
					e.plan.Settings.Cooldown.Disabled = !tt.global // live
					require.NoError(t, e.Apply(t.Context(), e.plan))
					synctest.Wait()
					rests := tt.rests
					if tt.own == nil {
						rests = !rests
					}
					require.Equal(t, !rests, slices.Contains(e.ready("m"), "c1"), "after the global setting has changed")
				})
			})
		}
	}
}

func TestRests_AnErrorRuleRestsEvenWhereCooldownsAreOff_RT17(t *testing.T) {
	t.Parallel()
	off := func(p *Plan) { p.Settings.Cooldown.Disabled = true }
	inEngine(t, 2, off, func(t *testing.T, e *engine) {
		e.fail(e.on("c1", chat("m")), providers.Outcome{Kind: providers.RequestFault, Rest: time.Minute})
		require.Equal(t, []string{"c2"}, e.ready("m"))
		require.Equal(t, []string{"c2"}, e.readyAt(time.Minute-time.Millisecond, "m"))
		require.Equal(t, []string{"c1", "c2"}, e.readyAt(time.Millisecond, "m"))
	})
}

func TestRests_ACredentialRestsWhenAllItsKnownModelsDo_CD33(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		e.serve(chat("m2"))
		e.fail(chat("m"), providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Hour})
		require.Equal(t, "active", e.view("c1").Status)
		e.fail(chat("m2"), providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Minute})
		v := e.view("c1")
		require.Equal(t, "resting", v.Status)
		require.InDelta(t, 63, time.Until(v.Until).Seconds(), 3, "the earliest of them")
		time.Sleep(70 * time.Second)
		require.Equal(t, "active", e.view("c1").Status)
		e.fail(chat("m2"), providers.Outcome{Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, RetryAfter: 2 * time.Hour})
		v = e.view("c1")
		require.Equal(t, "resting", v.Status)
		require.GreaterOrEqual(t, time.Until(v.Until), 2*time.Hour)
	})
}

func TestRests_SuccessOnOneModelEndsItsStreakOnly(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		e.streak("c1", providers.RateLimited, 3)
		time.Sleep(4 * time.Second)
		e.fail(e.on("c1", chat("m2")), success)
		e.fail(e.on("c1", chat("m")), providers.Outcome{Kind: providers.RateLimited})
		require.NotContains(t, e.readyAt(8*time.Second-time.Millisecond, "m"), "c1", "the streak goes on (CD9)")
		time.Sleep(time.Millisecond)
		e.fail(e.on("c1", chat("m")), success)
		e.fail(e.on("c1", chat("m")), providers.Outcome{Kind: providers.RateLimited})
		require.Contains(t, e.readyAt(time.Second, "m"), "c1", "it began anew (CD32)")
	})
}

func TestRests_ManyAnswersInOneRestCountOnce_CD8(t *testing.T) {
	t.Parallel()
	for _, kind := range []providers.Kind{providers.RateLimited, providers.Transient} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			inEngine(t, 2, nil, func(t *testing.T, e *engine) {
				var burst []Lease
				for range 20 {
					burst = append(burst, e.acquire(e.on("c1", chat("m"))))
				}
				for _, l := range burst {
					e.report(l, providers.Outcome{Kind: kind})
					time.Sleep(10 * time.Millisecond)
				}
				require.NotContains(t, e.readyAt(799*time.Millisecond, "m"), "c1")
				require.Contains(t, e.readyAt(time.Millisecond, "m"), "c1")
				e.fail(e.on("c1", chat("m")), providers.Outcome{Kind: kind})
				require.NotContains(t, e.readyAt(2*time.Second-time.Millisecond, "m"), "c1")
				require.Contains(t, e.readyAt(time.Millisecond, "m"), "c1")
			})
		})
	}
}

func TestStrategy_ChangesWhileRunning_ST26(t *testing.T) {
	t.Parallel()
	weights := func(p *Plan) {
		for _, c := range p.Credentials {
			c.Weight = 1
		}
	}
	inEngine(t, 3, weights, func(t *testing.T, e *engine) {
		bound := map[string]string{}
		for i := range 6 {
			name := fmt.Sprint("s", i)
			bound[name] = e.serve(inSession(chat("m"), name))
		}
		open := e.acquire(e.on("c3", chat("m")))
		for _, strategy := range []config.Strategy{config.FillFirst, config.Weighted, config.LeastLoaded, config.RoundRobin} {
			e.plan.Settings.Routing.Strategy = strategy
			require.NoError(t, e.Apply(t.Context(), e.plan))
			for name, id := range bound {
				require.Equal(t, id, e.serve(inSession(chat("m"), name)), "%s keeps %s", strategy, name)
			}
			if strategy == config.FillFirst {
				for range 3 {
					require.Equal(t, "c1", e.serve(chat("m")))
				}
			}
		}
		e.report(open, providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Minute})
		require.Equal(t, []string{"c1", "c2"}, e.ready("m"), "what was under way is reported")
	})
}
