package actors

import (
	"context"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

// tellSystem sends a message of the actor library's own.
func (e *engine) tellSystem(pid *actor.PID, msg any) {
	p, ok := e.w.system.ProcessRegistry.Get(pid)
	require.True(e.t, ok)
	p.SendSystemMessage(pid, msg)
}

// leaseOf acquires until it gets a lease of credential id.
func (e *engine) leaseOf(id, model string) Lease {
	for range 100 {
		l := e.acquire(chat(model))
		if string(l.Credential.ID) == id {
			return l
		}
		e.Report(l, providers.Outcome{Kind: providers.Canceled})
	}
	e.t.Fatalf("%s never serves", id)
	return Lease{}
}

// serves reports whether credential id is among those that serve.
func (e *engine) serves(id string) bool {
	for range 20 {
		if e.serve(chat("m")) == id {
			return true
		}
	}
	return false
}

// acquireLater is later for a lease.
func (e *engine) acquireLater() func(otherwise string) error {
	return e.later(func(ctx context.Context) error {
		_, err := e.Acquire(ctx, chat("m"))
		return err
	})
}

// later asks in a goroutine of its own. The returned function returns the error that was
// answered, and fails the test with otherwise if nothing has been.
func (e *engine) later(ask func(context.Context) error) func(otherwise string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	done := make(chan error, 1)
	go func() { done <- ask(ctx) }()
	synctest.Wait()
	return func(otherwise string) error {
		defer cancel()
		select {
		case err := <-done:
			return err
		default:
			e.t.Error(otherwise)
			cancel()
			return <-done
		}
	}
}

// withCredentials applies a plan of cs.
func (e *engine) withCredentials(cs ...*providers.Credential) {
	p := e.plan
	p.Credentials = cs
	require.NoError(e.t, e.Apply(e.t.Context(), p))
	synctest.Wait()
}

func TestSystem_ReaddedStartsClean(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		l := e.leaseOf("c1", "m")
		c1, c2 := e.plan.Credentials[0], e.plan.Credentials[1]
		e.withCredentials(c2)
		e.withCredentials(c1, c2)
		require.True(t, e.serves("c1"))
		e.Report(l, providers.Outcome{Kind: providers.Unauthorized, Scope: providers.ScopeCredential})
		synctest.Wait()
		clean := e.serves("c1")
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		day := e.serves("c1")
		s, _ := e.Snapshot(t.Context())
		t.Log(s.Credentials[0].Status)
		require.True(t, day, "not even a day later")
		require.True(t, clean)
	})
}

func TestSystem_RefusedIsAnsweredOnStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := Start(t.Context(), Options{Logger: discard()}, testPlan(1))
		require.NoError(t, err)
		e := &engine{System: s, t: t}
		l := e.acquire(chat("m"))
		e.Report(l, providers.Outcome{Kind: providers.Success})
		synctest.Wait()
		e.tellSystem(l.owner, &actor.SuspendMailbox{}) // only to fix the order of what follows
		e.w.root.Send(l.owner, wideRested{cooldown.State{Until: time.Now().Add(time.Hour)}})
		answered := e.acquireLater()
		e.tellSystem(e.w.router, &actor.SuspendMailbox{}) // has a backlog, or is being restarted
		e.tellSystem(l.owner, &actor.ResumeMailbox{})
		synctest.Wait() // refused waits at the router
		require.NoError(t, s.Stop(context.Background()))
		synctest.Wait()
		require.ErrorIs(t, answered("Acquire still waits after Stop has returned"), ErrStopped)
		time.Sleep(2 * time.Second)
	})
}

func TestSystem_RefusedThatIsNotReadIsAnswered(t *testing.T) {
	t.Parallel()
	id := uint64(7)
	r := refused{grant: grant{acquire: acquire{Acquire: &Acquire{}, id: id}}}
	_, numbered := any(r).(interface{ Question() uint64 })
	require.True(t, numbered, "Bounced, Shed and Crashed of refused carry question 0: Ask takes them for late and waits on")
}

func TestSystem_StashedAskersAreAnsweredOnStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := Start(t.Context(), Options{Logger: discard()}, testPlan(1))
		require.NoError(t, err)
		e := &engine{System: s, t: t}
		e.tellSystem(e.w.credentials, &actor.SuspendMailbox{}) // busy or restarting: announces late
		e.w.root.Send(e.w.router, boom{})
		synctest.Wait()
		answered := e.acquireLater()
		require.NoError(t, s.Stop(context.Background()))
		synctest.Wait()
		require.ErrorIs(t, answered("Acquire still waits after Stop has returned"), ErrStopped)
		time.Sleep(2 * time.Second)
	})
}

func TestSystem_StashedAskersSurviveASecondCrash(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		e.tellSystem(e.w.credentials, &actor.SuspendMailbox{})
		e.w.root.Send(e.w.router, boom{})
		synctest.Wait()
		answered := e.acquireLater()
		e.w.root.Send(e.w.router, boom{})
		e.tellSystem(e.w.credentials, &actor.ResumeMailbox{})
		time.Sleep(time.Minute)
		require.NoError(t, answered("Acquire still waits a minute after the router is back"))
	})
}

func TestSystem_ARestThatEndedWhileGivenUpIsOver(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		l := e.leaseOf("c1", "m")
		pid := e.parentOf(l.owner)
		e.Report(l, providers.Outcome{Kind: providers.RateLimited, Scope: providers.ScopeCredential, RetryAfter: 5 * time.Second})
		synctest.Wait()
		for range 4 {
			e.w.root.Send(pid, boom{})
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		s, _ := e.Snapshot(t.Context())
		t.Log(s.Credentials[0].Status, s.Credentials[0].Until)
		require.True(t, e.serves("c1"))
	})
}

