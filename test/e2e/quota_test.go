package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// telling is a good answer of a dialect with some headers, names and values in turn.
func (d dialect) telling(stream bool, header ...string) fake.Reply {
	reply := d.good(stream)
	reply.Header = reply.Header.Clone()
	for i := 0; i < len(header); i += 2 {
		reply.Header.Set(header[i], header[i+1])
	}
	return reply
}

// in2030 makes the bubble's clock show a time that vendors' time stamps are not mistaken for
// a number of seconds.
func in2030() time.Time {
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	time.Sleep(time.Until(begin))
	return begin
}

// window is what an answer tells of limits, and what follows.
type window struct {
	dialect int
	header  func(now time.Time) []string
	rest    time.Duration // of whoever told it; 0 = none
	account bool          // the other credential of its account rests, too
	sibling bool          // the other model rests, too
}

func epoch(at time.Time) string { return fmt.Sprint(at.Unix()) }

func windows() map[string]window {
	const chat, messages = 0, 2
	fixed := func(header ...string) func(time.Time) []string {
		return func(time.Time) []string { return header }
	}
	unified := func(window string, more ...string) func(time.Time) []string {
		return func(now time.Time) []string {
			name := "Anthropic-Ratelimit-Unified-" + window
			return append([]string{
				name + "-Status", "rejected", name + "-Utilization", "1.02", name + "-Reset", epoch(now.Add(2 * time.Hour)),
			}, more...)
		}
	}
	return map[string]window{
		"requests are used up": {
			dialect: chat, rest: 20 * time.Second,
			header: fixed("X-Ratelimit-Limit-Requests", "100", "X-Ratelimit-Remaining-Requests", "0", "X-Ratelimit-Reset-Requests", "20s"),
		},
		"tokens are": {
			dialect: chat, rest: 6 * time.Minute,
			header: fixed("X-Ratelimit-Remaining-Requests", "7", "X-Ratelimit-Reset-Requests", "1h", "X-Ratelimit-Remaining-Tokens", "0", "X-Ratelimit-Reset-Tokens", "6m0s"),
		},
		"both are": {
			dialect: chat, rest: 6 * time.Minute,
			header: fixed("X-Ratelimit-Remaining-Requests", "0", "X-Ratelimit-Reset-Requests", "20s", "X-Ratelimit-Remaining-Tokens", "0", "X-Ratelimit-Reset-Tokens", "6m0s"),
		},
		"one is left": {
			dialect: chat,
			header:  fixed("X-Ratelimit-Remaining-Requests", "1", "X-Ratelimit-Reset-Requests", "20s"),
		},
		"there is no limit": {
			dialect: chat,
			header:  fixed("X-Ratelimit-Limit-Requests", "0", "X-Ratelimit-Remaining-Requests", "0", "X-Ratelimit-Reset-Requests", "20s"),
		},
		"no reset is told": {dialect: chat, header: fixed("X-Ratelimit-Remaining-Requests", "0")},
		"Anthropic's requests are used up": {
			dialect: messages, rest: 90 * time.Second,
			header: func(now time.Time) []string {
				return []string{"Anthropic-Ratelimit-Requests-Remaining", "0", "Anthropic-Ratelimit-Requests-Reset", now.Add(90 * time.Second).Format(time.RFC3339)}
			},
		},
		"a subscription's window is used up": {dialect: messages, header: unified("5h"), rest: 2 * time.Hour, account: true, sibling: true},
		"but the account goes on beyond it": {
			dialect: messages,
			header:  unified("5h", "Anthropic-Ratelimit-Unified-Overage-Status", "allowed"),
		},
		"the window of other models":    {dialect: messages, header: unified("7d_opus")},
		"the window of this sort of it": {dialect: messages, header: unified("7d_m"), rest: 2 * time.Hour},
	}
}

// A good answer that says that nothing is left rests its credential until there is again,
// without waiting for a refusal.
func TestWindows_OfGoodAnswersRestTheCredential(t *testing.T) {
	t.Parallel()
	for name, tt := range windows() {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(name, "/", stream), func(t *testing.T) {
				t.Parallel()
				d := dialects()[tt.dialect]
				tt.run(t, stream, func(now time.Time) fake.Reply { return d.telling(stream, tt.header(now)...) }, providers.Success)
			})
		}
	}
}

