package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// climbing is an upstream at which a is always overloaded, and others are once it is said so.
type climbing struct {
	spread bool
	reply  fake.Reply // of b and c then
}

func (s *climbing) script(q fake.Request) fake.Reply {
	switch id := strings.TrimPrefix(q.Key, upstreamMark); {
	case id == "a":
		return refusal(529)
	case id != "d" && s.spread:
		return s.reply
	default:
		return answerTo(q)
	}
}

// climb has a fail until it rests for 2^(n-1) seconds, and returns when that rest began.
func (r *rig) climb(n int) time.Time {
	r.t.Helper()
	for i := range n {
		require.Equal(r.t, http.StatusOK, r.chatFor("m").status)
		rest := r.state("a", "m")
		require.Equal(r.t, time.Second<<i, rest.Until.Sub(rest.Since))
		if i < n-1 {
			time.Sleep(time.Until(rest.Until))
		}
	}
	return r.state("a", "m").Since
}

// Three credentials that are overloaded within ten seconds show that their provider is: none
// of them then rests for longer than a second, lest the load pile up on the rest.
func TestOverload_OfAProviderShortensItsRests(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		climbs int           // of a, before
		gap    time.Duration // until the others are overloaded
		reply  fake.Reply
		ids    []string // besides a, in order
		want   time.Duration
	}{
		"three of them":              {4, 700 * time.Millisecond, refusal(529), []string{"b", "c", "d"}, time.Second},
		"just within ten seconds":    {5, 10 * time.Second, refusal(529), []string{"b", "c", "d"}, time.Second},
		"two of them":                {4, 700 * time.Millisecond, refusal(529), []string{"b", "d"}, 8 * time.Second},
		"further apart":              {5, 10*time.Second + 1, refusal(529), []string{"b", "c", "d"}, 16 * time.Second},
		"trouble of another kind":    {4, 700 * time.Millisecond, refusal(500), []string{"b", "c", "d"}, 8 * time.Second},
		"limits of their own":        {4, 700 * time.Millisecond, refusal(429), []string{"b", "c", "d"}, 8 * time.Second},
		"an overload code is enough": {4, 700 * time.Millisecond, refusal(503), []string{"b", "c", "d"}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstream := &climbing{reply: tt.reply}
			inBubble(t, setup{ids: append([]string{"a"}, tt.ids...), script: upstream.script}, func(t *testing.T, r *rig) {
				since := r.climb(tt.climbs)
				time.Sleep(time.Until(since.Add(tt.gap)))
				upstream.spread = true
				before := len(r.served())
				require.Equal(t, http.StatusOK, r.chatFor("m").status)
				require.Equal(t, tt.ids, r.served()[before:])
				if tt.want < tt.gap {
					require.False(t, r.state("a", "m").Resting(time.Now()), "a second has passed long ago")
					return
				}
				require.Equal(t, since.Add(tt.want), r.state("a", "m").Until)
				if tt.want > time.Second {
					return
				}
				time.Sleep(time.Until(since.Add(tt.want)))
				before = len(r.served())
				require.Equal(t, http.StatusOK, r.chatFor("m").status)
				require.Equal(t, []string{"a", "d"}, r.served()[before:])
				require.Equal(t, time.Second, time.Until(r.state("a", "m").Until), "and the next one is no longer")
			})
		})
	}
}

// The evidence is about one model of one provider.
func TestOverload_OfOneProviderSaysNothingOfAnother(t *testing.T) {
	t.Parallel()
	upstream := &climbing{reply: refusal(529)}
	inBubble(t, setup{ids: []string{"a", "d"}, script: upstream.script, adjust: func(c *config.Config) {
		other := c.Providers[0]
		other.Name, other.Credentials = "other", nil
		for _, id := range []string{"b", "c"} {
			other.Credentials = append(other.Credentials, config.Credential{ID: id, APIKey: secretOf(id), Priority: 1})
		}
		c.Providers = append(c.Providers, other)
		c.Providers[0].Credentials[0].Priority = 2
	}}, func(t *testing.T, r *rig) {
		since := r.climb(4)
		upstream.spread = true
		require.Equal(t, http.StatusOK, r.chatFor("m").status)
		require.Equal(t, "bcd", strings.Join(r.served(), "")[len(r.served())-3:])
		require.Equal(t, since.Add(8*time.Second), r.state("a", "m").Until)
	})
}

// Trouble that may be over in a moment takes the last one out for a moment only.
func TestOverload_TheLastOneIsBackInASecond(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reply fake.Reply
		rests []time.Duration // one after the other
	}{
		"500":                  {refusal(500), []time.Duration{time.Second, time.Second, time.Second, time.Second}},
		"529":                  {refusal(529), []time.Duration{time.Second, time.Second, time.Second, time.Second}},
		"503 with a hint":      {refusal(503, "Retry-After", "30"), []time.Duration{time.Second, time.Second}},
		"no answer":            {fake.Reply{Reset: true}, []time.Duration{time.Second, time.Second, time.Second}},
		"a limit is different": {refusal(429), []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}},
	} {
		for _, ids := range [][]string{{"a"}, {"z", "a"}} {
			t.Run(name+"/"+strings.Join(ids, " and "), func(t *testing.T) {
				t.Parallel()
				script := plan{"a": {tt.reply}, "z": {refusal(403)}}.script
				inBubble(t, setup{ids: ids, script: script}, func(t *testing.T, r *rig) {
					for i, want := range tt.rests {
						asked, before := time.Now(), len(r.served())
						got := r.chatFor("m")
						require.NotEqual(t, http.StatusOK, got.status)
						require.Equal(t, "a", r.served()[len(r.served())-1])
						require.Greater(t, len(r.served()), before)
						require.Equal(t, want, r.state("a", "m").Until.Sub(asked), "rest %d", i+1)
						require.NotEmpty(t, got.header.Get("Retry-After"))
						time.Sleep(want)
					}
				})
			})
		}
	}
}

// While another is ready, such rests grow up to a minute.
func TestOverload_OthersRestUpToAMinute(t *testing.T) {
	t.Parallel()
	for _, status := range []int{500, 502, 504, 408, 529} {
		inBubble(t, setup{ids: []string{"a", "d"}, script: first(refusal(status))}, func(t *testing.T, r *rig) {
			for i := range 9 {
				asked := time.Now()
				require.Equal(t, http.StatusOK, r.chatFor("m").status)
				rest := r.state("a", "m").Until
				require.Equal(t, min(time.Second<<i, time.Minute), rest.Sub(asked), "%d", status)
				time.Sleep(time.Until(rest))
			}
		})
	}
}
