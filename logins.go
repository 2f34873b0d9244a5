package understudy

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/grant"
)

// loginKey names a login: the credentials of one file share it.
type loginKey struct{ file, credential string }

// login is a grant in use. It stays the same for as long as its description does, but for
// what it has brought itself: a new token does not make another login of it.
type login struct {
	*grant.Grant

	key string // of the service account; empty = it is an OAuth login
	way atomic.Pointer[http.RoundTripper]

	mu   sync.Mutex
	seen []config.OAuth // as it was configured, and as each of its last renewals left it
}

// heldLogin is a login and what reaches its authorization server from now on.
type heldLogin struct {
	*login

	transport http.RoundTripper
}

// renewalsAtOnce bounds how many logins are renewed at a time at one authorization server.
const renewalsAtOnce = 16

// seenKept bounds the former refresh tokens by which a login is recognized: a configuration
// that was read before a renewal may arrive after it.
const seenKept = 16

// login returns what c's access tokens come from; nil = its secret is fixed. It is the one
// that is in use already, if c describes that.
func (u *builtUpstream) login(old builtUpstream, c config.Credential, transport http.RoundTripper, limits *grant.Limits) (*login, error) {
	if c.ServiceAccount == nil && (c.OAuth == nil || c.OAuth.RefreshToken == "") {
		return nil, nil //nolint:nilnil // no login is no error
	}
	key := loginKey{file: c.Source}
	if c.Source == "" {
		key.credential = c.ID
	}
	if shared, ok := u.logins[key]; ok {
		return shared.login, nil
	}
	l := old.logins[key].login
	if l == nil || !l.isOf(c) {
		var err error
		if l, err = newLogin(c, transport, limits); err != nil {
			return nil, err
		}
	}
	if u.logins == nil {
		u.logins = map[loginKey]heldLogin{}
	}
	u.logins[key] = heldLogin{l, transport}
	return l, nil
}

func newLogin(c config.Credential, transport http.RoundTripper, limits *grant.Limits) (*login, error) {
	l := &login{}
	l.way.Store(&transport)
	var err error
	if c.ServiceAccount != nil {
		l.key = c.ServiceAccount.Key
		l.Grant, err = grant.NewServiceAccount(grant.ServiceAccountOptions{
			Key: l.key, KeyChecked: c.Source != "", // where files are read
			Transport: l, Limits: limits,
		})
		if err != nil {
			return nil, fmt.Errorf("service-account: %w", err)
		}
		return l, nil
	}
	l.seen = []config.OAuth{*c.OAuth}
	o := grant.OAuthOptions{
		TokenURL: c.OAuth.TokenURL, ClientID: c.OAuth.ClientID, ClientSecret: providers.NewSecret(c.OAuth.ClientSecret),
		RefreshToken: providers.NewSecret(c.OAuth.RefreshToken), Scopes: c.OAuth.Scopes,
		Token:     providers.Token{Secret: providers.NewSecret(c.OAuth.AccessToken), ExpiresAt: c.OAuth.ExpiresAt},
		Transport: l, Limits: limits,
		Save: func(_ context.Context, access, refresh string, expiresAt time.Time) error {
			l.note(refresh)
			if c.Source == "" {
				return nil
			}
			return config.UpdateTokens(c.Source, access, refresh, expiresAt)
		},
	}
	if l.Grant, err = grant.NewOAuth(o); err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	return l, nil
}

// isOf reports whether c describes l, as it is now or was a while ago.
func (l *login) isOf(c config.Credential) bool {
	if c.ServiceAccount != nil || l.key != "" {
		return c.ServiceAccount != nil && c.ServiceAccount.Key == l.key
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.seen, func(o config.OAuth) bool { return o.SameLogin(c.OAuth) })
}

// withoutOwnTokens returns changes without those that logins have made themselves: a login
// that goes on differs at most in tokens that it has brought.
func (b *builder) withoutOwnTokens(changes []config.Change, next built) []config.Change {
	own := map[string]bool{}
	for _, u := range next.upstreams {
		before := map[providers.CredentialID]providers.Grant{}
		for _, c := range b.lastOf(u.source.Name).credentials {
			before[c.ID] = c.Grant
		}
		for _, c := range u.credentials {
			if c.Grant != nil && c.Grant == before[c.ID] {
				own[fmt.Sprintf("providers[%s].credentials[%s].oauth", u.source.Name, c.ID)] = true
			}
		}
	}
	return slices.DeleteFunc(changes, func(c config.Change) bool { return own[c.Path] })
}

// note remembers a refresh token that has come in place of the one before.
func (l *login) note(refresh string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.seen[len(l.seen)-1]
	if next.RefreshToken == refresh {
		return
	}
	next.RefreshToken = refresh
	if len(l.seen) == seenKept {
		l.seen = slices.Delete(l.seen, 0, 1)
	}
	l.seen = append(l.seen, next)
}

// RoundTrip implements http.RoundTripper: it reaches the authorization server in the way
// that is configured now.
func (l *login) RoundTrip(r *http.Request) (*http.Response, error) {
	return (*l.way.Load()).RoundTrip(r)
}
