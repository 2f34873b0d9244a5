package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/internal/roster"
)

// requireCycle checks that ids go round and round in one order, that of cycle, wherever they
// begin.
func requireCycle(t *testing.T, cycle, ids []string) {
	t.Helper()
	at := slices.Index(cycle, ids[0])
	require.NotEqual(t, -1, at, "%v", ids)
	for i, id := range ids {
		require.Equal(t, cycle[(at+i)%len(cycle)], id, "%v", ids)
	}
}

// Fill-first goes by configuration order, not by id.
func TestST1_FillFirstTakesTheFirst(t *testing.T) {
	t.Parallel()
	r := start(t, setup{ids: []string{"b", "a", "c"}})
	require.Equal(t, []string{"b", "b", "b", "b"}, r.turns("m", 4))
}

func TestST2_FillFirstComesBackToTheFirst(t *testing.T) {
	t.Parallel()
	var m moods
	inBubble(t, setup{script: m.script}, func(t *testing.T, r *rig) {
		m.limit("a", "m", "30")
		require.Equal(t, []string{"a", "b", "b"}, r.turns("m", 2))
		m.limit("b", "m", "60")
		require.Equal(t, []string{"b", "c", "c"}, r.turns("m", 2))
		m.heal()
		time.Sleep(34 * time.Second)
		require.Equal(t, []string{"a", "a"}, r.turns("m", 2), "a is back, b is not")
		m.limit("a", "m", "300")
		require.Equal(t, []string{"a", "c"}, r.turns("m", 1))
		time.Sleep(35 * time.Second)
		require.Equal(t, []string{"b", "b"}, r.turns("m", 2))
	})
}

func TestRoundRobin_GoesRoundInOrderOfID(t *testing.T) {
	t.Parallel()
	three := credentials(config.Credential{ID: "c"}, config.Credential{ID: "a"}, config.Credential{ID: "b"})
	mixed := func(c *config.Config) { // ST20
		other := c.Providers[0]
		other.Name = "other"
		other.Credentials = []config.Credential{{ID: "a2", APIKey: secretOf("a2")}, {ID: "c2", APIKey: secretOf("c2")}}
		c.Providers = append(c.Providers, other)
	}
	tests := map[string]struct {
		adjust func(*config.Config)
		cycle  []string
	}{
		"three (ST3)":              {three, []string{"a", "b", "c"}},
		"two providers (ST20)":     {mixed, []string{"a", "a2", "b", "c", "c2"}},
		"disabled (ST29)":          {func(c *config.Config) { c.Providers[0].Credentials[1].Disabled = true }, []string{"a", "c"}},
		"one account only (ST18)":  {credentials(config.Credential{ID: "a1", Account: "p"}, config.Credential{ID: "a2", Account: "p"}, config.Credential{ID: "a3", Account: "p"}), []string{"a1", "a2", "a3"}},
		"one without any (ST19)":   {credentials(config.Credential{ID: "a1", Account: "p"}, config.Credential{ID: "a2", Account: "p"}, config.Credential{ID: "b", Account: "q"}, config.Credential{ID: "c"}), []string{"a1", "a2", "b", "c"}},
		"one in each of two":       {credentials(config.Credential{ID: "a1", Account: "p"}, config.Credential{ID: "b1", Account: "q"}), []string{"a1", "b1"}},
		"weights count for others": {credentials(config.Credential{ID: "a", Weight: new(int)}, config.Credential{ID: "b"}), []string{"a", "b"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{adjust: with(tt.adjust, by(config.RoundRobin))})
			requireCycle(t, tt.cycle, r.turns("m", 3*len(tt.cycle)+1))
		})
	}
}

