package e2e

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
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
	"github.com/understudyhq/understudy/providers/compat"
	"github.com/understudyhq/understudy/providers/simulator/inprocess"
)

// troubled is the one of manyCredentials that something is wrong with.
const (
	troubled        = "c000"
	manyCredentials = 200
)

func manyIDs() []string {
	ids := make([]string, manyCredentials)
	for i := range ids {
		ids[i] = fmt.Sprintf("c%03d", i)
	}
	return ids
}

// crowd sends n requests a second for some seconds, and returns how long each took. All must
// be served.
func (r *rig) crowd(t *testing.T, n, seconds int) []time.Duration {
	t.Helper()
	var all sync.WaitGroup
	took := make([]time.Duration, n*seconds)
	d := dialects()[0]
	for i := range took {
		req := r.request(http.MethodPost, d.plain, d.question1)
		all.Go(func() {
			asked := time.Now()
			resp, err := r.client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			if got := read(t, resp); got.status != http.StatusOK || got.err != nil {
				t.Errorf("%d %v %s", got.status, got.err, got.body)
			}
			took[i] = time.Since(asked)
		})
		time.Sleep(time.Second / time.Duration(n))
	}
	all.Wait()
	return took
}

// spread sets up many equal credentials that serve in turn, each in a tenth of a second.
func spread(script func(fake.Request) fake.Reply, adjust func(*config.Config)) setup {
	return setup{ids: manyIDs(), script: func(req fake.Request) fake.Reply {
		reply := answerTo(req)
		if script != nil && req.Key == secretOf(troubled) {
			reply = script(req)
		}
		reply.FirstDelay += 100 * time.Millisecond
		return reply
	}, adjust: func(c *config.Config) {
		c.Routing.Strategy = config.RoundRobin
		if adjust != nil {
			adjust(c)
		}
	}}
}

// What one of 200 credentials answers with, or does not: nobody fails, and requests that it
// does not get take as long as ever.
func TestSupervision_OneOfManyInTroubleFailsNobody(t *testing.T) {
	t.Parallel()
	endless := func(kind, unit string) func(fake.Request) fake.Reply {
		return func(fake.Request) fake.Reply {
			return fake.Reply{Header: http.Header{"Content-Type": {kind}}, Chunks: slices.Repeat([][]byte{[]byte(strings.Repeat(unit, 1<<10))}, 1<<7)}
		}
	}
	tests := map[string]func(fake.Request) fake.Reply{
		"hangs":             func(fake.Request) fake.Reply { return fake.Reply{Hang: true} },
		"hangs in its body": func(fake.Request) fake.Reply { return fake.Reply{Body: []byte("{}"), Hang: true, HangAfter: 1} },
		"resets":            func(fake.Request) fake.Reply { return fake.Reply{Reset: true} },
		"garbage":           endless("application/json", "\x00\xff"),
		"an endless event":  endless("text/event-stream", "data: x"),
		"a wrong encoding": func(fake.Request) fake.Reply {
			return fake.Reply{Body: []byte("no gzip"), Header: http.Header{"Content-Encoding": {"gzip"}}}
		},
		"out of funds": func(fake.Request) fake.Reply { return refusal(402) },
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, spread(script, nil), func(t *testing.T, r *rig) {
				slow := 0
				for _, took := range r.crowd(t, 100, 5) {
					if took > 110*time.Millisecond {
						slow++
					}
				}
				// A request that met the trouble takes longer; its credential rests then, or holds
				// what it got. 500 requests come to each credential two or three times.
				require.LessOrEqual(t, slow, 3)
				require.NotEqual(t, uint64(0), r.view("c001").Served)
			})
		})
	}
}

// deadlocked is an authorization server that takes requests and never answers.
type deadlocked struct {
	http.RoundTripper

	mu    sync.Mutex
	asked int
}

func (d *deadlocked) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "auth.test" {
		return d.RoundTripper.RoundTrip(r)
	}
	d.mu.Lock()
	d.asked++
	d.mu.Unlock()
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A login whose refresh never ends keeps no request waiting that it does not serve.
func TestSupervision_ADeadlockedRefreshKeepsNobodyElseWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(2 * time.Second) })
		server := &deadlocked{}
		s := spread(nil, func(c *config.Config) {
			c.Providers[0].Credentials[0].APIKey = ""
			c.Providers[0].Credentials[0].OAuth = &config.OAuth{
				TokenURL: "https://auth.test/token", RefreshToken: secretOf("login"), AccessToken: secretOf("old"), ExpiresAt: time.Now().Add(-time.Hour),
			}
		})
		s.bubble = true
		server.RoundTripper = inprocess.Transport{Handler: fake.New(s.script)}
		s.options = append(s.options, understudy.WithTransport(server))
		r := start(t, s)
		var slow []time.Duration
		for _, took := range r.crowd(t, 100, 8) {
			if took > 110*time.Millisecond {
				slow = append(slow, took)
			}
		}
		require.LessOrEqual(t, len(slow), 4, "those that it is to serve itself: 800 come to each four times")
		server.mu.Lock()
		defer server.mu.Unlock()
		require.LessOrEqual(t, server.asked, 4, "one refresh at a time")
	})
}

// crashing is a provider with a bug that one credential meets.
type crashing struct{ compat.Provider }

