package socket

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"github.com/understudyhq/understudy/providers"
)

// IsHost reports whether an origin is the very host that was asked.
func IsHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// Common returns what the requests of a socket have in common: the upgrade r as a request
// without the headers that are left out, because they are about the connection or about one
// request only.
func Common(r *http.Request, leftOut func(header string) bool) *http.Request {
	h := make(http.Header, len(r.Header)+2)
	for name, values := range r.Header {
		if !leftOut(name) && !strings.HasPrefix(name, "Sec-Websocket-") {
			h[name] = values
		}
	}
	h["Content-Type"] = []string{"application/json"}
	h["Accept"] = []string{"text/event-stream"}
	return &http.Request{
		Method: http.MethodPost, URL: r.URL, Host: r.Host, RemoteAddr: r.RemoteAddr, TLS: r.TLS, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// UpstreamKey names an upstream as reached with a credential. A fixed secret is part of it; a
// token that is renewed does not end a connection which it has opened.
func UpstreamKey(c *providers.Credential, url string) string {
	key := string(c.ID) + "\x00" + url
	if c.Grant == nil {
		sum := sha256.Sum256([]byte(c.Secret.Reveal()))
		key += "\x00" + hex.EncodeToString(sum[:8])
	}
	return key
}
