// Package network reaches upstreams over the network: directly or through proxies, over
// HTTP/1.1 and HTTP/2, with connections that are kept, but not for ever.
package network

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/understudyhq/understudy/http/payload"
)

// Limits of the connections of one Transport.
const (
	// connectionLife is about how long a connection gets new requests: then the upstream's
	// name is looked up again.
	connectionLife     = 5 * time.Minute
	idleConnections    = 1024
	idleConnectionsPer = 256 // of one host
	idleConnectionLife = 90 * time.Second
	maxAnswerHeader    = 1 << 20
	tlsSessions        = 64 // remembered, so that new connections need less of a handshake
)

// How silent connections are found to be dead; otherwise requests would hang on them.
const (
	pingAfter  = 15 * time.Second // HTTP/2
	probeAfter = 15 * time.Second // TCP
	probes     = 3
)

// Options are what transports differ in. Equal options may share one.
type Options struct {
	// Connect bounds how long a request waits for a connection: for the look-up of the
	// name, dialling, what a proxy needs, and TLS together. 0 = no bound.
	Connect time.Duration
	// Proxy is the URL of an http, https or socks5 proxy, which may hold a user and a
	// password, or Direct. Empty = what the environment says when the transport is made.
	Proxy string
	// Roots are trusted beside the system's, for upstreams and https proxies. nil = none.
	Roots *Roots
}

// Transport is an http.RoundTripper of shared, kept connections. Make one with New. It is
// safe for concurrent use. Bodies pass unchanged: it decompresses nothing.
//
// Beyond what an http.Transport does it bounds the life of connections, and repeats, once
// and on a new connection, a request whose kept connection turns out to be dead.
type Transport struct {
	proxy proxy
	life  time.Duration
	fresh func() *http.Transport

	mu      sync.Mutex
	current *generation
	retired bool
}

// generation holds the connections that were made while it was the current one. Its counts
// are guarded by the lock of its Transport.
type generation struct {
	transport *http.Transport
	until     time.Time
	open      int  // requests whose answer has not been closed yet
	retired   bool // gets no requests any more
}

// New returns a transport that has no connection yet. Its error holds no part of a proxy's
// URL.
func New(o Options) (*Transport, error) {
	p, err := proxyOf(o.Proxy)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: o.Connect, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: probeAfter, Interval: probeAfter, Count: probes,
	}}
	return newTransport(o, p, dialer.DialContext), nil
}

func newTransport(o Options, p proxy, dial payload.DialFunc) *Transport {
	dial = payload.Dial(limited(dial, o.Connect))
	secure := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(tlsSessions)}
	if o.Roots != nil {
		secure.RootCAs = o.Roots.pool
	}
	t := &Transport{proxy: p, life: connectionLife - rand.N(connectionLife/5)} // not all transports at once
	t.fresh = func() *http.Transport {
		made := &http.Transport{
			Proxy:                  p.of,
			OnProxyConnectResponse: checkConnected,
			DialContext:            dial,
			TLSClientConfig:        secure.Clone(), // net/http changes it; the sessions stay common
			ForceAttemptHTTP2:      true,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
			DisableCompression:     true,
			MaxIdleConns:           idleConnections,
			MaxIdleConnsPerHost:    idleConnectionsPer,
			IdleConnTimeout:        idleConnectionLife,
			MaxResponseHeaderBytes: maxAnswerHeader,
		}
		if p.secure != nil {
			made.DialTLSContext = dialTLS(dial, secure, p.secure)
		}
		return made
	}
	return t
}

// RoundTrip sends r and returns the head of its answer. The answer's body must be closed.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	a := t.begin(t.enter())
	resp, err := a.send(a.traced(r))
	if err == nil || !a.metDeadConnection(err) || r.Context().Err() != nil {
		return resp, err
	}
	body := r.Body
	if body != nil && body != http.NoBody {
		if r.GetBody == nil {
			return nil, err
		}
		if body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	// Other connections that were kept may be just as dead. They are left to those who find
	// them; this request gets one that nobody has used.
	a = t.begin(t.apart())
	again := a.traced(r)
	again.Body = body
	return a.send(again)
}

// Retire says that no configuration names t any more: idle connections are closed, others
// as soon as they are idle. Requests that still come are served.
func (t *Transport) Retire() {
	t.mu.Lock()
	t.retired = true
	g := t.current
	if g != nil {
		g.retired = true
	}
	t.mu.Unlock()
	if g != nil {
		g.transport.CloseIdleConnections()
	}
}

// enter counts a request in and returns the generation that serves it.
func (t *Transport) enter() *generation {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); t.current == nil || !now.Before(t.current.until) {
		if old := t.current; old != nil {
			old.retired = true
			// Elsewhere: saying goodbye on a stuck TLS connection takes seconds.
			go old.transport.CloseIdleConnections()
		}
		t.current = &generation{transport: t.fresh(), until: now.Add(t.life), retired: t.retired}
	}
	t.current.open++
	return t.current
}

// apart returns a generation for one request alone, counted in.
func (t *Transport) apart() *generation {
	return &generation{transport: t.fresh(), open: 1, retired: true}
}

// leave counts a request out.
func (t *Transport) leave(g *generation) {
	t.mu.Lock()
	g.open--
	done := g.retired && g.open == 0
	t.mu.Unlock()
	if done {
		g.transport.CloseIdleConnections()
	}
}

// limited gives the connections of dial a deadline, which the first request to use one takes
// away. net/http goes on dialling for requests that are over, and waits for a mute proxy
// for a minute, or for ever.
func limited(dial payload.DialFunc, limit time.Duration) payload.DialFunc {
	if limit == 0 {
		return dial
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		deadline := time.Now().Add(limit)
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if err := conn.SetDeadline(deadline); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return conn, nil
	}
}