// The same headers beside a refusal.
func TestWindows_OfRefusalsRestTheCredential(t *testing.T) {
	t.Parallel()
	for name, tt := range windows() {
		if tt.rest == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := providers.RateLimited
			if tt.account || strings.Contains(name, "window") {
				kind = providers.WindowExhausted
			}
			d := dialects()[tt.dialect]
			tt.run(t, false, func(now time.Time) fake.Reply { return refusalOf(d, 429, tt.header(now)...) }, kind)
		})
	}
}

// run has the credential a answer once with reply and checks who is asked from then on.
func (tt window) run(t *testing.T, stream bool, reply func(now time.Time) fake.Reply, kind providers.Kind) {
	d := dialects()[tt.dialect]
	told := make(chan fake.Reply, 1)
	script := func(q fake.Request) fake.Reply {
		if q.Key == secretOf("a") && q.N == 1 {
			return <-told
		}
		return answerTo(q)
	}
	inBubble(t, setup{kinds: []string{d.kind}, script: script, adjust: func(c *config.Config) {
		twoModels(c)
		c.Providers[0].Credentials[0].Account = "one"
		c.Providers[0].Credentials[1].Account = "one" // c has one of its own
	}}, func(t *testing.T, r *rig) {
		began := in2030()
		told <- reply(began)
		require.Equal(t, http.StatusOK, r.ask(d, stream).status)
		require.Equal(t, kind, r.attempted("a", 1).Outcome.Kind)
		synctest.Wait()
		require.NotEmpty(t, r.view("a").Windows)

		before := len(r.served())
		r.ask(d, stream)
		r.post(d.plain, strings.Replace(d.question1, `"m"`, `"n"`, 1))
		m, n := "a", "a"
		if tt.rest > 0 {
			m = "b"
		}
		if tt.sibling {
			n = "b"
		}
		if tt.account {
			m, n = "c", "c"
		}
		require.Equal(t, []string{m, n}, r.served()[before:])
		if tt.rest == 0 {
			require.Equal(t, "active", r.view("a").Status)
			return
		}
		until := r.state("a", "m").Until
		if tt.sibling {
			until = r.view("a").Until
		}
		requireHint(t, tt.rest, until.Sub(began))
		if time.Until(until) > 31*time.Minute { // it is probed long before
			time.Sleep(30 * time.Minute)
		} else {
			time.Sleep(time.Until(until))
		}
		before = len(r.served())
		r.ask(d, stream)
		require.Equal(t, []string{"a"}, r.served()[before:])
	})
}

// What a credential of an account uses up ends no other trouble of the account's others.
func TestWindows_OfAnAccountEndNoOtherRest(t *testing.T) {
	t.Parallel()
	d := dialects()[2]
	inBubble(t, setup{kinds: []string{d.kind}, ids: []string{"a", "b"}, script: func(q fake.Request) fake.Reply {
		now := time.Now()
		switch {
		case q.Key == secretOf("b") && q.N == 1:
			return refusalOf(d, 401)
		case q.Key == secretOf("a") && q.N == 1:
			return d.telling(false, windows()["a subscription's window is used up"].header(now)...)
		}
		return answerTo(q)
	}, adjust: func(c *config.Config) {
		for i := range c.Providers[0].Credentials {
			c.Providers[0].Credentials[i].Account = "one"
		}
		c.Providers[0].Credentials[1].Priority = 1
	}}, func(t *testing.T, r *rig) {
		in2030()
		require.Equal(t, http.StatusOK, r.ask(d, false).status)
		require.Equal(t, []string{"b", "a"}, r.served())
		synctest.Wait()
		require.Equal(t, "resting", r.view("a").Status)
		require.Equal(t, "unauthorized", r.view("b").Status)
		require.GreaterOrEqual(t, time.Until(r.view("b").Until), 2*time.Hour)
	})
}
