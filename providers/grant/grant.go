// Package grant gets access tokens that expire: for a login, with its refresh token, and
// for a Google service account, with its key. Both are a [Grant], which many credentials
// share: whoever asks while a token is being renewed gets the same one.
package grant

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/understudyhq/understudy/providers"
)

// endedFor is for how long the news that a login has ended is passed on without asking
// again: many credentials share it, and each of them wants to know.
const endedFor = time.Minute

var (
	errSameToken = errors.New("the authorization server gave out the refused token again")
	errPanic     = errors.New("renewing the token panicked")
)

// Grant implements providers.Grant. Make one with NewOAuth or NewServiceAccount.
//
// It holds no connection and no goroutine but while it renews, which ends by itself, so
// there is nothing to close.
type Grant struct {
	// renew gets the next token. Only one call runs at a time.
	renew func() (providers.Token, error)

	limits   *Limits
	tokenURL string

	mu         sync.Mutex
	current    providers.Token
	flight     *flight // nil = nobody renews
	ended      error
	endedUntil time.Time
}

var _ providers.Grant = (*Grant)(nil)

// flight is one renewal, for all who wait for it. token and err are set once done is closed.
type flight struct {
	done  chan struct{}
	token providers.Token
	err   error
}

// Current implements providers.Grant.
func (g *Grant) Current() providers.Token {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current
}

// Renew implements providers.Grant. If stale is not the current token and that one has not
// expired, it is the answer and nobody is asked. A canceled ctx ends only its own waiting:
// the renewal goes on for the others, for at most 30 seconds and the time that its turn, if
// there are Limits, and saving take. Errors hold no secret and nothing of what the authorization server said but its
// error code, if that is a known one; those of OAuthOptions.Save are wrapped as they are.
func (g *Grant) Renew(ctx context.Context, stale providers.Secret) (providers.Token, error) {
	f := g.join(stale)
	select {
	case <-f.done:
	case <-ctx.Done():
		return providers.Token{}, fmt.Errorf("wait for a new token: %w", context.Cause(ctx))
	}
	if f.err == nil && f.token.Secret.Equal(stale) {
		return providers.Token{}, errSameToken
	}
	return f.token, f.err
}

// join returns the flight to wait for: one that has landed if the answer is known, the one
// that is under way, or a new one.
func (g *Grant) join(stale providers.Secret) *flight {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	switch {
	case g.current.Usable(now) && !g.current.Secret.Equal(stale):
		return landed(g.current, nil)
	case g.flight != nil:
		return g.flight
	case now.Before(g.endedUntil):
		return landed(providers.Token{}, g.ended)
	}
	g.flight = &flight{done: make(chan struct{})}
	go g.fly(g.flight)
	return g.flight
}

func landed(token providers.Token, err error) *flight {
	f := &flight{done: make(chan struct{}), token: token, err: err}
	close(f.done)
	return f
}

// fly renews and tells everybody, whatever happens: a panic of a host's transport or Save
// ends neither the program nor the waiting. Its value is not passed on: it may hold anything.
func (g *Grant) fly(f *flight) {
	f.err = errPanic
	leave := g.limits.enter(g.tokenURL)
	defer func() {
		_ = recover()
		leave()
		g.land(f)
		close(f.done)
	}()
	f.token, f.err = g.renew()
}

func (g *Grant) land(f *flight) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flight = nil
	switch {
	case f.err == nil:
		g.current = f.token
	case errors.Is(f.err, providers.ErrGrantEnded):
		g.ended, g.endedUntil = f.err, time.Now().Add(endedFor)
	}
}
