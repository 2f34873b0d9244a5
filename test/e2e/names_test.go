package e2e

import (
	"net/http"
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

// models configures the first provider's models.
func models(all ...config.Model) func(*config.Config) {
	return func(c *config.Config) { c.Providers[0].Models = all }
}

// listed returns the names that clients are shown.
func (r *rig) listed() string {
	r.t.Helper()
	synctest.Wait()
	return gjson.GetBytes(r.get("/v1/models").body, "data.#.id").Raw
}

// The upstream gets its own name of a model, whatever the client calls it. What a suffix asks
// for is said in the words of the upstream's format (TR71).
func TestAL_TheUpstreamGetsItsOwnName(t *testing.T) {
	t.Parallel()
	configured := with(models(
		config.Model{Name: "n", Alias: []string{"x"}},
		config.Model{Name: "thinker", Alias: []string{"x(high)"}},
		config.Model{Name: "exact(low)"}, config.Model{Name: "exact"},
		config.Model{Name: "vendor/v(1)"},
	), func(c *config.Config) { c.Providers[0].Prefix = "team" })
	type sent struct{ model, effort, budget string }
	tests := map[string]map[string]sent{
		"alias (AL1)":                    {"x": {model: "n"}, "openai/x": {model: "n"}, "team/x": {model: "n"}},
		"alias and suffix (AL2)":         {"x(low)": {"n", "low", "1024"}, "x(8192)": {"n", "medium", "8192"}, "team/x(low)": {"n", "low", "1024"}, "n(max)": {"n", "max", "128000"}},
		"the exact one wins (AL3)":       {"x(high)": {model: "thinker"}, "openai/x(high)": {model: "thinker"}, "team/x(high)": {model: "thinker"}, "exact(low)": {model: "exact(low)"}, "exact(high)": {"exact", "high", "24576"}},
		"a name that ends like a suffix": {"vendor/v(1)": {model: "vendor/v(1)"}, "team/vendor/v(1)": {model: "vendor/v(1)"}},
	}
	for name, names := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chat := start(t, setup{adjust: configured})
			gemini := start(t, setup{kinds: []string{config.KindGemini}, adjust: configured})
			for ask, want := range names {
				require.Equal(t, http.StatusOK, chat.chat(ask).status, ask)
				body := `{"model":"` + want.model + `"}`
				if want.effort != "" {
					body = `{"model":"` + want.model + `","reasoning_effort":"` + want.effort + `"}`
				}
				require.Equal(t, body, string(chat.lastRequest().Body), ask)
				ask = strings.Replace(ask, "openai/", "gemini/", 1)
				require.Equal(t, http.StatusOK, gemini.post("/v1beta/models/"+ask+":generateContent", `{"contents":[]}`).status, ask)
				require.Equal(t, "/v1beta/models/"+want.model+":generateContent", gemini.lastRequest().Path, ask)
				require.Equal(t, want.budget, gjson.GetBytes(gemini.lastRequest().Body, "generationConfig.thinkingConfig.thinkingBudget").Raw, ask)
			}
			for _, ask := range []string{"x(huge)", "x()", "n(high", "(high)", "y(high)", "vendor/v"} {
				require.Equal(t, http.StatusNotFound, chat.chat(ask).status, ask)
			}
		})
	}
}

