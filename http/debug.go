package httpapi

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/internal/admission"
)

// debugHeader is where a client puts the management key to be told who served it. Whoever may
// not know is simply told nothing.
const debugHeader = "X-Understudy-Debug"

// showMetrics serves what is counted, to whoever may manage the gateway.
func (s *Server) showMetrics(in *inbound) error {
	if s.options.Metrics == nil {
		return refuseRoute(in)
	}
	if err := in.manages(); err != nil {
		return err
	}
	in.stamp(in.w.Header())
	s.options.Metrics.ServeHTTP(in.w, in.r)
	return nil
}

// manages returns what a client is told that may not manage the gateway; nil if it may.
func (in *inbound) manages() error {
	key := in.r.Header.Get("X-Management-Key")
	if scheme, token, ok := strings.Cut(in.r.Header.Get("Authorization"), " "); key == "" && ok && strings.EqualFold(scheme, "Bearer") {
		key = strings.TrimSpace(token)
	}
	verdict, left := in.settings.operator.Judge(key, peerOf(in.r), &in.server.guesses, time.Now())
	refused := func(status int, code, message string) error {
		return &fault.Error{Status: status, Code: code, Message: message, RetryAfter: left, Final: left == 0}
	}
	switch verdict {
	case admission.Admitted:
		return nil
	case admission.Off:
		return refuseRoute(in)
	case admission.Remote:
		return refused(http.StatusForbidden, "remote_not_allowed", "This is for clients on the gateway's own machine.")
	case admission.LockedOut:
		return refused(http.StatusForbidden, "locked_out", "Too many wrong management keys came from this address.")
	default:
		return refused(http.StatusUnauthorized, "invalid_management_key", "The management key is missing or wrong.")
	}
}

// debug tells who served, if the client may know.
func (in *inbound) debug(h http.Header) {
	given := in.r.Header.Get(debugHeader)
	if in.call == nil || given == "" {
		return
	}
	verdict, _ := in.settings.operator.Judge(given, peerOf(in.r), &in.server.guesses, time.Now())
	if verdict != admission.Admitted {
		return
	}
	if c := in.lease.Credential; c != nil {
		h.Set("X-Understudy-Credential", string(c.ID))
	}
	h.Set("X-Understudy-Attempts", strconv.Itoa(in.attempts()))
}

// Judge says whether peer may do what only an operator may, with the key that it gives. Wrong
// keys count, wherever they are tried.
func (s *Server) Judge(given string, peer netip.Addr) (admission.Verdict, time.Duration) {
	return s.settings.Load().operator.Judge(given, peer, &s.guesses, time.Now())
}

// peerOf returns the address of a request's TCP peer, whatever its headers say; the zero
// address if it has none.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr()
}

// attempts is how many attempts were made or are under way.
func (in *inbound) attempts() int {
	if !in.sentAt.IsZero() {
		return len(in.tries) + 1
	}
	return len(in.tries)
}
