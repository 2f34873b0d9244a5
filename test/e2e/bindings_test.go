package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// turn sends one request of a session and returns who was asked.
func (r *rig) turn(session string) []string {
	r.t.Helper()
	before := len(r.served())
	require.Equal(r.t, http.StatusOK, r.chat("m", "X-Session-ID", session).status)
	synctest.Wait()
	return r.served()[before:]
}

// why returns why the last attempt's credential was picked.
func (r *rig) why() actors.Why {
	r.t.Helper()
	synctest.Wait()
	records, err := r.gateway.Records(r.t.Context(), 1)
	require.NoError(r.t, err)
	return records[0].Attempts[len(records[0].Attempts)-1].Why
}

// sessions returns how many are bound.
func (r *rig) sessions() int {
	r.t.Helper()
	synctest.Wait()
	snapshot, err := r.gateway.Snapshot(r.t.Context())
	require.NoError(r.t, err)
	return snapshot.Sessions
}

// tiers are two credentials of a high tier and two of a low one.
func tiers(c *config.Config) {
	sticky(c)
	credentials(
		config.Credential{ID: "h1", Priority: 10}, config.Credential{ID: "h2", Priority: 10},
		config.Credential{ID: "l1"}, config.Credential{ID: "l2"},
	)(c)
}

func TestAF30_ABindingBeatsPriority(t *testing.T) {
	t.Parallel()
	var m moods
	inBubble(t, setup{script: m.script, adjust: tiers}, func(t *testing.T, r *rig) {
		m.limit("h1", "", "60")
		m.limit("h2", "", "60")
		asked := r.turn("s")
		low := asked[len(asked)-1]
		require.Contains(t, []string{"l1", "l2"}, low)
		m.heal()
		time.Sleep(67 * time.Second)
		require.Equal(t, "active", r.view("h1").Status)
		for range 3 {
			require.Equal(t, []string{low}, r.turn("s"), "a tier that is back steals no session")
			require.Equal(t, actors.WhyBound, r.why())
		}
		require.Contains(t, []string{"h1", "h2"}, r.turn("new")[0], "AF31")
	})
}

func TestAF31_ASessionBeginsInTheHighestTier(t *testing.T) {
	t.Parallel()
	var m moods
	inBubble(t, setup{script: m.script, adjust: tiers}, func(t *testing.T, r *rig) {
		for i := range 6 {
			require.Contains(t, []string{"h1", "h2"}, r.turn(fmt.Sprint("s", i))[0])
		}
		bound := r.turn("s0")[0]
		m.limit(bound, "", "60")
		moved := r.turn("s0")
		require.Equal(t, bound, moved[0])
		requireSpread(t, append(moved, "l1", "l2"))
		m.limit(moved[1], "", "60")
		low := r.turn("s0")
		require.Contains(t, []string{"l1", "l2"}, low[len(low)-1], "the low tier only when there is no other")
	})
}

// A session that cannot go where it was goes where it was before that.
func TestAffinity_AWarmCredentialComesBeforeOthers(t *testing.T) {
	t.Parallel()
	var m moods
	ids := []string{"a", "b", "c", "d", "e"}
	inBubble(t, setup{script: m.script, ids: ids, adjust: sticky}, func(t *testing.T, r *rig) {
		move := func() string { // the bound one rests for a minute
			bound := r.turn("s")[0]
			m.limit(bound, "", "60")
			asked := r.turn("s")
			require.Equal(t, bound, asked[0])
			m.heal()
			return asked[len(asked)-1]
		}
		first := r.turn("s")[0]
		second := move()
		third := move() // neither of them is ready
		requireSpread(t, []string{first, second, third})
		time.Sleep(67 * time.Second)
		require.Equal(t, []string{third}, r.turn("s"))

		require.Equal(t, second, move(), "the latest before it")
		require.Equal(t, actors.WhyWarm, r.why())
		require.Equal(t, first, move(), "and then the one before that: third rests")
		require.Equal(t, actors.WhyWarm, r.why())
		fourth := move() // all three rest
		require.NotContains(t, []string{first, second, third}, fourth)
		require.Equal(t, actors.WhyStrategy, r.why())
		time.Sleep(67 * time.Second)
		m.limit(first, "", "60")
		require.Equal(t, http.StatusOK, r.chat("m", "X-Session-ID", "s").status)
		require.Equal(t, fourth, r.turn("s")[0])
		require.Equal(t, first, func() string { m.limit(fourth, "", "60"); return r.turn("s")[1] }(), "the warmest first, though it fails")
		require.Equal(t, actors.WhyWarm, r.why())
		bound := r.turn("s")
		require.Equal(t, []string{second}, bound, "two are kept warm: third has been forgotten")
	})
}

