package actors

import (
	"context"
	"log/slog"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is a running System on the fake clock with n credentials c1..cn of one upstream.
type engine struct {
	*System
	t    *testing.T
	plan Plan
}

func inEngine(t *testing.T, n int, change func(*Plan), f func(t *testing.T, e *engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		plan := testPlan(n)
		if change != nil {
			change(&plan)
		}
		s, err := Start(t.Context(), Options{Logger: discard()}, plan)
		require.NoError(t, err)
		f(t, &engine{System: s, t: t, plan: plan})
		require.NoError(t, s.Stop(context.Background()))
		time.Sleep(2 * time.Second)
	})
}

func testPlan(n int) Plan {
	u := testUpstream("up", "m", "m2")
	p := Plan{Settings: Settings{
		Routing:  config.Routing{Strategy: config.RoundRobin, SessionAffinity: true, SessionAffinityTTL: time.Hour},
		Cooldown: config.Cooldown{Max: 30 * time.Minute, TransientMax: time.Minute},
	}}
	for i := range n {
		p.Credentials = append(p.Credentials, testCredential(u, "c"+string(rune('1'+i))))
	}
	return p
}

func testUpstream(name string, models ...string) *providers.Upstream {
	u := &providers.Upstream{Name: name, Kind: "test", Base: &url.URL{Scheme: "http", Host: "upstream"}, Formats: []providers.Format{providers.OpenAIChat}}
	for _, m := range models {
		u.Models = append(u.Models, providers.Model{Name: m})
	}
	return u
}

func testCredential(u *providers.Upstream, id string) *providers.Credential {
	return &providers.Credential{ID: providers.CredentialID(id), Upstream: u, Secret: providers.NewSecret("sk-" + id)}
}

func chat(model string) Acquire { return Acquire{Model: model, Format: providers.OpenAIChat} }

func inSession(a Acquire, name string) Acquire {
	copy(a.Session.Primary[:], name)
	return a
}

// acquire must succeed.
func (e *engine) acquire(a Acquire) Lease {
	e.t.Helper()
	l, err := e.Acquire(e.t.Context(), a)
	require.NoError(e.t, err)
	return l
}

// serve acquires, serves and reports a success, and returns who did.
func (e *engine) serve(a Acquire) string {
	e.t.Helper()
	l := e.acquire(a)
	e.FirstByte(l)
	e.Report(l, providers.Outcome{Kind: providers.Success})
	synctest.Wait()
	return string(l.Credential.ID)
}

// fail acquires and reports o, and returns who failed.
func (e *engine) fail(a Acquire, o providers.Outcome) string {
	e.t.Helper()
	l := e.acquire(a)
	e.Report(l, o)
	synctest.Wait()
	return string(l.Credential.ID)
}

func key(name string) session.Key {
	var k session.Key
	copy(k[:], name)
	return k
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
