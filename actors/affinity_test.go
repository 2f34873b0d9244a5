package actors

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// A session's ids, most specific first: those of a conversation and of a prompt cache.
func ids(names ...string) Acquire {
	a := chat("m")
	for _, name := range names {
		rank := uint8(7)
		if name[0] == 'p' {
			rank = 8
		}
		a.Session.IDs = append(a.Session.IDs, session.ID{Key: key(name), Rank: rank})
	}
	a.Session.Primary = a.Session.IDs[len(names)-1].Key // the strongest source is the cache key
	if len(names) == 1 {
		a.Session.IDs = nil
	}
	return a
}

func limits(d time.Duration) providers.Outcome {
	return providers.Outcome{Kind: providers.RateLimited, RetryAfter: d}
}

func TestAffinity_IDsOfOneConversationAreOneSession(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		turns [][]string
		same  bool // all of them go to one credential; else the last one goes elsewhere
	}{
		"cache key and conversation, then the conversation (AF36)": {[][]string{{"conv", "pck"}, {"conv"}}, true},
		"cache key and conversation, then the cache key":           {[][]string{{"conv", "pck"}, {"pck"}}, true},
		"cache key, then both, then the conversation (AF37)":       {[][]string{{"pck"}, {"conv", "pck"}, {"conv"}}, true},
		"conversation, then both, then the cache key":              {[][]string{{"conv"}, {"conv", "pck"}, {"pck"}}, true},
		"another conversation with the same cache key (AF38)":      {[][]string{{"conv", "pck"}, {"conv2", "pck"}}, false},
		"the first of two conversations with one cache key (AF38)": {[][]string{{"conv", "pck"}, {"conv2", "pck"}, {"conv", "pck"}}, false},
		"another conversation":                                     {[][]string{{"conv"}, {"conv2"}}, false},
	} {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, router restarted %t", name, crash), func(t *testing.T) {
				t.Parallel()
				inEngine(t, 7, nil, func(t *testing.T, e *engine) {
					var served []string
					for range 2 { // who has a credential keeps it
						for _, turn := range tt.turns {
							served = append(served, e.serve(ids(turn...)))
						}
						if crash {
							e.w.root.Send(e.w.router, boom{})
							synctest.Wait()
						}
					}
					n := len(tt.turns)
					require.Equal(t, served[:n], served[n:])
					switch {
					case tt.same:
						for _, id := range served {
							require.Equal(t, served[0], id)
						}
					default:
						require.NotEqual(t, served[0], served[1])
						if n == 3 {
							require.Equal(t, served[0], served[2])
						}
					}
				})
			})
		}
	}
}

func TestAffinity_SixtyFourAliasesAreKept_AF39(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, nil, func(t *testing.T, e *engine) {
		bound := e.serve(ids("conv"))
		for i := range 70 {
			require.Equal(t, bound, e.serve(ids("conv", fmt.Sprint("pck", i))))
		}
		e.serve(chat("m")) // so that it is not the turn of bound by chance
		for i := 7; i < 70; i++ {
			require.Equal(t, bound, e.serve(ids(fmt.Sprint("pck", i))), i)
		}
		require.Equal(t, bound, e.serve(ids("conv")), "the lead is never forgotten")
		others := map[string]bool{}
		for i := range 3 {
			others[e.serve(ids(fmt.Sprint("pck", i)))] = true
		}
		require.Len(t, others, 3, "forgotten ones are new sessions")
	})
}

// warm makes c1, c2 and c3, in this order, serve a session, a minute apart: c3 is bound.
func (e *engine) warm(t *testing.T, a Acquire) {
	t.Helper()
	for i, id := range []string{"c1", "c2", "c3"} {
		if i > 0 {
			time.Sleep(time.Minute)
		}
		require.Equal(t, id, e.serve(e.on(id, a)))
	}
}

