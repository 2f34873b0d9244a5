package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// login is a grant that renews to the tokens it is given, one after the other, and then fails.
type login struct {
	tokens []string

	mu    sync.Mutex
	stale []string // the secrets it was asked to replace
}

func (*login) Current() providers.Token { return providers.Token{} }

func (g *login) Renew(_ context.Context, stale providers.Secret) (providers.Token, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stale = append(g.stale, stale.Reveal())
	if len(g.stale) > len(g.tokens) {
		return providers.Token{}, errors.New("token endpoint down")
	}
	return providers.Token{Secret: providers.NewSecret(g.tokens[len(g.stale)-1])}, nil
}

// authorized answers good to those who bring one of secrets, and 401 to others. It notes what
// everybody brought.
func authorized(seen *[]string, good transport, secrets ...string) transport {
	return func(r *http.Request) (*http.Response, error) {
		secret := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		*seen = append(*seen, secret)
		for _, s := range secrets {
			if s == secret {
				return good(r)
			}
		}
		return answer(401, "application/json", `{"error":{}}`)(r)
	}
}

func TestRefresh_OnceOn401AndRepeatOnTheSameCredential(t *testing.T) {
	t.Parallel()
	const fresh, old = "fresh", "secret-a"
	tests := map[string]struct {
		tokens   []string
		accepted []string
		secret   string        // of the credential; empty = old
		expires  time.Duration // 0 = unknown
		sent     []string
		stale    []string
		reports  []string
	}{
		"a new secret is accepted (RT12)":         {[]string{fresh}, []string{fresh}, old, 0, []string{old, fresh}, []string{old}, []string{"a:success"}},
		"the refresh fails (RT13)":                {nil, nil, old, 0, []string{old}, []string{old}, []string{"a:unauthorized", "b:success"}},
		"401 again after it (RT13)":               {[]string{fresh, "second"}, nil, old, 0, []string{old, fresh}, []string{old}, []string{"a:unauthorized", "b:success"}},
		"it has expired":                          {[]string{fresh}, []string{fresh}, old, -time.Second, []string{fresh}, []string{old}, []string{"a:success"}},
		"it has expired; the refresh fails":       {nil, nil, old, -time.Second, []string{old}, []string{old}, []string{"a:unauthorized", "b:success"}},
		"expired, not refreshed, but accepted":    {nil, []string{old}, old, -time.Second, []string{old}, []string{old}, []string{"a:success"}},
		"expired; the new one is refused, too":    {[]string{fresh, "second"}, nil, old, -time.Second, []string{fresh}, []string{old}, []string{"a:unauthorized", "b:success"}},
		"there is none yet":                       {[]string{fresh}, []string{fresh}, "", 0, []string{fresh}, []string{""}, []string{"a:success"}},
		"nothing to refresh: it is as it was":     {nil, []string{old}, old, time.Hour, []string{old}, nil, []string{"a:success"}},
		"the secret is good, the upstream is not": {[]string{fresh}, []string{"500"}, old, time.Hour, []string{old}, nil, []string{"a:transient", "b:success"}},
	}
	for name, tt := range tests {
		for _, e := range endpoints() {
			t.Run(name+"/"+string(e.format), func(t *testing.T) {
				t.Parallel()
				for kind, ok := range map[string]transport{"plain": good(e.format), "stream": goodStream(e.format)} {
					var sent []string
					first := authorized(&sent, ok, tt.accepted...)
					if name == "the secret is good, the upstream is not" {
						first = authorized(&sent, answer(500, "application/json", `{"error":{}}`), old)
					}
					pool := newPool(first, ok)
					g := &login{tokens: tt.tokens}
					c := pool.credentials[0]
					c.Grant, c.Secret = g, providers.NewSecret(tt.secret)
					if tt.expires != 0 {
						c.ExpiresAt = time.Now().Add(tt.expires)
					}
					w := send(newTestServer(pool, live()), "POST", e.path, e.body)
					require.Equal(t, 200, w.Code, kind)
					require.Equal(t, tt.sent, sent, kind)
					require.Equal(t, tt.stale, g.stale, kind)
					require.Equal(t, tt.reports, pool.kinds(), kind)
					require.Len(t, pool.records[0].Attempts, len(tt.reports), "the repetition is no other attempt")
					require.Len(t, pool.firsts, 1)
				}
			})
		}
	}
}

// usedPool also keeps the secrets that were reported.
type usedPool struct {
	*fakePool
	secrets []string
}

func (p *usedPool) Report(l actors.Lease, o providers.Outcome) {
	p.secrets = append(p.secrets, l.Credential.Secret.Reveal())
	p.fakePool.Report(l, o)
}

func TestRefresh_TheReportCarriesTheSecretThatWasUsed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tokens []string
		want   string
	}{
		"refreshed": {[]string{"fresh"}, "fresh"},
		"in vain":   {nil, "secret-a"},
	} {
		var sent []string
		pool := &usedPool{fakePool: newPool(authorized(&sent, nil))}
		pool.credentials[0].Grant = &login{tokens: tt.tokens}
		w := send(New(Options{Pool: pool, Logger: slog.New(slog.DiscardHandler), Live: live()}), "POST", "/v1/chat/completions", chatBody)
		require.Equal(t, 401, w.Code, name)
		require.Equal(t, []string{tt.want}, pool.secrets, name)
	}
}

func TestRefresh_DoesNotCountAsAnotherCredential(t *testing.T) {
	t.Parallel()
	settings := live()
	settings.Retry = config.Retry{MaxCredentials: 2}
	var sent []string
	pool := newPool(authorized(&sent, nil), good(providers.OpenAIChat))
	pool.credentials[0].Grant = &login{tokens: []string{"fresh"}}
	w := send(newTestServer(pool, settings), "POST", "/v1/chat/completions", chatBody)
	require.Equal(t, 200, w.Code)
	require.Equal(t, []string{"secret-a", "fresh"}, sent)
	require.Equal(t, []string{"a:unauthorized", "b:success"}, pool.kinds())
}

func TestRefresh_RT14_NeverWithoutAGrant(t *testing.T) {
	t.Parallel()
	var sent []string
	pool := newPool(authorized(&sent, nil), good(providers.OpenAIChat))
	pool.credentials[0].ExpiresAt = time.Now().Add(-time.Hour)
	w := send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody)
	require.Equal(t, 200, w.Code)
	require.Equal(t, []string{"secret-a"}, sent)
}
