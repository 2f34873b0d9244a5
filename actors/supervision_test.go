package actors

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// boom is a message that no actor handles: a bug.
type boom struct{}

// credentialPID finds a credential's actor by acquiring a lease of it.
func (e *engine) credentialPID(id string) (pid *actor.PID) {
	e.t.Helper()
	for range 1000 {
		l := e.acquire(chat("m"))
		e.Report(l, providers.Outcome{Kind: providers.Canceled})
		if string(l.Credential.ID) == id {
			return e.parentOf(l.owner)
		}
	}
	e.t.Fatalf("credential %s never serves", id)
	return nil
}

// parentOf returns the actor above another.
func (e *engine) parentOf(pid *actor.PID) *actor.PID {
	return e.w.system.NewLocalPID(pid.Id[:strings.LastIndexByte(pid.Id, '/')])
}

func TestSupervision_ACrashedModelKeepsItsRestAndItsLeases(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		open := e.acquire(chat("m"))
		e.w.root.Send(open.owner, boom{})
		synctest.Wait()
		e.Report(open, providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Hour})
		synctest.Wait()
		e.w.root.Send(open.owner, boom{})
		time.Sleep(time.Second)
		for range 4 {
			require.NotEqual(t, string(open.Credential.ID), e.serve(chat("m")))
		}
		first := e.serve(chat("m2"))
		require.NotEqual(t, first, e.serve(chat("m2")), "its credential serves other models")
	})
}

func TestSystem_AnIdleModelLeavesAndComesBack(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		first := e.acquire(chat("m"))
		e.Report(first, providers.Outcome{Kind: providers.Success})
		synctest.Wait()
		require.Contains(t, processes(e.w.system), first.owner.Id)
		time.Sleep(2*modelIdleAfter + time.Second)
		synctest.Wait()
		require.NotContains(t, processes(e.w.system), first.owner.Id)
		require.Equal(t, "c1", e.serve(chat("m")))
	})
}

func TestSystem_AGrantForAModelThatHasJustLeftIsAskedAgain(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		for range 50 {
			l := e.acquire(chat("m"))
			e.Report(l, providers.Outcome{Kind: providers.Success})
			e.w.root.Stop(l.owner) // as if idle; races with the next acquire
		}
	})
}

func TestSupervision_ACrashedCredentialTouchesNoOtherAndKeepsItsRests(t *testing.T) {
	t.Parallel()
	inEngine(t, 9, nil, func(t *testing.T, e *engine) {
		rested := e.acquire(chat("m2"))
		id := string(rested.Credential.ID)
		pid := e.parentOf(rested.owner)
		e.Report(rested, providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Hour})
		open := e.acquire(chat("m"))
		for string(open.Credential.ID) != id {
			e.Report(open, providers.Outcome{Kind: providers.Canceled})
			open = e.acquire(chat("m"))
		}
		synctest.Wait()

		var served sync.Map
		var crowd sync.WaitGroup
		for range 50 {
			crowd.Go(func() {
				for range 40 {
					l, err := e.Acquire(context.Background(), chat("m"))
					if err != nil {
						served.Store("failed", err)
						return
					}
					e.FirstByte(l)
					e.Report(l, providers.Outcome{Kind: providers.Success})
				}
			})
		}
		e.w.root.Send(pid, boom{})
		crowd.Wait()
		_, failed := served.Load("failed")
		require.False(t, failed, "no request fails")
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()

		s, err := e.Snapshot(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, s.Failures)
		for _, c := range s.Credentials {
			require.Equal(t, "active", c.Status, c.ID)
		}
		for range 20 {
			l := e.acquire(chat("m2"))
			require.NotEqual(t, id, string(l.Credential.ID), "its rest has survived")
			e.Report(l, providers.Outcome{Kind: providers.Canceled})
		}
		e.credentialPID(id) // it serves again
		e.Report(open, providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Hour})
		synctest.Wait()
		s, err = e.Snapshot(t.Context())
		require.NoError(t, err)
		for _, c := range s.Credentials {
			if string(c.ID) == id {
				require.Equal(t, "resting", c.Status, "a lease from before the stage.Crash is still reported")
			}
		}
	})
}

