package understudy_test

import (
	"context"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
)

// watchedConfig is the embedded default with a management key, and with a folder for captures.
func watchedConfig(t *testing.T) *config.Config {
	c := config.EmbeddedDefault()
	c.Management.SecretKey = "correct horse"
	c.Logging.Dir = t.TempDir()
	return c
}

func newGateway(t *testing.T, c *config.Config, options ...understudy.Option) *understudy.Gateway {
	t.Helper()
	g, err := understudy.New(c, options...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Shutdown(context.Background())) })
	return g
}

// query sends a request to a gateway, from this machine, and returns the answer.
func query(g *understudy.Gateway, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("X-Management-Key", "correct horse")
	r.Header.Set("X-Request-Id", "r-1")
	w := httptest.NewRecorder()
	g.Handler().ServeHTTP(w, r)
	return w
}

const hello = `{"model":"understudy-large","messages":[{"role":"user","content":"hello"}]}`

func TestMetrics_EveryGatewayHasItsOwn(t *testing.T) {
	t.Parallel()
	one, two := newGateway(t, watchedConfig(t)), newGateway(t, watchedConfig(t))
	require.Equal(t, 200, query(one, http.MethodPost, "/v1/chat/completions", hello).Code)
	for g, served := range map[*understudy.Gateway]bool{one: true, two: false} {
		got := query(g, http.MethodGet, "/metrics", "")
		require.Equal(t, 200, got.Code)
		require.Contains(t, got.Body.String(), "understudy_config_generation 1\n")
		require.Contains(t, got.Body.String(), `understudy_actors{kind="credential"} 6`)
		require.Contains(t, got.Body.String(), "go_goroutines")
		require.Equal(t, served, strings.Contains(got.Body.String(), `outcome="success"} 1`))
		require.Equal(t, served, strings.Contains(got.Body.String(), `understudy_tokens_total{`))
	}
}

func TestMetrics_CountConfigurations(t *testing.T) {
	t.Parallel()
	c := watchedConfig(t)
	g := newGateway(t, c)
	next := *c
	next.Providers = append([]config.Provider(nil), c.Providers...)
	next.Providers[0].Credentials = c.Providers[0].Credentials[:2]
	_, err := g.Apply(&next)
	require.NoError(t, err)
	bad := next
	bad.Providers = nil
	_, err = g.Apply(&bad)
	require.Error(t, err)
	got := query(g, http.MethodGet, "/metrics", "").Body.String()
	require.Contains(t, got, "understudy_config_generation 2\n")
	require.NotContains(t, got, c.Providers[0].Credentials[2].ID)
}

func TestWithRegisterer_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	one, err := understudy.New(watchedConfig(t), understudy.WithRegisterer(registry))
	require.NoError(t, err)
	_, err = understudy.New(watchedConfig(t), understudy.WithRegisterer(registry))
	require.ErrorContains(t, err, "register metrics", "two cannot be told apart")
	families, err := registry.Gather()
	require.NoError(t, err)
	require.NotEmpty(t, families)
	require.NoError(t, one.Shutdown(context.Background()))
	families, err = registry.Gather()
	require.NoError(t, err)
	require.Empty(t, families)
	for _, name := range []string{"one", "two"} {
		registry := prometheus.WrapRegistererWith(prometheus.Labels{"gateway": name}, prometheus.NewRegistry())
		newGateway(t, watchedConfig(t), understudy.WithRegisterer(registry))
	}
}

func TestWithoutMetrics_ThereIsNoRoute(t *testing.T) {
	t.Parallel()
	g := newGateway(t, watchedConfig(t), understudy.WithoutMetrics())
	require.Equal(t, 200, query(g, http.MethodPost, "/v1/chat/completions", hello).Code)
	require.Equal(t, 404, query(g, http.MethodGet, "/metrics", "").Code)
}

func TestWithoutRecords_KeepsNone(t *testing.T) {
	t.Parallel()
	for want, options := range map[int][]understudy.Option{0: {understudy.WithoutRecords()}, 1: nil} {
		g := newGateway(t, watchedConfig(t), options...)
		require.Equal(t, 200, query(g, http.MethodPost, "/v1/chat/completions", hello).Code)
		records, err := g.Records(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, records, want)
	}
}

func TestCaptures_CanBeListedAndRead(t *testing.T) {
	t.Parallel()
	g := newGateway(t, watchedConfig(t))
	require.Equal(t, 404, query(g, http.MethodPost, "/v1/chat/completions", strings.Replace(hello, "understudy-large", "nobody's", 1)).Code)
	require.Equal(t, 200, query(g, http.MethodPost, "/v1/chat/completions", hello).Code)
	list, err := g.Captures(10)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "r-1", list[0].ID)
	require.Equal(t, 404, list[0].Status)
	file, err := g.OpenCapture(list[0].File)
	require.NoError(t, err)
	text, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Contains(t, string(text), "nobody's")
	require.NotContains(t, string(text), "correct horse")
	for _, name := range []string{"../" + list[0].File, "/etc/passwd", "..", ""} {
		_, err := g.OpenCapture(name)
		require.ErrorIs(t, err, fs.ErrNotExist, name)
	}
}

// A configuration that was built in Go names no folder, and a library writes nowhere unasked.
func TestCaptures_NoFolderNoFiles(t *testing.T) {
	t.Parallel()
	g := newGateway(t, config.EmbeddedDefault())
	require.Equal(t, 400, query(g, http.MethodPost, "/v1/chat/completions", "{").Code)
	list, err := g.Captures(10)
	require.NoError(t, err)
	require.Empty(t, list)
}