func (p crashing) Authorize(h http.Header, s providers.Secret) {
	if s.Reveal() == secretOf(troubled) {
		panic("a bug in Authorize")
	}
	p.Provider.Authorize(h, s)
}

func (p crashing) Classify(a providers.Answer) providers.Outcome {
	if a.Status == http.StatusTeapot {
		panic("a bug in Classify")
	}
	return p.Provider.Classify(a)
}

// A provider's panic is the end of one request, and of nothing else.
func TestSupervision_AProvidersPanicEndsOneRequest(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"Authorize": secretOf(troubled), "Classify": secretOf("teapot")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spread(nil, func(c *config.Config) {
				p := &c.Providers[0]
				p.Kind, p.Credentials[0].APIKey = "crashing", key
				for i := range p.Credentials {
					p.Credentials[i].Models = []string{"m"}
				}
				p.Credentials[0].Models, p.Credentials[0].MaxConcurrency = []string{"n"}, 1 // a lease that is lost is missed
				p.Models = append(p.Models, config.Model{Name: "n"})
			})
			good := s.script
			s.script = func(req fake.Request) fake.Reply {
				if req.Key == secretOf("teapot") {
					return refusal(http.StatusTeapot)
				}
				return good(req)
			}
			s.options = []understudy.Option{understudy.WithProvider("crashing", crashing{})}
			inBubble(t, s, func(t *testing.T, r *rig) {
				var crashes sync.WaitGroup
				crashes.Go(func() {
					for range 20 {
						if got := r.post("/v1/chat/completions", `{"model":"n"}`); got.status != http.StatusInternalServerError {
							t.Errorf("%d %s", got.status, got.body)
						}
						time.Sleep(100 * time.Millisecond)
					}
				})
				for _, took := range r.crowd(t, 100, 3) {
					require.Equal(t, 100*time.Millisecond, took)
				}
				crashes.Wait()
				view := r.view(troubled)
				require.Equal(t, "active", view.Status, "it is not the credential's fault")
			})
		})
	}
}

// bug is a message that no actor of the gateway knows.
type bug struct{}

// crash makes the actor of the troubled credential panic, which is the first of them, and
// those of its models if it is to be them.
func crash(system *actor.ActorSystem, models bool) (crashed int) {
	for _, bucket := range system.ProcessRegistry.LocalPIDs.LocalPIDs {
		for _, id := range bucket.Keys() {
			_, name, ok := strings.Cut(id, "/credentials/")
			if ok && (name == "1" && !models || strings.HasPrefix(name, "1/") && models) {
				system.Root.Send(system.NewLocalPID(id), bug{})
				crashed++
			}
		}
	}
	return crashed
}

// An actor that panics is back within a tenth of a second and knows all that it knew; one that
// does it again and again is shown as failed, left out, and tried anew later. Nobody else
// notices any of it.
func TestSupervision_ACrashingActorTouchesNoOther(t *testing.T) {
	t.Parallel()
	for name, models := range map[string]bool{"credential": false, "model": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				t.Cleanup(func() { time.Sleep(2 * time.Second) })
				host := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return logger(t) }))
				t.Cleanup(host.Shutdown)
				limited := refusal(429, "Retry-After", "3600")
				s := spread(func(req fake.Request) fake.Reply {
					if strings.Contains(string(req.Body), `"n"`) {
						return limited
					}
					return answerTo(req)
				}, func(c *config.Config) {
					c.Providers[0].Models = append(c.Providers[0].Models, config.Model{Name: "n"})
				})
				s.bubble, s.options = true, []understudy.Option{understudy.WithActorSystem(host)}
				r := start(t, s)
				r.rest(t)
				rests := r.state(troubled, "n")
				require.NotZero(t, rests.Until)

				require.Positive(t, crash(host, models))
				for _, took := range r.crowd(t, 100, 1) {
					require.LessOrEqual(t, took, 110*time.Millisecond, "somebody else serves meanwhile")
				}
				require.Equal(t, rests, r.state(troubled, "n"), "its rest has survived")
				require.Positive(t, crash(host, models))
				time.Sleep(100 * time.Millisecond)
				require.NotContains(t, []string{"restarting", "failed"}, r.view(troubled).Status)
				served := r.view(troubled).Served
				r.crowd(t, 200, 2)
				require.Greater(t, r.view(troubled).Served, served, "it is back")

				for range 10 {
					crash(host, models)
					for _, took := range r.crowd(t, 100, 1) {
						require.LessOrEqual(t, took, 110*time.Millisecond)
					}
				}
				if !models {
					require.Equal(t, "failed", r.view(troubled).Status)
					require.Contains(t, r.view(troubled).Reason, "bug")
				}
				time.Sleep(time.Minute)
				served = r.view(troubled).Served
				r.crowd(t, 200, 2)
				require.Greater(t, r.view(troubled).Served, served, "and it is tried anew")
				require.Equal(t, rests, r.state(troubled, "n"))
			})
		})
	}
}

// rest asks for the model n until the troubled credential rests for it.
func (r *rig) rest(t *testing.T) {
	t.Helper()
	for range manyCredentials {
		require.Equal(t, http.StatusOK, r.post("/v1/chat/completions", `{"model":"n"}`).status)
	}
	synctest.Wait()
}
