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
	"github.com/understudyhq/understudy/providers"
)

// chain configures models with their fallbacks: the first provider has m at a and b, the
// second one the rest, at y and z.
func chain(m []string, others ...config.Model) func(*config.Config) {
	return func(c *config.Config) {
		other := c.Providers[0]
		c.Providers[0].Models = []config.Model{{Name: "m", Fallback: m}}
		credentials(config.Credential{ID: "a"}, config.Credential{ID: "b"})(c)
		other.Name, other.Models = "other", others
		other.Credentials = []config.Credential{{ID: "y", APIKey: secretOf("y")}, {ID: "z", APIKey: secretOf("z")}}
		c.Providers = append(c.Providers, other)
	}
}

// wait lets requests wait so long for somebody to be ready.
func wait(d time.Duration) func(*config.Config) {
	return func(c *config.Config) { c.Retry.MaxWait = d }
}

func TestFallback_ServesWhenAModelIsExhausted(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil func(*moods)
		kind  providers.Kind
	}{
		"500":             {func(m *moods) { m.fail("", "m", 500) }, providers.Transient},
		"429":             {func(m *moods) { m.fail("", "m", 429) }, providers.RateLimited},
		"429 with a hint": {func(m *moods) { m.limit("", "m", "7") }, providers.RateLimited},
		"a long hint":     {func(m *moods) { m.limit("", "m", "600") }, providers.RateLimited},
		"401":             {func(m *moods) { m.fail("", "m", 401) }, providers.Unauthorized},
		"no such model":   {func(m *moods) { m.fail("", "m", 404) }, providers.ModelUnsupported},
	}
	for name, tt := range tests {
		for rounds, patience := range []time.Duration{0, 5 * time.Second} {
			t.Run(fmt.Sprint(name, "/", patience), func(t *testing.T) {
				t.Parallel()
				var m moods
				tt.spoil(&m)
				adjust := with(chain([]string{"n"}, config.Model{Name: "n"}), wait(patience), func(c *config.Config) { c.Retry.Rounds = rounds })
				inBubble(t, setup{script: m.script, adjust: adjust}, func(t *testing.T, r *rig) {
					before := time.Now()
					require.Equal(t, http.StatusOK, r.chat("m", "X-Request-Id", "one").status)
					require.Zero(t, time.Since(before))
					require.Equal(t, []string{"a m", "b m", "y n"}, r.asked(0))
					record, err := r.gateway.RecordOf(t.Context(), "one")
					require.NoError(t, err)
					require.Equal(t, "m", record.Asked)
					require.Equal(t, "n", record.Used)
					require.Equal(t, http.StatusOK, record.Status)
					require.Equal(t, providers.Success, record.Outcome)
					var routes []string
					for _, a := range record.Attempts {
						routes = append(routes, a.Route+" at "+a.Provider+": "+string(a.Outcome))
					}
					failed := "m at openai: " + string(tt.kind)
					require.Equal(t, []string{failed, failed, "n at other: success"}, routes)

					synctest.Wait()
					require.Equal(t, http.StatusOK, r.chat("m").status)
					require.Zero(t, time.Since(before), "the model rests: its fallback serves at once")
					require.Equal(t, []string{"y n"}, r.asked(3))
				})
			})
		}
	}
}

func TestFallback_AStopIsAStop(t *testing.T) {
	t.Parallel()
	var m moods
	m.fail("", "m", 400)
	r := start(t, setup{script: m.script, adjust: chain([]string{"n"}, config.Model{Name: "n"})})
	require.Equal(t, 400, r.chat("m").status)
	require.Equal(t, []string{"a m"}, r.asked(0))
}