// Two accounts take turns, however many credentials they have, and inside each of them so
// do its credentials.
func TestST17_TwoLevels(t *testing.T) {
	t.Parallel()
	p, q := []string{"x3", "y1", "y2"}, []string{"x1", "x2"} // ids do not sort by account
	var all []config.Credential
	for _, id := range p {
		all = append(all, config.Credential{ID: id, Account: "p"})
	}
	for _, id := range q {
		all = append(all, config.Credential{ID: id, Account: "q"})
	}
	var m moods
	inBubble(t, setup{script: m.script, adjust: with(credentials(all...), by(config.RoundRobin))}, func(t *testing.T, r *rig) {
		inside := func(ids, account []string) []string {
			return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !slices.Contains(account, id) })
		}
		served := r.turns("m", 12)
		for i := range served[1:] {
			require.NotEqual(t, slices.Contains(p, served[i]), slices.Contains(p, served[i+1]), "%v", served)
		}
		requireCycle(t, p, inside(served, p))
		requireCycle(t, q, inside(served, q))

		m.limit("x3", "", "60")
		require.Equal(t, http.StatusOK, r.chat("m").status)
		for range 3 { // until x3 has had its turn and rests
			r.chat("m")
			r.chat("m")
		}
		require.Equal(t, "resting", r.view("x3").Status)
		served = r.turns("m", 8)
		require.Len(t, inside(served, q), 4, "an account with one less has as many turns: %v", served)
		requireCycle(t, p[1:], inside(served, p))
	})
}

func TestST4_TheHighestTierThatIsReadyServes(t *testing.T) {
	t.Parallel()
	tiers := credentials(config.Credential{ID: "a"}, config.Credential{ID: "b"}, config.Credential{ID: "c", Priority: 10})
	for _, s := range []config.Strategy{config.RoundRobin, config.FillFirst, config.Weighted, config.LeastLoaded} {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			var m moods
			inBubble(t, setup{script: m.script, adjust: with(tiers, by(s))}, func(t *testing.T, r *rig) {
				require.Equal(t, []string{"c", "c", "c"}, r.turns("m", 3))
				m.limit("c", "m", "30")
				got := r.chat("m", "X-Request-Id", "moved")
				require.Equal(t, http.StatusOK, got.status)
				record, err := r.gateway.RecordOf(t.Context(), "moved")
				require.NoError(t, err)
				require.Equal(t, []roster.Rejection{{Credential: "a", Reason: "lower-tier"}, {Credential: "b", Reason: "lower-tier"}}, record.Attempts[0].Field.Rejected)
				second := record.Attempts[1].Field
				require.Equal(t, 2, second.Ready)
				require.Len(t, second.Rejected, 1)
				require.EqualValues(t, "c", second.Rejected[0].Credential) // tried or, if that is known already, resting

				m.heal()
				served := r.turns("m", 4)
				require.NotContains(t, served, "c")
				if s != config.FillFirst {
					require.Equal(t, map[string]int{"a": 2, "b": 2}, count(served))
				}
				time.Sleep(34 * time.Second)
				require.Equal(t, []string{"c", "c", "c"}, r.turns("m", 3))
			})
		})
	}
}

// ST21: tiers hold across providers.
func TestST21_ATierOfAnotherProvider(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: func(c *config.Config) {
		other := c.Providers[0]
		other.Name = "other"
		other.Credentials = []config.Credential{{ID: "z", APIKey: secretOf("z"), Priority: 1}}
		c.Providers = append(c.Providers, other)
	}})
	require.Equal(t, []string{"z", "z", "z"}, r.turns("m", 3))
}

func TestST5_ConcurrentPicksAreEven(t *testing.T) {
	t.Parallel()
	for _, s := range []config.Strategy{config.RoundRobin, config.Weighted} {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{adjust: by(s)}, func(t *testing.T, r *rig) {
				for range 20 {
					r.storm(t, 32, func() *http.Request {
						return r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m"}`)
					})
				}
				for _, id := range []string{"a", "b", "c"} {
					require.InDelta(t, 20*32/3, r.upstream.Calls(secretOf(id)), 1, id)
				}
			})
		})
	}
}

