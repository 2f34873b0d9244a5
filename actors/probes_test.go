package actors

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

// on makes a request that only credential id can serve: all others are tried already.
func (e *engine) on(id string, a Acquire) Acquire {
	for _, c := range e.plan.Credentials {
		if string(c.ID) != id {
			a.Tried = append(slices.Clip(a.Tried), Tried{Credential: c.ID})
		}
	}
	return a
}

// denied acquires in vain and says why.
func (e *engine) denied(a Acquire) *NoCredentialError {
	e.t.Helper()
	l, err := e.Acquire(e.t.Context(), a)
	require.Error(e.t, err, "granted %s, %s", l.Credential, l.Why)
	var none *NoCredentialError
	require.ErrorAs(e.t, err, &none)
	return none
}

// report reports o and waits until everybody knows.
func (e *engine) report(l Lease, o providers.Outcome) {
	e.Report(l, o)
	synctest.Wait()
}

// edit applies the plan with one credential changed.
func (e *engine) edit(id string, change func(*providers.Credential)) {
	e.t.Helper()
	cs := slices.Clone(e.plan.Credentials)
	for i, c := range cs {
		if string(c.ID) == id {
			changed := *c
			change(&changed)
			cs[i] = &changed
		}
	}
	e.plan.Credentials = cs
	require.NoError(e.t, e.Apply(context.Background(), e.plan))
	synctest.Wait()
}

var success = providers.Outcome{Kind: providers.Success}

// halfOpen are rests that one request at a time finds the end of.
var halfOpen = map[string]struct {
	outcome providers.Outcome
	wide    bool
}{
	"a hint beyond the longest rest":                {providers.Outcome{Kind: providers.RateLimited, RetryAfter: 6 * time.Hour}, false},
	"a window of the credential for long":           {providers.Outcome{Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, RetryAfter: 24 * time.Hour}, true},
	"a window of the credential until no one knows": {providers.Outcome{Kind: providers.WindowExhausted, Scope: providers.ScopeCredential}, true},
	"401":                   {providers.Outcome{Kind: providers.Unauthorized, Scope: providers.ScopeCredential}, true},
	"402":                   {providers.Outcome{Kind: providers.OutOfFunds, Scope: providers.ScopeCredential}, true},
	"403 of the credential": {providers.Outcome{Kind: providers.Forbidden, Scope: providers.ScopeCredential}, true},
	"403 of a model":        {providers.Outcome{Kind: providers.Forbidden}, false},
	"unsupported model":     {providers.Outcome{Kind: providers.ModelUnsupported}, false},
}

const probedAfter = 30 * time.Minute // cooldown.max of the test plan

func TestProbes_OneAtATimeWhenDue(t *testing.T) {
	t.Parallel()
	for name, tt := range halfOpen {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 1, nil, func(t *testing.T, e *engine) {
				e.fail(chat("m"), tt.outcome)
				time.Sleep(probedAfter - time.Millisecond)
				_ = e.denied(chat("m"))
				if tt.wide {
					_ = e.denied(chat("m2"))
				} else {
					e.serve(chat("m2"))
				}
				time.Sleep(time.Millisecond)
				probe := e.acquire(chat("m"))
				require.Equal(t, WhyProbe, probe.Why)
				_ = e.denied(chat("m"))
				if tt.wide {
					_ = e.denied(chat("m2"))
				} else {
					e.serve(chat("m2"))
				}
				e.report(probe, success)
				together := make([]Lease, 3)
				for i := range together {
					together[i] = e.acquire(chat("m"))
					require.NotEqual(t, WhyProbe, together[i].Why, "the rest is over")
				}
				for _, l := range together {
					e.report(l, success)
				}
			})
		})
	}
}

func TestProbes_FailingOnesRenewTheRest(t *testing.T) {
	t.Parallel()
	for name, tt := range halfOpen {
		for _, second := range []providers.Outcome{
			tt.outcome,
			{Kind: providers.Transient},
			{Kind: providers.RateLimited, RetryAfter: time.Second},
		} {
			t.Run(name+" then "+string(second.Kind), func(t *testing.T) {
				t.Parallel()
				inEngine(t, 1, nil, func(t *testing.T, e *engine) {
					e.fail(chat("m"), tt.outcome)
					time.Sleep(probedAfter)
					for range 3 {
						probe := e.acquire(chat("m"))
						require.Equal(t, WhyProbe, probe.Why)
						e.report(probe, second)
						_ = e.denied(chat("m"))
						time.Sleep(probedAfter - time.Millisecond)
						_ = e.denied(chat("m"))
						time.Sleep(time.Millisecond)
					}
					e.report(e.acquire(chat("m")), success)
					e.serve(chat("m"))
				})
			})
		}
	}
}

