package actors

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// checkEngines checks a property of engines with n credentials, each run with one of its own
// in a bubble of its own: in a common one the clock would run away with rapid's patience.
func checkEngines(t *testing.T, n int, change func(*Plan), property func(t *rapid.T, e *engine)) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		var failure any
		synctest.Test(t, func(t *testing.T) {
			plan := testPlan(n)
			if change != nil {
				change(&plan)
			}
			s, err := Start(t.Context(), Options{Logger: discard()}, plan)
			require.NoError(t, err)
			func() {
				defer func() { failure = recover() }()
				property(rt, &engine{System: s, t: t, plan: plan})
			}()
			require.NoError(t, s.Stop(context.Background()))
			time.Sleep(2 * time.Second)
		})
		if failure != nil { // rapid's own way to end a run, which is for its goroutine
			panic(failure)
		}
	})
}

var strategies = []config.Strategy{config.RoundRobin, config.FillFirst, config.Weighted, config.LeastLoaded}

func limited(n int) func(*Plan) {
	return func(p *Plan) {
		for _, c := range p.Credentials {
			c.MaxConcurrency, c.Weight = n, 1
		}
	}
}

// acquireSoon waits for a lease of credential id, reports it and returns it.
func (e *engine) acquireSoon(id string) Lease {
	a := e.on(id, chat("m"))
	a.Wait = time.Hour
	l := e.acquire(a)
	e.Report(l, success)
	return l
}

// capacity is a run with leases that are held for a while, and what it knows of them.
type capacity struct {
	*engine
	open  map[string][]Lease // by credential
	since map[uint64]time.Time
	ended uint64
}

func (r *capacity) limit(id string) int {
	return r.plan.Credentials[id[1]-'1'].MaxConcurrency
}

// free reports whether a credential may have one lease more.
func (r *capacity) free(id string) bool {
	return id != "" && (r.limit(id) == 0 || len(r.open[id]) < r.limit(id))
}

// anyID draws a credential.
func (e *engine) anyID(t *rapid.T) string {
	return fmt.Sprint("c", rapid.IntRange(1, len(e.plan.Credentials)).Draw(t, "credential"))
}

// acquire acquires from one credential or, with an empty id, from anybody.
func (r *capacity) acquire(t *rapid.T, id string) {
	a := chat(rapid.SampledFrom([]string{"m", "m2"}).Draw(t, "model"))
	somebody := r.free(id)
	if id != "" {
		a = r.on(id, a)
	} else {
		for _, c := range r.plan.Credentials {
			somebody = somebody || r.free(string(c.ID))
		}
	}
	l, err := r.Acquire(context.Background(), a)
	require.Equal(t, somebody, err == nil, "open %v, then %v", r.counts(), err)
	if err != nil {
		return
	}
	id = string(l.Credential.ID)
	require.True(t, r.free(id), "%s has %d leases already", id, len(r.open[id]))
	r.open[id] = append(r.open[id], l)
	r.since[l.ID] = time.Now()
}

func (r *capacity) counts() map[string]string {
	counts := map[string]string{}
	for _, c := range r.plan.Credentials {
		counts[string(c.ID)] = fmt.Sprintf("%d/%d", len(r.open[string(c.ID)]), c.MaxConcurrency)
	}
	return counts
}

// one draws one of the open leases and takes it out.
func (r *capacity) one(t *rapid.T, remove bool) (Lease, bool) {
	id := r.anyID(t)
	leases := r.open[id]
	if len(leases) == 0 {
		return Lease{}, false
	}
	i := rapid.IntRange(0, len(leases)-1).Draw(t, "lease")
	l := leases[i]
	if remove {
		r.open[id] = append(leases[:i:i], leases[i+1:]...)
	}
	return l, true
}

func (r *capacity) reportOne(t *rapid.T) {
	l, ok := r.one(t, true)
	if !ok {
		return
	}
	kind := rapid.SampledFrom([]providers.Kind{providers.Success, providers.Canceled, providers.RequestFault}).Draw(t, "kind")
	r.ended++
	for range rapid.IntRange(1, 2).Draw(t, "times") {
		r.report(l, providers.Outcome{Kind: kind})
	}
}

