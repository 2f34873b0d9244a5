package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// oneAtATime lets every credential have one request in flight and requests wait for so long.
func oneAtATime(wait time.Duration) func(*config.Config) {
	return func(c *config.Config) {
		c.Retry.MaxWait = wait
		for i := range c.Providers[0].Credentials {
			c.Providers[0].Credentials[i].MaxConcurrency = 1
		}
	}
}

// finished is one answer and when it was there.
type finished struct {
	n  int
	at time.Time
	answer
}

// queue sends n requests, one right after the other, and returns their answers as they come.
func (r *rig) queue(n int) []finished {
	r.t.Helper()
	d := dialects()[0]
	done := make(chan finished, n)
	for i := range n {
		got := r.sendLater(r.request(http.MethodPost, d.plain, d.question1, "X-Request-Id", "request-"+string(rune('a'+i))))
		go func() { a := <-got; done <- finished{i, time.Now(), a} }()
		synctest.Wait()
	}
	all := make([]finished, n)
	for i := range all {
		all[i] = <-done
	}
	return all
}

// Requests for a credential that has all it may have wait for a place, in the order they came.
func TestSaturation_APlaceIsWaitedForInOrder(t *testing.T) {
	t.Parallel()
	for _, strategy := range []config.Strategy{config.FillFirst, config.RoundRobin, config.Weighted, config.LeastLoaded} {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			var open, most int
			slow := []fake.Reply{later(time.Second, well)}
			inBubble(t, setup{
				ids:    []string{"a", "b"},
				script: plan{"a": slow, "b": slow}.script,
				around: counting(&open, &most),
				adjust: func(c *config.Config) {
					oneAtATime(time.Minute)(c)
					c.Routing.Strategy = strategy
				},
			}, func(t *testing.T, r *rig) {
				began := time.Now()
				for i, got := range r.queue(8) {
					require.Equal(t, http.StatusOK, got.status)
					require.Equal(t, time.Duration(i/2+1)*time.Second, got.at.Sub(began))
					require.Equal(t, i/2, got.n/2, "two at a time, first come first served")
				}
				require.Equal(t, 2, most)
			})
		})
	}
}

// counting notes how many requests are open at an upstream at most. It is for bubbles.
func counting(open, most *int) func(http.Handler) http.Handler {
	gate := make(chan struct{}, 1)
	return func(upstream http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			gate <- struct{}{}
			*open++
			*most = max(*most, *open)
			<-gate
			defer func() { gate <- struct{}{}; *open--; <-gate }()
			upstream.ServeHTTP(w, req)
		})
	}
}

// Who has waited long enough is told to come again, whatever the others are out for.
func TestSaturation_ThereIsNoPlaceInTime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wait time.Duration
		b    fake.Reply
	}{
		"at once":            {0, later(time.Hour, well)},
		"after five seconds": {5 * time.Second, later(time.Hour, well)},
		"one of them rests":  {5 * time.Second, refusal(429, "Retry-After", "600")},
		"one is refused":     {5 * time.Second, refusal(401)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{
				ids: []string{"b", "a"}, script: plan{"a": {later(time.Hour, well)}, "b": {tt.b}}.script, adjust: func(c *config.Config) {
					oneAtATime(tt.wait)(c)
					c.Timeouts.FirstByte = 0
				},
			}, func(t *testing.T, r *rig) {
				d := dialects()[0]
				var open []<-chan answer
				for range 2 {
					open = append(open, r.sendLater(r.request(http.MethodPost, d.plain, d.question1)))
					synctest.Wait()
					if len(r.served()) == 2 {
						break
					}
				}
				asked := time.Now()
				got := r.chatFor("m")
				require.Equal(t, tt.wait, time.Since(asked))
				require.Equal(t, http.StatusServiceUnavailable, got.status)
				d.requireError(t, string(got.body), "overloaded")
				require.Equal(t, "1", got.header.Get("Retry-After"))
				require.Empty(t, got.header.Get("X-Should-Retry"), "a later try can be served")
				require.Len(t, r.served(), 2)
				for _, one := range open {
					require.Equal(t, http.StatusOK, (<-one).status)
				}
			})
		})
	}
}

