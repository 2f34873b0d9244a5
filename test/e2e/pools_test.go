package e2e

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// pooled puts models under the alias x.
func pooled(names ...string) func(*config.Config) {
	return func(c *config.Config) {
		c.Providers[0].Models = nil
		for _, name := range names {
			c.Providers[0].Models = append(c.Providers[0].Models, config.Model{Name: name, Alias: []string{"x"}})
		}
	}
}

// modelUnsupported says that an account may not use a model.
func modelUnsupported() fake.Reply {
	return fake.Reply{
		Status: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/json"}},
		Body: []byte(`{"error":{"message":"The requested model is not supported.","type":"invalid_request_error","param":"model","code":"model_not_supported"}}`),
	}
}

// The models of a pool take turns, whoever the credential is.
func TestPool_RotatesInsideACredential(t *testing.T) {
	t.Parallel()
	r := start(t, setup{ids: []string{"a", "b"}, adjust: with(pooled("n1", "n2", "n3"), by(config.FillFirst))})
	r.turns("x", 6)
	requireCycle(t, []string{"a n1", "a n2", "a n3"}, r.asked(0))
	require.Equal(t, `["n1","n2","n3","x"]`, gjson.GetBytes(r.get("/v1/models").body, "data.#.id").Raw)
	r.turns("n2", 2)
	require.Equal(t, []string{"a n2", "a n2"}, r.asked(6), "by its own name it is alone")
}

func TestPool_AFailureGoesToTheNextModelOfTheSameCredential(t *testing.T) {
	t.Parallel()
	empty := fake.Reply{Header: http.Header{"Content-Type": {"text/event-stream"}}, Chunks: [][]byte{{}}}
	unsupported := modelUnsupported()
	tests := map[string]struct {
		reply fake.Reply
		kind  providers.Kind
		rest  time.Duration // of n1, at most
	}{
		"500 (AL7)":               {fake.Error("openai-chat", 500), providers.Transient, time.Second},
		"model unsupported (AL9)": {unsupported, providers.ModelUnsupported, 33 * time.Minute},
		"404 (AL9)":               {fake.Error("openai-chat", 404), providers.ModelUnsupported, 33 * time.Minute},
		"429":                     {fake.Error("openai-chat", 429), providers.RateLimited, time.Second},
		"empty stream (AL10)":     {empty, providers.Transient, time.Second},
		"reset":                   {fake.Reply{Reset: true}, providers.Transient, time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m moods
			m.say("", "n1", tt.reply)
			// One credential is all that a round may try: models of a pool are not counted.
			adjust := with(pooled("n1", "n2"), func(c *config.Config) { c.Retry.MaxCredentials = 1 })
			inBubble(t, setup{script: m.script, adjust: adjust}, func(t *testing.T, r *rig) {
				got := r.post("/v1/chat/completions", `{"model":"x","stream":true}`, "X-Request-Id", "one")
				require.Equal(t, http.StatusOK, got.status)
				require.Equal(t, dialects()[0].want(true), string(got.body))
				require.Equal(t, []string{"a n1", "a n2"}, r.asked(0))
				record, err := r.gateway.RecordOf(t.Context(), "one")
				require.NoError(t, err)
				require.Equal(t, []string{"n1", "n2"}, []string{record.Attempts[0].Model, record.Attempts[1].Model})
				require.Equal(t, tt.kind, record.Attempts[0].Outcome)
				require.Equal(t, "x", record.Used)

				r.turns("x", 3)
				require.Equal(t, []string{"a n2", "a n2", "a n2"}, r.asked(2), "n1 rests")
				m.heal()
				time.Sleep(tt.rest + time.Second)
				r.turns("x", 4)
				require.Equal(t, map[string]int{"a n1": 2, "a n2": 2}, count(r.asked(5)), "n1 is back")
			})
		})
	}
}

func TestAL8_ARequestFaultStopsAPool(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 413, 422} {
		var m moods
		m.fail("", "n1", status)
		r := start(t, setup{script: m.script, adjust: pooled("n1", "n2")})
		require.Equal(t, status, r.chat("x").status)
		require.Equal(t, []string{"a n1"}, r.asked(0))
	}
}

// What concerns a credential as a whole concerns its whole pool.
func TestPool_ACredentialThatIsRefusedIsLeftAtOnce(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 402, 403} {
		var m moods
		m.fail("a", "", status)
		r := start(t, setup{script: m.script, adjust: pooled("n1", "n2")})
		require.Equal(t, http.StatusOK, r.chat("x").status)
		require.Equal(t, []string{"a", "b"}, r.served(), "%d", status)
	}
}

// Every model of every credential is tried before a request fails.
func TestPool_AllAreTried(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int][]string{
		0: {"a n1", "a n2", "b n1", "b n2"},
		1: {"a n1", "a n2"},
	} {
		var m moods
		m.fail("", "", 500)
		r := start(t, setup{ids: []string{"a", "b"}, script: m.script, adjust: with(pooled("n1", "n2"), func(c *config.Config) { c.Retry.MaxCredentials = limit })})
		require.Equal(t, 500, r.chat("x").status)
		require.Equal(t, want, r.asked(0))
	}
}

// A credential whose whole pool rests costs no attempt.
func TestAL11_ABlockedPoolIsPassedOver(t *testing.T) {
	t.Parallel()
	var m moods
	m.limit("a", "n1", "60")
	m.limit("a", "n2", "60")
	adjust := with(pooled("n1", "n2"), func(c *config.Config) { c.Retry.MaxCredentials = 1 })
	inBubble(t, setup{script: m.script, adjust: adjust}, func(t *testing.T, r *rig) {
		require.Equal(t, http.StatusTooManyRequests, r.chat("x").status)
		synctest.Wait()
		require.Equal(t, http.StatusOK, r.chat("x").status)
		require.Equal(t, []string{"a n1", "a n2", "b n1"}, r.asked(0))
		require.Equal(t, "resting", r.view("a").Status)
	})
}

// A session stays on its credential while any model of the pool is ready there.
func TestPool_ASessionKeepsItsCredential(t *testing.T) {
	t.Parallel()
	var m moods
	inBubble(t, setup{script: m.script, adjust: with(sticky, pooled("n1", "n2"))}, func(t *testing.T, r *rig) {
		session := []string{"X-Session-ID", "s"}
		r.chat("x", session...)
		bound := r.served()[0]
		m.limit(bound, "n1", "60")
		for range 4 {
			require.Equal(t, http.StatusOK, r.chat("x", session...).status)
		}
		requireSame(t, r.served())
		m.limit(bound, "n2", "30")
		require.Equal(t, http.StatusOK, r.chat("x", session...).status)
		synctest.Wait()
		served := r.served()
		require.NotEqual(t, bound, served[len(served)-1])
	})
}
