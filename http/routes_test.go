package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

func TestRoutes_CallTheRightOperation(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		format    providers.Format
		operation providers.Operation
		model     string
		stream    bool
	}{
		"/v1/chat/completions":                               {providers.OpenAIChat, providers.Generate, "m", true},
		"/v1/completions":                                    {providers.OpenAIChat, providers.Complete, "m", true},
		"/v1/embeddings":                                     {providers.OpenAIChat, providers.Embed, "m", true},
		"/v1/responses":                                      {providers.OpenAIResponses, providers.Generate, "m", true},
		"/v1/responses/compact":                              {providers.OpenAIResponses, providers.Compact, "m", true},
		"/v1/responses/input_tokens":                         {providers.OpenAIResponses, providers.CountTokens, "m", true},
		"/v1/messages?beta=true":                             {providers.Anthropic, providers.Generate, "m", true},
		"/v1/messages/count_tokens":                          {providers.Anthropic, providers.CountTokens, "m", true},
		"/v1beta/models/g:generateContent":                   {providers.Gemini, providers.Generate, "g", false},
		"/v1beta/models/g:streamGenerateContent?alt=sse":     {providers.Gemini, providers.Generate, "g", true},
		"/v1beta/models/g:countTokens":                       {providers.Gemini, providers.CountTokens, "g", false},
		"/v1beta/models/g:embedContent":                      {providers.Gemini, providers.Embed, "g", false},
		"/v1beta/models/g:batchEmbedContents":                {providers.Gemini, providers.BatchEmbed, "g", false},
		"/v1/models/g:generateContent":                       {providers.Gemini, providers.Generate, "g", false},
		"/v1beta/models/team/a:b:generateContent":            {providers.Gemini, providers.Generate, "team/a:b", false},
		"/v1beta/models/team%2Fg%20x(high):countTokens":      {providers.Gemini, providers.CountTokens, "team/g x", false},
		"/v1/models/publishers/google/models/g:embedContent": {providers.Gemini, providers.Embed, "publishers/google/models/g", false},
	}
	for target, tt := range tests {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			var calls []providers.Call
			pool := newPool(answer(200, "application/json", "{}"))
			pool.credentials[0].Upstream.Provider = recordingProvider{calls: &calls}
			w := send(newTestServer(pool, live()), "POST", target, `{"model":"m","stream":true}`)
			require.Equal(t, 200, w.Code, w.Body.String())
			_, query, _ := strings.Cut(target, "?")
			want := providers.Call{Format: tt.format, Operation: tt.operation, Model: tt.model, Stream: tt.stream, Query: query}
			require.Equal(t, []providers.Call{want}, calls)
			if tt.operation == providers.Generate || tt.operation == providers.CountTokens {
				tt.format = "" // upstreams of any format will do
			}
			require.Equal(t, tt.format, pool.acquired[0].Format)
		})
	}
}

// recordingProvider notes what it is asked for.
type recordingProvider struct {
	fakeProvider
	calls *[]providers.Call
}

func (p recordingProvider) Classify(a providers.Answer) providers.Outcome {
	*p.calls = append(*p.calls, a.Call)
	return p.fakeProvider.Classify(a)
}

func (p recordingProvider) URL(base *url.URL, call providers.Call) (*url.URL, error) {
	call.Operation = providers.Generate // this vendor can do everything
	return p.fakeProvider.URL(base, call)
}

