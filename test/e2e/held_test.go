package e2e

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// lists reports whether clients are shown a model.
func (r *rig) lists(model string) bool {
	r.t.Helper()
	return strings.Contains(string(r.get("/v1/models").body), `"id":"`+model+`"`)
}

// heldRests are refusals that only a request which succeeds can end.
func heldRests() map[string]struct {
	reply  fake.Reply
	kind   providers.Kind
	status string        // in the snapshot
	wide   bool          // n is out, too
	told   time.Duration // what clients are told of the rest; 0 = there is no time
	hinted bool          // told is a hint
	listed bool
} {
	const week = 7 * 24 * time.Hour
	type row = struct {
		reply  fake.Reply
		kind   providers.Kind
		status string
		wide   bool
		told   time.Duration
		hinted bool
		listed bool
	}
	return map[string]row{
		"401": {reply: refusal(401), kind: providers.Unauthorized, status: "unauthorized", wide: true},
		"402 with a code that blames the request (CD13)": {
			reply: saysNo(402, `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`),
			kind:  providers.OutOfFunds, status: "resting", wide: true, told: 30 * time.Minute, listed: true,
		},
		"403": {reply: refusal(403), kind: providers.Forbidden, status: "resting", wide: true, told: 30 * time.Minute, listed: true},
		"404 that names the model (CD16)": {
			reply: saysNo(404, `{"error":{"message":"The model 'm' does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}`),
			kind:  providers.ModelUnsupported, status: "resting", told: 30 * time.Minute,
		},
		"429 for a week": {reply: refusal(429, "Retry-After", "604800"), kind: providers.RateLimited, status: "resting", told: week, hinted: true, listed: true},
		"429 for a week, spend limit": {
			reply: saysNo(429, `{"error":{"message":"The usage limit has been reached","type":"usage_limit_reached","resets_in_seconds":604800}}`),
			kind:  providers.WindowExhausted, status: "resting", wide: true, told: week, hinted: true, listed: true,
		},
	}
}

// Such a rest lets one request through each half hour: it ends with that one's success and
// is renewed by its failure.
func TestCD13_CD16_HeldRestsAreProbed(t *testing.T) {
	t.Parallel()
	for name, tt := range heldRests() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := plan{"a": {tt.reply, later(time.Second, tt.reply), later(time.Second, well)}}.script
			inBubble(t, setup{ids: []string{"a"}, script: script, adjust: twoModels}, func(t *testing.T, r *rig) {
				began := time.Now()
				require.Equal(t, tt.reply.Status, r.chatFor("m").status)
				synctest.Wait()
				require.Equal(t, string(tt.kind), r.view("a").Reason)
				require.Equal(t, tt.status, r.view("a").Status)
				require.Equal(t, tt.listed, r.lists("m"))

				r.requireTold(tt.told, tt.hinted)
				time.Sleep(time.Until(began.Add(30*time.Minute - time.Millisecond)))
				r.requireTold(tt.told-30*time.Minute+time.Millisecond, tt.hinted)
				require.Len(t, r.served(), 1)

				time.Sleep(time.Millisecond)
				r.probe(tt.reply.Status)
				require.Len(t, r.served(), 2, "one at a time")
				synctest.Wait()
				require.Equal(t, tt.status, r.view("a").Status)

				time.Sleep(30*time.Minute - 2*time.Millisecond)
				require.NotEqual(t, http.StatusOK, r.chatFor("m").status)
				require.Len(t, r.served(), 2, "the failure has renewed the rest")
				time.Sleep(2 * time.Millisecond)
				r.probe(http.StatusOK)
				require.Len(t, r.served(), 3)
				synctest.Wait()
				require.Equal(t, "active", r.view("a").Status, "the success has ended it")
				require.True(t, r.lists("m"))
				require.Equal(t, http.StatusOK, r.chatFor("m").status)
				require.Equal(t, http.StatusOK, r.chatFor("n").status)
			})
		})
	}
}

// requireTold checks what a client is told while the rest goes on for left.
func (r *rig) requireTold(left time.Duration, hinted bool) {
	r.t.Helper()
	d, got := dialects()[0], r.chatFor("m")
	if left <= 0 {
		require.Equal(r.t, http.StatusServiceUnavailable, got.status)
		d.requireError(r.t, string(got.body), "no_credential_available")
		require.Contains(r.t, string(got.body), "1 unauthorized")
		return
	}
	require.Equal(r.t, http.StatusTooManyRequests, got.status)
	d.requireError(r.t, string(got.body), "model_cooldown")
	wait, err := time.ParseDuration(got.header.Get("Retry-After") + "s")
	require.NoError(r.t, err)
	require.GreaterOrEqual(r.t, wait, left)
	longest := left + time.Second
	if hinted {
		longest += 7 * 24 * time.Hour / 10
	}
	require.LessOrEqual(r.t, wait, longest)
}

// probe sends two requests at once when a probe is due: one is let through and answered so,
// the other is told that nobody can serve.
func (r *rig) probe(status int) {
	r.t.Helper()
	d := dialects()[0]
	one := r.sendLater(r.request(http.MethodPost, d.plain, d.question1))
	synctest.Wait()
	other := r.chatFor("m")
	require.Contains(r.t, []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}, other.status)
	require.Equal(r.t, status, (<-one).status)
	record := r.lastRecord()
	require.Len(r.t, record.Attempts, 1)
	require.Equal(r.t, actors.WhyProbe, record.Attempts[0].Why)
}