// A name that ends like a suffix is a name: for allow-lists, records, and what is made under it.
func TestAL3_AnExactNameCountsAsOne(t *testing.T) {
	t.Parallel()
	r := start(t, setup{bubble: true, adjust: with(
		models(config.Model{Name: "thinker", Alias: []string{"x(high)"}}, config.Model{Name: "n", Alias: []string{"y"}}),
		func(c *config.Config) { c.APIKeys[0].Models = []string{"x(high)", "y"} },
	)})
	require.Equal(t, http.StatusOK, r.chat("x(high)").status)
	require.Equal(t, "x(high)", r.lastRecord().Used)
	require.Equal(t, http.StatusOK, r.chat("y(high)").status, "a suffix needs no leave of its own")
	require.Equal(t, "y", r.lastRecord().Used)
	require.Equal(t, http.StatusNotFound, r.chat("x").status)
	require.Equal(t, http.StatusNotFound, r.chat("x(low)").status)
	for _, ask := range []string{"x(high)", "y(high)"} {
		made := r.post("/v1/responses", `{"model":"`+ask+`","input":"hi"}`)
		require.Equal(t, http.StatusOK, made.status)
		target := "/v1/responses/" + gjson.GetBytes(made.body, "id").Str
		got := r.get(target)
		require.Equal(t, http.StatusOK, got.status, "%s: %s", ask, got.body)
		require.Equal(t, target, r.lastRequest().Path)
	}
}

// AL4: what the upstream calls itself is passed on.
func TestAL4_TheAnswerNamesTheUpstreamsModel(t *testing.T) {
	t.Parallel()
	body := `{"id":"1","object":"chat.completion","model":"n-2026","choices":[]}`
	r := start(t, setup{
		script: always(fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}),
		adjust: models(config.Model{Name: "n", Alias: []string{"x"}}),
	})
	require.Equal(t, body, string(r.chat("x").body))
}

// AL15: an alias means what it is configured to mean when a request comes.
func TestAL15_AnAliasChangesForTheNextRequest(t *testing.T) {
	t.Parallel()
	script := func(q fake.Request) fake.Reply {
		reply := answerTo(q)
		reply.FirstDelay = 2 * time.Second
		return reply
	}
	means := func(name string) func(*config.Config) {
		all := []config.Model{{Name: "n1"}, {Name: "n2"}}
		for i := range all {
			if all[i].Name == name {
				all[i].Alias = []string{"x"}
			}
		}
		return models(all...)
	}
	inBubble(t, setup{script: script, adjust: means("n1")}, func(t *testing.T, r *rig) {
		ask := func() <-chan answer {
			done := r.sendLater(r.request(http.MethodPost, "/v1/chat/completions", `{"model":"x"}`))
			synctest.Wait()
			return done
		}
		old := ask()
		r.apply(means("n2"))
		next := ask()
		r.apply(means("none"))
		require.Equal(t, http.StatusNotFound, (<-ask()).status)
		require.Equal(t, `["n1","n2"]`, r.listed())
		require.Equal(t, http.StatusOK, (<-old).status)
		require.Equal(t, http.StatusOK, (<-next).status)
		require.Equal(t, []string{"a n1", "a n2"}, r.asked(0))
		require.Equal(t, "active", r.view("a").Status)
	})
}

