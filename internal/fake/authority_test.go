package fake

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refreshed sends a refresh token and returns status and body.
func refreshed(a *Authority, form url.Values) (int, string) {
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func withToken(refresh string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
}

func TestAuthority_RotatesRefreshTokens(t *testing.T) {
	t.Parallel()
	a := &Authority{Prefix: "x-"}
	access, refresh := a.Login("a")
	require.Equal(t, "x-a-0", access)
	require.Equal(t, "a", a.Owner(access))
	status, body := refreshed(a, withToken(refresh))
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"access_token":"x-a-1","refresh_token":"x-refresh-a-1","expires_in":3600,"token_type":"Bearer"}`, body)
	require.Equal(t, "x-refresh-a-1", a.Newest("a"))
	require.Equal(t, "a", a.Owner("x-a-0"), "it lasts for its time")
	a.Expire("a")
	require.Empty(t, a.Owner("x-a-1"))
	require.Equal(t, 1, a.Asked("a"))
}

func TestAuthority_TakesAReplacedTokenUntilTheNextIsUsed(t *testing.T) {
	t.Parallel()
	a := &Authority{}
	a.Login("a")
	for n := range 3 { // the answers get lost
		require.True(t, a.Takes("refresh-a-0"), n)
		status, _ := refreshed(a, withToken("refresh-a-0"))
		require.Equal(t, 200, status)
	}
	require.False(t, a.Takes("refresh-a-1"), "only the newest")
	status, _ := refreshed(a, withToken("refresh-a-3"))
	require.Equal(t, 200, status)
	require.True(t, a.Takes("refresh-a-3"))
	require.False(t, a.Takes("refresh-a-0"))
	status, body := refreshed(a, withToken("refresh-a-0"))
	require.Equal(t, 400, status)
	require.Contains(t, body, "invalid_grant")
	require.False(t, a.Takes(a.Newest("a")), "it was stolen")
	_, anew := a.Login("a")
	require.Equal(t, "refresh-a-5", anew)
	require.True(t, a.Takes(anew))
}

func TestAuthority_HasTroubleAsItsScriptSays(t *testing.T) {
	t.Parallel()
	a := &Authority{Script: func(login string, n int) Reply {
		if login == "a" && n == 1 {
			return Reply{Status: 500}
		}
		return Reply{}
	}}
	a.Login("a")
	a.Login("b")
	status, _ := refreshed(a, withToken("refresh-a-0"))
	require.Equal(t, 500, status)
	status, _ = refreshed(a, withToken("refresh-a-0"))
	require.Equal(t, 200, status)
	a.Revoke("b")
	status, _ = refreshed(a, withToken("refresh-b-0"))
	require.Equal(t, 400, status)
	status, _ = refreshed(a, withToken("nonsense"))
	require.Equal(t, 400, status)
}

func TestAuthority_TakesAssertions(t *testing.T) {
	t.Parallel()
	a := &Authority{Signer: "robot", ExpiresIn: 60}
	a.Login("robot")
	status, body := refreshed(a, url.Values{"assertion": {"signed"}})
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"access_token":"robot-1","expires_in":60,"token_type":"Bearer"}`, body)
	status, _ = refreshed(&Authority{}, url.Values{"assertion": {"signed"}})
	require.Equal(t, 400, status)
}
