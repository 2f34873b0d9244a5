package sdk_test

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// clientKey is the one key that gateways of these tests let in. No upstream knows it.
const clientKey = "client-key"

// setup says how a gateway differs from the embedded default.
type setup struct {
	// faults are the fault scripts of every provider's credentials, in their order.
	// Credentials behind them answer well.
	faults [][]config.Fault
	// change has the last word on the configuration; nil = none.
	change func(*config.Config)
}

// everywhere gives each of a provider's credentials the same script.
func everywhere(f config.Fault) [][]config.Fault {
	scripts := make([][]config.Fault, credentialsPerProvider)
	for i := range scripts {
		scripts[i] = []config.Fault{f}
	}
	return scripts
}

// gateway is a running one, as its clients see it.
type gateway struct {
	client
	upstream upstream
	attempts <-chan actors.Attempted
}

// client is what an SDK's client is made of.
type client struct {
	url  string // of the gateway, without a version
	key  string
	http *http.Client
}

// onEveryUpstream runs test, whose client speaks format f, against one gateway in front of each
// upstream, all of them in parallel.
func onEveryUpstream(t *testing.T, f providers.Format, s setup, test func(*testing.T, *gateway)) {
	t.Helper()
	onSome(t, upstreams(f), s, test)
}

// onEveryRelay is onEveryUpstream for what is not translated.
func onEveryRelay(t *testing.T, f providers.Format, s setup, test func(*testing.T, *gateway)) {
	t.Helper()
	onSome(t, relays(f), s, test)
}

func onSome(t *testing.T, some []upstream, s setup, test func(*testing.T, *gateway)) {
	t.Helper()
	for _, u := range some {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			test(t, startGateway(t, u, s))
		})
	}
}

// startGateway runs a gateway until the test's end, when it must have nothing left to do.
func startGateway(t *testing.T, u upstream, s setup) *gateway {
	t.Helper()
	cfg := config.EmbeddedDefault()
	cfg.APIKeys = []config.APIKey{{Key: clientKey}}
	cfg.Retry.MaxWait = 0 // who finds everybody resting is to hear of it at once
	cfg.Providers = u.providers(t, s.faults)
	if s.change != nil {
		s.change(cfg)
	}
	gw, err := understudy.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, gw.Shutdown(ctx))
	})
	attempts := make(chan actors.Attempted, 1024)
	cancel := gw.Subscribe(func(e understudy.Event) {
		if attempt, ok := e.Fact.(actors.Attempted); ok {
			attempts <- attempt
		}
	})
	t.Cleanup(cancel)
	server := httptest.NewServer(gw.Handler())
	t.Cleanup(server.Close)
	return &gateway{
		client:   client{url: server.URL, key: clientKey, http: server.Client()},
		upstream: u,
		attempts: attempts,
	}
}

// outcomes waits until n more attempts are reported, in whatever order, and returns how they
// ended in the order in which they were made.
func (g *gateway) outcomes(t *testing.T, n int) []providers.Kind {
	t.Helper()
	attempts := make([]actors.Attempted, 0, n)
	deadline := time.After(10 * time.Second)
	for range n {
		select {
		case attempt := <-g.attempts:
			attempts = append(attempts, attempt)
		case <-deadline:
			require.FailNow(t, "too few attempts", "%d of %d: %v", len(attempts), n, attempts)
		}
	}
	slices.SortFunc(attempts, func(a, b actors.Attempted) int { return cmp.Compare(a.Lease, b.Lease) })
	kinds := make([]providers.Kind, n)
	for i, attempt := range attempts {
		kinds[i] = attempt.Outcome.Kind
	}
	return kinds
}

// withKey returns a client of the same gateway with another key.
func (c client) withKey(key string) client {
	c.key = key
	return c
}

// observed returns a client whose every answer is shown to see first.
func (c client) observed(see func(*http.Response)) client {
	plain := *c.http
	plain.Transport = observer{next: c.http.Transport, see: see}
	c.http = &plain
	return c
}

// observer is a RoundTripper that shows what passes.
type observer struct {
	next http.RoundTripper
	see  func(*http.Response)
}

func (o observer) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := o.next.RoundTrip(r)
	if err == nil {
		o.see(response)
	}
	return response, err
}

// requireCount checks a count of tokens against what the same prompt has cost. An upstream that
// speaks OpenAI's chat has no way to count: there it is an estimate, and says so.
func requireCount(t *testing.T, g *gateway, header http.Header, cost, counted int64) {
	t.Helper()
	if g.upstream.format != providers.OpenAIChat {
		require.Equal(t, cost, counted)
		require.Empty(t, header.Get("X-Understudy-Estimate"))
		return
	}
	require.InDelta(t, cost, counted, 5)
	require.Equal(t, "tokens", header.Get("X-Understudy-Estimate"))
}