func TestST6_EachModelHasItsOwnCursor(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: with(by(config.RoundRobin), func(c *config.Config) {
		c.Providers[0].Models = append(c.Providers[0].Models, config.Model{Name: "n"})
	})})
	var ofM, ofN []string
	for range 6 {
		ofM = append(ofM, r.turns("m", 1)...)
		ofN = append(ofN, r.turns("n", 1)...)
	}
	requireCycle(t, []string{"a", "b", "c"}, ofM)
	requireCycle(t, []string{"a", "b", "c"}, ofN)
}

func TestST7_ASuffixSharesTheCursor(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: by(config.RoundRobin)})
	var served []string
	for range 2 {
		for _, model := range []string{"m", "m(high)", "m(8192)", "m(low)"} {
			served = append(served, r.turns(model, 1)...)
		}
	}
	requireCycle(t, []string{"a", "b", "c"}, served)
}

// weighted configures credentials a, b, … with these weights.
func weighted(weights ...int) func(*config.Config) {
	var all []config.Credential
	for i := range weights {
		all = append(all, config.Credential{ID: string(rune('a' + i)), Weight: &weights[i]})
	}
	return with(by(config.Weighted), credentials(all...))
}

func TestST10_WeightsAreSharesWellMixed(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: weighted(5, 3, 2, 0)})
	served := r.turns("m", 100)
	require.Equal(t, map[string]int{"a": 50, "b": 30, "c": 20}, count(served), "0 is never (ST11)")
	for i := range 90 {
		near := count(served[i : i+10])
		require.InDelta(t, 5, near["a"], 1, "%v", served[i:i+10])
		require.InDelta(t, 3, near["b"], 1, "%v", served[i:i+10])
		require.InDelta(t, 2, near["c"], 1, "%v", served[i:i+10])
		require.NotEqual(t, "aaa", strings.Join(served[i:i+3], ""), "not in a heap")
	}
}

// A weight of 0 is never asked, not even when nobody else is left; below 0 there is none.
func TestST11_AWeightOfZeroIsNever(t *testing.T) {
	t.Parallel()
	var m moods
	inBubble(t, setup{script: m.script, adjust: weighted(1, 0)}, func(t *testing.T, r *rig) {
		m.limit("a", "", "60")
		require.Equal(t, http.StatusTooManyRequests, r.chat("m").status)
		got := r.chat("m")
		require.Equal(t, http.StatusTooManyRequests, got.status)
		require.Equal(t, "model_cooldown", gjson.GetBytes(got.body, "error.code").Str)
		require.Equal(t, []string{"a"}, r.served())
		r.apply(by(config.FillFirst))
		require.Equal(t, []string{"b"}, r.turns("m", 1), "under other strategies a weight means nothing")

		bad := r.config()
		minus := -1
		bad.Providers[0].Credentials[0].Weight = &minus
		_, err := r.gateway.Apply(bad)
		require.ErrorContains(t, err, "weight")
	})
}

func TestST12_AWeightThatRestsReturnsWithoutABurst(t *testing.T) {
	t.Parallel()
	var m moods
	inBubble(t, setup{script: m.script, adjust: weighted(6, 2, 1)}, func(t *testing.T, r *rig) {
		r.turns("m", 9)
		m.limit("a", "", "60")
		for r.view("a").Status != "resting" {
			r.chat("m")
		}
		require.Equal(t, map[string]int{"b": 20, "c": 10}, count(r.turns("m", 30)), "the rest by weight")
		m.heal()
		time.Sleep(67 * time.Second)
		served := r.turns("m", 90)
		require.Equal(t, map[string]int{"a": 60, "b": 20, "c": 10}, count(served))
		require.InDelta(t, 6, count(served[:9])["a"], 1, "no burst: %v", served[:9])
	})
}

