package httpapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// Limits of the connections to upstreams.
const (
	idleConnections    = 1024
	idleConnectionsPer = 256 // of one host
	idleConnectionLife = 90 * time.Second
	pingAfter          = 15 * time.Second // silence on an HTTP/2 connection; a dead one would hang for minutes
	maxAnswerHeader    = 1 << 20
)

// NewTransport returns what reaches upstreams over the network: HTTP/1.1 and HTTP/2, TLS with
// the system's roots, the environment's proxy. connect bounds dialling and the TLS
// handshake; 0 = no bound. It never decompresses, so that bodies pass unchanged.
func NewTransport(connect time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialDirect(dialer.DialContext),
		TLSHandshakeTimeout:    connect,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
		DisableCompression:     true,
		MaxIdleConns:           idleConnections,
		MaxIdleConnsPerHost:    idleConnectionsPer,
		IdleConnTimeout:        idleConnectionLife,
		MaxResponseHeaderBytes: maxAnswerHeader,
	}
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialDirect makes the connections of dial take outbound bodies without a copy.
func dialDirect(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			return directConn{tcp}, nil
		}
		return conn, err
	}
}

// directConn is a connection that knows outbound bodies. net/http asks a plain connection to
// read a body by itself, behind a limit of the body's length; TLS and HTTP/2 do not get here.
type directConn struct{ *net.TCPConn }

// ReadFrom writes all of r to the connection.
func (c directConn) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if body, ok := limited.R.(*outboundBody); ok {
			n, err := body.writeTo(c.TCPConn)
			limited.N -= n
			return n, err
		}
	}
	return c.TCPConn.ReadFrom(r)
}