func (r *capacity) apply(t *rapid.T) {
	require.NoError(t, r.Apply(context.Background(), r.plan))
	synctest.Wait()
}

func (r *capacity) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"acquire":              func(t *rapid.T) { r.acquire(t, r.anyID(t)) },
		"acquire from anybody": func(t *rapid.T) { r.acquire(t, "") },
		"report":               r.reportOne,
		"change the limit": func(t *rapid.T) {
			id := r.anyID(t)
			limit := rapid.IntRange(0, 3).Draw(t, "limit")
			r.edit(id, func(c *providers.Credential) { c.MaxConcurrency = limit })
		},
		"change the strategy": func(t *rapid.T) {
			r.plan.Settings.Routing.Strategy = rapid.SampledFrom(strategies).Draw(t, "strategy")
			r.apply(t)
		},
		"crash": func(t *rapid.T) {
			l, ok := r.one(t, false)
			if !ok {
				return
			}
			victim := l.owner
			switch rapid.IntRange(0, 2).Draw(t, "whose") {
			case 0:
				victim = r.parentOf(l.owner)
			case 1:
				victim = r.w.router
			}
			r.w.root.Send(victim, boom{})
			time.Sleep(time.Minute) // so that it counts as the first one again
			synctest.Wait()
		},
		"": func(t *rapid.T) {
			s, err := r.Snapshot(context.Background())
			require.NoError(t, err)
			require.Equal(t, r.ended, s.Attempts)
			require.Zero(t, s.Overdue)
			for id := range r.open { // long before they are overdue
				for len(r.open[id]) > 0 && time.Since(r.since[r.open[id][0].ID]) > leaseOverdueAfter-2*time.Minute {
					r.report(r.open[id][0], success)
					r.open[id] = r.open[id][1:]
					r.ended++
				}
			}
		},
	}
}

func TestCapacity_IsNeverExceededNorWasted(t *testing.T) {
	t.Parallel()
	checkEngines(t, 3, limited(2), func(t *rapid.T, e *engine) {
		r := &capacity{engine: e, open: map[string][]Lease{}, since: map[uint64]time.Time{}}
		t.Repeat(r.actions())
	})
}

// Everybody at once: leases come and go while actors crash and limits change.
func TestCapacity_HoldsInACrowd(t *testing.T) {
	t.Parallel()
	for _, strategy := range strategies {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			set := func(p *Plan) {
				limited(2)(p)
				p.Settings.Routing.Strategy = strategy
			}
			inEngine(t, 3, set, func(t *testing.T, e *engine) {
				var open [3]atomic.Int32
				var granted, denied atomic.Int64
				var crowd sync.WaitGroup
				for i := range 60 {
					crowd.Go(func() {
						for k := range 20 {
							a := chat("m")
							a.Wait = time.Hour
							l, err := e.Acquire(context.Background(), a)
							if err != nil {
								denied.Add(1)
								continue
							}
							granted.Add(1)
							n := &open[l.Credential.ID[1]-'1']
							if n.Add(1) > 2 {
								t.Errorf("more than two leases of %s", l.Credential.ID)
							}
							time.Sleep(time.Duration(1+(i*7+k*3)%5) * time.Millisecond)
							n.Add(-1)
							e.Report(l, success)
						}
					})
				}
				pid := e.parentOf(e.acquireSoon("c1").owner)
				for i := range 3 {
					time.Sleep(20 * time.Millisecond)
					switch i {
					case 0:
						e.w.root.Send(pid, boom{})
					case 1:
						e.w.root.Send(e.w.router, boom{})
					case 2:
						e.edit("c2", func(c *providers.Credential) { c.Priority = 1 })
					}
				}
				crowd.Wait()
				synctest.Wait()
				require.Zero(t, denied.Load())
				s, err := e.Snapshot(t.Context())
				require.NoError(t, err)
				require.EqualValues(t, granted.Load()+1, s.Attempts, "each is reported once")
				require.Zero(t, s.Overdue)
				for range 6 {
					e.acquire(chat("m"))
				}
				e.denied(chat("m"))
			})
		})
	}
}
