package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// Whatever the reasons, the client is told the earliest time at which somebody is back.
func TestCD1_CD4_TheEarliestTimeCounts(t *testing.T) {
	t.Parallel()
	limited := func(seconds string) fake.Reply { return refusal(429, "Retry-After", seconds) }
	for name, tt := range map[string]struct {
		a, b, c  fake.Reply
		disabled int // so many of the first ones
		status   int
		earliest time.Duration
		says     string
	}{
		"all limited (CD1)":       {a: limited("90"), b: limited("30"), c: limited("60"), status: 429, earliest: 30 * time.Second},
		"reasons of all sorts":    {a: refusal(401), b: refusal(403), c: limited("90"), status: 429, earliest: 90 * time.Second},
		"held rests have a time":  {a: refusal(401), b: refusal(402), c: refusal(403), status: 429, earliest: 30 * time.Minute},
		"a short one and a week":  {a: limited("604800"), b: limited("604800"), c: refusal(500), status: 429, earliest: time.Second},
		"one is disabled":         {b: limited("90"), c: refusal(401), disabled: 1, status: 429, earliest: 90 * time.Second},
		"nobody has a time (CD4)": {b: refusal(401), c: refusal(401), disabled: 1, status: 503, says: "1 disabled, 2 unauthorized"},
	} {
		for _, d := range formats() {
			t.Run(name+"/"+d.name, func(t *testing.T) {
				t.Parallel()
				script := plan{"a": {d.asked(tt.a)}, "b": {d.asked(tt.b)}, "c": {d.asked(tt.c)}}.script
				inBubble(t, setup{kinds: []string{d.kind}, script: script, adjust: func(c *config.Config) {
					for i := range tt.disabled {
						c.Providers[0].Credentials[i].Disabled = true
					}
				}}, func(t *testing.T, r *rig) {
					r.ask(d, true)
					synctest.Wait()
					calls := len(r.served())
					require.Equal(t, 3-tt.disabled, calls)
					got := r.ask(d, true)
					require.Equal(t, tt.status, got.status)
					require.Len(t, r.served(), calls)
					if tt.says != "" {
						d.requireError(t, string(got.body), "no_credential_available")
						require.Contains(t, gjson.GetBytes(got.body, "error.message").Str, tt.says)
						require.Equal(t, "false", got.header.Get("X-Should-Retry"))
						require.Empty(t, got.header.Get("Retry-After"))
						return
					}
					d.requireError(t, string(got.body), "model_cooldown")
					wait := time.Duration(gjson.GetBytes(got.body, "error.reset_seconds").Int()) * time.Second
					require.GreaterOrEqual(t, wait, tt.earliest)
					require.LessOrEqual(t, wait, tt.earliest+tt.earliest/10+time.Second)
					require.Equal(t, fmt.Sprint(int(wait/time.Second)), got.header.Get("Retry-After"))
				})
			})
		}
	}
}

// asked is an error of a chat upstream as one of d would tell it.
func (d dialect) asked(chat fake.Reply) fake.Reply {
	if chat.Status == 0 {
		return well
	}
	return refusalOf(d, chat.Status, "Retry-After", chat.Header.Get("Retry-After"))
}

// The client hears of the model as it named it, and of the provider if there is only one.
func TestCD2_CD3_TheRequestsOwnNameIsTold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ model, provider string }{
		"by its name":     {"m", ""},
		"by an alias":     {"alias-of-m", ""},
		"with a suffix":   {"m(high)", ""},
		"by the provider": {"openai/m", config.KindOpenAI},
		"by a prefix":     {"team/m", config.KindOpenAI},
		"an alias, by it": {"team/alias-of-m", config.KindOpenAI},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{
				kinds: []string{config.KindOpenAI, config.KindOpenAICompatible}, ids: []string{"a"},
				script: always(refusal(429, "Retry-After", "60")),
				adjust: func(c *config.Config) { c.Providers[0].Prefix = "team" },
			}, func(t *testing.T, r *rig) {
				require.Equal(t, 429, r.chatFor("m").status)
				synctest.Wait()
				got := r.chatFor(tt.model)
				require.Equal(t, 429, got.status)
				e := gjson.GetBytes(got.body, "error")
				require.Equal(t, "model_cooldown", e.Get("code").Str)
				require.Equal(t, tt.model, e.Get("model").Str)
				require.Equal(t, tt.provider != "", e.Get("provider").Exists())
				require.Equal(t, tt.provider, e.Get("provider").Str)
				require.Len(t, r.served(), 2)
			})
		})
	}
}

// The upstream's own headers come through beside its error, but not in place of the gateway's.
func TestSE18_TheLastErrorsHeadersPass(t *testing.T) {
	t.Parallel()
	for _, d := range formats() {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(d.name, "/", stream), func(t *testing.T) {
				t.Parallel()
				reply := refusalOf(d, 429, "Retry-After", "30", "X-Request-Id", "upstreams", "X-Should-Retry", "true", "X-Ratelimit-Remaining-Requests", "0")
				inBubble(t, setup{kinds: []string{d.kind}, script: always(reply)}, func(t *testing.T, r *rig) {
					got := r.ask(d, stream, "X-Request-Id", "clients")
					require.Equal(t, 429, got.status)
					require.Equal(t, string(reply.Body), string(got.body))
					for name, want := range map[string]string{
						"Retry-After": "30", "X-Request-Id": "clients", "X-Upstream-Request-Id": "upstreams",
						"X-Should-Retry": "true", "X-Ratelimit-Remaining-Requests": "0",
					} {
						require.Equal(t, []string{want}, got.header.Values(name), name)
					}
					require.Regexp(t, `^gateway;dur=[0-9.]+$`, got.header.Get("Server-Timing"))
				})
			})
		}
	}
}

// With one credential the failure is the upstream's to tell, streamed or not.
func TestSE4_SE14_AllHaveFailed(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		for _, ids := range [][]string{{"a"}, {"a", "b", "c"}} {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprint(d.name, "/", len(ids), "/", stream), func(t *testing.T) {
					t.Parallel()
					reply := refusalOf(d, 503)
					inBubble(t, setup{kinds: []string{d.kind}, ids: ids, script: always(reply)}, func(t *testing.T, r *rig) {
						got := r.ask(d, stream)
						require.Equal(t, http.StatusServiceUnavailable, got.status)
						require.Equal(t, string(reply.Body), string(got.body))
						require.Equal(t, "1", got.header.Get("Retry-After"))
						require.Equal(t, ids, r.served())
					})
				})
			}
		}
	}
}