// A credential is warm for as long as a binding lives.
func TestAffinity_AWarmCredentialCoolsDown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pause time.Duration
		why   actors.Why
	}{
		"within the TTL": {8 * time.Minute, actors.WhyWarm},
		"beyond it":      {11 * time.Minute, actors.WhyStrategy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m moods
			adjust := with(sticky, func(c *config.Config) { c.Routing.SessionAffinityTTL = 10 * time.Minute })
			inBubble(t, setup{script: m.script, ids: []string{"a", "b", "c", "d"}, adjust: adjust}, func(t *testing.T, r *rig) {
				first := r.turn("s")[0]
				m.limit(first, "", "30")
				second := r.turn("s")[1]
				m.heal()
				for range 2 {
					time.Sleep(tt.pause / 2)
					require.Equal(t, []string{second}, r.turn("s"))
				}
				m.limit(second, "", "30")
				asked := r.turn("s")
				require.Equal(t, tt.why, r.why())
				require.Equal(t, tt.why == actors.WhyWarm, asked[1] == first)
			})
		})
	}
}

// What an earlier request finds out late moves nothing.
func TestAffinity_ALateAnswerTakesNoSessionBack(t *testing.T) {
	t.Parallel()
	var m moods
	inBubble(t, setup{script: m.script, adjust: sticky}, func(t *testing.T, r *rig) {
		first := r.turn("s")[0]
		slow := dialects()[0].good(false)
		slow.FirstDelay = 10 * time.Second
		m.say(first, "", slow)
		late := r.sendLater(r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m"}`, "X-Session-ID", "s"))
		synctest.Wait()
		m.limit(first, "", "5")
		second := r.turn("s")[1]
		require.Equal(t, http.StatusOK, (<-late).status)
		m.heal()
		time.Sleep(time.Minute)
		require.Equal(t, []string{second}, r.turn("s"))
	})
}

// The first burst of a session goes to one credential, also when that fails.
func TestAffinity_AFirstBurstStaysTogether(t *testing.T) {
	t.Parallel()
	slow := func(reply fake.Reply) fake.Reply {
		reply.FirstDelay = time.Second
		return reply
	}
	for name, failing := range map[string]bool{"served": false, "failed over": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m moods
			for _, id := range []string{"a", "b", "c", "d"} {
				m.say(id, "", slow(dialects()[0].good(false)))
			}
			inBubble(t, setup{script: m.script, ids: []string{"a", "b", "c", "d"}, adjust: sticky}, func(t *testing.T, r *rig) {
				var open []<-chan answer
				send := func() {
					open = append(open, r.sendLater(r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m"}`, "X-Session-ID", "s")))
					synctest.Wait()
				}
				if failing {
					for _, id := range []string{"a", "b", "c", "d"} {
						m.say(id, "", slow(fake.Error("openai-chat", 429)))
					}
				}
				for range 5 {
					send()
				}
				one := r.served()[0]
				if failing { // the others are well
					for _, id := range []string{"a", "b", "c", "d"} {
						m.say(id, "", slow(dialects()[0].good(false)))
					}
				}
				for _, done := range open {
					require.Equal(t, http.StatusOK, (<-done).status)
				}
				synctest.Wait()
				requireSame(t, r.served()[:5])
				if failing {
					require.Len(t, r.served(), 10)
					requireSame(t, r.served()[5:])
					require.NotEqual(t, one, r.served()[5])
					one = r.served()[5]
				}
				require.Equal(t, []string{one}, r.turn("s"))
				require.Equal(t, 1, r.sessions())
			})
		})
	}
}

// A session whose credential is busy does not wait for it.
func TestAffinity_ABusyCredentialLetsItsSessionGo(t *testing.T) {
	t.Parallel()
	script := func(q fake.Request) fake.Reply {
		reply := answerTo(q)
		if gjson.GetBytes(q.Body, "slow").Bool() {
			reply.FirstDelay = time.Minute
		}
		return reply
	}
	adjust := with(sticky, wait(5*time.Second), func(c *config.Config) {
		for i := range c.Providers[0].Credentials {
			c.Providers[0].Credentials[i].MaxConcurrency = 1
		}
	})
	inBubble(t, setup{script: script, adjust: adjust}, func(t *testing.T, r *rig) {
		first := r.turn("s")[0]
		slow := r.sendLater(r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m","slow":true}`, "X-Session-ID", "s"))
		synctest.Wait()
		before := time.Now()
		second := r.turn("s")[0]
		require.Zero(t, time.Since(before))
		require.NotEqual(t, first, second)
		require.Equal(t, []string{second}, r.turn("s"), "it is bound there now")
		require.Equal(t, actors.WhyBound, r.why())
		require.Equal(t, http.StatusOK, (<-slow).status)
		require.Equal(t, []string{second}, r.turn("s"), "an earlier request takes it not back")
		r.sendLater(r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m","slow":true}`, "X-Session-ID", "s"))
		synctest.Wait()
		require.Equal(t, []string{first}, r.turn("s"))
		require.Equal(t, actors.WhyWarm, r.why())
		time.Sleep(2 * time.Minute)
	})
}

// AF35: under weighted, a weight of 0 takes the sessions away; another weight does not.
func TestAF35_AWeightOfZeroMovesItsSessions(t *testing.T) {
	t.Parallel()
	weights := func(of map[string]int) func(*config.Config) {
		return func(c *config.Config) {
			sticky(c)
			c.Routing.Strategy = config.Weighted
			for i := range c.Providers[0].Credentials {
				if weight, ok := of[c.Providers[0].Credentials[i].ID]; ok {
					c.Providers[0].Credentials[i].Weight = &weight
				}
			}
		}
	}
	inBubble(t, setup{adjust: weights(nil)}, func(t *testing.T, r *rig) {
		bound := map[string]string{}
		for i := range 6 {
			session := fmt.Sprint("s", i)
			bound[session] = r.turn(session)[0]
		}
		r.apply(weights(map[string]int{"a": 100, "b": 1, "c": 3}))
		for session, id := range bound {
			require.Equal(t, []string{id}, r.turn(session))
		}
		gone := bound["s0"]
		r.apply(weights(map[string]int{gone: 0}))
		moved := map[string]string{}
		for session, id := range bound {
			moved[session] = r.turn(session)[0]
			require.NotEqual(t, gone, moved[session])
			if id != gone {
				require.Equal(t, id, moved[session])
			}
		}
		r.apply(weights(nil))
		for session, id := range moved {
			require.Equal(t, []string{id}, r.turn(session), "and none comes back")
		}
	})
}

// A binding is freed at once when its credential leaves or is disabled: if it comes back, its
// sessions do not.
func TestAF43_SessionsDoNotReturn(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config.Config, string){
		"removed": func(c *config.Config, id string) {
			p := &c.Providers[0]
			for i := range p.Credentials {
				if p.Credentials[i].ID == id {
					p.Credentials = append(p.Credentials[:i:i], p.Credentials[i+1:]...)
					return
				}
			}
		},
		"disabled": func(c *config.Config, id string) {
			for i := range c.Providers[0].Credentials {
				if c.Providers[0].Credentials[i].ID == id {
					c.Providers[0].Credentials[i].Disabled = true
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{ids: []string{"a", "b", "c", "d"}, adjust: sticky}, func(t *testing.T, r *rig) {
				bound := map[string]string{}
				for i := range 4 {
					session := fmt.Sprint("s", i)
					bound[session] = r.turn(session)[0]
				}
				require.Equal(t, 4, r.sessions())
				r.apply(func(c *config.Config) { change(c, bound["s0"]) })
				require.Equal(t, 3, r.sessions())
				r.apply(func(*config.Config) {})
				require.Equal(t, 3, r.sessions())
				r.turn("s0")
				require.Equal(t, actors.WhyStrategy, r.why())
				for session, id := range bound {
					if session != "s0" {
						require.Equal(t, []string{id}, r.turn(session))
						require.Equal(t, actors.WhyBound, r.why())
					}
				}
			})
		})
	}
}

// Whatever else is changed of credentials and rules moves no session.
func TestAffinity_OtherChangesKeepTheBindings(t *testing.T) {
	t.Parallel()
	each := func(f func(*config.Credential)) func(*config.Config) {
		return func(c *config.Config) {
			for i := range c.Providers[0].Credentials {
				f(&c.Providers[0].Credentials[i])
			}
		}
	}
	inBubble(t, setup{adjust: sticky}, func(t *testing.T, r *rig) {
		bound := map[string]string{}
		for i := range 5 {
			session := fmt.Sprint("s", i)
			bound[session] = r.turn(session)[0]
		}
		for name, change := range map[string]func(*config.Config){
			"fill-first (AF41)": by(config.FillFirst), "least-loaded": by(config.LeastLoaded), "weighted": by(config.Weighted),
			"reordered": func(c *config.Config) { p := c.Providers[0].Credentials; p[0], p[2] = p[2], p[0] },
			"a new one": func(c *config.Config) {
				credentials(append(c.Providers[0].Credentials, config.Credential{ID: "0"})...)(c)
			},
			"priority":     func(c *config.Config) { c.Providers[0].Credentials[1].Priority = 9 },
			"accounts":     each(func(c *config.Credential) { c.Account = "acme" }),
			"concurrency":  each(func(c *config.Credential) { c.MaxConcurrency = 3 }),
			"headers":      func(c *config.Config) { c.Providers[0].Headers = map[string]string{"X-Team": "a"} },
			"another name": func(c *config.Config) { c.Providers[0].Models = append(c.Providers[0].Models, config.Model{Name: "n"}) },
			"cooldowns":    func(c *config.Config) { c.Cooldown.Disabled = true },
			"affinity off and on": func(c *config.Config) {
				r.apply(func(c *config.Config) { c.Routing.SessionAffinity = false })
				c.Routing.SessionAffinity = true
			},
		} {
			r.apply(change)
			for session, id := range bound {
				require.Equal(t, []string{id}, r.turn(session), name)
			}
		}
		require.Equal(t, 5, r.sessions())
	})
}

// A TTL counts as it is now, for sessions that are silent already too.
func TestAF28_AShorterTTLCountsAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{adjust: sticky}, func(t *testing.T, r *rig) { // 1h
		first := r.turn("s")[0]
		ttl := func(d time.Duration) {
			r.apply(func(c *config.Config) { c.Routing.SessionAffinityTTL = d })
		}
		ttl(10 * time.Minute)
		for range 3 {
			time.Sleep(9 * time.Minute)
			require.Equal(t, []string{first}, r.turn("s"))
		}
		time.Sleep(11 * time.Minute)
		require.Zero(t, r.sessions())
		first = r.turn("s")[0]
		require.Equal(t, actors.WhyStrategy, r.why())
		ttl(time.Hour)
		for range 3 {
			time.Sleep(59 * time.Minute)
			require.Equal(t, []string{first}, r.turn("s"), "and a longer one")
		}
		time.Sleep(61 * time.Minute)
		require.Zero(t, r.sessions())
	})
}

// AF26: what is asked of one provider by its name is not the other one's conversation.
func TestAF26_ProvidersAreIndependent(t *testing.T) {
	t.Parallel()
	adjust := with(sticky, func(c *config.Config) {
		other := c.Providers[0]
		other.Name = "other"
		other.Credentials = []config.Credential{{ID: "x", APIKey: secretOf("x")}, {ID: "y", APIKey: secretOf("y")}}
		c.Providers = append(c.Providers, other)
	})
	inBubble(t, setup{adjust: adjust}, func(t *testing.T, r *rig) {
		last := map[string]string{}
		for range 4 {
			for _, model := range []string{"openai/m", "other/m", "m"} {
				require.Equal(t, http.StatusOK, r.chat(model, "X-Session-ID", "s").status)
				synctest.Wait()
				served := r.served()
				now := served[len(served)-1]
				if last[model] != "" {
					require.Equal(t, last[model], now)
				}
				last[model] = now
			}
		}
		require.Contains(t, []string{"a", "b", "c"}, last["openai/m"])
		require.Contains(t, []string{"x", "y"}, last["other/m"])
		require.Equal(t, 3, r.sessions())
	})
}
