package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// A proxy that refuses a password repeats it in its answer.
func TestSecrets_OfProxiesAreNeverShown(t *testing.T) {
	t.Parallel()
	proxy := &fake.Proxy{User: "user", Password: upstreamMark + "proxy"}
	web := httptest.NewServer(proxy)
	t.Cleanup(web.Close)
	socks, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go proxy.ServeSOCKS(socks)
	t.Cleanup(func() { socks.Close(); proxy.Wait() })
	for _, url := range []string{"http://user:PASSWORD@" + web.Listener.Addr().String(), "socks5://user:PASSWORD@" + socks.Addr().String()} {
		for password, want := range map[string]int{proxy.Password: http.StatusOK, upstreamMark + "wrong": http.StatusBadGateway} {
			r := start(t, setup{ids: []string{"a"}, adjust: func(c *config.Config) {
				c.Providers[0].ProxyURL = strings.Replace(url, "PASSWORD", password, 1)
			}})
			require.Equal(t, want, r.ask(dialects()[0], false).status)
			if want != http.StatusOK {
				require.NotEmpty(t, r.attempted("a", 1).Outcome.Reason)
			}
		}
	}
}

func TestCollector_FindsSecretsInEveryForm(t *testing.T) {
	t.Parallel()
	const secret = "a-very-own-secret?"
	c := newCollector()
	c.add(secret)
	for name, text := range map[string]string{
		"as it is":        "x" + secret + "y",
		"hex":             fmt.Sprintf("%x", "xy"+secret),
		"upper hex":       fmt.Sprintf("%X", secret+"x"),
		"basic":           base64.StdEncoding.EncodeToString([]byte("app:" + secret)),
		"basic, shifted":  base64.StdEncoding.EncodeToString([]byte("myapp:" + secret + "x")),
		"basic, again":    base64.URLEncoding.EncodeToString([]byte("myapp2:" + secret + "xy")),
		"a mark":          secretOf("a"),
		"a mark, encoded": base64.RawURLEncoding.EncodeToString([]byte("ab" + secretOf("a"))),
	} {
		require.NotEmpty(t, c.look(name, []byte(text)), name)
	}
	require.Len(t, strings.Split(c.verdict(false), "\n"), 8)
	require.Empty(t, newCollector().look("answer", []byte(secret[1:])))
	require.Contains(t, newCollector().verdict(true), "nobody looked for secrets in any answer")
}

func TestCollector_FindsSecretsThatArriveInPieces(t *testing.T) {
	t.Parallel()
	secret, filler := "whole-"+t.Name(), strings.Repeat("-", 3*overlap)
	for _, size := range []int{1, 7, overlap - 1, overlap, overlap + 1, 4 * overlap} {
		c := newCollector()
		c.add(secret)
		body := &witnessed{ReadCloser: io.NopCloser(strings.NewReader(filler + secret + filler)), look: func(text []byte) { c.look("answer", text) }}
		for piece := make([]byte, size); ; {
			if _, err := body.Read(piece); err != nil {
				break
			}
		}
		require.NotEmpty(t, c.verdict(false), "pieces of %d", size)
	}
}

func TestGuard_FindsTheSecretsOfAConfiguration(t *testing.T) {
	t.Parallel()
	c := newCollector()
	key := strings.Repeat("k", 64)
	c.guard(&config.Config{Live: config.Live{
		APIKeys:    []config.APIKey{{Key: "key-of-a-client", Name: "name-of-a-client"}},
		Management: config.Management{SecretKey: "key-of-management"},
		Providers: []config.Provider{{Name: "name-of-a-provider", ProxyURL: "http://name-of-a-user:password-of-a-user@h:1", Credentials: []config.Credential{
			{APIKey: "key-of-a-credential", ProxyURL: "http://u:password-of-its-own@h:1"},
			{OAuth: &config.OAuth{ClientSecret: "secret-of-a-login", RefreshToken: "refresh-of-a-login", AccessToken: "access-of-a-login", ClientID: "name-of-a-login"}},
			{ServiceAccount: &config.ServiceAccount{Key: `{"private_key":"x\n` + key + `\ny"}`}},
		}}},
	}})
	for _, secret := range []string{
		"key-of-a-client", "key-of-management", "password-of-a-user", "key-of-a-credential", "password-of-its-own",
		"secret-of-a-login", "refresh-of-a-login", "access-of-a-login", key,
	} {
		require.NotEmpty(t, c.look("answer", []byte(secret)), secret)
	}
	require.Empty(t, c.look("answer", []byte("name-of-a-client name-of-management name-of-a-provider name-of-a-user name-of-a-login")))
}
