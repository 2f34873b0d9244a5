package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// neighbour is a gateway that differs from its neighbours in all that is configured.
type neighbour struct {
	name     string
	key      string
	strategy config.Strategy
	affinity bool
}

func neighbours() []neighbour {
	return []neighbour{
		{"one", clientMark + "one", config.FillFirst, false},
		{"two", clientMark + "two", config.RoundRobin, true},
	}
}

func (n neighbour) setup(bubble bool, options ...understudy.Option) setup {
	return setup{
		kinds: []string{config.KindOpenAI, config.KindAnthropic, config.KindGemini}, bubble: bubble, options: options,
		script: func(q fake.Request) fake.Reply {
			if d, ok := dialectOf(q); ok && q.Key == secretOf(d.kind+"-a") {
				reply := fake.Error(string(d.format), http.StatusServiceUnavailable)
				reply.Header.Set("Retry-After", "60") // longer than any of these tests
				return reply
			}
			return answerTo(q)
		},
		adjust: func(c *config.Config) {
			c.APIKeys = []config.APIKey{{Key: n.key, Name: n.name}}
			c.Routing.Strategy, c.Routing.SessionAffinity = n.strategy, n.affinity
			for i := range c.Providers {
				c.Providers[i].Models[0].Alias = []string{"only-of-" + n.name}
			}
		},
	}
}

// core is what a gateway has to do, whoever else lives beside it.
func (n neighbour) core(t *testing.T, r *rig) {
	t.Helper()
	mine := []string{"Authorization", "Bearer " + n.key}
	for _, d := range dialects() {
		d = d.native()
		for round := range 3 {
			for _, stream := range []bool{false, true} {
				got := r.ask(d, stream, mine...)
				require.NoError(t, got.err)
				require.Equal(t, http.StatusOK, got.status, "%s %d: %s", d.name, round, got.body)
				require.Equal(t, d.want(stream), string(got.body))
			}
		}
		for _, other := range neighbours() {
			if other.name != n.name {
				got := r.ask(d, true, "Authorization", "Bearer "+other.key)
				require.Equal(t, http.StatusUnauthorized, got.status)
				d.requireError(t, string(got.body), "invalid_api_key")
			}
		}
	}
	for _, name := range []string{"one", "two"} {
		want := http.StatusNotFound
		if name == n.name {
			want = http.StatusOK
		}
		require.Equal(t, want, r.post("/v1/chat/completions", `{"model":"only-of-`+name+`"}`, mine...).status)
	}
	before := len(r.served())
	for range 4 {
		r.post("/v1/messages", `{"model":"anthropic/m"}`, append(mine, "X-Session-ID", "s")...)
	}
	served := r.served()[before:]
	requireSame(t, served[len(served)-3:]) // the first of them may have failed over
	snapshot, err := r.gateway.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, snapshot.Credentials, 9)
	require.Zero(t, snapshot.Failures)
}

func TestGateways_TwoInOneProcess(t *testing.T) {
	t.Parallel()
	var rigs []*rig
	for _, n := range neighbours() {
		rigs = append(rigs, start(t, n.setup(false)))
	}
	sideBySide(t, rigs)
}

func TestGateways_TwoInOneHostsActorSystem(t *testing.T) {
	t.Parallel()
	host := newHost()
	t.Cleanup(host.Shutdown)
	before := registered(host)
	t.Run("together", func(t *testing.T) {
		var rigs []*rig
		for _, n := range neighbours() {
			rigs = append(rigs, start(t, n.setup(false, understudy.WithActorSystem(host))))
		}
		require.Greater(t, len(registered(host)), len(before)+2*4)
		sideBySide(t, rigs)

		require.NoError(t, rigs[0].gateway.Shutdown(t.Context()))
		mine := []string{"Authorization", "Bearer " + neighbours()[1].key}
		require.Equal(t, http.StatusOK, rigs[1].ask(dialects()[0], true, mine...).status, "the other one lives on")
	})
	require.Equal(t, before, registered(host))
	require.False(t, host.IsStopped())
}

// sideBySide runs the core of all neighbours at the same time.
func sideBySide(t *testing.T, rigs []*rig) {
	t.Helper()
	var all sync.WaitGroup
	for i, n := range neighbours() {
		all.Go(func() { t.Run(n.name, func(t *testing.T) { n.core(t, rigs[i]) }) })
	}
	all.Wait()
}

func newHost() *actor.ActorSystem {
	return actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }),
		actor.WithDeadLetterThrottleInterval(time.Millisecond), // a goroutine lives that long
	)
}

// registered lists the processes of a host.
func registered(host *actor.ActorSystem) []string {
	var names []string
	for _, bucket := range host.ProcessRegistry.LocalPIDs.LocalPIDs {
		names = append(names, bucket.Keys()...)
	}
	slices.Sort(names)
	return names
}

// The bubble ends only when every goroutine and timer in it has: nothing is left of a
// gateway that has served, failed, held sessions and leases, and asked for model lists.
func TestShutdown_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, lent := range map[string]bool{"own actor system": false, "a host's": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				t.Cleanup(func() { time.Sleep(2 * time.Second) }) // last of all, the actor library's own timers run out
				var options []understudy.Option
				host := newHost()
				t.Cleanup(host.Shutdown)
				if lent {
					options = append(options, understudy.WithActorSystem(host))
				}
				before := registered(host)
				for range 3 {
					busyLife(t, options)
					require.Equal(t, before, registered(host))
				}
			})
		})
	}
}

// busyLife is a gateway from its start to its end that has served, failed over, held
// sessions, asked for a model list and lost a lease.
func busyLife(t *testing.T, options []understudy.Option) {
	t.Helper()
	n := neighbours()[1]
	s := n.setup(true, options...)
	adjust := s.adjust
	s.adjust = func(c *config.Config) {
		adjust(c)
		undeclared := config.Provider{Name: "undeclared", Kind: config.KindOpenAI, BaseURL: c.Providers[0].BaseURL}
		undeclared.Credentials = []config.Credential{{ID: "u", APIKey: secretOf("u")}}
		c.Providers = append(c.Providers, undeclared)
	}
	r := start(t, s)
	for _, d := range dialects() {
		for i := range 5 {
			got := r.ask(d, i%2 == 0, "Authorization", "Bearer "+n.key, "X-Session-ID", fmt.Sprint("s", i))
			require.Equal(t, http.StatusOK, got.status)
		}
	}
	_, err := r.gateway.Acquire(t.Context(), understudy.Request{Model: "m", Format: providers.Gemini, Session: "x"})
	require.NoError(t, err)
	time.Sleep(time.Minute)
	require.NoError(t, r.gateway.Shutdown(context.Background()))
}
