package actors

import (
	"context"
	"slices"
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

// inTurn are the strategies that share evenly.
var inTurn = []config.Strategy{config.RoundRobin, config.Weighted, config.LeastLoaded}

func strategy(s config.Strategy) func(*Plan) {
	return func(p *Plan) {
		p.Settings.Routing.Strategy = s
		for _, c := range p.Credentials {
			c.Weight = 1
		}
	}
}

// Half of the credentials are always ready; whatever the others do, those get the same.
func TestFairness_WhoIsAlwaysReadyGetsTheSame(t *testing.T) {
	t.Parallel()
	for _, s := range inTurn {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			checkEngines(t, 6, strategy(s), func(t *rapid.T, e *engine) {
				counts := map[string]int{"c1": 0, "c2": 0, "c3": 0}
				all := e.plan.Credentials
				pick := func(t *rapid.T) {
					l := e.acquire(chat("m"))
					id := string(l.Credential.ID)
					o := success
					if _, steady := counts[id]; steady {
						counts[id]++
					} else if rapid.Bool().Draw(t, "rests") {
						o = limits(20 * time.Second)
					}
					e.report(l, o)
				}
				t.Repeat(map[string]func(*rapid.T){
					"pick":       pick,
					"pick again": pick,
					"pass":       func(*rapid.T) { time.Sleep(7 * time.Second) },
					"join or leave": func(t *rapid.T) {
						i := rapid.IntRange(3, 5).Draw(t, "credential")
						if at := slices.Index(e.plan.Credentials, all[i]); at >= 0 {
							e.plan.Credentials = slices.Delete(slices.Clone(e.plan.Credentials), at, at+1)
						} else {
							e.plan.Credentials = append(slices.Clip(e.plan.Credentials), all[i])
						}
						require.NoError(t, e.Apply(context.Background(), e.plan))
						synctest.Wait()
					},
					"an edit": func(t *rapid.T) {
						e.edit("c2", func(c *providers.Credential) { c.MaxConcurrency = rapid.IntRange(0, 9).Draw(t, "limit") })
					},
					"": func(t *rapid.T) {
						least, most := min(counts["c1"], counts["c2"], counts["c3"]), max(counts["c1"], counts["c2"], counts["c3"])
						require.LessOrEqual(t, most-least, 1, "%v", counts)
					},
				})
			})
		})
	}
}

func TestFairness_ManyAtOnceShareEvenly_ST5(t *testing.T) {
	t.Parallel()
	for _, s := range []config.Strategy{config.RoundRobin, config.Weighted} {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			inEngine(t, 3, strategy(s), func(t *testing.T, e *engine) {
				var counts [3]atomic.Int64
				var crowd sync.WaitGroup
				for range 32 {
					crowd.Go(func() {
						for range 100 {
							l, err := e.Acquire(context.Background(), chat("m"))
							if err != nil {
								t.Error(err)
								return
							}
							counts[l.Credential.ID[1]-'1'].Add(1)
							e.Report(l, success)
						}
					})
				}
				crowd.Wait()
				for i := range counts {
					require.InDelta(t, 3200./3, counts[i].Load(), 1)
				}
			})
		})
	}
}
