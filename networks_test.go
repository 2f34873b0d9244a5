package understudy

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// reaching is a configuration of one provider with a CA file whose credentials a and b
// leave how they get there to it, while c goes directly.
func reaching(t *testing.T, caFile string, change func(*config.Config)) *config.Config {
	t.Helper()
	cfg, err := config.Parse("c.yaml", []byte(`
providers:
  - name: local
    kind: openai-compatible
    base-url: https://upstream.example/v1
    proxy-url: socks5://user:pass@127.0.0.1:1
    ca-file: `+caFile+`
    models: [big]
    credentials: [{id: a, api-key: k}, {id: b, api-key: k}, {id: c, api-key: k, proxy-url: direct}]
  - name: beside
    kind: openai-compatible
    base-url: https://beside.example/v1
    proxy-url: direct
    models: [small]
    credentials: [{id: d, api-key: k}, {id: e, api-key: k}]
`), nil)
	require.NoError(t, err)
	if change != nil {
		change(cfg)
	}
	require.NoError(t, cfg.Validate())
	return cfg
}

// writeCA writes certificates to a file, a new one if it is "".
func writeCA(t *testing.T, file string, servers ...*httptest.Server) string {
	t.Helper()
	if file == "" {
		file = filepath.Join(t.TempDir(), "ca.pem")
	}
	var text bytes.Buffer
	for _, s := range servers {
		require.NoError(t, pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	}
	require.NoError(t, os.WriteFile(file, text.Bytes(), 0o600))
	return file
}

func tlsServer(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestBuilder_SharesTransportsAndKeepsThem(t *testing.T) {
	t.Parallel()
	server := tlsServer(t, http.NotFound)
	file := writeCA(t, "", server)
	tests := map[string]struct {
		change func(*config.Config)
		kept   string // ids of the credentials that stay the same object
		reach  string // ids of those whose transport stays
	}{
		"nothing":               {nil, "abcde", "abcde"},
		"a weight":              {func(c *config.Config) { c.Providers[0].Credentials[0].Weight = new(int) }, "bcde", "abcde"},
		"the provider's proxy":  {func(c *config.Config) { c.Providers[0].ProxyURL = "http://127.0.0.1:2" }, "cde", "cde"},
		"a credential's proxy":  {func(c *config.Config) { c.Providers[0].Credentials[1].ProxyURL = "http://127.0.0.1:2" }, "acde", "acde"},
		"no CA file":            {func(c *config.Config) { c.Providers[0].CAFile = "" }, "de", "de"},
		"the same certificates": {func(c *config.Config) { c.Providers[0].CAFile = writeCA(t, "", server) }, "abcde", "abcde"},
		"other certificates":    {func(c *config.Config) { c.Providers[0].CAFile = writeCA(t, "", server, server) }, "de", "de"},
		"connect timeout":       {func(c *config.Config) { c.Timeouts.Connect = time.Minute }, "", ""},
		"first-byte timeout":    {func(c *config.Config) { c.Timeouts.FirstByte = time.Minute }, "abcde", "abcde"},
		"another one is gone":   {func(c *config.Config) { c.Providers = c.Providers[:1] }, "abc", "abc"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBuilder(newOptions(nil))
			first, err := b.build(reaching(t, file, nil))
			require.NoError(t, err)
			b.adopt(first)
			local, beside := first.upstreams[0].credentials, first.upstreams[1].credentials
			require.Same(t, local[0].Transport, local[1].Transport)
			require.NotSame(t, local[0].Transport, local[2].Transport)
			require.NotSame(t, local[2].Transport, beside[0].Transport, "other certificates")
			require.Same(t, beside[0].Transport, beside[1].Transport)
			require.Len(t, first.network.transports, 3)

			second, err := b.build(reaching(t, file, tt.change))
			require.NoError(t, err)
			kept, reach := "", ""
			for i, u := range second.upstreams {
				require.Same(t, first.upstreams[i].upstream, u.upstream, "how it is reached is no matter of the upstream")
				for j, c := range u.credentials {
					if old := first.upstreams[i].credentials[j]; old == c {
						kept += string(c.ID)
					}
					if first.upstreams[i].credentials[j].Transport == c.Transport {
						reach += string(c.ID)
					}
				}
			}
			require.Equal(t, tt.kept, kept)
			require.Equal(t, tt.reach, reach)
			b.adopt(second)
			b.close()
		})
	}
}

func TestBuilder_RefusesAFileThatHoldsNoCertificates(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.pem")
	_, err := newBuilder(newOptions(nil)).build(reaching(t, missing, nil))
	var invalid config.Errors
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "providers[0].ca-file", invalid[0].Path)
	require.ErrorContains(t, err, missing)

	require.NoError(t, os.WriteFile(missing, []byte("hello"), 0o600))
	cfg := reaching(t, missing, nil)
	require.ErrorContains(t, Check(cfg), "providers[0].ca-file: "+missing+": no certificate")
	_, err = newBuilder(newOptions([]Option{WithTransport(http.DefaultTransport)})).build(cfg)
	require.NoError(t, err, "a host sees to its own connections")
}