func TestProbes_OneThatSaysNothingIsFollowedByTheNext(t *testing.T) {
	t.Parallel()
	for name, tt := range halfOpen {
		for _, kind := range []providers.Kind{providers.Canceled, providers.RequestFault, providers.GatewayBug} {
			t.Run(name+" then "+string(kind), func(t *testing.T) {
				t.Parallel()
				inEngine(t, 1, nil, func(t *testing.T, e *engine) {
					e.fail(chat("m"), tt.outcome)
					time.Sleep(probedAfter)
					for range 3 {
						probe := e.acquire(chat("m"))
						require.Equal(t, WhyProbe, probe.Why)
						e.report(probe, providers.Outcome{Kind: kind})
					}
					e.report(e.acquire(chat("m")), success)
					require.NotEqual(t, WhyProbe, e.acquire(chat("m")).Why)
				})
			})
		}
	}
}

func TestProbes_OneThatNobodyReportsIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, tt := range halfOpen {
		if !tt.wide && tt.outcome.RetryAfter == 0 {
			continue // such a rest of a model is forgotten if nobody probes it for long
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 1, nil, func(t *testing.T, e *engine) {
				e.fail(chat("m"), tt.outcome)
				time.Sleep(probedAfter)
				e.acquire(chat("m")) // is never reported
				time.Sleep(leaseOverdueAfter + modelIdleAfter)
				synctest.Wait()
				require.Equal(t, WhyProbe, e.acquire(chat("m")).Why)
			})
		})
	}
}

func TestProbes_OthersServeMeanwhile(t *testing.T) {
	t.Parallel()
	for name, tt := range halfOpen {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 3, nil, func(t *testing.T, e *engine) {
				e.fail(e.on("c2", chat("m")), tt.outcome)
				time.Sleep(probedAfter)
				probes := 0
				for range 30 {
					l := e.acquire(chat("m"))
					require.Equal(t, l.Credential.ID == "c2", l.Why == WhyProbe)
					if l.Why == WhyProbe {
						probes++
						continue // it is under way for long
					}
					e.report(l, success)
				}
				require.Equal(t, 1, probes)
			})
		})
	}
}

// A credential and one of its models that rest both, the model for longer.
func TestProbes_AModelsOwnRestOutlastsItsCredentials(t *testing.T) {
	t.Parallel()
	for name, tt := range halfOpen {
		if !tt.wide {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 1, nil, func(t *testing.T, e *engine) {
				late := e.acquire(chat("m"))
				e.fail(chat("m2"), tt.outcome)
				time.Sleep(20 * time.Minute)
				e.report(late, providers.Outcome{Kind: providers.ModelUnsupported})
				time.Sleep(10 * time.Minute)
				none := e.denied(chat("m"))
				require.NotContains(t, none.Reasons, "tried", "it rests, and is not even asked")
				probe := e.acquire(chat("m2"))
				require.Equal(t, WhyProbe, probe.Why)
				e.report(probe, success)
				_ = e.denied(chat("m"))
				time.Sleep(20 * time.Minute)
				probe = e.acquire(chat("m"))
				require.Equal(t, WhyProbe, probe.Why)
				e.report(probe, success)
				e.serve(chat("m"))
			})
		})
	}
}

// A model that rests for an unknown time is forgotten when nobody has probed it for long, but
// not before the time that its upstream named.
func TestProbes_AHintIsNotForgotten(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		late := e.acquire(chat("m"))
		e.fail(chat("m"), providers.Outcome{Kind: providers.RateLimited, RetryAfter: 3 * time.Hour})
		e.report(late, providers.Outcome{Kind: providers.Forbidden})
		time.Sleep(2 * time.Hour)
		require.Equal(t, WhyProbe, e.acquire(chat("m")).Why)
	})
}

// What an error rule says is about the model whose answer it was, also if that was to find out
// about the credential.
func TestProbes_AnErrorRulesRestIsTheModelsOwn(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		e.report(e.acquire(chat("m")), providers.Outcome{Kind: providers.WindowExhausted, Scope: providers.ScopeCredential, RetryAfter: 2 * time.Hour})
		time.Sleep(31 * time.Minute)
		probe := e.acquire(chat("m2"))
		require.Equal(t, WhyProbe, probe.Why)
		off := true
		e.edit("c1", func(c *providers.Credential) { c.DisableCooldown = &off })
		e.report(probe, providers.Outcome{Kind: providers.RequestFault, Rest: 15 * time.Minute})
		e.report(e.acquire(chat("m")), success)
		require.Equal(t, map[string]int{"resting:request-fault": 1}, e.denied(chat("m2")).Reasons)
	})
}
