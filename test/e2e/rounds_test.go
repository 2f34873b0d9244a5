package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
)

// Where nobody rests the upstream's hint is honoured all the same.
func TestRT11_AHintIsWaitedForWithCooldownOff(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		plan    plan
		rounds  int
		maxWait time.Duration
		off     []string // who never rests
		served  []string
		took    time.Duration
		status  int
	}{
		"one credential":         {plan{"a": {refusal(429, "Retry-After", "1"), well}}, 1, 5 * time.Second, []string{"a"}, []string{"a", "a"}, time.Second, 200},
		"no round is left":       {plan{"a": {refusal(429, "Retry-After", "1"), well}}, 0, 5 * time.Second, []string{"a"}, []string{"a"}, 0, 429},
		"it is too far away":     {plan{"a": {refusal(429, "Retry-After", "9"), well}}, 1, 5 * time.Second, []string{"a"}, []string{"a"}, 0, 429},
		"without a hint at once": {plan{"a": {refusal(429), well}}, 1, 5 * time.Second, []string{"a"}, []string{"a", "a"}, 0, 200},
		"the soonest of several": {
			plan{"a": {refusal(429, "Retry-After", "4"), well}, "b": {refusal(429, "Retry-After", "2"), well}},
			1, 5 * time.Second,
			[]string{"a", "b"},
			[]string{"a", "b", "a"},
			2 * time.Second, 200,
		},
		"somebody who rests is back sooner": {
			plan{"a": {refusal(429, "Retry-After", "9"), well}, "b": {refusal(500), well}},
			1, 5 * time.Second, nil,
			[]string{"a", "b", "b"},
			time.Second, 200,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids := []string{"a", "b"}[:len(tt.plan)]
			inBubble(t, setup{ids: ids, script: tt.plan.script, adjust: func(c *config.Config) {
				c.Retry = config.Retry{Rounds: tt.rounds, MaxWait: tt.maxWait}
				yes := true
				for i := range tt.off {
					c.Providers[0].Credentials[i].DisableCooldown = &yes
				}
			}}, func(t *testing.T, r *rig) {
				asked := time.Now()
				require.Equal(t, tt.status, r.chatFor("m").status)
				require.Equal(t, tt.took, time.Since(asked))
				require.Equal(t, tt.served, r.served())
			})
		})
	}
}

// A hint is about who gave it: it keeps nobody from one who is back sooner.
func TestWaiting_AHintDoesNotKeepFromOthers(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]bool{"all rest": false, "the one with the hint never rests": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := plan{"a": {refusal(429), refusal(429, "Retry-After", "20"), well}, "b": {refusal(429, "Retry-After", "2"), well}}.script
			inBubble(t, setup{ids: []string{"a", "b"}, script: script, adjust: func(c *config.Config) {
				c.Retry = config.Retry{Rounds: 0, MaxWait: 5 * time.Second}
				c.Providers[0].Credentials[0].DisableCooldown = &off
			}}, func(t *testing.T, r *rig) {
				require.Equal(t, 429, r.chatFor("m").status)
				time.Sleep(1100 * time.Millisecond) // a is back, b is not
				next := *r.config()
				next.Retry.Rounds = 1
				_, err := r.gateway.Apply(&next)
				require.NoError(t, err)
				asked := time.Now()
				require.Equal(t, http.StatusOK, r.chatFor("m").status)
				require.LessOrEqual(t, time.Since(asked), 1200*time.Millisecond)
				require.GreaterOrEqual(t, time.Since(asked), 900*time.Millisecond)
			})
		})
	}
}

// Rounds go over the credentials again, for every sort of request.
func TestRT3_RT4_Rounds(t *testing.T) {
	t.Parallel()
	always500 := always(refusal(500))
	d := dialects()[0]
	for name, tt := range map[string]struct {
		retry  config.Retry
		off    bool // nobody rests
		served string
	}{
		"nobody rests":               {config.Retry{Rounds: 2}, true, "abcabcabc"},
		"one a round":                {config.Retry{Rounds: 2, MaxCredentials: 1}, true, "aaa"},
		"who rests is not there":     {config.Retry{Rounds: 5}, false, "abc"},
		"one after the other":        {config.Retry{Rounds: 5, MaxCredentials: 1}, false, "abc"},
		"a rest is waited for":       {config.Retry{Rounds: 1, MaxWait: time.Second}, false, "abcabc"},
		"but not for longer":         {config.Retry{Rounds: 5, MaxWait: time.Second}, false, "abcabc"},
		"the last one rests shorter": {config.Retry{Rounds: 2, MaxWait: 2 * time.Second}, false, "abcabcc"},
	} {
		for request, body := range map[string]string{"plain": d.question1, "stream": d.questionN} {
			t.Run(name+"/"+request, func(t *testing.T) {
				t.Parallel()
				inBubble(t, setup{script: always500, adjust: func(c *config.Config) {
					c.Retry, c.Cooldown.Disabled = tt.retry, tt.off
				}}, func(t *testing.T, r *rig) {
					require.Equal(t, 500, r.post(d.plain, body).status)
					require.Equal(t, tt.served, strings.Join(r.served(), ""))
				})
			})
		}
	}
}

// However many rounds there are, who is resting is not asked: rounds alone make no storm.
func TestSE16_OverloadIsNotAskedAgainAndAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{
		ids: []string{"a", "b", "c", "d", "e", "f"}, script: always(refusal(529)),
		adjust: func(c *config.Config) { c.Retry = config.Retry{Rounds: 5, MaxCredentials: 4} },
	}, func(t *testing.T, r *rig) {
		require.Equal(t, 529, r.chatFor("m").status)
		require.Equal(t, "abcdef", strings.Join(r.served(), ""))
	})
}