func TestRoutes_AnswerWhatTheyDoNotKnow(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		format providers.Format
		code   string
		allow  string
	}{
		"POST /nothing":                           {404, providers.OpenAIChat, "unknown_route", ""},
		"GET /v1/responses/resp_1":                {404, providers.OpenAIResponses, "response_not_found", ""},
		"POST /v1/messages/batches":               {404, providers.Anthropic, "unknown_route", ""},
		"POST /v1beta/cachedContents":             {404, providers.Gemini, "unknown_route", ""},
		"POST /v1beta/models/m:dance":             {404, providers.Gemini, "unknown_action", ""},
		"POST /v1beta/models/generateContent":     {404, providers.Gemini, "unknown_action", ""},
		"POST /v1beta/models/:generateContent":    {404, providers.Gemini, "unknown_action", ""},
		"POST /v1/models/m:dance":                 {404, providers.Gemini, "unknown_action", ""},
		"GET /v1/chat/completions":                {405, providers.OpenAIChat, "method_not_allowed", "POST"},
		"OPTIONS /v1/chat/completions":            {405, providers.OpenAIChat, "method_not_allowed", "POST"},
		"GET /v1/messages":                        {405, providers.Anthropic, "method_not_allowed", "POST"},
		"DELETE /v1/responses":                    {405, providers.OpenAIResponses, "method_not_allowed", "GET, POST"},
		"DELETE /v1beta/models/m:generateContent": {405, providers.Gemini, "method_not_allowed", "GET, POST"},
		"PUT /v1/models":                          {405, providers.OpenAIChat, "method_not_allowed", "GET"},
		"POST /":                                  {405, providers.OpenAIChat, "method_not_allowed", "GET, HEAD"},
		"GET /v1/responses":                       {426, providers.OpenAIResponses, "websocket_not_supported", ""},
	}
	for request, tt := range tests {
		t.Run(request, func(t *testing.T) {
			t.Parallel()
			method, target, _ := strings.Cut(request, " ")
			w := send(newTestServer(newPool(), live()), method, target, `{}`)
			require.Equal(t, tt.status, w.Code)
			requireCode(t, tt.format, tt.code, w)
			require.Equal(t, tt.allow, w.Header().Get("Allow"))
			require.Equal(t, "false", w.Header().Get("X-Should-Retry"))
		})
	}
}

func TestRoutes_WantAKeyInTheFormatsOwnWords(t *testing.T) {
	t.Parallel()
	settings := live()
	settings.APIKeys = []config.APIKey{{Key: "k", Name: "n", Models: []string{"gpt-*"}}}
	pool := newPool(answer(200, "application/json", "{}"))
	s := newTestServer(pool, settings)
	for request, format := range map[string]providers.Format{
		"POST /v1/chat/completions": providers.OpenAIChat, "POST /v1/responses": providers.OpenAIResponses,
		"GET /v1/responses": providers.OpenAIResponses, "POST /v1/messages": providers.Anthropic,
		"POST /v1beta/models/m:generateContent": providers.Gemini, "GET /v1/models": providers.OpenAIChat,
		"GET /v1beta/models": providers.Gemini, "GET /v1/models/m?key=wrong": providers.Gemini,
	} {
		method, target, _ := strings.Cut(request, " ")
		w := send(s, method, target, `{"model":"gpt-5"}`)
		require.Equal(t, 401, w.Code, request)
		requireCode(t, format, "invalid_api_key", w)
	}
	for _, target := range []string{"/", "/healthz", "/readyz"} {
		require.Equal(t, 200, send(s, "GET", target, "").Code, target)
	}
	require.Equal(t, 200, send(s, "POST", "/v1/responses", `{"model":"gpt-5"}`, "X-Api-Key", "k").Code)
	w := send(s, "POST", "/v1/messages", `{"model":"claude"}`, "Authorization", "Bearer k")
	require.Equal(t, 404, w.Code)
	requireCode(t, providers.Anthropic, "model_not_found", w)
}

func TestServer_KeepsSettingsOfRequestsThatHaveBegun(t *testing.T) {
	t.Parallel()
	var s *Server
	settings := live()
	settings.Retry.MaxCredentials = 2
	fail := answer(500, "application/json", "{}")
	first := func(r *http.Request) (*http.Response, error) {
		changed := live()
		changed.Retry.MaxCredentials = 1
		s.Apply(changed)
		return fail(r)
	}
	pool := newPool(append([]transport{first}, slices.Repeat([]transport{fail}, 2)...)...)
	s = newTestServer(pool, settings)
	send(s, "POST", "/v1/messages", chatBody)
	require.Len(t, pool.reports, 2)
	send(s, "POST", "/v1/messages", chatBody)
	require.Len(t, pool.reports, 3)
}

func TestServer_DrainsAllButItsHealth(t *testing.T) {
	t.Parallel()
	s := newTestServer(newPool(), live())
	require.Equal(t, 200, send(s, "GET", "/readyz", "").Code)
	s.Drain()
	require.Equal(t, 200, send(s, "GET", "/healthz", "").Code)
	require.Equal(t, 503, send(s, "GET", "/readyz", "").Code)
	w := send(s, "POST", "/v1/messages", chatBody)
	require.Equal(t, 503, w.Code)
	requireCode(t, providers.Anthropic, "shutting_down", w)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Equal(t, "close", w.Header().Get("Connection"))
	require.Zero(t, s.Wait(t.Context()))
}

func TestServer_IsNotReadyWithoutItsEngine(t *testing.T) {
	t.Parallel()
	pool := newPool()
	pool.refuse = actors.ErrStopped
	require.Equal(t, 503, send(newTestServer(pool, live()), "GET", "/readyz", "").Code)
}