func TestBuilder_RefusesAnEnvironmentItCannotUse(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "ftp://user:hidden@proxy")
	build := func(change func(*config.Config)) error {
		_, err := newBuilder(newOptions(nil)).build(reaching(t, `""`, change))
		return err
	}
	require.NoError(t, build(nil), "nobody needs it")
	err := build(func(c *config.Config) { c.Providers[1].ProxyURL = "" })
	require.ErrorContains(t, err, "providers[1].credentials[0].proxy-url: proxy in the environment: HTTPS_PROXY")
	require.NotContains(t, err.Error(), "hidden")
}

// gatewayOf starts a gateway whose log goes to the returned buffer, and a way to ask it.
func gatewayOf(t *testing.T, cfg *config.Config) (gw *Gateway, log *bytes.Buffer, ask func(model string) (int, string)) {
	t.Helper()
	log = new(bytes.Buffer)
	gw, err := New(cfg, WithLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	require.NoError(t, err)
	return gw, log, func(model string) (int, string) {
		body := strings.NewReader(`{"model":"` + model + `","messages":[{"role":"user","content":"hello"}]}`)
		w := httptest.NewRecorder()
		gw.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", body))
		return w.Code, w.Body.String()
	}
}

// proxyTo starts an HTTP proxy with a user that leads example.com to server.
func proxyTo(t *testing.T, server *httptest.Server, user, password string) (proxy *fake.Proxy, address string) {
	t.Helper()
	proxy = &fake.Proxy{User: user, Password: password, To: map[string]string{"example.com:443": server.Listener.Addr().String()}}
	s := httptest.NewServer(proxy)
	t.Cleanup(func() {
		s.Close()
		proxy.Wait()
	})
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	u.User = url.UserPassword(user, password)
	return proxy, u.String()
}

func answering(w http.ResponseWriter, _ *http.Request) {
	reply := fake.Answer("openai-chat", false, 3)
	for name, values := range reply.Header {
		w.Header()[name] = values
	}
	_, _ = w.Write(reply.Body)
}

func TestGateway_ReachesEachCredentialThroughItsProxy(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 10)
	server := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen <- r.Header.Get("Authorization") + " " + r.Proto + " " + r.Header.Get("Proxy-Authorization")
		answering(w, r)
	})
	one, oneURL := proxyTo(t, server, "proxy-secret-user-1", "proxy-secret-1")
	two, twoURL := proxyTo(t, server, "proxy-secret-user-2", "proxy-secret-2")
	file := writeCA(t, "", server)
	cfg := func(change func(*config.Provider)) *config.Config {
		c := config.Default()
		p := config.Provider{
			Name: "up", Kind: config.KindOpenAICompatible, BaseURL: "https://example.com/v1", CAFile: file, ProxyURL: oneURL,
			Models:      []config.Model{{Name: "m"}},
			Credentials: []config.Credential{{ID: "a", APIKey: "key-a"}, {ID: "b", APIKey: "key-b", ProxyURL: twoURL}},
		}
		if change != nil {
			change(&p)
		}
		c.Providers, c.Retry.Rounds, c.Retry.MaxWait = []config.Provider{p}, 0, 0
		return &c
	}
	gw, log, ask := gatewayOf(t, cfg(nil))
	served := map[string]int{}
	for range 4 {
		status, body := ask("m")
		require.Equal(t, 200, status, body)
		served[<-seen]++
	}
	require.Equal(t, map[string]int{"Bearer key-a HTTP/2.0 ": 2, "Bearer key-b HTTP/2.0 ": 2}, served)
	require.Equal(t, []string{"example.com:443"}, one.Asked(), "one connection serves all requests")
	require.Equal(t, []string{"example.com:443"}, two.Asked())

	// A proxy that goes away takes nobody else's requests with it: b's is refused, a serves.
	_, err := gw.Apply(cfg(func(p *config.Provider) {
		p.Credentials[1].ProxyURL = strings.Replace(twoURL, "secret-2", "secret-wrong", 1)
	}))
	require.NoError(t, err)
	for range 2 {
		status, body := ask("m")
		require.Equal(t, 200, status, body)
		require.Equal(t, "Bearer key-a HTTP/2.0 ", <-seen)
	}
	require.Len(t, one.Asked(), 1, "a's connection outlives the change")
	records, err := gw.Records(t.Context(), 10)
	require.NoError(t, err)
	reasons := ""
	for _, r := range records {
		for _, attempt := range r.Attempts {
			reasons += string(attempt.Credential) + ": " + attempt.Reason + "\n"
		}
	}
	require.Contains(t, reasons, "b: proxy failed\n")

	// Without the certificates nobody is trusted.
	_, err = gw.Apply(cfg(func(p *config.Provider) { p.CAFile = "" }))
	require.NoError(t, err)
	status, body := ask("m")
	require.GreaterOrEqual(t, status, 500, body)
	require.NoError(t, gw.Shutdown(context.Background()))
	require.NotContains(t, log.String()+body+reasons, "proxy-secret")
	require.NotContains(t, log.String(), url.QueryEscape("proxy-secret"))
}

