package providers

import (
	"context"
	"errors"
	"time"
)

// Token is an access token: a secret that expires.
type Token struct {
	Secret Secret
	// ExpiresAt is when it is no longer accepted; zero = it is not known to expire.
	ExpiresAt time.Time
	// Lifetime is how long it was good for when it was issued; 0 = not known.
	Lifetime time.Duration
}

// Usable reports whether t is a token that has not expired at now.
func (t Token) Usable(now time.Time) bool {
	return !t.Secret.Empty() && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}

// Grant gets access tokens for credentials whose secret is not fixed: a login with a refresh
// token, a service account. All credentials of one login share one. It is safe for
// concurrent use, and comparable with ==.
type Grant interface {
	// Current returns the token that is in use; the zero Token before there is one. It does
	// not block.
	Current() Token
	// Renew returns a token other than stale, which was refused or is about to expire. It
	// may take the network and write a file; whoever asks meanwhile gets the same token,
	// even if ctx ends for the one that asked first. A new token is kept safe before it is
	// returned. ErrGrantEnded means that there will be
	// no other one.
	Renew(ctx context.Context, stale Secret) (Token, error)
}

// ErrGrantEnded means that a login was revoked or has expired: somebody must log in again.
var ErrGrantEnded = errors.New("the login has ended")
