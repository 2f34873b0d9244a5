package grant_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/grant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// roundTrip is an authorization server inside the process, which can live in a bubble.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answer is a server that always says the same.
func answer(status int, contentType, body string) roundTrip {
	return func(*http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.WriteString(body)
		return w.Result(), nil
	}
}

// issuer is an authorization server. It takes each refresh token once and gives out the
// next; one that is used again ends the login, as careful servers do. Access token N goes
// with refresh token N.
type issuer struct {
	mu       sync.Mutex
	keep     bool // never replaces the refresh token
	revoked  bool
	issued   int
	requests []url.Values
	trouble  func(w http.ResponseWriter, r *http.Request) bool // answers before the issuer does, if true
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests = append(i.requests, r.PostForm)
	if i.trouble != nil && i.trouble(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if i.revoked || r.PostForm.Get("grant_type") != "refresh_token" || r.PostForm.Get("refresh_token") != i.refreshToken() {
		i.revoked = true
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`)
		return
	}
	i.issued++
	rotated := ""
	if !i.keep {
		rotated = fmt.Sprintf(`,"refresh_token":%q`, i.refreshToken())
	}
	_, _ = fmt.Fprintf(w, `{"access_token":"access-%d","token_type":"Bearer","expires_in":3600%s}`, i.issued, rotated)
}

func (i *issuer) refreshToken() string {
	if i.keep {
		return "refresh-0"
	}
	return fmt.Sprintf("refresh-%d", i.issued)
}

// RoundTrip serves without a network.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	return w.Result(), nil
}

func (i *issuer) asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.requests)
}

func options(server http.RoundTripper) grant.OAuthOptions {
	return grant.OAuthOptions{
		TokenURL: "https://auth.example/token", ClientID: "client", RefreshToken: providers.NewSecret("refresh-0"),
		Token: providers.Token{Secret: providers.NewSecret("access-0")}, Transport: server,
	}
}

func oauth(t *testing.T, o grant.OAuthOptions) *grant.Grant {
	t.Helper()
	g, err := grant.NewOAuth(o)
	require.NoError(t, err)
	return g
}

// renew asks for another token than the current one.
func renew(t *testing.T, g *grant.Grant) (string, error) {
	t.Helper()
	token, err := g.Renew(t.Context(), g.Current().Secret)
	return token.Secret.Reveal(), err
}

func mustRenew(t *testing.T, g *grant.Grant) string {
	t.Helper()
	token, err := renew(t, g)
	require.NoError(t, err)
	return token
}

// saved is one call of Save.
type saved struct {
	access, refresh string
	expiresAt       time.Time
}

// store records what is saved, and fails while it is told to.
type store struct {
	broken bool
	calls  []saved
}

var errDiskFull = errors.New("disk full")

func (s *store) Save(_ context.Context, access, refresh string, expiresAt time.Time) error {
	s.calls = append(s.calls, saved{access, refresh, expiresAt})
	if s.broken {
		return errDiskFull
	}
	return nil
}