// ST13, ST14: new weights count at once, and without one it is 1.
func TestST13_NewWeightsCountAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: weighted(8, 1, 1)})
	require.Equal(t, map[string]int{"a": 16, "b": 2, "c": 2}, count(r.turns("m", 20)))
	r.apply(weighted(1, 1, 8))
	require.Equal(t, map[string]int{"a": 2, "b": 2, "c": 16}, count(r.turns("m", 20)))
	r.apply(with(by(config.Weighted), credentials(config.Credential{ID: "a"}, config.Credential{ID: "b"}, config.Credential{ID: "c"})))
	require.Equal(t, map[string]int{"a": 10, "b": 10, "c": 10}, count(r.turns("m", 30)), "ST14")
}

// ST30: turns are counted by the name that clients use.
func TestST30_EachAliasHasItsOwnTurns(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: with(weighted(2, 1), func(c *config.Config) {
		c.Providers[0].Prefix = "team"
		c.Providers[0].Models = []config.Model{{Name: "m", Alias: []string{"x", "y"}}}
	})})
	of := map[string][]string{}
	for range 9 {
		for _, name := range []string{"x", "y", "m", "team/m"} {
			of[name] = append(of[name], r.turns(name, 1)...)
		}
	}
	for name, served := range of {
		require.Equal(t, map[string]int{"a": 6, "b": 3}, count(served), name)
	}
}

// How many are under way decides, not how many there were.
func TestLeastLoaded_GoesByWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	script := func(q fake.Request) fake.Reply {
		reply := answerTo(q)
		reply.FirstDelay = time.Duration(gjson.GetBytes(q.Body, "seconds").Int()) * time.Second
		return reply
	}
	inBubble(t, setup{script: script, adjust: by(config.LeastLoaded)}, func(t *testing.T, r *rig) {
		ask := func(seconds int) <-chan answer {
			done := r.sendLater(r.request(http.MethodPost, "/v1/chat/completions", fmt.Sprintf(`{"model":"m","seconds":%d}`, seconds)))
			synctest.Wait()
			return done
		}
		last := func() string { served := r.served(); return served[len(served)-1] }
		long := ask(100)
		busy := last()
		var others []string
		for range 10 { // short ones, one after the other: never to the busy one, in turn to the others
			<-ask(0)
			synctest.Wait()
			others = append(others, last())
		}
		require.Equal(t, map[string]int{others[0]: 5, others[1]: 5}, count(others))
		require.NotContains(t, others, busy)

		for range 5 { // with two at each of the others
			ask(50)
		}
		require.Equal(t, map[string]int{"a": 2, "b": 2, "c": 2}, count(append(r.served()[11:], busy)))
		<-long // all are done
		synctest.Wait()
		served := len(r.served())
		for range 3 {
			ask(10)
		}
		requireSpread(t, r.served()[served:])
		time.Sleep(time.Minute)
	})
}