func TestFallback_Chains(t *testing.T) {
	t.Parallel()
	disabled := func(c *config.Config) {
		for i := range c.Providers[0].Credentials {
			c.Providers[0].Credentials[i].Disabled = true
		}
	}
	tests := map[string]struct {
		adjust func(*config.Config)
		fail   []string // models
		ask    string
		status int
		asked  []string
	}{
		"several in order": {
			chain([]string{"n", "o"}, config.Model{Name: "n"}, config.Model{Name: "o"}),
			[]string{"m", "n"},
			"m", 200,
			[]string{"a m", "b m", "y n", "z n", "y o"},
		},
		"of a fallback": {
			chain([]string{"n"}, config.Model{Name: "n", Fallback: []string{"o"}}, config.Model{Name: "o"}),
			[]string{"m", "n"},
			"m", 200,
			[]string{"a m", "b m", "y n", "z n", "y o"},
		},
		"a circle ends": {
			chain([]string{"n"}, config.Model{Name: "n", Fallback: []string{"o", "m"}}, config.Model{Name: "o", Fallback: []string{"m", "n"}}),
			[]string{"m", "n", "o"},
			"m", 500,
			[]string{"a m", "b m", "y n", "z n", "y o", "z o"},
		},
		"a circle from its middle": {
			chain([]string{"n"}, config.Model{Name: "n", Fallback: []string{"m"}}),
			[]string{"n"},
			"n", 200,
			[]string{"y n", "z n", "a m"},
		},
		"by alias and provider": {
			chain([]string{"other/x"}, config.Model{Name: "n", Alias: []string{"x"}}),
			[]string{"m"},
			"m", 200,
			[]string{"a m", "b m", "y n"},
		},
		"asked by a qualified name": {
			chain([]string{"n"}, config.Model{Name: "n"}),
			[]string{"m"},
			"openai/m", 200,
			[]string{"a m", "b m", "y n"},
		},
		"with a suffix": {
			chain([]string{"n(low)"}, config.Model{Name: "n"}),
			[]string{"m"},
			"m", 200,
			[]string{"a m", "b m", "y n"},
		},
		"asked with a suffix": {
			chain([]string{"n"}, config.Model{Name: "n"}),
			[]string{"m"},
			"m(high)", 200,
			[]string{"a m", "b m", "y n"},
		},
		"an unknown one is passed over": {
			chain([]string{"nowhere", "n"}, config.Model{Name: "n"}),
			[]string{"m"},
			"m", 200,
			[]string{"a m", "b m", "y n"},
		},
		"nobody has to fail": {
			with(chain([]string{"n"}, config.Model{Name: "n"}), disabled),
			nil, "m", 200,
			[]string{"y n"},
		},
		"a limit counts for each": {
			with(chain([]string{"n"}, config.Model{Name: "n"}), func(c *config.Config) { c.Retry.MaxCredentials = 1 }),
			[]string{"m"},
			"m", 200,
			[]string{"a m", "y n"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m moods
			for _, model := range tt.fail {
				m.fail("", model, 500)
			}
			r := start(t, setup{script: m.script, adjust: tt.adjust})
			require.Equal(t, tt.status, r.chat(tt.ask).status)
			require.Equal(t, tt.asked, r.asked(0))
		})
	}
}

// What a client's key may not use is no fallback for it.
func TestFallback_GoesByTheClientsAllowList(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		allowed []string
		status  int
		asked   []string
	}{
		"all":            {nil, 200, []string{"a m", "b m", "y n"}},
		"the second one": {[]string{"m", "o*"}, 200, []string{"a m", "b m", "y o"}},
		"none":           {[]string{"m"}, 500, []string{"a m", "b m"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m moods
			m.fail("", "m", 500)
			r := start(t, setup{script: m.script, adjust: with(
				chain([]string{"n", "o"}, config.Model{Name: "n"}, config.Model{Name: "o"}),
				func(c *config.Config) { c.APIKeys[0].Models = tt.allowed },
			)})
			require.Equal(t, tt.status, r.chat("m").status)
			require.Equal(t, tt.asked, r.asked(0))
		})
	}
}

