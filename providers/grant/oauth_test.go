package grant_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/grant"
)

func TestNewOAuth_SaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*grant.OAuthOptions)
		want   string
	}{
		"no token URL":         {func(o *grant.OAuthOptions) { o.TokenURL = "" }, "token-url: must be an absolute http or https URL"},
		"relative token URL":   {func(o *grant.OAuthOptions) { o.TokenURL = "/token" }, "token-url: must be an absolute http or https URL"},
		"other scheme":         {func(o *grant.OAuthOptions) { o.TokenURL = "file:///token" }, "token-url: must be an absolute http or https URL"},
		"token URL with user":  {func(o *grant.OAuthOptions) { o.TokenURL = "https://u:hunter2@h/" }, "token-url: must be an absolute http or https URL"},
		"no refresh token":     {func(o *grant.OAuthOptions) { o.RefreshToken = providers.Secret{} }, "refresh-token: is required"},
		"no way to the server": {func(o *grant.OAuthOptions) { o.Transport = nil }, "no transport"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(&issuer{})
			tt.change(&o)
			_, err := grant.NewOAuth(o)
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestOAuth_SendsWhatTheStandardSays(t *testing.T) {
	t.Parallel()
	server := &issuer{}
	o := options(server)
	o.Scopes = []string{"a", "b"}
	o.ClientSecret = providers.NewSecret("hunter2")
	mustRenew(t, oauth(t, o))
	require.Equal(t, []url.Values{{
		"grant_type": {"refresh_token"}, "refresh_token": {"refresh-0"}, "scope": {"a b"},
		"client_id": {"client"}, "client_secret": {"hunter2"},
	}}, server.requests)

	server = &issuer{keep: true}
	g := oauth(t, options(server))
	mustRenew(t, g)
	mustRenew(t, g)
	want := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"refresh-0"}, "client_id": {"client"}}
	require.Equal(t, []url.Values{want, want}, server.requests, "a refresh token that is not replaced stays")
}

func TestOAuth_SavesBeforeAnybodySeesTheToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, kept := &issuer{}, &store{}
		o := options(server)
		var g *grant.Grant
		o.Save = func(ctx context.Context, access, refresh string, expiresAt time.Time) error {
			require.NotEqual(t, access, g.Current().Secret.Reveal(), "not current before it is saved")
			_, bounded := ctx.Deadline()
			require.True(t, bounded)
			return kept.Save(ctx, access, refresh, expiresAt)
		}
		g = oauth(t, o)
		require.Equal(t, "access-1", mustRenew(t, g))
		require.Equal(t, "access-2", mustRenew(t, g))
		expiry := time.Now().Add(time.Hour).UTC()
		require.Equal(t, []saved{{"access-1", "refresh-1", expiry}, {"access-2", "refresh-2", expiry}}, kept.calls)
		require.Equal(t, time.Hour, g.Current().Lifetime)
		require.Equal(t, expiry, g.Current().ExpiresAt)
	})
}

func TestOAuth_KeepsARotatedTokenThatCouldNotBeSaved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, kept := &issuer{}, &store{broken: true}
		o := options(server)
		o.Save = kept.Save
		g := oauth(t, o)
		for range 3 {
			_, err := renew(t, g)
			require.ErrorIs(t, err, errDiskFull)
			require.NotErrorIs(t, err, providers.ErrGrantEnded)
		}
		require.Equal(t, "access-0", g.Current().Secret.Reveal())
		kept.broken = false
		require.Equal(t, "access-1", mustRenew(t, g))
		require.Equal(t, 1, server.asked(), "only saving is tried again")
		require.Len(t, kept.calls, 4)
		require.Equal(t, kept.calls[0], kept.calls[3])

		kept.broken = true
		_, err := renew(t, g)
		require.ErrorIs(t, err, errDiskFull)
		kept.broken = false
		time.Sleep(time.Hour)
		require.Equal(t, "access-3", mustRenew(t, g), "what was not saved in time is saved, and replaced")
		require.Equal(t, "refresh-2", kept.calls[5].refresh)
		require.Equal(t, "refresh-3", kept.calls[6].refresh)
	})
}

