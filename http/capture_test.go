package httpapi

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/http/capture"
	"github.com/understudyhq/understudy/providers"
)

// capturing returns a server with a store, and what reads all that was captured.
func capturing(t *testing.T, pool *fakePool, requests string, adjust ...func(*config.Live)) (*Server, func() []string) {
	t.Helper()
	settings := live()
	settings.Logging = config.Default().Logging
	settings.Logging.Requests, settings.Logging.Dir = requests, filepath.Join(t.TempDir(), "logs")
	for _, f := range adjust {
		f(&settings)
	}
	store := capture.NewStore(slog.New(slog.DiscardHandler))
	store.Apply(settings.Logging)
	t.Cleanup(store.Close)
	s := New(Options{Pool: pool, Logger: slog.New(slog.DiscardHandler), Live: settings, Captures: store})
	return s, func() []string {
		var texts []string
		files, err := filepath.Glob(filepath.Join(settings.Logging.Dir, "*"))
		require.NoError(t, err)
		for _, file := range files {
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			texts = append(texts, string(b))
			require.NoError(t, os.Remove(file))
		}
		return texts
	}
}

func fine() transport { return answer(200, "application/json", `{"answer":"fine"}`) }

func broken() transport {
	return answer(503, "application/json", `{"error":{"message":"key secret-a is bad"}}`)
}

func TestMG22_CaptureModes(t *testing.T) {
	t.Parallel()
	for requests, want := range map[string][2]int{"off": {0, 0}, "errors": {0, 1}, "all": {1, 1}} {
		s, captured := capturing(t, newPool(fine()), requests)
		require.Equal(t, 200, send(s, "POST", "/v1/chat/completions", chatBody).Code)
		require.Len(t, captured(), want[0], requests)
		s, captured = capturing(t, newPool(broken()), requests)
		require.Equal(t, 503, send(s, "POST", "/v1/chat/completions", chatBody).Code)
		require.Len(t, captured(), want[1], requests)
	}
}

func TestMG23_WhichRoutesAreCaptured(t *testing.T) {
	t.Parallel()
	withKey := func(l *config.Live) { l.APIKeys = []config.APIKey{{Key: "client-key", Name: "n"}} }
	s, captured := capturing(t, newPool(fine()), "all", withKey)
	for _, tt := range []struct {
		method, path string
		header       []string
		want         int
	}{
		{"POST", "/v1/chat/completions", []string{"Authorization", "Bearer client-key"}, 1},
		{"POST", "/v1/chat/completions", []string{"Authorization", "Bearer wrong"}, 0},
		{"POST", "/v1/nowhere", []string{"Authorization", "Bearer client-key"}, 0},
		{"GET", "/v1/models", []string{"Authorization", "Bearer client-key"}, 0},
		{"GET", "/v1/responses", []string{"Authorization", "Bearer client-key"}, 0},
		{"GET", "/v1/responses", []string{"Authorization", "Bearer client-key", "Upgrade", "websocket"}, 1},
		{"GET", "/metrics", []string{"Authorization", "Bearer client-key"}, 0},
		{"GET", "/healthz", nil, 0},
	} {
		send(s, tt.method, tt.path, chatBody, tt.header...)
		require.Len(t, captured(), tt.want, "%s %s %v", tt.method, tt.path, tt.header)
	}
}

func TestMG25_CaptureHasNoSecret(t *testing.T) {
	t.Parallel()
	pool := newPool(broken())
	pool.credentials[0].Headers = []providers.Header{{Name: "X-Extra", Value: providers.NewSecret("extra-secret")}}
	s, captured := capturing(t, pool, "errors")
	send(s, "POST", "/v1/chat/completions?key=secret-q&x=1", `{"model":"m","text":"secret-q secret-h extra-secret"}`, "Authorization", "Bearer secret-h", "Cookie", "secret-cookie")
	got := captured()
	require.Len(t, got, 1)
	require.NotContains(t, strings.ReplaceAll(got[0], "***", ""), "secret")
	require.Contains(t, got[0], `key *** is bad`)
	require.Contains(t, got[0], "POST /v1/chat/completions?key=***&x=1\n")
	require.Contains(t, got[0], "attempt 1: a at up, model m")
	require.Contains(t, got[0], "outcome: ")
}