// restsOf is a chain m -> n, o whose models rest so long, in seconds; "" = not at all.
func restsOf(t *testing.T, patience time.Duration, rests map[string]string, more func(*config.Config), f func(t *testing.T, r *rig)) {
	t.Helper()
	var m moods
	adjust := with(chain([]string{"n", "o"}, config.Model{Name: "n"}, config.Model{Name: "o"}), wait(patience))
	inBubble(t, setup{script: m.script, adjust: with(adjust, more)}, func(t *testing.T, r *rig) {
		r.apply(func(c *config.Config) { // so that no request for one makes another one rest
			for i := range c.Providers {
				for j := range c.Providers[i].Models {
					c.Providers[i].Models[j].Fallback = nil
				}
			}
			c.Retry.MaxWait = 0
			c.APIKeys[0].Models = nil
		})
		for model, seconds := range rests {
			if seconds != "" {
				m.limit("", model, seconds)
				require.Equal(t, http.StatusTooManyRequests, r.chat(model).status)
			}
		}
		synctest.Wait()
		m.heal()
		r.apply(func(*config.Config) {})
		f(t, r)
	})
}

// Waiting comes last: while a model of the chain can serve, nobody waits for another one,
// and if none can, it is the one that is back first.
func TestFallback_WaitsOnlyAsALastResort(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		rests    map[string]string
		patience time.Duration
		status   int
		asked    string        // the model
		least    time.Duration // that the request took; a tenth is added to hints
	}{
		"the first rests":              {map[string]string{"m": "2"}, 5 * time.Second, 200, "n", 0},
		"only the last does not":       {map[string]string{"m": "2", "n": "3"}, 5 * time.Second, 200, "o", 0},
		"the first is back first":      {map[string]string{"m": "2", "n": "30", "o": "4"}, 5 * time.Second, 200, "m", 2 * time.Second},
		"the second is":                {map[string]string{"m": "4", "n": "2", "o": "30"}, 5 * time.Second, 200, "n", 2 * time.Second},
		"the last is":                  {map[string]string{"m": "30", "n": "40", "o": "3"}, 5 * time.Second, 200, "o", 3 * time.Second},
		"all rest for too long":        {map[string]string{"m": "30", "n": "40", "o": "20"}, 5 * time.Second, 429, "", 0},
		"there is no patience for any": {map[string]string{"m": "2", "n": "4", "o": "3"}, 0, 429, "", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			restsOf(t, tt.patience, tt.rests, func(*config.Config) {}, func(t *testing.T, r *rig) {
				before, asked := time.Now(), len(r.served())
				got := r.chat("m", "X-Request-Id", "one")
				require.Equal(t, tt.status, got.status)
				requireTook(t, tt.least, time.Since(before))
				if tt.asked == "" {
					require.Empty(t, r.asked(asked))
				} else {
					require.Len(t, r.asked(asked), 1)
					require.Equal(t, tt.asked, gjson.GetBytes(r.lastRequest().Body, "model").Str)
				}
				record, err := r.gateway.RecordOf(t.Context(), "one")
				require.NoError(t, err)
				requireTook(t, tt.least, record.Waited)
				if tt.status != http.StatusOK {
					require.Equal(t, "m", gjson.GetBytes(got.body, "error.model").Str)
					require.NotEmpty(t, got.header.Get("Retry-After"))
				}
			})
		})
	}
}

// requireTook checks a time that a hint made: up to a tenth may be added.
func requireTook(t *testing.T, hint, took time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, took, hint)
	require.LessOrEqual(t, took, hint+hint/10)
}

// A fallback that the key may not use is no reason not to wait.
func TestFallback_WithoutOneThatItMayUseARequestWaits(t *testing.T) {
	t.Parallel()
	only := func(c *config.Config) { c.APIKeys[0].Models = []string{"m"} }
	restsOf(t, 5*time.Second, map[string]string{"m": "2"}, only, func(t *testing.T, r *rig) {
		before := time.Now()
		require.Equal(t, http.StatusOK, r.chat("m").status)
		requireTook(t, 2*time.Second, time.Since(before))
	})
}

