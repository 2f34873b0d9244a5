package network

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http/httpproxy"

	"github.com/understudyhq/understudy/internal/fake"
)

const upstreamName = "example.com" // httptest's certificate is for it

// proxies starts one fake proxy per scheme and returns their URLs, without user.
func proxies(t *testing.T, p *fake.Proxy) (urls map[string]string, secure *httptest.Server) {
	t.Helper()
	plain := httptest.NewServer(p)
	secure = httptest.NewUnstartedServer(p)
	secure.EnableHTTP2 = true // offers what net/http must not take
	secure.StartTLS()
	socks, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.ServeSOCKS(socks)
	}()
	t.Cleanup(func() {
		require.NoError(t, socks.Close())
		<-ended
		plain.Close()
		secure.Close()
		p.Wait()
	})
	return map[string]string{"http": plain.URL, "https": secure.URL, "socks5": "socks5://" + socks.Addr().String()}, secure
}

func withUser(t *testing.T, proxy string, user *url.Userinfo) string {
	t.Helper()
	u, err := url.Parse(proxy)
	require.NoError(t, err)
	u.User = user
	return u.String()
}

func TestTransport_GoesThroughProxies(t *testing.T) {
	t.Parallel()
	plain := serve(t, echo)
	secure, _ := serveTLS(t, http.HandlerFunc(echo))
	for name, user := range map[string]*url.Userinfo{"without user": nil, "with user": url.UserPassword("tea m", "p@ss:word")} {
		p := &fake.Proxy{To: map[string]string{
			upstreamName + ":80":  plain.Listener.Addr().String(),
			upstreamName + ":443": secure.Listener.Addr().String(),
		}}
		p.User = user.Username()
		p.Password, _ = user.Password()
		urls, secureProxy := proxies(t, p)
		roots := rootsOf(t, secure, secureProxy)
		for scheme, proxy := range urls {
			t.Run(name+" "+scheme, func(t *testing.T) {
				transport := start(t, Options{Connect: 5 * time.Second, Proxy: withUser(t, proxy, user), Roots: roots})
				for upstream, proto := range map[string]string{"http": "HTTP/1.1", "https": "HTTP/2.0"} {
					before := len(p.Asked())
					body := large()[:1<<20]
					resp, text := exchange(t, transport, upstream+"://"+upstreamName+"/v1", body)
					requireSame(t, body, text)
					require.Equal(t, proto, resp.Header.Get("Proto"))
					port := map[string]string{"http": ":80", "https": ":443"}[upstream]
					require.Equal(t, []string{upstreamName + port}, p.Asked()[before:])
				}
				transport.Retire()
			})
		}
	}
}

func TestTransport_ErrorsOfProxiesHoldNoSecret(t *testing.T) {
	t.Parallel()
	urls, secureProxy := proxies(t, &fake.Proxy{User: "team", Password: "right"})
	roots := rootsOf(t, secureProxy)
	for scheme, proxy := range urls {
		transport := start(t, Options{Connect: 5 * time.Second, Proxy: withUser(t, proxy, url.UserPassword("hidden-user", "hidden-pass")), Roots: roots})
		for _, upstream := range []string{"https://", "http://"} {
			err := refusal(t, transport, upstream+upstreamName)
			require.NotContains(t, err.Error(), "hidden", scheme)
			var op *net.OpError
			require.ErrorAs(t, err, &op, scheme)
			require.Contains(t, []string{"proxyconnect", "socks connect"}, op.Op)
		}
		transport.Retire()
	}

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for _, proxy := range []string{
		"http://hidden:hidden@" + closed.Addr().String(), "https://hidden:hidden@" + closed.Addr().String(),
		"socks5://hidden:hidden@" + closed.Addr().String(), "socks5://hidden:hidden@no.such.invalid",
		"socks5://" + strings.Repeat("hidden", 50) + ":x@" + closed.Addr().String(),
	} {
		transport := start(t, Options{Connect: 5 * time.Second, Proxy: proxy})
		require.NotContains(t, refusal(t, transport, "https://"+upstreamName).Error(), "hidden")
	}
	for _, wrong := range []string{"ftp://hidden@x", "hidden", "http://hidden:hid den@x", "http://user:hidden@", "://hidden", "socks5:hidden"} {
		_, err := New(Options{Proxy: wrong})
		require.Error(t, err, wrong)
		require.NotContains(t, err.Error(), "hidden")
	}
}

