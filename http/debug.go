package httpapi

import (
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/understudyhq/understudy/internal/admission"
)

// debugHeader is where a client puts the management key to be told who served it. Whoever may
// not know is simply told nothing.
const debugHeader = "X-Understudy-Debug"

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
