package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// plan is what credentials answer, each its replies in turn and the last one for ever. Who
// is not in it answers well.
type plan map[string][]fake.Reply

// well stands for a good answer in a plan.
var well = fake.Reply{Status: -1}

func (p plan) script(r fake.Request) fake.Reply {
	replies := p[strings.TrimPrefix(r.Key, upstreamMark)]
	if len(replies) == 0 {
		return answerTo(r)
	}
	reply := replies[min(r.N, len(replies))-1]
	if reply.Status < 0 {
		reply.Status = 0
		good := answerTo(r)
		good.FirstDelay = reply.FirstDelay
		return good
	}
	return reply
}

// refusal is a chat upstream's error with some headers, names and values in turn.
func refusal(status int, header ...string) fake.Reply {
	return refusalOf(dialects()[0], status, header...)
}

func refusalOf(d dialect, status int, header ...string) fake.Reply {
	reply := fake.Error(string(d.format), status)
	for i := 0; i < len(header); i += 2 {
		reply.Header.Set(header[i], header[i+1])
	}
	return reply
}

// saysNo is an error with a body of its own.
func saysNo(status int, body string) fake.Reply {
	return fake.Reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
}

// later delays a reply.
func later(d time.Duration, reply fake.Reply) fake.Reply {
	reply.FirstDelay = d
	return reply
}

// twoModels makes the first provider serve n too.
func twoModels(c *config.Config) {
	c.Providers[0].Models = append(c.Providers[0].Models, config.Model{Name: "n"})
}

// chatFor asks for a model in the chat format.
func (r *rig) chatFor(model string) answer {
	r.t.Helper()
	return r.post("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`)
}

// state returns how a credential's model rests, once all that is under way is done. It is
// for bubbles.
func (r *rig) state(id, model string) cooldown.State {
	r.t.Helper()
	synctest.Wait()
	for _, m := range r.view(id).Models {
		if m.Name == model {
			return m.State
		}
	}
	return cooldown.State{}
}

// requireHint checks that d is a hint and at most a tenth more.
func requireHint(t *testing.T, hint, d time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, d, hint)
	require.LessOrEqual(t, d, hint+hint/10)
}

// Each rest that a 429 finds over doubles the next one, up to the longest; a success ends
// the streak.
func TestCD5_CD7_CD9_CD11_CD32_RestsDoubleUntilASuccess(t *testing.T) {
	t.Parallel()
	const rests = 14
	replies := slices.Repeat([]fake.Reply{refusal(429)}, rests)
	replies = append(replies, well, refusal(429), well)
	script := plan{"a": replies}.script
	inBubble(t, setup{ids: []string{"a"}, script: script}, func(t *testing.T, r *rig) {
		for i := range rests {
			asked := time.Now()
			require.Equal(t, 429, r.chatFor("m").status)
			require.Len(t, r.served(), i+1, "who has rested is asked again (CD5)")
			rest := r.state("a", "m")
			require.Equal(t, min(time.Second<<i, 30*time.Minute), rest.Until.Sub(asked), "rest %d", i+1)
			time.Sleep(time.Until(rest.Until) - time.Millisecond)
			r.chatFor("m")
			require.Len(t, r.served(), i+1, "nobody is asked a moment before that")
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, http.StatusOK, r.chatFor("m").status)
		require.Equal(t, cooldown.State{}, r.state("a", "m"), "a success leaves nothing behind (CD32)")
		require.Equal(t, "active", r.view("a").Status)
		require.Equal(t, 429, r.chatFor("m").status)
		require.Equal(t, time.Second, time.Until(r.state("a", "m").Until), "and the next streak begins anew")
	})
}

// Answers that were under way when a rest began are part of the same bad moment.
func TestCD8_CD10_WhatWasUnderWayCountsOnce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		second fake.Reply
		until  time.Duration // since both were asked
		hint   time.Duration
	}{
		"the same again is no news (CD8)":        {second: refusal(429), until: 1100 * time.Millisecond},
		"a hint moves the end, no more (CD10)":   {second: refusal(429, "Retry-After", "10"), until: 10200 * time.Millisecond, hint: 10 * time.Second},
		"a late success leaves the rest (CD8)":   {second: well, until: 1100 * time.Millisecond},
		"a shorter hint does not shorten (CD10)": {second: refusal(429, "Retry-After-Ms", "1"), until: 1100 * time.Millisecond},
		"nor does trouble of another kind (CD8)": {second: refusal(500), until: 1100 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := plan{"a": {later(100*time.Millisecond, refusal(429)), later(200*time.Millisecond, tt.second)}}.script
			inBubble(t, setup{script: script}, func(t *testing.T, r *rig) {
				d, asked := dialects()[0], time.Now()
				both := []<-chan answer{
					r.sendLater(r.request(http.MethodPost, d.plain, d.question1)),
					r.sendLater(r.request(http.MethodPost, d.plain, d.question1)),
				}
				for _, one := range both {
					require.Equal(t, d.want(false), string((<-one).body))
				}
				rest := r.state("a", "m")
				require.Equal(t, 1, rest.Level)
				length := rest.Until.Sub(asked)
				require.GreaterOrEqual(t, length, tt.until)
				require.LessOrEqual(t, length, tt.until+tt.hint/10)
				require.Equal(t, providers.RateLimited, rest.Kind)
			})
		})
	}
}

