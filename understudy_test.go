package understudy_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }

// inGateway runs f with a gateway on the fake clock and shuts it down.
func inGateway(t *testing.T, cfg *config.Config, f func(t *testing.T, gw *understudy.Gateway), opts ...understudy.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		gw, err := understudy.New(cfg, opts...)
		require.NoError(t, err)
		f(t, gw)
		require.NoError(t, gw.Shutdown(context.Background()))
		time.Sleep(2 * time.Second)
	})
}

// post asks gw without a socket and returns the status and the body.
func post(t *testing.T, gw *understudy.Gateway, path, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	gw.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestGateway_ServesItsEmbeddedDefault(t *testing.T) {
	t.Parallel()
	inGateway(t, config.EmbeddedDefault(), func(t *testing.T, gw *understudy.Gateway) {
		status, body := post(t, gw, "/v1/chat/completions", question)
		require.Equal(t, 200, status, body)
		require.Contains(t, body, "curtain up")
	})
}

func TestNew_RefusesWhatIsNotValid(t *testing.T) {
	t.Parallel()
	_, err := understudy.New(nil)
	require.Error(t, err)
	cfg := config.EmbeddedDefault()
	cfg.Providers[0].Kind = "martian"
	_, err = understudy.New(cfg)
	require.ErrorContains(t, err, "providers[0].kind")
	require.Error(t, understudy.Check(cfg))
	require.NoError(t, understudy.Check(config.EmbeddedDefault()))
}

func TestApply_ChangesAtOnceAndSaysWhat(t *testing.T) {
	t.Parallel()
	inGateway(t, config.EmbeddedDefault(), func(t *testing.T, gw *understudy.Gateway) {
		status, _ := post(t, gw, "/v1/chat/completions", strings.Replace(question, "understudy-large", "star", 1))
		require.Equal(t, 404, status)

		next := config.EmbeddedDefault()
		next.Providers[0].Models[0].Alias = []string{"star"}
		next.Listen = "127.0.0.1:1"
		changes, err := gw.Apply(next)
		var restart *understudy.RestartError
		require.ErrorAs(t, err, &restart)
		require.Equal(t, []string{"listen"}, restart.Paths)
		require.NotEmpty(t, changes)
		status, _ = post(t, gw, "/v1/chat/completions", strings.Replace(question, "understudy-large", "star", 1))
		require.Equal(t, 200, status)

		bad := config.EmbeddedDefault()
		bad.Providers = nil
		_, err = gw.Apply(bad)
		require.Error(t, err)
		status, _ = post(t, gw, "/v1/chat/completions", strings.Replace(question, "understudy-large", "star", 1))
		require.Equal(t, 200, status, "what was there goes on")
	})
}

func TestSnapshot_TellsWhatIsWrongWithTheNewestConfiguration(t *testing.T) {
	t.Parallel()
	inGateway(t, config.EmbeddedDefault(), func(t *testing.T, gw *understudy.Gateway) {
		told := func() understudy.ConfigError {
			snapshot, err := gw.Snapshot(t.Context())
			require.NoError(t, err)
			return snapshot.ConfigError
		}
		apply := func(change func(*config.Config)) error {
			next := config.EmbeddedDefault()
			change(next)
			_, err := gw.Apply(next)
			return err
		}
		require.Zero(t, told())

		time.Sleep(time.Minute)
		err := apply(func(c *config.Config) { c.Providers[0].Kind = "martian" })
		require.Equal(t, understudy.ConfigError{Text: err.Error(), At: time.Now().UTC()}, told())
		require.Contains(t, told().Text, "providers[0].kind")
		require.Error(t, apply(func(c *config.Config) { c.Listen = "127.0.0.1:1" }))
		require.Equal(t, "needs a restart: [listen]", told().Text)

		require.NoError(t, apply(func(*config.Config) {}))
		require.Zero(t, told(), "the newest runs as a whole")
		gw.NoteConfigError(errors.New("config.yaml:3: nonsense: unknown key"))
		require.Equal(t, "config.yaml:3: nonsense: unknown key", told().Text)
		gw.NoteConfigError(nil)
		require.Zero(t, told())
	})
}

func TestApply_KeepsKeysWhileTheListenerIsOpenToTheWorld(t *testing.T) {
	t.Parallel()
	cfg := config.EmbeddedDefault()
	cfg.Listen = "0.0.0.0:8317"
	cfg.APIKeys = []config.APIKey{{Key: "k-0123456789"}}
	inGateway(t, cfg, func(t *testing.T, gw *understudy.Gateway) {
		status, _ := post(t, gw, "/v1/chat/completions", question)
		require.Equal(t, 401, status)
		_, err := gw.Apply(config.EmbeddedDefault()) // no keys, on loopback: valid, but only after a restart
		require.ErrorContains(t, err, "api-keys")
		status, _ = post(t, gw, "/v1/chat/completions", question)
		require.Equal(t, 401, status)
	})
}

func TestApply_TheSameAgainChangesNothing(t *testing.T) {
	t.Parallel()
	inGateway(t, config.EmbeddedDefault(), func(t *testing.T, gw *understudy.Gateway) {
		var joined int
		var mu sync.Mutex
		synctest.Wait()
		cancel := gw.Subscribe(func(e understudy.Event) {
			mu.Lock()
			defer mu.Unlock()
			if _, ok := e.Fact.(actors.CredentialJoined); ok {
				joined++
			}
		})
		defer cancel()
		changes, err := gw.Apply(config.EmbeddedDefault())
		require.NoError(t, err)
		require.Empty(t, changes)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		require.Zero(t, joined)
	})
}

func TestLease_ADoneSuccessBindsTheSession(t *testing.T) {
	t.Parallel()
	inGateway(t, config.EmbeddedDefault(), func(t *testing.T, gw *understudy.Gateway) {
		r := understudy.Request{Model: "understudy-small", Format: providers.Gemini, Session: "s"}
		first, err := gw.Acquire(t.Context(), r)
		require.NoError(t, err)
		first.Done(providers.Outcome{Kind: providers.Success})
		first.Done(providers.Outcome{Kind: providers.Unauthorized, Scope: providers.ScopeCredential}) // counts for nothing
		synctest.Wait()
		for range 5 {
			l, err := gw.Acquire(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, first.Credential(), l.Credential())
			l.Done(providers.Outcome{Kind: providers.Canceled})
		}
	})
}

func TestAcquire_TellsItsErrors(t *testing.T) {
	t.Parallel()
	inGateway(t, config.EmbeddedDefault(), func(t *testing.T, gw *understudy.Gateway) {
		_, err := gw.Acquire(t.Context(), understudy.Request{Model: "nope", Format: providers.Gemini})
		var unknown *understudy.UnknownModelError
		require.ErrorAs(t, err, &unknown)
		require.NoError(t, gw.Shutdown(t.Context()))
		_, err = gw.Acquire(t.Context(), understudy.Request{Model: "understudy-small", Format: providers.Gemini})
		require.ErrorIs(t, err, understudy.ErrStopped)
	})
}

// roundTripFunc is a transport that cannot be compared.
type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestApply_TakesAHostsTransportOfAnyType(t *testing.T) {
	t.Parallel()
	configured := func(key string) *config.Config {
		c := config.Default()
		c.Providers = []config.Provider{{
			Name: "o", Kind: config.KindOpenAI, Models: []config.Model{{Name: "m"}},
			Credentials: []config.Credential{{ID: "a", APIKey: key}},
		}}
		return &c
	}
	none := roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, http.ErrHandlerTimeout })
	inGateway(t, configured("sk-1"), func(t *testing.T, gw *understudy.Gateway) {
		changes, err := gw.Apply(configured("sk-2"))
		require.NoError(t, err)
		require.Len(t, changes, 1)
	}, understudy.WithTransport(none))
}

func TestShutdown_DoesNotWaitForACallbackThatEndsItself(t *testing.T) {
	t.Parallel()
	inGateway(t, config.EmbeddedDefault(), func(t *testing.T, gw *understudy.Gateway) {
		goOn, ended := make(chan struct{}), make(chan struct{})
		var cancel func()
		var once sync.Once
		cancel = gw.Subscribe(func(understudy.Event) {
			once.Do(func() {
				<-goOn
				cancel()
				close(ended)
			})
		})
		l, err := gw.Acquire(t.Context(), understudy.Request{Model: "understudy-small", Format: providers.Gemini})
		require.NoError(t, err)
		l.Done(providers.Outcome{Kind: providers.Success})
		synctest.Wait()
		go func() { time.Sleep(time.Millisecond); close(goOn) }()
		require.NoError(t, gw.Shutdown(t.Context()))
		<-ended
	})
}