func TestAL16_WhatIsExcludedIsNeitherListedNorServed(t *testing.T) {
	t.Parallel()
	all := models(
		config.Model{Name: "gpt-5", Alias: []string{"main"}}, config.Model{Name: "gpt-5-mini"},
		config.Model{Name: "o9", Alias: []string{"main", "gpt-alias"}}, config.Model{Name: "vendor/gpt-6"},
	)
	each := func(set func(*config.Credential)) func(*config.Config) {
		return func(c *config.Config) {
			for i := range c.Providers[0].Credentials {
				set(&c.Providers[0].Credentials[i])
			}
		}
	}
	provider := func(globs ...string) func(*config.Config) {
		return func(c *config.Config) { c.Providers[0].ExcludeModels = globs }
	}
	tests := map[string]struct {
		adjust func(*config.Config)
		listed string
		served map[string]string // by name: credential and model; "" = 404
	}{
		"nothing": {
			provider(), `["gpt-5","gpt-5-mini","gpt-alias","main","o9","vendor/gpt-6"]`,
			map[string]string{"gpt-5": "a gpt-5", "main": "a gpt-5", "vendor/gpt-6": "a vendor/gpt-6"},
		},
		"by the provider": {
			provider("gpt-*"), `["gpt-alias","main","o9","vendor/gpt-6"]`,
			map[string]string{"gpt-5": "", "openai/gpt-5-mini": "", "gpt-5(high)": "", "main": "a o9", "gpt-alias": "a o9", "vendor/gpt-6": "a vendor/gpt-6"},
		},
		"across slashes": {
			provider("*gpt*", "o9"), `[]`,
			map[string]string{"gpt-5": "", "main": "", "vendor/gpt-6": "", "o9": ""},
		},
		"by every credential": {
			each(func(c *config.Credential) { c.ExcludeModels = []string{"*-mini", "vendor/*"} }), `["gpt-5","gpt-alias","main","o9"]`,
			map[string]string{"gpt-5-mini": "", "vendor/gpt-6": "", "gpt-5": "a gpt-5"},
		},
		"by one credential": {
			func(c *config.Config) { c.Providers[0].Credentials[0].ExcludeModels = []string{"gpt-*"} },
			`["gpt-5","gpt-5-mini","gpt-alias","main","o9","vendor/gpt-6"]`,
			map[string]string{"gpt-5": "b gpt-5", "main": "a o9", "gpt-alias": "a o9"},
		},
		"all but what is allowed": {
			each(func(c *config.Credential) { c.Models, c.ExcludeModels = []string{"gpt-*"}, []string{"gpt-5"} }), `["gpt-5-mini"]`,
			map[string]string{"gpt-5": "", "main": "", "o9": "", "gpt-5-mini": "a gpt-5-mini"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{adjust: with(all, tt.adjust)})
			require.Equal(t, tt.listed, gjson.GetBytes(r.get("/v1/models").body, "data.#.id").Raw)
			for ask, want := range tt.served {
				got := r.chat(ask)
				if want == "" {
					require.Equal(t, http.StatusNotFound, got.status, ask)
					require.Equal(t, "model_not_found", gjson.GetBytes(got.body, "error.code").Str)
					continue
				}
				require.Equal(t, http.StatusOK, got.status, ask)
				asked := r.asked(0)
				require.Equal(t, want, asked[len(asked)-1], ask)
			}
		})
	}
}

// Who is left out by a list is told in the record.
func TestAL16_TheRecordTellsWhoseListsLeaveTheModelOut(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{adjust: func(c *config.Config) {
		c.Providers[0].Credentials[0].ExcludeModels = []string{"*"}
		c.Providers[0].Credentials[1].Models = []string{"n"}
	}}, func(t *testing.T, r *rig) {
		require.Equal(t, []string{"c"}, r.turns("m", 1))
		field := r.lastRecord().Attempts[0].Field
		require.Equal(t, 1, field.Ready)
		require.Equal(t, []roster.Rejection{{Credential: "a", Reason: "excluded-model"}, {Credential: "b", Reason: "excluded-model"}}, field.Rejected)
	})
}

// A model is shown while somebody can serve it, if not now, then after a rest.
func TestModels_AreHiddenWhileNobodyCanServeThem(t *testing.T) {
	t.Parallel()
	shown, hidden := `["alias-of-m","m","n"]`, `["n"]`
	tests := map[string]struct {
		spoil  func(*moods)
		adjust func(*config.Config)
		listed string
		back   time.Duration // after which the next request brings it back; 0 = it does not
	}{
		"well":                   {func(*moods) {}, by(config.FillFirst), shown, 0},
		"limited":                {func(m *moods) { m.limit("", "m", "600") }, by(config.FillFirst), shown, 0},
		"failing":                {func(m *moods) { m.fail("", "m", 500) }, by(config.FillFirst), shown, 0},
		"not known upstream":     {func(m *moods) { m.fail("", "m", 404) }, by(config.FillFirst), hidden, 34 * time.Minute},
		"not for these accounts": {func(m *moods) { m.say("", "m", modelUnsupported()) }, by(config.FillFirst), hidden, 34 * time.Minute},
		"not for two of three":   {func(m *moods) { m.fail("a", "m", 404); m.fail("b", "m", 404) }, by(config.FillFirst), shown, 0},
		"disabled, but for n": {func(*moods) {}, func(c *config.Config) {
			c.Providers[0].Credentials[0].Disabled = true
			c.Providers[0].Credentials[1].Disabled = true
			c.Providers[0].Credentials[2].ExcludeModels = []string{"m"}
		}, hidden, 0},
		"weightless, but for n": {func(*moods) {}, func(c *config.Config) {
			weighted(0, 0, 1)(c)
			c.Providers[0].Credentials[2].ExcludeModels = []string{"m"}
		}, hidden, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m moods
			tt.spoil(&m)
			adjust := with(models(config.Model{Name: "m", Alias: []string{"alias-of-m"}}, config.Model{Name: "n"}), tt.adjust)
			inBubble(t, setup{script: m.script, adjust: adjust}, func(t *testing.T, r *rig) {
				r.chat("m")
				require.Equal(t, tt.listed, r.listed())
				require.Equal(t, tt.listed == shown, r.get("/v1/models/m").status == http.StatusOK)
				require.NotEqual(t, http.StatusNotFound, r.chat("m").status, "it is known all the same")
				m.heal()
				if tt.back > 0 {
					time.Sleep(tt.back)
					require.Equal(t, http.StatusOK, r.chat("m").status)
					require.Equal(t, shown, r.listed())
				}
			})
		})
	}
}

