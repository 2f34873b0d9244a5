package e2e

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// of returns the facts of one type so far, in order.
func of[T actors.Fact](f *facts) []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []T
	for _, fact := range f.all {
		if one, ok := fact.(T); ok {
			all = append(all, one)
		}
	}
	return all
}

// HR11: a strategy is replaced below the bindings, which notice nothing; where affinity ends,
// each binding ends once, and the bubble sees that no timer and no goroutine of it is left.
func TestHR11_AnotherStrategyKeepsBindingsAndNoAffinityEndsThemOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{adjust: sticky}, func(t *testing.T, r *rig) {
		var turns []turn
		for i := range 6 {
			turns = append(turns, headerTurn("X-Session-ID", fmt.Sprint("s", i)))
		}
		bound := r.play(turns...)
		r.settle()
		require.Len(t, of[actors.SessionBound](r.facts), 6)
		for _, strategy := range []config.Strategy{config.FillFirst, config.Weighted, config.LeastLoaded, config.RoundRobin} {
			r.apply(by(strategy))
			require.Equal(t, bound, r.play(turns...), strategy)
			require.Equal(t, 6, r.sessions())
		}
		require.Len(t, of[actors.SessionBound](r.facts), 6, "no binding was made anew")
		require.Empty(t, of[actors.SessionExpired](r.facts))

		without := with(by(config.FillFirst), func(c *config.Config) { c.Routing.SessionAffinity = false })
		r.apply(without)
		requireSame(t, r.play(turns...))
		require.Len(t, of[actors.SessionBound](r.facts), 6, "nor made at all")
		time.Sleep(time.Hour)
		require.Zero(t, r.sessions())
		ended := map[string]bool{}
		for _, fact := range of[actors.SessionExpired](r.facts) {
			ended[fmt.Sprint(fact.Key)] = true
		}
		require.Len(t, ended, 6)
		require.Len(t, of[actors.SessionExpired](r.facts), 6, "each ends once")
	})
}

// addresses remembers over which connections each credential came.
type addresses struct {
	mu  sync.Mutex
	all map[string]map[string]bool
}

func (a *addresses) add(r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := r.Header.Get("Authorization")
	if a.all[key] == nil {
		a.all[key] = map[string]bool{}
	}
	a.all[key][r.RemoteAddr] = true
}

func (a *addresses) of(id string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.all["Bearer "+secretOf(id)])
}

// HR15: whatever happens to the credentials b and c, credential a has the same actor, rests,
// running stream and open lease, and the same connection: its upstream speaks HTTP/2, where
// one carries everything.
func TestHR15_AnUpdateTouchesNoOtherCredential(t *testing.T) {
	t.Parallel()
	came := &addresses{all: map[string]map[string]bool{}}
	hold, reached := make(chan struct{}), make(chan struct{}, 100)
	goOn := sync.OnceFunc(func() { close(hold) })
	defer goOn()
	certificate := filepath.Join(t.TempDir(), "upstream.pem")
	r := start(t, setup{
		script: func(q fake.Request) fake.Reply {
			if q.Key == secretOf("a") && gjson.GetBytes(q.Body, "model").Str == "n" {
				return refusal(429, "Retry-After", "600")
			}
			return answerTo(q)
		},
		around: func(upstream http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				came.add(q)
				if q.Header.Get("X-Hold") != "" {
					left := 2
					w = pausing{w, &left, hold, reached}
				}
				upstream.ServeHTTP(w, q)
			})
		},
		listen: func(h http.Handler) *httptest.Server {
			server := startTLS(httptest.NewUnstartedServer(h))
			block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
			require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(block), 0o600))
			return server
		},
		adjust: with(twoModels, func(c *config.Config) { c.Providers[0].CAFile = certificate }),
	})
	d := dialects()[0]
	require.Equal(t, http.StatusOK, r.chatFor("n").status)
	rest := r.rested("a")
	require.Equal(t, http.StatusOK, r.chatFor("m").status)
	r.attempted("a", 2)
	open := r.sendLater(r.request(http.MethodPost, d.streamed, d.questionN, "X-Hold", "1"))
	<-reached
	lease, err := r.gateway.Acquire(t.Context(), understudy.Request{Model: "m", Format: providers.OpenAIChat})
	require.NoError(t, err)
	before := r.view("a")
	require.Contains(t, before.Models, actors.ModelView{Name: "n", State: rest.State})
	require.Equal(t, 1, came.of("a"))
	joined := len(of[actors.CredentialJoined](r.facts))

	b := func(change func(*config.Credential)) func(*config.Config) {
		return func(c *config.Config) { change(&c.Providers[0].Credentials[1]) }
	}
	served := 2
	for name, change := range map[string]func(*config.Config){
		"weight":      b(func(c *config.Credential) { c.Weight, c.Priority = new(int), -1 }),
		"secret":      b(func(c *config.Credential) { c.APIKey = secretOf("b-new") }),
		"headers":     b(func(c *config.Credential) { c.Headers = map[string]string{"X-A": "1"} }),
		"connections": b(func(c *config.Credential) { c.ProxyURL = "direct" }),
		"disabled":    b(func(c *config.Credential) { c.Disabled = true }),
		"removed":     func(c *config.Config) { c.Providers[0].Credentials = c.Providers[0].Credentials[:1] },
		"added": func(c *config.Config) {
			c.Providers[0].Credentials = append(c.Providers[0].Credentials, config.Credential{ID: "d", APIKey: secretOf("d")})
		},
	} {
		r.apply(change)
		require.Equal(t, http.StatusOK, r.chatFor("m").status, name)
		served++
		r.attempted("a", served)
		after := r.view("a")
		require.Equal(t, "active", after.Status, name)
		require.Equal(t, before.Models, after.Models, name)
		require.Equal(t, 1, came.of("a"), name)
	}
	for _, fact := range of[actors.CredentialJoined](r.facts)[joined:] {
		require.NotEqual(t, providers.CredentialID("a"), fact.Credential.ID, "it was not even told")
	}
	require.Empty(t, of[actors.CredentialDown](r.facts))
	goOn()
	got := <-open
	require.NoError(t, got.err)
	require.Equal(t, d.want(true), string(got.body))
	lease.Done(providers.Outcome{Kind: providers.Success})
	require.Equal(t, providers.Success, r.attempted("a", served+2).Outcome.Kind)
}