func TestOAuth_CountsTheLifetimeFromWhenItAsked(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		expiresIn string
		lifetime  time.Duration
	}{
		"number":      {`3600`, time.Hour},
		"text":        {`"3600"`, time.Hour},
		"not known":   {`null`, 0},
		"zero":        {`0`, 0},
		"negative":    {`-5`, 0},
		"many years":  {`99999999999`, (1<<31 - 1) * time.Second},
		"one is left": {`1`, time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				g := oauth(t, options(roundTrip(func(r *http.Request) (*http.Response, error) {
					time.Sleep(20 * time.Second) // a slow answer
					return answer(200, "application/json", `{"access_token":"new","expires_in":`+tt.expiresIn+`}`)(r)
				})))
				mustRenew(t, g)
				require.Equal(t, tt.lifetime, g.Current().Lifetime)
				if tt.lifetime == 0 {
					require.Zero(t, g.Current().ExpiresAt)
					return
				}
				require.Equal(t, begun.Add(tt.lifetime).UTC(), g.Current().ExpiresAt)
			})
		})
	}
}

func TestOAuth_TriesTheOtherWayToAuthenticateOnlyIfTheClientIsRefused(t *testing.T) {
	t.Parallel()
	basic := func(w http.ResponseWriter, r *http.Request) bool {
		if id, secret, _ := r.BasicAuth(); id == "client" && secret == "hunter2" {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprint(w, `{"error":"invalid_client"}`)
		return true
	}
	broken := func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	tests := map[string]struct {
		trouble func(http.ResponseWriter, *http.Request) bool
		secret  string
		want    string // error
		asked   []int  // after each of two renewals
	}{
		"server wants a header":      {basic, "hunter2", "", []int{2, 3}},
		"wrong secret":               {basic, "hunter3", "the authorization server refused: status 401 invalid_client", []int{2, 4}},
		"no secret, so no other way": {basic, "", "the authorization server refused: status 401 invalid_client", []int{1, 2}},
		"server in trouble":          {broken, "hunter2", "the authorization server refused: status 500", []int{1, 2}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &issuer{trouble: tt.trouble}
			o := options(server)
			o.ClientSecret = providers.NewSecret(tt.secret)
			g := oauth(t, o)
			for _, asked := range tt.asked {
				_, err := renew(t, g)
				if tt.want == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, tt.want)
					require.NotErrorIs(t, err, providers.ErrGrantEnded)
				}
				require.Equal(t, asked, server.asked())
			}
		})
	}
}

func TestOAuth_KeepsToTheWayToAuthenticateThatWorked(t *testing.T) {
	t.Parallel()
	server := &issuer{}
	o := options(server)
	o.ClientSecret = providers.NewSecret("hunter2")
	g := oauth(t, o)
	mustRenew(t, g)
	server.trouble = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	_, err := renew(t, g)
	require.EqualError(t, err, "the authorization server refused: status 401")
	require.Equal(t, 2, server.asked())
}

// TestOAuth_NeverLosesALogin goes through trouble of every kind with a server that ends a
// login when an old refresh token shows up.
func TestOAuth_NeverLosesALogin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		server, kept := &issuer{}, &store{}
		o := options(server)
		o.Save = kept.Save
		g, err := grant.NewOAuth(o)
		require.NoError(rt, err)
		for range rapid.IntRange(1, 20).Draw(rt, "renewals") {
			kept.broken = rapid.Bool().Draw(rt, "disk full")
			trouble := rapid.SampledFrom([]string{"", "", "500", "401", "429", "garbage", "panic"}).Draw(rt, "trouble")
			server.trouble = func(w http.ResponseWriter, _ *http.Request) bool {
				switch trouble {
				case "500", "401", "429":
					var status int
					_, _ = fmt.Sscan(trouble, &status)
					w.WriteHeader(status)
				case "garbage":
					_, _ = fmt.Fprint(w, "<html>login</html>")
				case "panic":
					panic("in the transport")
				}
				return trouble != ""
			}
			before := g.Current().Secret
			token, err := g.Renew(context.Background(), before)
			require.NotErrorIs(rt, err, providers.ErrGrantEnded)
			if err != nil {
				require.True(rt, g.Current().Secret.Equal(before), "a failure changes nothing")
				continue
			}
			last := kept.calls[len(kept.calls)-1]
			require.False(rt, kept.broken)
			require.Equal(rt, token.Secret.Reveal(), last.access)
			require.Equal(rt, fmt.Sprintf("refresh-%d", server.issued), last.refresh, "the newest is on disk")
		}
		kept.broken, server.trouble = false, nil
		_, err = g.Renew(context.Background(), g.Current().Secret)
		require.NoError(rt, err)
	})
}
