package admin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/http/capture"
	"github.com/understudyhq/understudy/internal/admission"
	"github.com/understudyhq/understudy/providers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const rightKey = "correct horse"

// books is a Settings without files, which notes what it was asked.
type books struct {
	cfg   *config.Config
	mu    sync.Mutex
	added []string
	err   error // of the next change
}

func (b *books) Config() *config.Config { return b.cfg }
func (b *books) Text() ([]byte, error)  { return []byte("listen: x\n"), nil }

func (b *books) change() (Applied, error) {
	err := b.err
	b.err = nil
	return Applied{Persisted: true, Changes: []config.Change{{Path: "x", Kind: config.Changed}}}, err
}

func (b *books) Replace([]byte) (Applied, error)                     { return b.change() }
func (b *books) SetRouting([]config.Set) (Applied, error)            { return b.change() }
func (b *books) SetCredential(string, []config.Set) (Applied, error) { return b.change() }
func (b *books) RemoveCredential(string) (Applied, error)            { return b.change() }
func (b *books) AddCredential(id string, _ []byte) (Applied, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.added = append(b.added, id)
	return b.change()
}

// rig is a management API in front of a small engine.
type rig struct {
	server  *Server
	engine  *actors.System
	books   *books
	key     *admission.Key
	guesses *admission.Lockout
	log     *strings.Builder
}

func start(t testing.TB, secret string, remote bool) *rig {
	t.Helper()
	u := &providers.Upstream{Name: "up", Kind: "test", Base: &url.URL{Scheme: "http", Host: "x"}, Formats: []providers.Format{providers.OpenAIChat}, Models: []providers.Model{{Name: "m"}}}
	plan := actors.Plan{Settings: actors.Settings{
		Routing:  config.Routing{Strategy: config.FillFirst, SessionAffinity: true, SessionAffinityTTL: time.Hour},
		Cooldown: config.Cooldown{Max: time.Hour, TransientMax: time.Minute},
	}}
	for _, id := range []providers.CredentialID{"a", "b"} {
		plan.Credentials = append(plan.Credentials, &providers.Credential{ID: id, Upstream: u, Secret: providers.NewSecret("upstream-secret")})
	}
	engine, err := actors.Start(context.Background(), actors.Options{Logger: slog.New(slog.DiscardHandler)}, plan)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Stop(context.Background())) })
	cfg := config.Default()
	r := &rig{engine: engine, books: &books{cfg: &cfg}, key: admission.NewKey(secret, remote), guesses: &admission.Lockout{}, log: &strings.Builder{}}
	logging := config.Default().Logging
	logging.Dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(logging.Dir, captureName), []byte("a captured request"), 0o600))
	captures := capture.NewStore(slog.New(slog.DiscardHandler))
	captures.Apply(logging)
	t.Cleanup(captures.Close)
	r.server = New(Options{
		Captures: captures, Engine: engine, Settings: r.books, Logger: slog.New(slog.NewTextHandler(r.log, nil)), Version: "v1", StartedAt: time.Now(),
		Judge: func(given string, peer netip.Addr) (admission.Verdict, time.Duration) {
			return r.key.Judge(given, peer, r.guesses, time.Now())
		},
	})
	return r
}

// serve lets one request of a session be served, by a record too.
func (r *rig) serve(t *testing.T) {
	t.Helper()
	a := actors.Acquire{Model: "m"}
	a.Session.Primary[0], a.Session.Source = 1, "header"
	lease, err := r.engine.Acquire(t.Context(), a)
	require.NoError(t, err)
	bound := make(chan struct{})
	cancel := r.engine.Subscribe(func(e actors.Event) {
		if _, ok := e.Fact.(actors.SessionBound); ok {
			close(bound)
		}
	})
	defer cancel()
	_, err = r.engine.Snapshot(t.Context()) // the subscription is there
	require.NoError(t, err)
	r.engine.FirstByte(lease)
	<-bound
	r.engine.Report(lease, providers.Outcome{Kind: providers.Success, Usage: providers.Usage{InputTokens: 10, CachedTokens: 5}})
	r.engine.Record(&actors.Record{RequestID: "r1", At: time.Now(), Asked: "m", Used: "m", Status: 200, Outcome: providers.Success, Attempts: []actors.AttemptRecord{{Credential: "a", Why: actors.WhyStrategy, Field: &actors.Field{Ready: 2}}}})
}

func (r *rig) do(method, path, body, peer string, header ...string) *httptest.ResponseRecorder {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, path, reader)
	req.RemoteAddr = peer
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.server.ServeHTTP(w, req)
	return w
}

const here = "127.0.0.1:9"

// ask asks with the right key from this machine.
func (r *rig) ask(method, path, body string) *httptest.ResponseRecorder {
	return r.do(method, path, body, here, "X-Management-Key", rightKey)
}

// status is a short question.
func (r *rig) status(peer string, header ...string) *httptest.ResponseRecorder {
	return r.do(http.MethodGet, "/status", "", peer, header...)
}