// Where a credential is refused as a whole, no model of it is asked; one that it does not
// have says nothing of the others.
func TestCD13_CD16_HowFarAHeldRestReaches(t *testing.T) {
	t.Parallel()
	for name, tt := range heldRests() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := plan{"a": {tt.reply, well}}.script
			inBubble(t, setup{ids: []string{"a", "b"}, script: script, adjust: twoModels}, func(t *testing.T, r *rig) {
				for _, model := range []string{"m", "n", "m"} {
					require.Equal(t, http.StatusOK, r.chatFor(model).status)
					synctest.Wait()
				}
				want := []string{"a", "b", "a", "b"}
				if tt.wide {
					want = []string{"a", "b", "b", "b"}
				}
				require.Equal(t, want, r.served())
			})
		})
	}
}

// A probe that says nothing of the rest leaves it due for the next one.
func TestHalfOpen_AProbeThatSaysNothingIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	for name, tt := range heldRests() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := plan{"a": {tt.reply, refusal(400), {Hang: true}, well}}.script
			inBubble(t, setup{ids: []string{"a"}, script: script}, func(t *testing.T, r *rig) {
				r.chatFor("m")
				time.Sleep(30 * time.Minute)
				require.Equal(t, 400, r.chatFor("m").status)
				synctest.Wait() // its report is there
				r.leaveAfter(time.Second)
				require.Equal(t, http.StatusOK, r.chatFor("m").status)
				require.Len(t, r.served(), 4)
			})
		})
	}
}

// A challenge page is about the moment: it rests the credential for ten seconds and hides
// nothing.
func TestCD15_AChallengePageIsAboutTheMoment(t *testing.T) {
	t.Parallel()
	page := fake.Reply{Status: 403, Header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}}, Body: []byte("<!DOCTYPE html><title>Just a moment...</title>")}
	inBubble(t, setup{ids: []string{"a"}, script: plan{"a": {page, well}}.script}, func(t *testing.T, r *rig) {
		require.Equal(t, 403, r.chatFor("m").status)
		synctest.Wait()
		require.Equal(t, "resting", r.view("a").Status)
		require.True(t, r.lists("m"))
		got := r.chatFor("m")
		require.Equal(t, 429, got.status)
		require.Equal(t, "10", got.header.Get("Retry-After"))
		time.Sleep(10 * time.Second)
		require.Equal(t, http.StatusOK, r.chatFor("m").status)
		require.Equal(t, "active", r.view("a").Status)
	})
}

// Counting tokens fails for reasons of its own, unless the model is what is wrong.
func TestCD17_CountingTokens(t *testing.T) {
	t.Parallel()
	const body = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	for name, tt := range map[string]struct {
		text   string
		served []string
		rest   time.Duration
	}{
		"no such route":         {text: "Not Found", served: []string{"a"}},
		"a route is not there":  {text: "Invalid URL (POST /v1/messages/count_tokens)", served: []string{"a"}},
		"the model is not":      {text: "model: m", served: []string{"a", "b"}, rest: 30 * time.Minute},
		"and is told at length": {text: "The model m does not exist", served: []string{"a", "b"}, rest: 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply := saysNo(404, `{"type":"error","error":{"type":"not_found_error","message":"`+tt.text+`"}}`)
			inBubble(t, setup{kinds: []string{config.KindAnthropic}, script: first(reply)}, func(t *testing.T, r *rig) {
				asked := time.Now()
				got := r.post("/v1/messages/count_tokens", body)
				require.Equal(t, tt.served, r.served())
				if tt.rest == 0 {
					require.Equal(t, 404, got.status)
					require.Equal(t, string(reply.Body), string(got.body))
					require.Zero(t, r.state("a", "m"))
					return
				}
				require.Equal(t, http.StatusOK, got.status)
				require.Equal(t, asked.Add(tt.rest), r.state("a", "m").Until)
			})
		})
	}
}

// A session moves away from a credential without funds, and stays away when it is back.
func TestCD13_ASessionLeavesACredentialWithoutFunds(t *testing.T) {
	t.Parallel()
	script := plan{"a": {well, saysNo(402, `{"error":{"message":"Insufficient Balance","code":"invalid_request_error"}}`), well}}.script
	inBubble(t, setup{kinds: []string{config.KindOpenAICompatible}, script: script, adjust: func(c *config.Config) {
		c.Routing.SessionAffinity = true
	}}, func(t *testing.T, r *rig) {
		session := headerTurn("X-Session-ID", "s")
		require.Equal(t, []string{"a"}, r.play(session))
		synctest.Wait()
		require.Equal(t, []string{"a", "b"}, r.play(session))
		synctest.Wait()
		require.Equal(t, []string{"b"}, r.play(session))
		time.Sleep(31 * time.Minute)
		require.Equal(t, []string{"a"}, r.play(headerTurn("X-Session-ID", "another")))
		synctest.Wait()
		require.Equal(t, "active", r.view("a").Status)
		require.Equal(t, []string{"b"}, r.play(session))
	})
}
