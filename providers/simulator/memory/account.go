package memory

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"
)

// Account is what the credentials of one organisation share: earlier answers that later
// requests refer to, what only it can read, and a limit. It is safe for concurrent use.
type Account struct {
	seal   string // begins every text that it encrypts
	turns  *shelf[Turn]
	limit  int
	window time.Duration

	mu       sync.Mutex
	asked    int // in the window
	windowTo time.Time
}

// NewAccount returns an account that may ask limit times per window, which begins with the
// first request after the last one. 0 = without limit.
func NewAccount(name string, limit int, window time.Duration) *Account {
	const sealBytes = 12
	sum := sha256.Sum256([]byte(name))
	return &Account{
		seal:  base64.RawURLEncoding.EncodeToString(sum[:sealBytes]),
		turns: newShelf[Turn](), limit: limit, window: window,
	}
}

// Take counts a request and returns how long the limit keeps it out; 0 = it does not.
func (a *Account) Take(now time.Time) time.Duration {
	if a.limit == 0 {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !now.Before(a.windowTo) {
		a.asked, a.windowTo = 0, now.Add(a.window)
	}
	if a.asked == a.limit {
		return a.windowTo.Sub(now)
	}
	a.asked++
	return 0
}

// Encrypt returns a text that stands for what is hidden in the answer named name. It names
// the account, in a way that nobody can read.
func (a *Account) Encrypt(name string) string {
	return a.seal + base64.RawURLEncoding.EncodeToString([]byte(name))
}

// CanRead reports whether the account made an encrypted text.
func (a *Account) CanRead(text string) bool { return strings.HasPrefix(text, a.seal) }

// Remember keeps a turn under the id of its answer, a response or a message. past is the
// transcript that it went on from, said what the answer adds to it, as JSON.
func (a *Account) Remember(id string, t Turn, past, said []string) {
	t.Input, t.Tools, t.System = cloned(t.Input), strings.Clone(t.Tools), strings.Clone(t.System)
	t.Transcript = slices.Concat(past, t.Input, said)
	a.turns.put(id, func(Turn, bool) (Turn, int) { return t, t.bytes() })
}

// Recall returns the turn with that id, if the account made it and still knows it.
func (a *Account) Recall(id string) (Turn, bool) { return a.turns.get(id) }

// Forget drops the turn with that id.
func (a *Account) Forget(id string) { a.turns.remove(id) }