func TestSupervision_ACredentialThatKeepsFailingIsGivenUpAndComesBack(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		pid := e.credentialPID("c1")
		for range 4 {
			e.w.root.Send(pid, boom{})
			time.Sleep(time.Second)
		}
		synctest.Wait()
		s, err := e.Snapshot(t.Context())
		require.NoError(t, err)
		require.Equal(t, "failed", s.Credentials[0].Status)
		require.Contains(t, s.Credentials[0].Reason, "boom")
		for range 4 {
			require.Equal(t, "c2", e.serve(chat("m")))
		}
		time.Sleep(respawnBase)
		synctest.Wait()
		e.credentialPID("c1")
	})
}

func TestSupervision_TheRouterComesBackWithAllItKnew(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, nil, func(t *testing.T, e *engine) {
		bound := e.serve(inSession(chat("m"), "s"))
		rests := e.fail(chat("m2"), providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Hour})
		e.w.root.Send(e.w.router, boom{})
		synctest.Wait()
		require.Equal(t, bound, e.serve(inSession(chat("m"), "s")))
		for range 6 {
			require.NotEqual(t, rests, e.serve(chat("m2")))
		}
	})
}

func TestSupervision_TheParentOfCredentialsComesBackWithTheirRests(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		rests := e.fail(chat("m"), providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Hour})
		e.w.root.Send(e.w.credentials, boom{})
		time.Sleep(time.Second)
		for range 4 {
			require.NotEqual(t, rests, e.serve(chat("m")))
		}
	})
}

func TestSupervision_ALostSessionIsMadeAgain(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, nil, func(t *testing.T, e *engine) {
		e.serve(inSession(chat("m"), "s"))
		e.w.root.Send(e.w.sessions, unbind{}) // reaches the session, changes nothing
		e.w.root.Send(e.w.sessions, Bind{Asked: &Acquire{Session: session.Keys{Primary: key("s")}}, Credential: "c1", Lease: 1 << 40})
		synctest.Wait()
		require.Equal(t, "c1", e.serve(inSession(chat("m"), "s")))
	})
}

func TestSupervision_AnEngineActorThatCannotBeKeptAliveEndsTheEngine(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		for range 11 {
			e.w.root.Send(e.w.ledger, boom{})
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		<-e.Done()
		require.ErrorContains(t, e.Err(), "boom")
		_, err := e.Acquire(t.Context(), chat("m"))
		require.ErrorIs(t, err, ErrStopped)
	})
}

func TestSystem_LeavesNothingInAHostsActorSystem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sys := newActorSystem(discard())
		before := processes(sys)
		lost := make(chan *actor.DeadLetterEvent, 100)
		sys.EventStream.Subscribe(func(e any) {
			if letter, ok := e.(*actor.DeadLetterEvent); ok {
				lost <- letter
			}
		})
		one, err := Start(t.Context(), Options{Logger: discard(), Host: sys}, testPlan(3))
		require.NoError(t, err)
		two, err := Start(t.Context(), Options{Logger: discard(), Host: sys}, testPlan(2))
		require.NoError(t, err)
		a, b := &engine{System: one, t: t}, &engine{System: two, t: t}
		for range 10 {
			a.serve(inSession(chat("m"), "s"))
			b.serve(inSession(chat("m"), "s"))
		}
		a.Subscribe(func(Event) {})
		require.NoError(t, one.Stop(context.Background()))
		b.serve(chat("m"))
		require.NoError(t, two.Stop(context.Background()))
		synctest.Wait()
		require.ElementsMatch(t, before, processes(sys))
		require.Empty(t, lost, "no message is sent to nobody")
		sys.Shutdown()
		time.Sleep(2 * time.Second)
	})
}

// processes lists the processes of an actor system.
func processes(sys *actor.ActorSystem) []string {
	var ids []string
	for _, bucket := range sys.ProcessRegistry.LocalPIDs.LocalPIDs {
		ids = append(ids, bucket.Keys()...)
	}
	return ids
}
