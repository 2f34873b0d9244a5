package actors

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// Whoever reports while nobody is there to hear it has reported all the same.
func TestGaps_AReportToAnActorThatIsAwayCounts(t *testing.T) {
	t.Parallel()
	for name, victim := range map[string]func(e *engine, l Lease) *actor.PID{
		"its model":      func(_ *engine, l Lease) *actor.PID { return l.owner },
		"its credential": func(e *engine, l Lease) *actor.PID { return e.parentOf(l.owner) },
	} {
		for crashes, situation := range []string{"well", "restarted", "about to be restarted", "about to be restarted again", "given up"} {
			t.Run(name+" is "+situation, func(t *testing.T) {
				t.Parallel()
				inEngine(t, 2, limited(1), func(t *testing.T, e *engine) {
					l := e.acquire(e.on("c1", chat("m")))
					for range crashes {
						time.Sleep(300 * time.Millisecond)
						e.w.root.Send(victim(e, l), boom{})
						synctest.Wait()
					}
					e.report(l, providers.Outcome{Kind: providers.RateLimited, RetryAfter: 5 * time.Minute})
					time.Sleep(time.Minute)
					synctest.Wait()
					s, err := e.Snapshot(t.Context())
					require.NoError(t, err)
					require.EqualValues(t, 1, s.Attempts)
					require.Equal(t, []string{"c2"}, e.ready("m"), "its rest is known")
					time.Sleep(6 * time.Minute)
					require.Equal(t, []string{"c1", "c2"}, e.ready("m"), "its place is free")
				})
			})
		}
	}
}

func TestGaps_NoReportIsLostWhileActorsComeAndGo(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		const leases = 2000
		var open []Lease
		for range leases {
			open = append(open, e.acquire(chat("m")))
		}
		var crowd sync.WaitGroup
		for _, l := range open {
			crowd.Go(func() { e.Report(l, success) })
		}
		e.w.root.Send(e.parentOf(open[0].owner), boom{})
		crowd.Wait()
		synctest.Wait()
		s, err := e.Snapshot(context.Background())
		require.NoError(t, err)
		require.EqualValues(t, leases, s.Attempts)
	})
}

// A grant may be on its way to an actor that has just stopped. It takes no place then, and
// the pick stands for nobody of its session.
func TestGaps_AGrantThatNobodyReadsIsForgotten(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*Plan){
		"of a limited credential": limited(1),
		"of the least loaded":     func(p *Plan) { p.Settings.Routing.Strategy = config.LeastLoaded },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEngine(t, 1, set, func(t *testing.T, e *engine) {
				c1 := e.plan.Credentials[0]
				owner := e.acquireSoon("c1").owner
				synctest.Wait()
				nobody := e.w.system.NewLocalPID(e.w.guardian.Id + "/nobody")
				e.w.root.Send(e.w.router, joined{c1, nobody, 0})
				e.w.root.Send(e.w.router, modelUp{c1.ID, "m", nobody})
				_ = e.denied(inSession(chat("m"), "s"))
				synctest.Wait()
				e.w.root.Send(e.w.router, joined{c1, e.parentOf(owner), 0})
				e.w.root.Send(e.w.router, modelUp{c1.ID, "m", owner})
				l := e.acquire(inSession(chat("m"), "s"))
				require.Equal(t, WhyOnly, l.Why)
			})
		})
	}
}