func TestAffinity_WarmCredentials(t *testing.T) {
	t.Parallel()
	s := inSession(chat("m"), "s")
	rests := func(ids ...string) func(*testing.T, *engine) {
		return func(_ *testing.T, e *engine) {
			for _, id := range ids {
				e.fail(e.on(id, chat("m")), limits(20*time.Minute))
			}
		}
	}
	for name, tt := range map[string]struct {
		then func(*testing.T, *engine)
		want string // empty = neither of them: the strategy's choice
		why  Why
	}{
		"the bound one":                 {rests(), "c3", WhyBound},
		"the one that served before it": {rests("c3"), "c2", WhyWarm},
		"the one before that":           {rests("c3", "c2"), "c1", WhyWarm},
		"nobody else":                   {rests("c1", "c2", "c3"), "", WhyStrategy},
		"not longer than the TTL": {func(t *testing.T, e *engine) {
			time.Sleep(50 * time.Minute)
			require.Equal(t, "c3", e.serve(s))
			time.Sleep(9*time.Minute + time.Second) // c1 and c2 served 60 and 61 minutes ago
			rests("c3")(t, e)
		}, "", WhyStrategy},
		"the bound one has left": {func(_ *testing.T, e *engine) {
			e.withCredentials(append(e.plan.Credentials[:2:2], e.plan.Credentials[3:]...)...)
		}, "c2", WhyBound},
		"the bound one is disabled": {func(_ *testing.T, e *engine) {
			e.edit("c3", func(c *providers.Credential) { c.Disabled = true })
		}, "c2", WhyBound},
		"a warm one has left and is back": {func(t *testing.T, e *engine) {
			all := e.plan.Credentials
			e.withCredentials(append(all[:1:1], all[2:]...)...)
			e.withCredentials(all...)
			rests("c3", "c1")(t, e)
		}, "", WhyStrategy},
		"the bound one has left after the TTL of the others": {func(t *testing.T, e *engine) {
			time.Sleep(50 * time.Minute)
			require.Equal(t, "c3", e.serve(s))
			time.Sleep(20 * time.Minute)
			e.withCredentials(append(e.plan.Credentials[:2:2], e.plan.Credentials[3:]...)...)
		}, "", WhyStrategy},
		"after a restart of the router": {func(t *testing.T, e *engine) {
			e.w.root.Send(e.w.router, boom{})
			synctest.Wait()
			rests("c3")(t, e)
		}, "c2", WhyWarm},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 5 { // a choice by chance would show
				inEngine(t, 6, nil, func(t *testing.T, e *engine) {
					e.warm(t, s)
					tt.then(t, e)
					l := e.acquire(s)
					if tt.want == "" {
						require.Equal(t, WhyStrategy, l.Why)
					} else {
						require.Equal(t, tt.want, string(l.Credential.ID))
						require.Equal(t, tt.why, l.Why)
					}
					e.report(l, success)
				})
			}
		})
	}
}

func TestAffinity_TwoWarmOnesAtMost(t *testing.T) {
	t.Parallel()
	inEngine(t, 6, nil, func(t *testing.T, e *engine) {
		s := inSession(chat("m"), "s")
		e.warm(t, s)
		time.Sleep(time.Minute)
		require.Equal(t, "c4", e.serve(e.on("c4", s)))
		for _, id := range []string{"c4", "c3", "c2"} {
			e.fail(e.on(id, chat("m")), limits(20*time.Minute))
		}
		require.Equal(t, WhyStrategy, e.acquire(s).Why, "c1 is not remembered")
	})
}

func TestAffinity_AnswersThatComeLate(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, nil, func(t *testing.T, e *engine) {
		s := inSession(chat("m"), "s")
		first := e.acquire(e.on("c1", s))
		second := e.acquire(e.on("c2", s))
		e.FirstByte(second)
		e.FirstByte(first)
		e.FirstByte(first)
		synctest.Wait()
		for range 3 {
			require.Equal(t, "c2", e.serve(s))
		}
		e.report(first, success)
		e.report(second, limits(20*time.Minute))
		require.Equal(t, WhyWarm, e.acquire(s).Why, "but it is warm")
	})
}

// A burst of first requests of one session, all of which then fail before they have served.
func TestAffinity_AFirstBurstThatFails(t *testing.T) {
	t.Parallel()
	for _, o := range []providers.Outcome{
		limits(time.Minute),
		{Kind: providers.Transient},
		{Kind: providers.Overloaded},
		{Kind: providers.Unauthorized, Scope: providers.ScopeCredential},
		{Kind: providers.Forbidden, RetryAfter: 10 * time.Second},
	} {
		t.Run(string(o.Kind), func(t *testing.T) {
			t.Parallel()
			inEngine(t, 5, nil, func(t *testing.T, e *engine) {
				const burst = 200
				s := inSession(chat("m"), "s")
				leases := e.burst(burst, func(int) Acquire { return s })
				first := leases[0].Credential.ID
				for _, l := range leases {
					require.Equal(t, first, l.Credential.ID)
					e.Report(l, o)
				}
				again := e.burst(burst, func(i int) Acquire {
					a := s
					a.Tried = []Tried{leases[i].Tried(false)}
					return a
				})
				second := again[0].Credential.ID
				require.NotEqual(t, first, second)
				for _, l := range again {
					require.Equal(t, second, l.Credential.ID)
				}
				e.FirstByte(again[0])
				for _, l := range again {
					e.Report(l, success)
				}
				synctest.Wait()
				require.Equal(t, string(second), e.serve(s))
			})
		})
	}
}