func TestCapture_FailuresOfEveryKind(t *testing.T) {
	t.Parallel()
	cut := stream(errors.New("cut"), chatChunk)
	tests := map[string]struct {
		pool *fakePool
		body string
		want []string
	}{
		"no JSON":    {newPool(), `{"model":`, []string{"400 Bad Request", `{"model":`, "invalid_json"}},
		"nobody":     {newPool(), chatBody, []string{"503 Service Unavailable", chatBody, "no_credential_available"}},
		"refused":    {newPool(answer(400, "application/json", `{"error":"wording of the upstream's"}`)), chatBody, []string{"400 Bad Request", "wording of the upstream's"}},
		"mid-stream": {newPool(cut), strings.Replace(chatBody, "{", `{"stream":true,`, 1), []string{"200 OK", `data: {"error"`, " bytes)"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, captured := capturing(t, tt.pool, "errors")
			send(s, "POST", "/v1/chat/completions", tt.body)
			got := captured()
			require.Len(t, got, 1)
			for _, want := range tt.want {
				require.Contains(t, got[0], want)
			}
		})
	}
}

func TestCapture_AWholeStreamIsThereIfAllIsWanted(t *testing.T) {
	t.Parallel()
	s, captured := capturing(t, newPool(stream(io.EOF, chatChunk, chatChunk, "data: [DONE]\n\n")), "all")
	body := strings.Replace(chatBody, "{", `{"stream":true,`, 1)
	got := send(s, "POST", "/v1/chat/completions", body)
	require.Equal(t, 200, got.Code)
	texts := captured()
	require.Len(t, texts, 1)
	require.Contains(t, texts[0], "\n"+got.Body.String()+"\n")
	require.Contains(t, texts[0], "\n"+body+"\n")
}

// A request that failed over and then was served is no failure, and neither is one whose
// client has left.
func TestCapture_LeavesOutWhatIsNoFailure(t *testing.T) {
	t.Parallel()
	s, captured := capturing(t, newPool(broken(), fine()), "errors")
	require.Equal(t, 200, send(s, "POST", "/v1/chat/completions", chatBody).Code)
	require.Empty(t, captured())
	s, captured = capturing(t, newPool(stream(errors.New("unused"), chatChunk)), "errors")
	c := newClient()
	c.fail = errors.New("broken pipe")
	s.Handler().ServeHTTP(c, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(chatBody)))
	require.Empty(t, captured())
}

// What is captured costs nothing while it is off, and no more than a place to remember the
// body while nothing fails.
func TestCapture_CostsNothingUntilItIsNeeded(t *testing.T) {
	measure := func(requests string) float64 {
		pool := newPool(fine())
		s, _ := capturing(t, pool, requests)
		handler := s.Handler()
		return testing.AllocsPerRun(200, func() {
			r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(chatBody))
			handler.ServeHTTP(&discard{header: http.Header{}}, r)
			pool.reports, pool.acquired, pool.firsts, pool.records = pool.reports[:0], pool.acquired[:0], pool.firsts[:0], pool.records[:0]
		})
	}
	pool := newPool(fine())
	without := New(Options{Pool: pool, Logger: slog.New(slog.DiscardHandler), Live: live()}).Handler()
	none := testing.AllocsPerRun(200, func() {
		r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(chatBody))
		without.ServeHTTP(&discard{header: http.Header{}}, r)
		pool.reports, pool.acquired, pool.firsts, pool.records = pool.reports[:0], pool.acquired[:0], pool.firsts[:0], pool.records[:0]
	})
	require.InDelta(t, none, measure("off"), 0)
	require.LessOrEqual(t, measure("errors"), none+4, "the exchange, and the secrets to hide")
}