func TestGateway_ChangesOfConnectionsLeaveStreamsAlone(t *testing.T) {
	t.Parallel()
	for name, proto := range map[string]int{"HTTP/1.1": 1, "HTTP/2": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, release := make(chan struct{}), make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "text/event-stream")
				chunks := fake.Answer("openai-chat", true, 3).Chunks
				for i, chunk := range chunks {
					if i == len(chunks)-2 {
						close(begun)
						<-release
					}
					_, _ = w.Write(chunk)
					_ = http.NewResponseController(w).Flush()
				}
			}))
			server.EnableHTTP2 = proto == 2
			server.StartTLS()
			defer server.Close()
			cfg := config.Default()
			cfg.Providers = []config.Provider{{
				Name: "up", Kind: config.KindOpenAICompatible, BaseURL: server.URL + "/v1", CAFile: writeCA(t, "", server), ProxyURL: "direct",
				Models: []config.Model{{Name: "m"}}, Credentials: []config.Credential{{ID: "a", APIKey: "key-a"}},
			}}
			gw, _, _ := gatewayOf(t, &cfg)
			w := httptest.NewRecorder()
			done := make(chan struct{})
			go func() {
				defer close(done)
				body := strings.NewReader(`{"model":"m","stream":true,"messages":[]}`)
				gw.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", body))
			}()
			<-begun
			next := cfg
			next.Timeouts.Connect = time.Minute
			_, err := gw.Apply(&next)
			require.NoError(t, err)
			close(release)
			<-done
			require.Equal(t, 200, w.Code)
			require.Contains(t, w.Body.String(), "[DONE]")
			require.NotContains(t, w.Body.String(), "error")
			require.NoError(t, gw.Shutdown(context.Background()))
			// goleak finds the old transport's connection if it is left.
		})
	}
}

func TestGateway_NoticesNothingOfDeadKeptConnections(t *testing.T) {
	t.Parallel()
	conns := make(chan net.Conn, 10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(answering))
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns <- conn
		}
	}
	var asked atomic.Int32
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if asked.Add(1) == 2 { // the first connection's second request
			_ = (<-conns).Close()
			return
		}
		answering(w, r)
	})
	server.Start()
	defer server.Close()
	cfg := config.Default()
	cfg.Providers = []config.Provider{{
		Name: "up", Kind: config.KindOpenAICompatible, BaseURL: server.URL + "/v1", ProxyURL: "direct",
		Models: []config.Model{{Name: "m"}}, Credentials: []config.Credential{{ID: "a", APIKey: "key-a"}},
	}}
	gw, _, ask := gatewayOf(t, &cfg)
	for range 3 {
		status, body := ask("m")
		require.Equal(t, 200, status, body)
	}
	require.EqualValues(t, 4, asked.Load())
	records, err := gw.Records(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, records, 3)
	for _, r := range records {
		require.Len(t, r.Attempts, 1)
	}
	require.NoError(t, gw.Shutdown(context.Background()))
}
