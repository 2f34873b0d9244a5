package httpapi

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/admission"
	"github.com/understudyhq/understudy/providers"
)

func scraped(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("numbers 1\n")) }

func scrape(s *Server, peer string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	r.RemoteAddr = peer
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestMG1To3_MetricsAreForWhoeverManages(t *testing.T) {
	t.Parallel()
	const here, away, key = "127.0.0.1:5", "192.0.2.1:5", "correct horse"
	tests := map[string]struct {
		management config.Management
		peer       string
		header     []string
		status     int
		code       string
	}{
		"no secret":         {config.Management{}, here, []string{"X-Management-Key", key}, 404, "unknown_route"},
		"remote, right key": {config.Management{SecretKey: key}, away, []string{"X-Management-Key", key}, 403, "remote_not_allowed"},
		"remote, allowed":   {config.Management{SecretKey: key, AllowRemote: true}, away, []string{"X-Management-Key", key}, 200, ""},
		"no key":            {config.Management{SecretKey: key}, here, nil, 401, "invalid_management_key"},
		"wrong key":         {config.Management{SecretKey: key}, here, []string{"X-Management-Key", "x"}, 401, "invalid_management_key"},
		"client's key":      {config.Management{SecretKey: key}, here, []string{"Authorization", "Bearer client-key"}, 401, "invalid_management_key"},
		"forwarded":         {config.Management{SecretKey: key}, away, []string{"X-Forwarded-For", "127.0.0.1", "X-Management-Key", key}, 403, "remote_not_allowed"},
		"key":               {config.Management{SecretKey: key}, here, []string{"X-Management-Key", key}, 200, ""},
		"bearer":            {config.Management{SecretKey: key}, here, []string{"Authorization", "bearer " + key}, 200, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := live()
			settings.APIKeys = []config.APIKey{{Key: "client-key", Name: "n"}}
			settings.Management = tt.management
			s := New(Options{Pool: newPool(), Logger: slog.New(slog.DiscardHandler), Live: settings, Metrics: http.HandlerFunc(scraped)})
			s.Drain() // scraping goes on
			got := scrape(s, tt.peer, tt.header...)
			require.Equal(t, tt.status, got.Code)
			require.Equal(t, tt.code, gjson.Get(got.Body.String(), "error.code").String())
			require.Equal(t, tt.status == 200, got.Body.String() == "numbers 1\n")
			require.NotEmpty(t, got.Header().Get("X-Request-Id"))
		})
	}
}

func TestMG4_MetricsLockOutWhoeverGuesses(t *testing.T) {
	t.Parallel()
	settings := live()
	settings.Management.SecretKey = "correct horse"
	s := New(Options{Pool: newPool(), Logger: slog.New(slog.DiscardHandler), Live: settings, Metrics: http.HandlerFunc(scraped)})
	for range admission.Tries {
		require.Equal(t, 401, scrape(s, "127.0.0.1:1", "X-Management-Key", "wrong").Code)
	}
	got := scrape(s, "127.0.0.1:1", "X-Management-Key", "correct horse")
	require.Equal(t, 403, got.Code)
	require.NotEmpty(t, got.Header().Get("Retry-After"))
	require.Equal(t, 200, scrape(s, "127.0.0.2:1", "X-Management-Key", "correct horse").Code)
}

func TestMetrics_WithoutAnyThereIsNoRoute(t *testing.T) {
	t.Parallel()
	settings := live()
	settings.Management.SecretKey = "correct horse"
	require.Equal(t, 404, scrape(newTestServer(newPool(), settings), "127.0.0.1:1", "X-Management-Key", "correct horse").Code)
}

func TestServer_TellsWhatHasNoRecord(t *testing.T) {
	t.Parallel()
	settings := live()
	settings.APIKeys = []config.APIKey{{Key: "client-key", Name: "n"}}
	pool := newPool(answer(200, "application/json", "{}"))
	type refusal struct {
		format providers.Format
		status int
	}
	var refused []refusal
	s := New(Options{
		Pool: pool, Logger: slog.New(slog.DiscardHandler), Live: settings,
		Refused: func(f providers.Format, status int) { refused = append(refused, refusal{f, status}) },
	})
	send(s, "POST", "/v1/messages", "{}")
	send(s, "POST", "/v1/messages", "{", "X-Api-Key", "client-key")
	send(s, "GET", "/v1beta/models", "", "X-Api-Key", "client-key")
	send(s, "GET", "/healthz", "")
	send(s, "POST", "/v1/chat/completions", chatBody, "X-Api-Key", "client-key")
	require.Equal(t, []refusal{{providers.Anthropic, 401}, {providers.Anthropic, 400}, {providers.Gemini, 200}}, refused)
	require.Len(t, pool.records, 1)
	require.Positive(t, pool.records[0].Overhead)
	require.LessOrEqual(t, pool.records[0].Overhead, pool.records[0].Total)

	unrecorded := New(Options{Pool: pool, Logger: slog.New(slog.DiscardHandler), Live: settings, Unrecorded: true})
	send(unrecorded, "POST", "/v1/chat/completions", chatBody, "X-Api-Key", "client-key")
	require.Len(t, pool.records, 1)
	require.Zero(t, s.Open())
}