func TestSystem_ARestOfAGivenUpModelEnds(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		l := e.leaseOf("c1", "m")
		e.Report(l, providers.Outcome{Kind: providers.RateLimited, RetryAfter: 5 * time.Second})
		synctest.Wait()
		for range 4 {
			e.w.root.Send(l.owner, boom{})
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		require.True(t, e.serves("c1"))
	})
}

func TestSystem_ALateRefusalOfTheOldSecretIsNotTheNewOnes(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		l := e.leaseOf("c1", "m")
		c1 := *e.plan.Credentials[0]
		c1.Secret = providers.NewSecret("sk-new")
		e.withCredentials(&c1, e.plan.Credentials[1])
		e.Report(l, providers.Outcome{Kind: providers.Unauthorized, Scope: providers.ScopeCredential})
		synctest.Wait()
		require.True(t, e.serves("c1"))
	})
}

func TestSystem_DisablingAndEnablingClearsAll(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		l := e.leaseOf("c1", "m")
		e.Report(l, providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Hour})
		synctest.Wait()
		c1 := *e.plan.Credentials[0]
		c1.Disabled = true
		e.withCredentials(&c1, e.plan.Credentials[1])
		e.withCredentials(e.plan.Credentials[0], e.plan.Credentials[1])
		require.True(t, e.serves("c1"))
	})
}

func TestSystem_AChangedUpstreamDoesNotKeepTheOldList(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, func(p *Plan) { p.Credentials[0].Upstream.Models = nil }, func(t *testing.T, e *engine) {
		e.ModelsListed("up", []string{"m"})
		synctest.Wait()
		u := testUpstream("up")
		u.Base.Host = "another"
		e.withCredentials(testCredential(u, "c1"))
		_, err := e.Acquire(t.Context(), chat("its-own-model"))
		require.NoError(t, err)
	})
}

func TestSystem_TheLedgerForgetsMadeUpModels(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, func(p *Plan) { p.Credentials[0].Upstream.Models = nil }, func(t *testing.T, e *engine) {
		for i := range 1000 {
			e.fail(chat(fmt.Sprintf("made-up-%d", i)), providers.Outcome{Kind: providers.ModelUnsupported})
		}
		time.Sleep(30 * 24 * time.Hour)
		s, _ := e.Snapshot(t.Context())
		require.Less(t, len(s.Credentials[0].Models), 100)
	})
}

func TestSystem_TheLedgerComesBack(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		n := 0
		defer e.Subscribe(func(Event) { n++ })()
		e.w.root.Send(e.w.ledger, boom{})
		synctest.Wait()
		n = 0
		e.serve(chat("m"))
		s, _ := e.Snapshot(t.Context())
		t.Log("events", n)
		require.Len(t, s.Credentials, 2)
	})
}

func TestSystem_BindingsDoNotLeak(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		r := e.w
		_ = r
		first := e.serve(inSession(chat("m"), "s")) // bound
		l := e.acquire(inSession(chat("m"), "s"))
		e.Report(l, providers.Outcome{Kind: providers.RateLimited, RetryAfter: 2 * time.Second})
		synctest.Wait()
		slow := e.acquire(inSession(chat("m"), "s")) // likely = the other
		require.NotEqual(t, first, string(slow.Credential.ID))
		time.Sleep(3 * time.Second)
		require.Equal(t, first, e.serve(inSession(chat("m"), "s"))) // served later lease
		e.FirstByte(slow)
		e.Report(slow, providers.Outcome{Kind: providers.Success})
		synctest.Wait()
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		s, _ := e.Snapshot(t.Context())
		require.Zero(t, s.Sessions)
		l = e.acquire(inSession(chat("m"), "s"))
		require.NotEqual(t, WhyBound, l.Why, "the router still knows a session that ended hours ago")
	})
}

func TestSystem_AHugeHintRests(t *testing.T) {
	t.Parallel()
	p := cooldown.Policy{Base: time.Second, Max: time.Hour, TransientMax: time.Minute}
	now := time.Now()
	s := p.Next(cooldown.State{}, cooldown.Attempt{Outcome: providers.Outcome{Kind: providers.RateLimited, RetryAfter: math.MaxInt64}, Granted: now, Now: now, Spread: .5})
	require.True(t, s.Resting(now.Add(time.Second)))
}

func TestSystem_OneBadSecondCountsOnce(t *testing.T) {
	t.Parallel()
	p := cooldown.Policy{Base: time.Second, Max: time.Hour, TransientMax: time.Minute}
	t0 := time.Now()
	var s cooldown.State
	for i := range 6 {
		s = p.Next(s, cooldown.Attempt{Outcome: providers.Outcome{Kind: providers.Transient}, Granted: t0, Now: t0.Add(time.Duration(10+i*40) * time.Second)})
	}
	require.Equal(t, 1, s.Level)
}

func TestSystem_ApplyIsAnsweredWhenTheParentCrashes(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		l := e.leaseOf("c1", "m")
		e.tellSystem(e.parentOf(l.owner), &actor.SuspendMailbox{})
		c1 := *e.plan.Credentials[0]
		p := e.plan
		p.Credentials = []*providers.Credential{&c1, e.plan.Credentials[1]}
		answered := e.later(func(ctx context.Context) error { return e.Apply(ctx, p) })
		e.w.root.Send(e.w.credentials, boom{})
		time.Sleep(time.Minute)
		require.NoError(t, answered("Apply waits on"))
	})
}