// A client that goes away does not wait on, and takes nobody's place.
func TestSaturation_WhoLeavesDoesNotWait(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{ids: []string{"a"}, script: plan{"a": {later(10*time.Second, well), well}}.script, adjust: oneAtATime(time.Minute)}, func(t *testing.T, r *rig) {
		d := dialects()[0]
		began := time.Now()
		first := r.sendLater(r.request(http.MethodPost, d.plain, d.question1))
		synctest.Wait()
		r.leaveAfter(time.Second, "X-Request-Id", "gone")
		next := r.chatFor("m")
		require.Equal(t, http.StatusOK, next.status)
		require.Equal(t, 10*time.Second, time.Since(began))
		require.Equal(t, http.StatusOK, (<-first).status)
		require.Len(t, r.served(), 2, "for who has gone nobody is asked")
		synctest.Wait()
		record, err := r.gateway.RecordOf(t.Context(), "gone")
		require.NoError(t, err)
		require.Equal(t, 499, record.Status)
		require.Empty(t, record.Attempts)
		snapshot, err := r.gateway.Snapshot(t.Context())
		require.NoError(t, err)
		require.Equal(t, uint64(2), snapshot.Attempts)
	})
}

// While a place is waited for, somebody else may come back.
func TestSaturation_AProbeThatFallsDueServesWhoWaits(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]fake.Reply{"a held rest": refusal(403), "a rest that ends": refusal(429, "Retry-After", "1500")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := plan{"b": {b, well}, "a": {later(2*time.Hour, well)}}.script
			inBubble(t, setup{ids: []string{"b", "a"}, script: script, adjust: func(c *config.Config) {
				oneAtATime(10 * time.Minute)(c)
				c.Timeouts.FirstByte = 0
			}}, func(t *testing.T, r *rig) {
				d := dialects()[0]
				hanging := r.sendLater(r.request(http.MethodPost, d.plain, d.question1))
				synctest.Wait()
				require.Equal(t, []string{"b", "a"}, r.served())
				time.Sleep(24 * time.Minute)
				synctest.Wait()
				back := r.view("b").Until
				require.Equal(t, http.StatusOK, r.chatFor("m").status)
				require.Equal(t, back, time.Now())
				require.Equal(t, []string{"b", "a", "b"}, r.served())
				require.Equal(t, http.StatusOK, (<-hanging).status)
			})
		})
	}
}

// Who comes later does not overtake those who wait, and those who wait for one model do not
// keep others from another.
func TestSaturation_NobodyIsOvertakenAndNobodyBlocked(t *testing.T) {
	t.Parallel()
	script := plan{"a": {later(time.Second, well)}}.script
	inBubble(t, setup{ids: []string{"a", "b"}, script: script, adjust: func(c *config.Config) {
		oneAtATime(time.Minute)(c)
		twoModels(c)
		c.Providers[0].Credentials[0].Models = []string{"m"}
		c.Providers[0].Credentials[1].Models = []string{"n"}
	}}, func(t *testing.T, r *rig) {
		d := dialects()[0]
		began := time.Now()
		var order []<-chan answer
		for range 3 {
			order = append(order, r.sendLater(r.request(http.MethodPost, d.plain, d.question1)))
			synctest.Wait()
		}
		require.Equal(t, http.StatusOK, r.chatFor("n").status)
		require.Zero(t, time.Since(began))
		require.Equal(t, http.StatusOK, (<-order[0]).status)
		late := r.sendLater(r.request(http.MethodPost, d.plain, d.question1))
		for i, one := range append(slices.Clone(order[1:]), late) {
			require.Equal(t, http.StatusOK, (<-one).status)
			require.Equal(t, time.Duration(i+2)*time.Second, time.Since(began))
		}
		require.Equal(t, "abaaa", strings.Join(r.served(), ""))
		require.Equal(t, providers.Success, r.lastRecord().Outcome)
	})
}

// An edit at the moment at which a request ends loses no place.
func TestSaturation_NoPlaceIsLostToEdits(t *testing.T) {
	t.Parallel()
	script := plan{"a": {later(time.Second, well)}}.script
	for _, strategy := range []config.Strategy{config.FillFirst, config.LeastLoaded} {
		inBubble(t, setup{ids: []string{"a"}, script: script, adjust: func(c *config.Config) {
			oneAtATime(0)(c)
			c.Routing.Strategy = strategy
		}}, func(t *testing.T, r *rig) {
			d := dialects()[0]
			for i := range 300 {
				open := r.sendLater(r.request(http.MethodPost, d.plain, d.question1))
				synctest.Wait()
				next := r.config()
				next.Providers[0].Credentials[0].Priority = i
				time.Sleep(time.Second)
				_, err := r.gateway.Apply(next)
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, (<-open).status, "request %d", i)
				synctest.Wait()
			}
		})
	}
}
