package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/bcrypt"

	"github.com/understudyhq/understudy/config"
)

// debugHeader is where a client puts the management key to be told who served it.
const debugHeader = "X-Understudy-Debug"

// debugKey checks that key. Whoever does not have it is simply told nothing.
type debugKey struct {
	digest [sha256.Size]byte // of a plain key
	hash   []byte            // bcrypt; nil = the key is plain
	set    bool
	remote bool // peers other than loopback may use it
	// known is the digest of the key that the hash was found to be of: hashing is slow on
	// purpose, and must not be slow for every request. busy keeps wrong keys from taking
	// more than one processor.
	known *atomic.Pointer[[sha256.Size]byte]
	busy  *atomic.Bool
}

func newDebugKey(m config.Management) debugKey {
	k := debugKey{
		set: m.SecretKey != "", remote: m.AllowRemote,
		known: &atomic.Pointer[[sha256.Size]byte]{}, busy: &atomic.Bool{},
	}
	if strings.HasPrefix(m.SecretKey, "$2") {
		k.hash = []byte(m.SecretKey)
		return k
	}
	k.digest = sha256.Sum256([]byte(m.SecretKey))
	return k
}

// admits reports whether a request may be told who served it.
func (k debugKey) admits(r *http.Request) bool {
	given := r.Header.Get(debugHeader)
	if !k.set || given == "" || !k.remote && !isLoopback(r.RemoteAddr) {
		return false
	}
	digest := sha256.Sum256([]byte(given))
	if k.hash == nil {
		return subtle.ConstantTimeCompare(digest[:], k.digest[:]) == 1
	}
	if known := k.known.Load(); known != nil {
		return subtle.ConstantTimeCompare(digest[:], known[:]) == 1
	}
	if !k.busy.CompareAndSwap(false, true) {
		return false
	}
	defer k.busy.Store(false)
	if bcrypt.CompareHashAndPassword(k.hash, []byte(given)) != nil {
		return false
	}
	k.known.Store(&digest)
	return true
}

// isLoopback reports whether a TCP peer is this machine.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// debug tells who served, if the client may know.
func (in *inbound) debug(h http.Header) {
	if in.call == nil || in.r.Header.Get(debugHeader) == "" || !in.settings.debug.admits(in.r) {
		return
	}
	if c := in.lease.Credential; c != nil {
		h.Set("X-Understudy-Credential", string(c.ID))
	}
	h.Set("X-Understudy-Attempts", strconv.Itoa(in.attempts()))
}

// attempts is how many attempts were made or are under way.
func (in *inbound) attempts() int {
	if !in.sentAt.IsZero() {
		return len(in.tries) + 1
	}
	return len(in.tries)
}
