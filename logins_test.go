package understudy_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
)

// tokenWorld is an authorization server that numbers its tokens, and an upstream that takes
// them until they are revoked.
type tokenWorld struct {
	mu      sync.Mutex
	issued  int
	revoked int      // all tokens up to this one are
	refresh []string // the refresh tokens, or assertions, that were shown
	seen    []string // what the upstream was called with
	ended   bool
}

func (w *tokenWorld) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/json")
	switch body, _ := io.ReadAll(r.Body); {
	case r.URL.Host == "auth.example" && w.ended:
		answer.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(answer, `{"error":"invalid_grant"}`)
	case r.URL.Host == "auth.example":
		w.issued++
		w.refresh = append(w.refresh, string(body))
		_, _ = fmt.Fprintf(answer, `{"access_token":"token-%d","refresh_token":"login-%d","expires_in":3600,"token_type":"Bearer"}`, w.issued, w.issued)
	case !w.accepts(r.Header.Get("Authorization")):
		answer.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(answer, `{"error":{"message":"token expired","status":"UNAUTHENTICATED","code":401}}`)
	default:
		w.seen = append(w.seen, r.URL.Path+" "+r.Header.Get("X-Goog-Api-Key"))
		_, _ = io.WriteString(answer, `{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"finishReason":"STOP","index":0}]}`)
	}
	return answer.Result(), nil
}

func (w *tokenWorld) tokens() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.issued
}

func (w *tokenWorld) calls() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

func (w *tokenWorld) shown() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.refresh)
}

func (w *tokenWorld) accepts(authorization string) bool {
	var n int
	_, err := fmt.Sscanf(authorization, "Bearer token-%d", &n)
	return err == nil && n > w.revoked && n <= w.issued
}

// withFiles loads a configuration of text with files in its credentials-dir, and returns how
// to load it again.
func withFiles(t *testing.T, text string, files map[string]string) (load func() *config.Config, path func(name string) string) {
	t.Helper()
	dir := t.TempDir()
	path = func(name string) string { return filepath.Join(dir, "credentials", name) }
	require.NoError(t, os.Mkdir(path(""), 0o700))
	main := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(main, []byte("credentials-dir: "+path("")+"\n"+text), 0o600))
	for name, data := range files {
		require.NoError(t, os.WriteFile(path(name), []byte(data), 0o600))
	}
	return func() *config.Config {
		loaded, err := config.LoadAll(main, os.LookupEnv)
		require.NoError(t, err)
		require.Empty(t, loaded.Bad)
		return loaded.Config
	}, path
}

const geminiQuestion = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`

func askGemini(t *testing.T, gw *understudy.Gateway) (int, string) {
	t.Helper()
	return post(t, gw, "/v1beta/models/m:generateContent", geminiQuestion)
}

func TestLogins_AreRefreshedAndKept(t *testing.T) {
	t.Parallel()
	load, path := withFiles(t, "providers: [{name: gemini, kind: gemini, models: [m]}]\n", map[string]string{
		"a.yaml": "provider: gemini\noauth: {token-url: https://auth.example/token, client-id: app, refresh-token: login-0} # mine\n",
	})
	w := &tokenWorld{}
	inGateway(t, load(), func(t *testing.T, gw *understudy.Gateway) {
		for range 3 {
			status, body := askGemini(t, gw)
			require.Equal(t, 200, status, body)
		}
		require.Equal(t, 1, w.tokens(), "one token serves them all")
		require.Equal(t, []string{"/v1beta/models/m:generateContent "}, w.calls()[:1], "the token is no API key")
		file, err := os.ReadFile(path("a.yaml"))
		require.NoError(t, err)
		require.Contains(t, string(file), "login-1")
		require.Contains(t, string(file), "token-1")
		require.Contains(t, string(file), "# mine")

		before := load() // is as the file was before the next renewal
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, 2, w.tokens(), "ahead of its end, without a request")
		for _, cfg := range []*config.Config{before, load()} {
			changes, err := gw.Apply(cfg)
			require.NoError(t, err)
			require.Empty(t, changes, "it has made them itself")
			status, body := askGemini(t, gw)
			require.Equal(t, 200, status, body)
		}
		require.Equal(t, 2, w.tokens(), "what the login itself has brought makes no other one")

		w.mu.Lock()
		w.revoked = 2
		w.mu.Unlock()
		status, body := askGemini(t, gw)
		require.Equal(t, 200, status, body)
		require.Equal(t, 3, w.tokens())
		require.Contains(t, w.shown()[2], "refresh_token=login-2")

		require.NoError(t, os.WriteFile(path("a.yaml"), []byte("provider: gemini\noauth: {token-url: https://auth.example/token, client-id: app, refresh-token: fresh}\n"), 0o600))
		changes, err := gw.Apply(load())
		require.NoError(t, err)
		require.Equal(t, "[providers[gemini].credentials[a].oauth changed]", fmt.Sprint(changes))
		status, body = askGemini(t, gw)
		require.Equal(t, 200, status, body)
		require.Contains(t, w.shown()[3], "refresh_token=fresh", "somebody has logged in anew")
	}, understudy.WithTransport(w))
}

func TestLogins_OneThatHasEndedIsNoOutageOfOthers(t *testing.T) {
	t.Parallel()
	load, _ := withFiles(t, "providers: [{name: gemini, kind: gemini, models: [m]}]\n", map[string]string{
		"a.yaml": "provider: gemini\noauth: {token-url: https://auth.example/token, refresh-token: login-0}\n",
		"b.yaml": "provider: gemini\noauth: {access-token: token-0}\n", // is used as long as it lasts
	})
	w := &tokenWorld{ended: true, revoked: -1}
	inGateway(t, load(), func(t *testing.T, gw *understudy.Gateway) {
		for range 3 {
			status, body := askGemini(t, gw)
			require.Equal(t, 200, status, body)
		}
		require.Zero(t, w.tokens())
	}, understudy.WithTransport(w))
}

func TestLogins_ProjectsShareOneServiceAccount(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	robot, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "home", "client_email": "robot@home.iam.gserviceaccount.example",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": "https://auth.example/token",
	})
	require.NoError(t, err)
	load, _ := withFiles(t, "providers: [{name: vertex, kind: vertex, location: global, models: [m]}]\n", map[string]string{
		"a.json": fmt.Sprintf(`{"provider": "vertex", "projects": ["one", "two"], "service-account": %s}`, robot),
		"b.json": fmt.Sprintf(`{"provider": "vertex", "service-account": %s}`, robot),
	})
	w := &tokenWorld{}
	inGateway(t, load(), func(t *testing.T, gw *understudy.Gateway) {
		for range 12 {
			status, body := askGemini(t, gw)
			require.Equal(t, 200, status, body)
		}
		projects := map[string]bool{}
		for _, seen := range w.calls() {
			projects[strings.Split(seen, "/")[3]] = true
		}
		require.Equal(t, map[string]bool{"one": true, "two": true, "home": true}, projects)
		require.Equal(t, 2, w.tokens(), "credentials of one file share a login")
		_, err := gw.Apply(load())
		require.NoError(t, err)
		status, body := askGemini(t, gw)
		require.Equal(t, 200, status, body)
		require.Equal(t, 2, w.tokens())
	}, understudy.WithTransport(w))
}