func TestTransport_PassesTheEnvironmentsProxyByIfDirect(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // nobody listens there
	t.Setenv("NO_PROXY", "")
	server := serve(t, echo)
	name := "upstream.invalid"
	p := &fake.Proxy{To: map[string]string{name + ":80": server.Listener.Addr().String()}}
	urls, _ := proxies(t, p)

	var op *net.OpError
	err := refusal(t, start(t, Options{Connect: time.Second}), "http://"+name)
	require.ErrorAs(t, err, &op)
	require.Equal(t, "proxyconnect", op.Op)
	err = refusal(t, start(t, Options{Connect: time.Second, Proxy: Direct}), "http://"+name)
	require.ErrorAs(t, err, &op)
	require.Equal(t, "dial", op.Op)

	t.Setenv("HTTP_PROXY", urls["http"])
	transport := start(t, Options{Connect: 5 * time.Second})
	_, text := exchange(t, transport, "http://"+name, "x")
	require.Equal(t, "x", text)
	transport.Retire()
	t.Setenv("NO_PROXY", "invalid")
	err = refusal(t, start(t, Options{Connect: time.Second}), "http://"+name)
	require.ErrorAs(t, err, &op)
	require.Equal(t, "dial", op.Op)

	t.Setenv("HTTP_PROXY", "http://hidden:%zz@proxy")
	_, err = New(Options{})
	require.EqualError(t, err, "proxy in the environment: HTTP_PROXY is not an http, https or socks5 URL")
}

func TestTransport_GoesThroughAnHTTPSProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	upstream, _ := serveTLS(t, http.HandlerFunc(echo))
	beside, _ := serveTLS(t, http.HandlerFunc(echo))
	p := &fake.Proxy{To: map[string]string{upstreamName + ":443": upstream.Listener.Addr().String()}}
	urls, secureProxy := proxies(t, p)
	env, err := environmentProxy(&httpproxy.Config{HTTPSProxy: strings.Replace(urls["https"], "127.0.0.1", "LOCALHOST", 1)})
	require.NoError(t, err)
	// The certificate is for no localhost; what is dialled is what matters here.
	require.False(t, env.secure("127.0.0.1:443"))
	env, err = environmentProxy(&httpproxy.Config{HTTPSProxy: urls["https"]})
	require.NoError(t, err)
	transport := newTransport(Options{Connect: 5 * time.Second, Roots: rootsOf(t, upstream, beside, secureProxy)}, env, new(net.Dialer).DialContext)
	defer transport.Retire()
	for _, to := range []string{"https://" + upstreamName, beside.URL} {
		resp, _ := exchange(t, transport, to, "x")
		require.Equal(t, "HTTP/2.0", resp.Header.Get("Proto"))
	}
	require.Equal(t, []string{upstreamName + ":443"}, p.Asked(), "loopback needs no proxy")
}

func TestEnvironmentProxy_UnderstandsWhatHTTPProxyDoes(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"proxy.example":              "http://proxy.example",
		"proxy.example:3128":         "http://proxy.example:3128",
		"http://u:p@proxy.example":   "http://u:p@proxy.example",
		"socks5://proxy.example":     "socks5://proxy.example",
		"socks5h://proxy.example":    "socks5h://proxy.example",
		"https://Proxy.example":      "https://Proxy.example",
		"ftp://proxy.example":        "",
		"http://":                    "",
		"http://proxy.example:99 99": "",
	} {
		p, err := environmentProxy(&httpproxy.Config{HTTPSProxy: value})
		if want == "" {
			require.Error(t, err, value)
			continue
		}
		require.NoError(t, err, value)
		u, err := p.of(&http.Request{URL: &url.URL{Scheme: "https", Host: "upstream.example"}})
		require.NoError(t, err)
		require.Equal(t, want, u.String())
		require.Equal(t, u.Scheme == "https", p.secure != nil && p.secure("proxy.example:443"), value)
	}
	p, err := environmentProxy(&httpproxy.Config{})
	require.NoError(t, err)
	require.Nil(t, p.of)
}

func TestTransport_PassesOnWhatAnUpstreamSaysOfProxies(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) })
	resp, _ := exchange(t, start(t, Options{Connect: 5 * time.Second, Proxy: Direct}), server.URL, "x")
	require.Equal(t, http.StatusProxyAuthRequired, resp.StatusCode)
}
