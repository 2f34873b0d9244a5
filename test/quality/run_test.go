package quality

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/simulator"
	"github.com/understudyhq/understudy/providers/simulator/inprocess"
)

// run is all that was seen of one workload.
type run struct {
	mu       sync.Mutex
	requests []request          // of agents
	calls    []simulator.Record // of the gateway
}

func (r *run) request(q request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, q)
}

func (r *run) call(c simulator.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

// inBubble runs f in virtual time.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(2 * time.Second) }) // last of all, the actor library's own timers run out
		f(t)
	})
}

// play plays a workload. It belongs into a bubble.
func play(t *testing.T, sc scenario, s source, l load) *run {
	t.Helper()
	r := &run{}
	upstream := simulator.New(simulator.Options{
		Credentials: simulated(credentials()), Latency: latency, ChunkDelay: chunkDelay, Limits: sc.limits, Observe: r.call,
	})
	if sc.trouble != nil {
		trouble, start := sc.trouble(), time.Now()
		for id := range credentials() {
			require.True(t, upstream.SetFault(secret(id), func(n int, now time.Time) (simulator.Fault, bool) {
				return trouble(id, n, now.Sub(start))
			}))
		}
	}
	client := gateway(t, upstream, s.format, credentials(), func(c *config.Config) {
		c.Routing.SessionAffinity = !s.off
		c.Timeouts.FirstByte = firstByte
	})
	var (
		all  sync.WaitGroup
		next atomic.Int64
	)
	for i := range l.atOnce {
		all.Go(func() {
			pause(t.Context(), time.Duration(i)*50*time.Millisecond)
			for session := int(next.Add(1)); session <= l.sessions; session = int(next.Add(1)) {
				newAgent(s, client, session).play(t.Context(), l.turns, max(sc.parallel, 1), r.request)
			}
		})
	}
	all.Wait()
	return r
}

// secret is the upstream's name for a credential.
func secret(id string) string { return "key-of-" + id }

// simulated returns credentials, given by id with their accounts, as the upstream knows them.
func simulated(accounts map[string]string) []simulator.Credential {
	var all []simulator.Credential
	for id, account := range accounts {
		all = append(all, simulator.Credential{ID: id, Key: secret(id), Account: account})
	}
	return all
}

// gateway starts a gateway in front of an upstream, ends it with the test, and returns a
// client of it. The kind of its provider is that of the format's vendor.
func gateway(t *testing.T, upstream *simulator.Upstream, f providers.Format, accounts map[string]string, adjust func(*config.Config)) *http.Client {
	t.Helper()
	p := config.Provider{Name: "upstream", Kind: config.KindOpenAI, BaseURL: "http://upstream.test/v1", Models: []config.Model{{Name: "m"}}}
	if f == providers.Anthropic {
		p.Kind, p.BaseURL = config.KindAnthropic, "http://upstream.test"
	}
	for id, account := range accounts {
		p.Credentials = append(p.Credentials, config.Credential{ID: id, APIKey: secret(id), Account: account})
	}
	c := config.Default()
	c.Providers = []config.Provider{p}
	c.Cooldown.Max = longestRest
	adjust(&c)
	g, err := understudy.New(&c, understudy.WithTransport(upstream.Transport()))
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, g.Shutdown(ctx))
	})
	return &http.Client{Transport: inprocess.Transport{Handler: g.Handler()}}
}
