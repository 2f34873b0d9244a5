package httpapi

import (
	"net/http"
	"net/textproto"
	"strings"

	"github.com/understudyhq/understudy/providers"
)

// outboundHeader returns the headers of an upstream call: the client's end-to-end ones
// without anything that speaks of it, its key or its path here, then the configured ones,
// then the credential's secret.
func outboundHeader(client http.Header, c *providers.Credential) http.Header {
	h := make(http.Header, len(client)+4)
	named := client["Connection"]
	for name, values := range client {
		if !isClientOnly(name) && !isNamed(named, name) {
			h[name] = values
		}
	}
	h["Accept-Encoding"] = []string{"identity"} // so that the answer can be checked and read
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = nil // keeps net/http from adding its own
	}
	setConfigured(h, client, c.Upstream.Headers)
	setConfigured(h, client, c.Headers)
	c.Authorize(h)
	return h
}

// setConfigured adds configured headers. "$X-Foo" stands for the client's X-Foo; a header
// that may not leave the gateway is not copied this way either.
func setConfigured(h, client http.Header, configured []providers.Header) {
	for _, add := range configured {
		value := add.Value.Reveal()
		source, isCopy := strings.CutPrefix(value, "$")
		if !isCopy {
			h.Set(add.Name, value)
			continue
		}
		source = textproto.CanonicalMIMEHeaderKey(source)
		if values := client[source]; len(values) > 0 && !isClientOnly(source) {
			h[textproto.CanonicalMIMEHeaderKey(add.Name)] = values
		}
	}
}

// isClientOnly reports whether a request header, in canonical case, ends at the gateway.
func isClientOnly(name string) bool {
	switch name {
	case "Authorization", "X-Api-Key", "X-Goog-Api-Key", "Cookie", "X-Management-Key",
		"Host", "Content-Length", "Accept-Encoding", "Content-Encoding", "Expect",
		"Forwarded", "X-Real-Ip", "Via", "Origin", "Referer":
		return true
	default:
		return isHopByHop(name) ||
			strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Sec-Fetch-") || strings.HasPrefix(name, "X-Understudy-")
	}
}

// isHopByHop reports whether a header, in canonical case, is about one connection only.
func isHopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	default:
		return false
	}
}

// isNamed reports whether a Connection header's values name a header.
func isNamed(connection []string, name string) bool {
	for _, value := range connection {
		for token := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(token), name) {
				return true
			}
		}
	}
	return false
}

// copyAnswerHeader adds the end-to-end headers of an upstream's answer to the client's.
// Content-Length is left to whoever knows what will be sent.
func copyAnswerHeader(to, from http.Header) {
	named := from["Connection"]
	for name, values := range from {
		switch name {
		case "Content-Length", "Set-Cookie", "Alt-Svc", "Server-Timing", "Strict-Transport-Security":
		case "X-Request-Id":
			to["X-Upstream-Request-Id"] = values
		default:
			if !isHopByHop(name) && !isNamed(named, name) && !strings.HasPrefix(name, "Access-Control-") && !strings.HasPrefix(name, "X-Understudy-") {
				to[name] = values
			}
		}
	}
}