// A hint is never cut short, and up to a tenth is added so that not all come back at once.
func TestCD40_AHintIsHonouredWithJitter(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 20 {
		ids = append(ids, string(rune('a'+i)))
	}
	inBubble(t, setup{ids: ids, script: always(refusal(429, "Retry-After", "10"))}, func(t *testing.T, r *rig) {
		asked := time.Now()
		require.Equal(t, 429, r.chatFor("m").status)
		lengths := map[time.Duration]bool{}
		for _, id := range ids {
			length := r.state(id, "m").Until.Sub(asked)
			requireHint(t, 10*time.Second, length)
			lengths[length] = true
		}
		require.Greater(t, len(lengths), 10)
	})
}

// What rests is one model of one credential.
func TestCD23_CD25_CD33_AModelRestsAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ m, n fake.Reply }{
		"500 (CD23)": {refusal(500), refusal(500)},
		"429 (CD25)": {refusal(429, "Retry-After", "100"), refusal(429, "Retry-After", "50")},
		"403 that names the model": {
			saysNo(403, `{"error":{"message":"Project x does not have access to model m","type":"invalid_request_error","code":null}}`),
			saysNo(403, `{"error":{"message":"Project x does not have access to model n","type":"invalid_request_error","code":null}}`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := true
			script := func(q fake.Request) fake.Reply {
				model := gjson.GetBytes(q.Body, "model").Str
				switch {
				case q.Key == secretOf("a") && model == "m":
					return tt.m
				case q.Key == secretOf("a") && bad:
					return tt.n
				default:
					return answerTo(q)
				}
			}
			inBubble(t, setup{ids: []string{"a", "b"}, adjust: twoModels, script: script}, func(t *testing.T, r *rig) {
				bad = false
				for _, model := range []string{"m", "m", "n"} {
					require.Equal(t, http.StatusOK, r.chatFor(model).status)
				}
				require.Equal(t, []string{"a", "b", "b", "a"}, r.served())
				require.True(t, r.state("a", "m").Resting(time.Now()))
				require.False(t, r.state("a", "n").Resting(time.Now()))
				require.Equal(t, "active", r.view("a").Status, "one of its models is ready (CD33)")

				bad = true
				require.Equal(t, http.StatusOK, r.chatFor("n").status)
				m, n := r.state("a", "m"), r.state("a", "n")
				soonest := m.Until
				if n.Until.Before(soonest) {
					soonest = n.Until
				}
				require.Equal(t, "resting", r.view("a").Status, "none is (CD33)")
				require.Equal(t, soonest, r.view("a").Until)
			})
		})
	}
}

// A credential that must not rest is asked each time. What happened is kept for showing.
func TestCD26_CD27_WhoseCooldownIsOffStaysReady(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for name, tt := range map[string]struct {
		global bool
		own    *bool
		rests  bool
	}{
		"as the gateway says: on":             {rests: true},
		"as the gateway says: off":            {global: true},
		"on, off for the credential (CD27)":   {own: &yes},
		"off, on for the credential (CD27)":   {global: true, own: &no, rests: true},
		"on, and on for the credential":       {own: &no, rests: true},
		"off, and off for the credential too": {global: true, own: &yes},
	} {
		for status, wide := range map[int]bool{429: false, 500: false, 403: true, 401: true} {
			t.Run(name+"/"+http.StatusText(status), func(t *testing.T) {
				t.Parallel()
				inBubble(t, setup{script: first(refusal(status)), adjust: func(c *config.Config) {
					c.Cooldown.Disabled = tt.global
					c.Providers[0].Credentials[0].DisableCooldown = tt.own
				}}, func(t *testing.T, r *rig) {
					require.Equal(t, http.StatusOK, r.chatFor("m").status)
					require.Equal(t, http.StatusOK, r.chatFor("m").status)
					want := []string{"a", "b", "a", "b"}
					if tt.rests {
						want = []string{"a", "b", "b"}
					}
					require.Equal(t, want, r.served())
					if state := r.state("a", "m"); !wide {
						require.NotZero(t, state.Until, "it is on record")
						require.Equal(t, tt.rests, state.Resting(time.Now()))
					}
					require.Equal(t, tt.rests, r.view("a").Status != "active")
				})
			})
		}
	}
}

// Compaction fails by itself; a refused secret is refused everywhere.
func TestCD39_ACompactionThatFailsSaysNothingOfTheModel(t *testing.T) {
	t.Parallel()
	d := dialects()[1]
	for status, want := range map[int]string{500: "active", 401: "unauthorized"} {
		inBubble(t, setup{script: first(refusalOf(d, status))}, func(t *testing.T, r *rig) {
			require.Equal(t, http.StatusOK, r.post("/v1/responses/compact", d.question1).status)
			require.Equal(t, []string{"a", "b"}, r.served())
			synctest.Wait()
			require.Equal(t, want, r.view("a").Status)
			require.Equal(t, uint64(1), r.view("a").Failed)
		})
	}
}
