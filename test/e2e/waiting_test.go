package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// patient makes requests wait for so long.
func patient(d time.Duration) func(*config.Config) {
	return func(c *config.Config) { c.Retry.MaxWait = d }
}

// leaveAfter sends a request whose client goes away after d. It is for bubbles.
func (r *rig) leaveAfter(d time.Duration, header ...string) {
	r.t.Helper()
	ctx, leave := context.WithCancel(r.t.Context())
	defer leave()
	time.AfterFunc(d, leave)
	chat := dialects()[0]
	resp, err := r.client.Do(r.request(http.MethodPost, chat.plain, chat.question1, header...).WithContext(ctx))
	require.ErrorIs(r.t, err, context.Canceled)
	require.Nil(r.t, resp)
	synctest.Wait()
}

// A request waits until somebody is back, whatever its format; its head waits too.
func TestWaiting_ForTheSoonestRecovery(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		for _, stream := range []bool{false, true} {
			if d.array && !stream {
				continue
			}
			t.Run(fmt.Sprint(d.name, "/", stream), func(t *testing.T) {
				t.Parallel()
				script := plan{
					"a": {refusalOf(d, 429, "Retry-After", "60")},
					"b": {refusalOf(d, 429, "Retry-After", "3"), well},
					"c": {refusalOf(d, 429, "Retry-After", "20")},
				}.script
				inBubble(t, setup{kinds: []string{d.kind}, script: script, adjust: patient(5 * time.Second)}, func(t *testing.T, r *rig) {
					require.Equal(t, 429, r.ask(d, stream).status, "it has no further round")
					synctest.Wait()
					asked := time.Now()
					require.Equal(t, d.want(stream), string(r.ask(d, stream).body))
					requireHint(t, 3*time.Second, time.Since(asked))
					require.Equal(t, []string{"a", "b", "c", "b"}, r.served())
					record := r.lastRecord()
					require.Equal(t, time.Since(asked), record.Waited)
					require.Len(t, record.Attempts, 1)
					require.Equal(t, record.Waited, record.Attempts[0].Waited)
				})
			})
		}
	}
}

// What is too far away is not waited for.
func TestRT7_ATooLongRestIsToldAtOnce(t *testing.T) {
	t.Parallel()
	for _, maxWait := range []time.Duration{0, 30 * time.Second, 59 * time.Second} {
		inBubble(t, setup{script: always(refusal(429, "Retry-After", "60")), adjust: patient(maxWait)}, func(t *testing.T, r *rig) {
			r.chatFor("m")
			synctest.Wait()
			asked := time.Now()
			got := r.chatFor("m")
			require.Zero(t, time.Since(asked))
			require.Equal(t, 429, got.status)
			dialects()[0].requireError(t, string(got.body), "model_cooldown")
			require.Len(t, r.served(), 3)
		})
	}
}

// All that a request waits counts together.
func TestRT7_TheWaitsOfARequestAddUp(t *testing.T) {
	t.Parallel()
	reply := refusal(429, "Retry-After", "2")
	inBubble(t, setup{ids: []string{"a"}, script: always(reply), adjust: func(c *config.Config) {
		c.Retry.Rounds, c.Retry.MaxWait = 10, 5*time.Second
	}}, func(t *testing.T, r *rig) {
		asked := time.Now()
		got := r.chatFor("m")
		require.Equal(t, 429, got.status)
		require.Equal(t, string(reply.Body), string(got.body), "the last answer, not the gateway's word")
		requireHint(t, 4*time.Second, time.Since(asked))
		require.Equal(t, []string{"a", "a", "a"}, r.served())
		require.Equal(t, time.Since(asked), r.lastRecord().Waited)
	})
}

// The wait is that for what the upstream calls the model, by whichever name it was asked for.
func TestRT10_AnAliasWaitsForItsModel(t *testing.T) {
	t.Parallel()
	script := plan{"a": {refusal(429, "Retry-After", "3"), well}}.script
	for _, name := range []string{"alias-of-m", "openai/m", "team/m", "m(high)"} {
		inBubble(t, setup{ids: []string{"a"}, script: script, adjust: func(c *config.Config) {
			c.Retry.MaxWait, c.Providers[0].Prefix = 5*time.Second, "team"
		}}, func(t *testing.T, r *rig) {
			require.Equal(t, 429, r.chatFor("m").status)
			synctest.Wait()
			asked := time.Now()
			require.Equal(t, http.StatusOK, r.chatFor(name).status, name)
			requireHint(t, 3*time.Second, time.Since(asked))
		})
	}
}

// The settings of a request are those it began with, also while it waits.
func TestRT5_AWaitKeepsTheSettingsItBeganWith(t *testing.T) {
	t.Parallel()
	script := plan{"a": {refusal(429, "Retry-After", "3"), well}}.script
	inBubble(t, setup{ids: []string{"a"}, script: script, adjust: patient(5 * time.Second)}, func(t *testing.T, r *rig) {
		r.chatFor("m")
		d := dialects()[0]
		waiting := r.sendLater(r.request(http.MethodPost, d.plain, d.question1))
		synctest.Wait()
		next := r.config()
		next.Retry.MaxWait = 0
		_, err := r.gateway.Apply(next)
		require.NoError(t, err)
		require.Equal(t, 429, r.chatFor("m").status, "who comes now does not wait")
		require.Equal(t, http.StatusOK, (<-waiting).status)
	})
}

// Who waits is served by whoever comes.
func TestRT25_AnAddedCredentialServesThoseWhoWait(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{ids: []string{"a"}, script: first(refusal(429, "Retry-After", "20")), adjust: patient(time.Minute)}, func(t *testing.T, r *rig) {
		r.chatFor("m")
		d := dialects()[0]
		waiting := r.sendLater(r.request(http.MethodPost, d.plain, d.question1))
		time.Sleep(time.Second)
		next := r.config()
		next.Providers[0].Credentials = append(next.Providers[0].Credentials, config.Credential{ID: "b", APIKey: secretOf("b")})
		before := time.Now()
		_, err := r.gateway.Apply(next)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, (<-waiting).status)
		require.Zero(t, time.Since(before))
		require.Equal(t, "ab", strings.Join(r.served(), ""))
	})
}

// More than ten thousand do not wait.
func TestWaiting_HasABound(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{ids: []string{"a"}, script: plan{"a": {refusal(429, "Retry-After", "20"), well}}.script, adjust: patient(time.Minute)}, func(t *testing.T, r *rig) {
		r.chatFor("m")
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		for range 10_000 {
			go func() {
				_, _ = r.gateway.Acquire(ctx, understudy.Request{Model: "m", Format: providers.OpenAIChat, Wait: time.Minute})
			}()
		}
		synctest.Wait()
		for _, d := range dialects()[:2] {
			got := r.ask(d, true)
			require.Equal(t, http.StatusServiceUnavailable, got.status)
			d.requireError(t, string(got.body), "overloaded")
			require.Equal(t, "1", got.header.Get("Retry-After"))
			require.Empty(t, got.header.Get("X-Should-Retry"))
		}
		leave()
		synctest.Wait()
		require.Equal(t, http.StatusOK, r.chatFor("m").status, "when they have gone there is room again")
	})
}
