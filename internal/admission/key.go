package admission

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Verdict is what comes of a question.
type Verdict string

// Verdicts, in the order in which they are looked for.
const (
	Off       Verdict = "off"        // there is no key: nobody is admitted
	Remote    Verdict = "remote"     // only this machine may ask
	LockedOut Verdict = "locked-out" // whatever the key
	Missing   Verdict = "missing"    // no key was given
	Wrong     Verdict = "wrong"
	Admitted  Verdict = "admitted"
)

// Key is the operator's key. Make one with NewKey. It is safe for concurrent use.
type Key struct {
	digest [sha256.Size]byte // of the key; once it is known, if the key is hashed
	hash   []byte            // bcrypt; nil = the key is plain
	set    bool
	remote bool // peers other than loopback may use it

	// mu lets one guess be checked at a time, so that parallel ones are counted before the
	// next is looked at, and keep no more than one processor busy.
	mu    sync.Mutex
	known bool // digest is set
}

// NewKey returns the key that secret is: plain text, a bcrypt hash, or none if it is empty.
func NewKey(secret string, allowRemote bool) *Key {
	k := &Key{set: secret != "", remote: allowRemote}
	if strings.HasPrefix(secret, "$2") {
		k.hash = []byte(secret)
		return k
	}
	k.digest, k.known = sha256.Sum256([]byte(secret)), true
	return k
}

// Judge says whether peer is admitted with the key that it gives, and counts wrong ones in
// guesses. left is for how long it is locked out. How long it takes says nothing about the
// key. An address that is not known is the zero one.
func (k *Key) Judge(given string, peer netip.Addr, guesses *Lockout, now time.Time) (v Verdict, left time.Duration) {
	switch {
	case !k.set:
		return Off, 0
	case !k.remote && !peer.Unmap().IsLoopback():
		return Remote, 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if left := guesses.Left(peer, now); left > 0 {
		return LockedOut, left
	}
	switch {
	case given == "":
		return Missing, 0
	case k.is(given):
		guesses.Right(peer)
		return Admitted, 0
	default:
		guesses.Wrong(peer, now)
		return Wrong, 0
	}
}

// is reports whether given is the key. Hashing is slow on purpose, and must not be slow for
// every question: of a key that was found right once, the digest is enough.
func (k *Key) is(given string) bool {
	digest := sha256.Sum256([]byte(given))
	if k.known {
		return subtle.ConstantTimeCompare(digest[:], k.digest[:]) == 1
	}
	if bcrypt.CompareHashAndPassword(k.hash, []byte(given)) != nil {
		return false
	}
	k.digest, k.known = digest, true
	return true
}