// What is under way stays counted when credentials come and go.
func TestLeastLoaded_KeepsCountOverChanges(t *testing.T) {
	t.Parallel()
	script := func(q fake.Request) fake.Reply {
		reply := answerTo(q)
		reply.FirstDelay = time.Minute
		return reply
	}
	inBubble(t, setup{script: script, adjust: by(config.LeastLoaded)}, func(t *testing.T, r *rig) {
		ask := func(n int) []string {
			before := len(r.served())
			for range n {
				r.sendLater(r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m"}`))
				synctest.Wait()
			}
			return r.served()[before:]
		}
		ask(3)
		four := func(c *config.Config) {
			credentials(append(c.Providers[0].Credentials, config.Credential{ID: "0"})...)(c)
		}
		r.apply(four)
		require.Equal(t, []string{"0"}, ask(1), "the one that is idle")
		requireSpread(t, ask(4))
		r.apply(func(c *config.Config) {
			four(c)
			c.Providers[0].Credentials[1].Priority = 1 // b
		})
		require.Equal(t, []string{"b", "b"}, ask(2), "a new tier")
		r.apply(four)
		require.Equal(t, map[string]int{"a": 2, "c": 2, "0": 2}, count(ask(6)), "b is busy")
		time.Sleep(2 * time.Minute)
	})
}

// A new strategy counts for the next pick; who is being served notices nothing.
func TestST26_TheStrategyChangesWhileRequestsRun(t *testing.T) {
	t.Parallel()
	d := dialects()[0]
	r, paused, goOn := startPausing(t, d, 2)
	open := r.sendLater(r.request(http.MethodPost, d.streamed, d.questionN))
	<-paused
	goOn()
	r.apply(by(config.RoundRobin))
	got := <-open
	require.NoError(t, got.err)
	require.Equal(t, d.want(true), string(got.body))
	requireCycle(t, []string{"a", "b", "c"}, r.turns("m", 6))
	r.apply(by(config.FillFirst))
	require.Equal(t, []string{"a", "a", "a"}, r.turns("m", 3))
	r.apply(weighted(1, 2, 0))
	require.Equal(t, map[string]int{"a": 2, "b": 4}, count(r.turns("m", 6)))
	r.apply(by(config.LeastLoaded))
	requireSpread(t, r.turns("m", 3))
}

// What comes and goes does not disturb the order of the others.
func TestRoundRobin_ChangesDoNotResetTheCycle(t *testing.T) {
	t.Parallel()
	var m moods
	inBubble(t, setup{script: m.script, ids: []string{"a", "c", "e"}, adjust: by(config.RoundRobin)}, func(t *testing.T, r *rig) {
		set := func(ids ...string) {
			r.apply(func(c *config.Config) {
				var all []config.Credential
				for _, id := range ids {
					all = append(all, config.Credential{ID: id})
				}
				credentials(all...)(c)
			})
		}
		for r.turns("m", 1)[0] != "a" {
		}
		set("a", "b", "c", "d", "e")
		require.Equal(t, []string{"b", "c"}, r.turns("m", 2), "a newcomer has its turn in its place")
		set("a", "b", "d", "e") // c, which was last, leaves
		require.Equal(t, []string{"d", "e", "a"}, r.turns("m", 3))
		set("a", "b", "c", "d", "e")
		require.Equal(t, []string{"b"}, r.turns("m", 1))
		m.limit("c", "", "30")
		require.Equal(t, []string{"c", "d", "e", "a", "b", "d"}, r.turns("m", 5))
		m.heal()
		time.Sleep(34 * time.Second)
		require.Equal(t, []string{"e", "a", "b", "c", "d"}, r.turns("m", 5), "back in its place")
		r.apply(func(c *config.Config) { // what has nothing to do with turns
			set := []config.Credential{{ID: "a"}, {ID: "b", MaxConcurrency: 9}, {ID: "c"}, {ID: "d", Weight: new(int)}, {ID: "e"}}
			credentials(set...)(c)
			c.Providers[0].Models = append(c.Providers[0].Models, config.Model{Name: "n"})
			c.Cooldown.TransientMax = time.Second
		})
		require.Equal(t, []string{"e", "a", "b", "c", "d", "e"}, r.turns("m", 6))
	})
}

// ST25: a success of a probe ends a rest at once, long before the time that was told.
func TestST25_ASuccessEndsARest(t *testing.T) {
	t.Parallel()
	var m moods
	inBubble(t, setup{script: m.script}, func(t *testing.T, r *rig) {
		m.limit("a", "m", "86400")
		require.Equal(t, []string{"a", "b", "b"}, r.turns("m", 2))
		m.heal()
		time.Sleep(31 * time.Minute) // cooldown.max and what is added to it
		require.Equal(t, http.StatusOK, r.chat("m", "X-Request-Id", "probe").status)
		record, err := r.gateway.RecordOf(t.Context(), "probe")
		require.NoError(t, err)
		require.Equal(t, "probe", string(record.Attempts[0].Why))
		require.Equal(t, []string{"a", "a"}, r.turns("m", 2))
		require.Equal(t, "active", r.view("a").Status)
	})
}