func TestServer_TellsWhatItIs(t *testing.T) {
	t.Parallel()
	s := newTestServer(newPool(), live())
	require.JSONEq(t, `{"name":"understudy","version":"1.2.3"}`, send(s, "GET", "/", "").Body.String())
	for _, target := range []string{"/", "/api/hello"} {
		w := send(s, "HEAD", target, "")
		require.Equal(t, 200, w.Code)
		require.Empty(t, w.Body.String())
	}
}

func TestRequestID_TakesOnlySaneOnes(t *testing.T) {
	t.Parallel()
	s := newTestServer(newPool(), live())
	for id, kept := range map[string]bool{
		"a.B_9:-": true, strings.Repeat("x", 128): true,
		"": false, strings.Repeat("x", 129): false, "a b": false, "a\"b": false, "é": false,
	} {
		got := send(s, "GET", "/", "", "X-Request-Id", id).Header().Get("X-Request-Id")
		require.Equal(t, kept, got == id, id)
		require.True(t, isSaneID(got))
	}
	first, second := send(s, "GET", "/", ""), send(s, "GET", "/", "")
	require.NotEqual(t, first.Header().Get("X-Request-Id"), second.Header().Get("X-Request-Id"))
}

func TestLog_HasALineForARequestAndForEachFailureAndNoSecret(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	settings := live()
	settings.APIKeys = []config.APIKey{{Key: "client-secret", Name: "n"}}
	pool := newPool(answer(500, "application/json", "{}"), answer(200, "application/json", "{}"))
	s := New(Options{Pool: pool, Logger: slog.New(slog.NewJSONHandler(&out, nil)), Live: settings})
	send(s, "POST", "/v1/messages?key=client-secret", chatBody, "X-Request-Id", "r1", "X-Session-ID", "session-in-clear")
	send(s, "GET", "/healthz", "")

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 2, "health checks are for the debug level")
	var failed, line map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &failed))
	delete(failed, "time")
	require.NotEmpty(t, failed["err"])
	delete(failed, "err")
	require.Equal(t, map[string]any{
		"level": "WARN", "msg": "attempt failed", "request_id": "r1", "attempt": 1.0, "provider": "up", "credential": "a",
		"lease": 1.0, "model": "m", "outcome": "transient", "status": 500.0,
	}, failed)
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &line))
	require.Greater(t, line["duration"], 0.0)
	require.Len(t, line["session"], 32)
	for _, key := range []string{"time", "duration", "session"} {
		delete(line, key)
	}
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "request served", "method": "POST", "path": "/v1/messages", "status": 200.0, "request_id": "r1",
		"format_in": "anthropic", "format_out": "anthropic", "model": "m", "attempt": 2.0, "provider": "up", "credential": "b",
		"lease": 2.0, "outcome": "success",
	}, line)
	require.NotContains(t, out.String(), "secret")
	require.NotContains(t, out.String(), "session-in-clear")
}

func TestLog_TellsUntilWhenSomebodyRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		pool := newPool(answer(429, "application/json", "{}", "Retry-After", "90"))
		pool.refuse = &actors.NoCredentialError{Model: "m", RetryAfter: 2 * time.Minute, Reasons: map[string]int{"resting:rate-limited": 1}}
		s := New(Options{Pool: pool, Logger: slog.New(slog.NewJSONHandler(&out, nil)), Live: live()})
		send(s, "POST", "/v1/chat/completions", chatBody)
		require.Contains(t, out.String(), `"cooldown_until":"`+time.Now().Add(90*time.Second).UTC().Format(time.RFC3339)+`"`)
		out.Reset()
		pool.credentials = nil
		require.Equal(t, 429, send(s, "POST", "/v1/chat/completions", chatBody).Code)
		require.Contains(t, out.String(), `"cooldown_until":"`+time.Now().Add(2*time.Minute).UTC().Format(time.RFC3339)+`"`)
	})
}

func TestLog_TellsAClientThatLeft(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	pool := newPool(stream(errors.New("unused"), chatChunk))
	s := New(Options{Pool: pool, Logger: slog.New(slog.NewJSONHandler(&out, nil)), Live: live()})
	c := newClient()
	c.fail = errors.New("broken pipe")
	s.Handler().ServeHTTP(c, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(chatBody)))
	require.Contains(t, out.String(), `"status":499`)
	require.Contains(t, out.String(), `"outcome":"canceled"`)
}
