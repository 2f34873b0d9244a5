package network

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/understudyhq/understudy/http/payload"
)

// Direct as Options.Proxy means no proxy, whatever the environment says.
const Direct = "direct"

// proxy says how requests get to their upstream.
type proxy struct {
	// of returns the proxy for a request, nil = none. nil = none for any request.
	of func(*http.Request) (*url.URL, error)
	// secure reports whether an https proxy is at an address; nil = there is none.
	secure func(address string) bool
}

// proxyOf makes sense of Options.Proxy. Its errors quote nothing: there may be a password.
func proxyOf(setting string) (proxy, error) {
	switch setting {
	case Direct:
		return proxy{}, nil
	case "":
		return environmentProxy(httpproxy.FromEnvironment())
	}
	u, err := url.Parse(setting)
	if err != nil || !isProxy(u) {
		return proxy{}, errors.New("proxy is not an http, https or socks5 URL")
	}
	p := proxy{of: http.ProxyURL(u)}
	if u.Scheme == "https" {
		p.secure = func(string) bool { return true } // nothing else is dialled
	}
	return p, nil
}

// environmentProxy is what http.ProxyFromEnvironment is, but reads the environment now, and
// does not take a proxy that it cannot understand for none.
func environmentProxy(env *httpproxy.Config) (proxy, error) {
	var addresses []string
	for name, value := range map[string]string{"HTTP_PROXY": env.HTTPProxy, "HTTPS_PROXY": env.HTTPSProxy} {
		if value == "" {
			continue
		}
		if !strings.Contains(value, "://") {
			value = "http://" + value // so does httpproxy
		}
		u, err := url.Parse(value)
		if err != nil || !isProxy(u) {
			return proxy{}, fmt.Errorf("proxy in the environment: %s is not an http, https or socks5 URL", name)
		}
		if u.Scheme == "https" {
			addresses = append(addresses, addressOf(u))
		}
	}
	if env.HTTPProxy == "" && env.HTTPSProxy == "" {
		return proxy{}, nil
	}
	choose := env.ProxyFunc()
	p := proxy{of: func(r *http.Request) (*url.URL, error) { return choose(r.URL) }}
	if len(addresses) > 0 {
		p.secure = func(address string) bool { return slices.Contains(addresses, strings.ToLower(address)) }
	}
	return p, nil
}

// serves reports whether r is made by the proxy: it is neither direct nor in a tunnel.
func (p proxy) serves(r *http.Request) bool {
	if p.of == nil || r.URL.Scheme != "http" {
		return false
	}
	u, err := p.of(r)
	return err == nil && u != nil && (u.Scheme == "http" || u.Scheme == "https")
}

func isProxy(u *url.URL) bool {
	return slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) && u.Hostname() != ""
}

// addressOf returns where an https proxy is dialled.
func addressOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// dialTLS dials what is spoken to over TLS at once. net/http would offer HTTP/2 to https
// proxies as it does to upstreams, and then not speak it.
func dialTLS(dial payload.DialFunc, common *tls.Config, isProxy func(address string) bool) payload.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		plain, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		own := common.Clone()
		own.ServerName = host
		if !isProxy(address) {
			own.NextProtos = []string{"h2", "http/1.1"}
		}
		conn := tls.Client(plain, own)
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = plain.Close()
			return nil, err
		}
		return conn, nil
	}
}

// refusedBy is the error that an answer of a proxy itself stands for. As those of net/http it
// has this operation.
func refusedBy(resp *http.Response) error {
	return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: fmt.Errorf("the proxy answers with status %d", resp.StatusCode)}
}

// checkConnected refuses the answer of a proxy that does not connect, by its status alone:
// what else it says is the proxy's own choice and ends in logs.
func checkConnected(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return refusedBy(resp)
}
