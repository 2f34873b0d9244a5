package grant_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/grant"
)

// renewal is what one call of Renew brought.
type renewal struct {
	token string
	err   error
}

// renewals makes n goroutines renew access-0 at once.
func renewals(ctx context.Context, g *grant.Grant, n int) <-chan renewal {
	answers := make(chan renewal, n)
	for range n {
		go func() {
			token, err := g.Renew(ctx, providers.NewSecret("access-0"))
			answers <- renewal{token.Secret.Reveal(), err}
		}()
	}
	return answers
}

func TestGrant_AsksOnceForAThousandWhoRenewAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, open := &issuer{}, make(chan struct{})
		server.trouble = func(http.ResponseWriter, *http.Request) bool { <-open; return false }
		g := oauth(t, options(server))
		answers := renewals(t.Context(), g, 1000)
		synctest.Wait() // all of them wait for the server
		require.Equal(t, "access-0", g.Current().Secret.Reveal(), "the old one is told meanwhile, without waiting")
		close(open)
		for range 1000 {
			require.Equal(t, renewal{token: "access-1"}, <-answers)
		}
		require.Equal(t, 1, server.asked())
		require.Equal(t, "access-1", g.Current().Secret.Reveal())

		token, err := g.Renew(t.Context(), providers.NewSecret("access-0"))
		require.NoError(t, err)
		require.Equal(t, "access-1", token.Secret.Reveal())
		_, err = g.Renew(t.Context(), providers.Secret{})
		require.NoError(t, err)
		require.Equal(t, 1, server.asked(), "who comes late with an old token gets the current one")

		require.Equal(t, "access-2", mustRenew(t, g))
		require.Equal(t, 2, server.asked())
	})
}

func TestGrant_LetsAThousandWhoWaitShareAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, open := &issuer{}, make(chan struct{})
		server.trouble = func(w http.ResponseWriter, _ *http.Request) bool {
			<-open
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		g := oauth(t, options(server))
		answers := renewals(t.Context(), g, 1000)
		synctest.Wait()
		close(open)
		for range 1000 {
			require.EqualError(t, (<-answers).err, "the authorization server refused: status 500")
		}
		require.Equal(t, 1, server.asked())
		require.Equal(t, "access-0", g.Current().Secret.Reveal())
	})
}

func TestGrant_GoesOnWhenTheFirstWhoAskedGoesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, open := &issuer{}, make(chan struct{})
		server.trouble = func(http.ResponseWriter, *http.Request) bool { <-open; return false }
		g := oauth(t, options(server))
		ctx, cancel := context.WithCancelCause(t.Context())
		first := renewals(ctx, g, 1)
		synctest.Wait()
		second := renewals(t.Context(), g, 1)
		synctest.Wait()
		gone := errors.New("client went away")
		cancel(gone)
		require.ErrorIs(t, (<-first).err, gone)
		close(open)
		require.Equal(t, renewal{token: "access-1"}, <-second)
		require.Equal(t, 1, server.asked())
	})
}

func TestGrant_RenewsATokenThatHasExpiredWhoeverAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &issuer{}
		o := options(server)
		o.Token.ExpiresAt = time.Now().Add(time.Minute)
		g := oauth(t, o)
		token, err := g.Renew(t.Context(), providers.NewSecret("older"))
		require.NoError(t, err)
		require.Equal(t, "access-0", token.Secret.Reveal())
		time.Sleep(time.Minute)
		token, err = g.Renew(t.Context(), providers.NewSecret("older"))
		require.NoError(t, err)
		require.Equal(t, "access-1", token.Secret.Reveal(), "one that has expired helps nobody")
	})
}

func TestGrant_TellsThatALoginHasEndedWithoutAskingEachTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &issuer{revoked: true}
		g := oauth(t, options(server))
		for range 10 {
			_, err := renew(t, g)
			require.ErrorIs(t, err, providers.ErrGrantEnded)
			require.EqualError(t, err, "the login has ended: the authorization server refused: status 400 invalid_grant")
		}
		require.Equal(t, 1, server.asked())
		time.Sleep(time.Minute)
		server.revoked = false
		require.Equal(t, "access-1", mustRenew(t, g), "a server that was wrong is believed again")
	})
}

func TestGrant_DoesNotGiveOutTheRefusedTokenAgain(t *testing.T) {
	t.Parallel()
	g := oauth(t, options(answer(200, "application/json", `{"access_token":"access-0","expires_in":60}`)))
	_, err := renew(t, g)
	require.EqualError(t, err, "the authorization server gave out the refused token again")
}

func TestGrant_SurvivesPanics(t *testing.T) {
	t.Parallel()
	server := &issuer{}
	o := options(server)
	panics := true
	o.Save = func(context.Context, string, string, time.Time) error {
		if panics {
			panic("hunter2")
		}
		return nil
	}
	g := oauth(t, o)
	_, err := renew(t, g)
	require.EqualError(t, err, "renewing the token panicked")
	panics = false
	require.Equal(t, "access-1", mustRenew(t, g))
	require.Equal(t, 1, server.asked(), "what was not saved is not asked for again")

	o.Transport = roundTrip(func(*http.Request) (*http.Response, error) { panic("hunter2") })
	_, err = renew(t, oauth(t, o))
	require.EqualError(t, err, "renewing the token panicked")
}

// TestGrant_ServesManyOverANetwork has a server that is slow to answer and often broken,
// and forgives nothing: a refresh token that comes twice ends the login.
func TestGrant_ServesManyOverANetwork(t *testing.T) {
	t.Parallel()
	server, kept := &issuer{}, &store{}
	server.trouble = func(w http.ResponseWriter, _ *http.Request) bool {
		if len(server.requests)%3 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		return false
	}
	listening := httptest.NewServer(server)
	t.Cleanup(listening.Close)
	o := options(listening.Client().Transport)
	o.TokenURL, o.Save = listening.URL+"/token", kept.Save
	g := oauth(t, o)
	failures := make(chan error, 20*50)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 50 {
				stale := g.Current().Secret
				switch token, err := g.Renew(t.Context(), stale); {
				case errors.Is(err, providers.ErrGrantEnded):
					failures <- err
				case err == nil && token.Secret.Equal(stale):
					failures <- errors.New("got the stale token")
				}
			}
		})
	}
	wg.Wait()
	close(failures)
	require.NoError(t, <-failures)
	require.Equal(t, fmt.Sprintf("access-%d", server.issued), g.Current().Secret.Reveal())
	require.Len(t, kept.calls, server.issued)
	require.Greater(t, server.issued, 10)
}

func TestGrant_ShowsNoSecret(t *testing.T) {
	t.Parallel()
	o := options(&issuer{})
	o.ClientSecret, o.RefreshToken = providers.NewSecret("hunter2-client"), providers.NewSecret("hunter2-refresh")
	o.Token.Secret = providers.NewSecret("hunter2-access")
	account, err := grant.NewServiceAccount(grant.ServiceAccountOptions{Key: string(serviceKey(t, nil)), Transport: o.Transport})
	require.NoError(t, err)
	g := oauth(t, o)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, value := range []any{o, &o, g, g.Current(), account} {
			text := fmt.Sprintf(verb, value)
			require.NotContains(t, text, "hunter2", verb)
			require.NotContains(t, text, fmt.Sprintf("%x", "hunter2"), verb)
			require.NotContains(t, text, "PRIVATE KEY", verb)
		}
	}
}