// burst acquires n leases at once.
func (e *engine) burst(n int, request func(i int) Acquire) []Lease {
	e.t.Helper()
	type numbered struct {
		i     int
		lease Lease
		err   error
	}
	answers := make(chan numbered, n)
	for i := range n {
		go func() {
			l, err := e.Acquire(context.Background(), request(i))
			answers <- numbered{i, l, err}
		}()
	}
	leases := make([]Lease, n)
	for range n {
		a := <-answers
		require.NoError(e.t, a.err)
		leases[a.i] = a.lease
	}
	return leases
}

// conversations is a run with sessions whose first requests are under way or have served.
type conversations struct {
	*engine
	bound map[string]string  // by session
	open  map[string][]Lease // that have not served
}

func (v *conversations) actions() map[string]func(*rapid.T) {
	name := func(t *rapid.T) string { return fmt.Sprint("s", rapid.IntRange(0, 4).Draw(t, "session")) }
	return map[string]func(*rapid.T){
		"ask": func(t *rapid.T) {
			s := name(t)
			l := v.acquire(inSession(chat("m"), s))
			id := string(l.Credential.ID)
			switch bound := v.bound[s]; {
			case bound != "":
				require.Equal(t, bound, id, "%s is bound", s)
				require.Equal(t, WhyBound, l.Why)
				v.report(l, success)
				return
			case len(v.open[s]) > 0:
				require.Equal(t, string(v.open[s][0].Credential.ID), id, "the first pick of %s stands for the others", s)
			default:
				require.Equal(t, WhyStrategy, l.Why, "%s is new", s)
			}
			v.open[s] = append(v.open[s], l)
		},
		"serve": func(t *rapid.T) {
			s := name(t)
			if len(v.open[s]) == 0 {
				return
			}
			l := v.open[s][rapid.IntRange(0, len(v.open[s])-1).Draw(t, "lease")]
			v.FirstByte(l)
			for _, l := range v.open[s] {
				v.Report(l, providers.Outcome{Kind: rapid.SampledFrom([]providers.Kind{providers.Success, providers.Canceled}).Draw(t, "kind")})
			}
			synctest.Wait()
			v.bound[s], v.open[s] = string(l.Credential.ID), nil
		},
		"go away": func(t *rapid.T) {
			s := name(t)
			if n := len(v.open[s]); n > 0 {
				v.report(v.open[s][n-1], providers.Outcome{Kind: rapid.SampledFrom([]providers.Kind{providers.RequestFault, providers.Canceled}).Draw(t, "kind")})
				v.open[s] = v.open[s][:n-1]
			}
		},
		"expire": func(t *rapid.T) {
			for s, leases := range v.open {
				for _, l := range leases {
					v.report(l, providers.Outcome{Kind: providers.Canceled})
				}
				delete(v.open, s)
			}
			time.Sleep(time.Hour + time.Second)
			synctest.Wait()
			clear(v.bound)
		},
		"the strategy has other turns": func(*rapid.T) { v.report(v.acquire(chat("m")), success) },
		"a credential leaves and comes back": func(t *rapid.T) {
			gone := v.anyID(t)
			for _, leases := range v.open {
				for _, l := range leases {
					if string(l.Credential.ID) == gone {
						return
					}
				}
			}
			all := v.plan.Credentials
			i := int(gone[1] - '1')
			require.NoError(t, v.Apply(context.Background(), Plan{v.plan.Settings, append(all[:i:i], all[i+1:]...)}))
			require.NoError(t, v.Apply(context.Background(), v.plan))
			synctest.Wait()
			for s, id := range v.bound {
				if id == gone {
					delete(v.bound, s)
				}
			}
		},
		"": func(t *rapid.T) {
			s, err := v.Snapshot(context.Background())
			require.NoError(t, err)
			require.Equal(t, len(v.bound), s.Sessions)
		},
	}
}

func TestAffinity_SessionsDoNotTouchEachOther(t *testing.T) {
	t.Parallel()
	checkEngines(t, 4, nil, func(t *rapid.T, e *engine) {
		v := &conversations{engine: e, bound: map[string]string{}, open: map[string][]Lease{}}
		t.Repeat(v.actions())
	})
}