func TestModels_AreHiddenWhileTheKeysAreRefused(t *testing.T) {
	t.Parallel()
	var m moods
	m.fail("", "", 401)
	inBubble(t, setup{ids: []string{"a"}, script: m.script}, func(t *testing.T, r *rig) {
		require.Equal(t, `["alias-of-m","m"]`, r.listed())
		require.Equal(t, 401, r.chat("m").status)
		require.Equal(t, `[]`, r.listed())
		m.heal()
		r.apply(func(c *config.Config) { c.Providers[0].Credentials[0].APIKey = secretOf("a-new") })
		require.Equal(t, `["alias-of-m","m"]`, r.listed())
		require.Equal(t, http.StatusOK, r.chat("m").status)
	})
}

// AL17: rests belong to what upstreams call a model, not to what clients do.
func TestAL17_ARestBelongsToTheUpstreamsModel(t *testing.T) {
	t.Parallel()
	var m moods
	inBubble(t, setup{ids: []string{"a"}, script: m.script, adjust: with(
		models(config.Model{Name: "x"}, config.Model{Name: "n", Alias: []string{"y"}}),
		func(c *config.Config) { // whose y is called x by the first one, and the other way round
			other := c.Providers[0]
			other.Name, other.Models = "other", []config.Model{{Name: "y", Alias: []string{"x"}}}
			other.Credentials = []config.Credential{{ID: "b", APIKey: secretOf("b")}}
			c.Providers = append(c.Providers, other)
		},
	)}, func(t *testing.T, r *rig) {
		m.limit("a", "x", "60")
		m.limit("b", "y", "10")
		require.Equal(t, http.StatusTooManyRequests, r.chat("x").status)
		require.Equal(t, []string{"a x", "b y"}, r.asked(0))
		synctest.Wait()
		m.heal()
		require.Equal(t, http.StatusOK, r.chat("y").status, "n at a does not rest")
		require.Equal(t, []string{"a n"}, r.asked(2))
		got := r.chat("x")
		require.Equal(t, http.StatusTooManyRequests, got.status)
		require.Equal(t, "x", gjson.GetBytes(got.body, "error.model").Str)
		m.limit("a", "n", "60")
		require.Equal(t, http.StatusTooManyRequests, r.chat("openai/n").status)
		synctest.Wait()
		require.Equal(t, http.StatusTooManyRequests, r.chat("y").status, "it rests by every name")
		require.Equal(t, []string{"a n"}, r.asked(3))
		time.Sleep(11 * time.Second)
		require.Equal(t, http.StatusOK, r.chat("x").status)
		require.Equal(t, http.StatusOK, r.chat("y").status)
		require.Equal(t, []string{"b y", "b y"}, r.asked(4))
	})
}