// Who is only busy is not waited for either, while a fallback can serve.
func TestFallback_ServesForABusyModel(t *testing.T) {
	t.Parallel()
	script := func(q fake.Request) fake.Reply {
		reply := answerTo(q)
		reply.FirstDelay = 2 * time.Second
		return reply
	}
	one := func(c *config.Config) {
		for i := range c.Providers {
			c.Providers[i].Credentials = c.Providers[i].Credentials[:1]
			c.Providers[i].Credentials[0].MaxConcurrency = 1
		}
	}
	adjust := with(chain([]string{"n"}, config.Model{Name: "n"}), one, wait(5*time.Second))
	inBubble(t, setup{script: script, adjust: adjust}, func(t *testing.T, r *rig) {
		before := time.Now()
		var open []<-chan answer
		for range 3 {
			open = append(open, r.sendLater(r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m"}`)))
			synctest.Wait()
		}
		require.Equal(t, []string{"a m", "y n"}, r.asked(0))
		for _, done := range open {
			require.Equal(t, http.StatusOK, (<-done).status)
		}
		require.Equal(t, "a m", r.asked(2)[0])
		require.Equal(t, 4*time.Second, time.Since(before))
	})
}

// After a round in which all have failed, the next one begins when the first of them is back.
func TestFallback_AnotherRoundWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	var m moods
	m.limit("", "m", "4")
	m.limit("", "n", "2")
	adjust := with(chain([]string{"n"}, config.Model{Name: "n"}), wait(5*time.Second), func(c *config.Config) { c.Retry.Rounds = 1 })
	inBubble(t, setup{script: m.script, adjust: adjust}, func(t *testing.T, r *rig) {
		before := time.Now()
		done := r.sendLater(r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m"}`))
		synctest.Wait()
		m.heal()
		require.Equal(t, http.StatusOK, (<-done).status)
		requireTook(t, 2*time.Second, time.Since(before))
		require.Equal(t, []string{"a m", "b m", "y n", "z n"}, r.asked(0)[:4])
		require.Len(t, r.asked(0), 5)
		require.Contains(t, []string{"y n", "z n"}, r.asked(0)[4])
	})
}

// When all have failed, the client is told what the last one said; when nobody could even be
// asked, it is told of the model that it asked for.
func TestFallback_TheErrorIsTheLastOnes(t *testing.T) {
	t.Parallel()
	var m moods
	m.limit("", "m", "90")
	m.fail("", "n", 503)
	inBubble(t, setup{script: m.script, adjust: chain([]string{"n"}, config.Model{Name: "n"})}, func(t *testing.T, r *rig) {
		require.Equal(t, http.StatusServiceUnavailable, r.chat("m").status)
		synctest.Wait()
		got := r.chat("m", "X-Request-Id", "two")
		require.Equal(t, http.StatusTooManyRequests, got.status)
		require.Equal(t, "model_cooldown", gjson.GetBytes(got.body, "error.code").Str)
		require.Equal(t, "m", gjson.GetBytes(got.body, "error.model").Str)
		record, err := r.gateway.RecordOf(t.Context(), "two")
		require.NoError(t, err)
		require.Empty(t, record.Attempts)
		require.Empty(t, record.Used)
		require.Equal(t, "m", record.Asked)
	})
}

// A session that a fallback serves stays on one credential there, and comes back to its own
// with its model.
func TestFallback_ASessionStaysTogether(t *testing.T) {
	t.Parallel()
	var m moods
	adjust := with(chain([]string{"n"}, config.Model{Name: "n"}), sticky)
	inBubble(t, setup{script: m.script, adjust: adjust}, func(t *testing.T, r *rig) {
		say := func(session string) string {
			require.Equal(t, http.StatusOK, r.chat("m", "X-Session-ID", session).status)
			synctest.Wait()
			asked := r.asked(0)
			return asked[len(asked)-1]
		}
		own := map[string]string{"s1": say("s1"), "s2": say("s2")}
		m.limit("", "m", "60")
		away := map[string]string{"s1": say("s1"), "s2": say("s2")}
		requireSpread(t, []string{own["s1"], own["s2"], away["s1"], away["s2"]})
		for range 3 {
			require.Equal(t, away["s2"], say("s2"))
			require.Equal(t, away["s1"], say("s1"))
		}
		records, err := r.gateway.Records(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, actors.WhyBound, records[0].Attempts[0].Why)
		m.heal()
		time.Sleep(67 * time.Second)
		require.Equal(t, own["s1"], say("s1"))
		require.Equal(t, own["s2"], say("s2"))
	})
}
