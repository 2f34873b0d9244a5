package httpapi

import (
	"net"
	"net/http"
	"time"

	"github.com/understudyhq/understudy/http/payload"
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
		DialContext:            payload.Dial(dialer.DialContext),
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
