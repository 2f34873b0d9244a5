package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

const chatBody = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`

// good answers with a whole answer of its format.
func good(f providers.Format) transport {
	return answer(200, "application/json", string(fake.Answer(string(f), false, 3).Body))
}

// goodStream answers with a whole stream of its format, one event per piece.
func goodStream(f providers.Format) transport {
	var pieces []string
	for _, chunk := range fake.Answer(string(f), true, 3).Chunks {
		pieces = append(pieces, string(chunk))
	}
	return stream(io.EOF, pieces...)
}

func TestServe_FailsOverBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	failures := map[string]struct {
		fail transport
		kind providers.Kind
	}{
		"500":              {answer(500, "application/json", `{"error":{}}`), providers.Transient},
		"429":              {answer(429, "application/json", `{"error":{}}`, "Retry-After", "7"), providers.RateLimited},
		"401":              {answer(401, "application/json", `{"error":{}}`), providers.Unauthorized},
		"refused":          {func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }, providers.Transient},
		"empty":            {answer(200, "application/json", ""), providers.Transient},
		"malformed":        {answer(200, "application/json", `{"id":`), providers.Transient},
		"a web page":       {answer(200, "text/html", "<html>"), providers.Transient},
		"false gzip":       {answer(200, "application/json", "{}", "Content-Encoding", "gzip"), providers.Transient},
		"unknown encoding": {answer(200, "application/json", "{}", "Content-Encoding", "rot13"), providers.Transient},
		"reset in a whole answer": {func(*http.Request) (*http.Response, error) {
			return newResponse(200, "application/json", &inPieces{[]string{`{"id":"x"`}, io.ErrUnexpectedEOF}), nil
		}, providers.Transient},
		"empty stream":           {stream(io.EOF), providers.Transient},
		"stream of comments":     {stream(io.EOF, ": hello\n\n"), providers.Transient},
		"reset before an event":  {stream(io.ErrUnexpectedEOF, `data: {"id"`), providers.Transient},
		"error event at once":    {stream(io.EOF, "event: error\ndata: {\"type\":\"error\",\"error\":{\"kind\":\"overloaded\"}}\n\n"), providers.Overloaded},
		"error after handshakes": {handshakeThenError, providers.Overloaded},
	}
	for name, tt := range failures {
		for _, e := range endpoints() {
			t.Run(name+"/"+string(e.format), func(t *testing.T) {
				t.Parallel()
				for kind, last := range map[string]transport{"plain": good(e.format), "stream": goodStream(e.format)} {
					pool := newPool(append(slices.Repeat([]transport{tt.fail}, 2), last)...)
					w := send(newTestServer(pool, live()), "POST", e.path, e.body)
					require.Equal(t, 200, w.Code, kind)
					require.NotContains(t, w.Body.String(), `"error":{`)
					require.Equal(t, []string{"a:" + string(tt.kind), "b:" + string(tt.kind), "c:success"}, pool.kinds())
					require.Equal(t, []providers.CredentialID{"c"}, pool.firsts)
					tried := pool.acquired[2].Tried
					require.Len(t, tried, 2)
					require.EqualValues(t, "a", tried[0].Credential)
					require.EqualValues(t, "b", tried[1].Credential)
					require.Equal(t, int64(11), pool.reports[2].outcome.Usage.InputTokens, kind)
				}
			})
		}
	}
}

// handshakeThenError holds the opening events of each format that has some, and then an error.
func handshakeThenError(r *http.Request) (*http.Response, error) {
	pieces := []string{": hi\n\n", `data: {"error":{"kind":"overloaded"}}` + "\n\n"}
	switch {
	case strings.Contains(r.URL.Path, string(providers.OpenAIResponses)):
		pieces = []string{
			"event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n",
			"data: {\"type\":\"response.in_progress\"}\n\ndata: {\"type\":\"response.failed\",\"error\":{\"kind\":\"overloaded\"}}\n\n",
		}
	case strings.Contains(r.URL.Path, string(providers.Anthropic)):
		pieces = []string{
			"event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n",
			"event: error\ndata: {\"error\":{\"kind\":\"overloaded\"}}\n\n",
		}
	}
	return stream(io.EOF, pieces...)(r)
}

func TestServe_FailsOverFromAHangingUpstream(t *testing.T) {
	t.Parallel()
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	hangInBody := func(r *http.Request) (*http.Response, error) {
		return newResponse(200, "text/event-stream", newGated(r.Context())), nil
	}
	for name, first := range map[string]transport{"before the head": hang, "behind the head": hangInBody} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				settings := live()
				settings.Timeouts.FirstByte = 30 * time.Second
				pool := newPool(first, good(providers.OpenAIChat))
				began := time.Now()
				w := send(newTestServer(pool, settings), "POST", "/v1/chat/completions", chatBody)
				require.Equal(t, 200, w.Code)
				require.Equal(t, 30*time.Second, time.Since(began))
				require.Equal(t, []string{"a:transient", "b:success"}, pool.kinds())
				require.Equal(t, "gateway;dur=0.000", w.Header().Get("Server-Timing"), "waiting for an upstream is not the gateway's time")
			})
		})
	}
}

func TestServe_PassesTheLastUpstreamErrorOn(t *testing.T) {
	t.Parallel()
	body := "{ \"error\":{\"message\":\"told by b\"}}\n"
	pool := newPool(answer(500, "application/json", `{}`), answer(503, "application/problem+json", body, "X-Vendor", "v"))
	w := send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody)
	require.Equal(t, 503, w.Code)
	require.Equal(t, body, w.Body.String())
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	require.Equal(t, "v", w.Header().Get("X-Vendor"))
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Empty(t, w.Header().Get("X-Should-Retry"))
}

func TestServe_TellsWhenToTryAgain(t *testing.T) {
	t.Parallel()
	limited := func(header ...string) transport { return answer(429, "application/json", `{}`, header...) }
	rest := &actors.NoCredentialError{Model: "m", RetryAfter: 90 * time.Second}
	tests := map[string]struct {
		last   transport
		refuse error
		want   string
	}{
		"as the upstream says":        {limited("Retry-After", "7"), rest, "7"},
		"as another header says":      {limited("Retry-After-Ms", "6500"), nil, "7"},
		"as the engine knows":         {limited(), rest, "90"},
		"soon when nobody knows":      {limited(), nil, "1"},
		"not when it does not pass":   {answer(401, "application/json", `{}`), nil, ""},
		"also for a broken transport": {func(*http.Request) (*http.Response, error) { return nil, io.EOF }, rest, "90"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(tt.last)
			pool.refuse = tt.refuse
			w := send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody)
			require.Equal(t, tt.want, w.Header().Get("Retry-After"))
		})
	}
}

func TestServe_PassesARequestFaultOnAtOnce(t *testing.T) {
	t.Parallel()
	body := `{"error":{"message":"context too long","code":"context_length_exceeded"}}`
	pool := newPool(answer(400, "application/json", body), good(providers.OpenAIChat))
	w := send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody)
	require.Equal(t, 400, w.Code)
	require.Equal(t, body, w.Body.String())
	require.Equal(t, []string{"a:request-fault"}, pool.kinds())
}

func TestServe_TellsAnErrorEventAsAPlainError(t *testing.T) {
	t.Parallel()
	tests := map[providers.Format]struct {
		event, body string
		status      int
	}{
		providers.OpenAIChat: {
			`data: {"error":{"kind":"rate-limited","message":"slow"}}`,
			`{"error":{"kind":"rate-limited","message":"slow"}}`, 429,
		},
		providers.OpenAIResponses: {
			`data: {"type":"response.failed","response":{"id":"r","error":{"code":"server_error"}}}`,
			`{"error":{"code":"server_error"}}`, 503,
		},
		providers.Anthropic: {
			`data: {"type":"error","error":{"type":"overloaded_error"}}`,
			`{"type":"error","error":{"type":"overloaded_error"}}`, 529,
		},
		providers.Gemini: {`data: {"error":{"code":429}}`, `{"error":{"code":429}}`, 429},
	}
	for _, e := range endpoints() {
		t.Run(string(e.format), func(t *testing.T) {
			t.Parallel()
			tt := tests[e.format]
			w := send(newTestServer(newPool(stream(io.EOF, tt.event+"\n\n")), live()), "POST", e.path, e.body)
			require.Equal(t, tt.status, w.Code)
			require.Equal(t, tt.body, w.Body.String())
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		})
	}
}

func TestServe_AnswersGatewayConditions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		transports []transport
		refuse     error
		status     int
		code       string
		retry      string // x-should-retry
	}{
		"unknown model":     {nil, &actors.UnknownModelError{Model: "m"}, 404, "model_not_found", "false"},
		"other format":      {nil, &actors.FormatError{Model: "m"}, 501, "format_not_supported", "false"},
		"cooldown":          {nil, &actors.NoCredentialError{Model: "m", RetryAfter: 1}, 429, "model_cooldown", ""},
		"nobody":            {nil, nil, 503, "no_credential_available", "false"},
		"stopped":           {nil, actors.ErrStopped, 503, "shutting_down", ""},
		"overloaded":        {nil, actors.ErrOverloaded, 503, "overloaded", ""},
		"broken transport":  {[]transport{func(*http.Request) (*http.Response, error) { return nil, io.EOF }}, nil, 502, "upstream_error", ""},
		"malformed answer":  {[]transport{answer(200, "application/json", "no")}, nil, 502, "upstream_error", ""},
		"transport timeout": {[]transport{func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded }}, nil, 504, "upstream_timeout", ""},
	}
	for name, tt := range tests {
		for _, e := range endpoints() {
			t.Run(name+"/"+string(e.format), func(t *testing.T) {
				t.Parallel()
				pool := newPool(tt.transports...)
				pool.refuse = tt.refuse
				w := send(newTestServer(pool, live()), "POST", e.path, e.body, "X-Request-Id", "my:id-1")
				require.Equal(t, tt.status, w.Code)
				requireCode(t, e.format, tt.code, w)
				require.Equal(t, tt.retry, w.Header().Get("X-Should-Retry"))
				require.Equal(t, "my:id-1", w.Header().Get("X-Request-Id"))
				require.NotEmpty(t, w.Header().Get("Server-Timing"))
			})
		}
	}
}

// requireCode checks that an error has the format's shape and the gateway's code.
func requireCode(t *testing.T, f providers.Format, code string, w *httptest.ResponseRecorder) {
	t.Helper()
	body := w.Body.Bytes()
	require.True(t, gjson.ValidBytes(body), "%s", body)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	path := "error.code"
	switch f {
	case providers.Anthropic:
		require.Equal(t, "error", gjson.GetBytes(body, "type").String())
		require.Equal(t, w.Header().Get("X-Request-Id"), gjson.GetBytes(body, "request_id").String())
	case providers.Gemini:
		path = "error.details.0.reason"
		require.Equal(t, int64(w.Code), gjson.GetBytes(body, "error.code").Int())
	default:
		require.True(t, gjson.GetBytes(body, "error.param").Exists())
	}
	require.Equal(t, code, gjson.GetBytes(body, path).String(), "%s", body)
	require.NotEmpty(t, gjson.GetBytes(body, "error.message").String())
}

func TestServe_BoundsTheCredentialsItTries(t *testing.T) {
	t.Parallel()
	fail := answer(500, "application/json", `{}`)
	for limit, want := range map[int]int{0: 3, 1: 1, 2: 2, 9: 3} {
		settings := live()
		settings.Retry.MaxCredentials = limit
		pool := newPool(slices.Repeat([]transport{fail}, 3)...)
		send(newTestServer(pool, settings), "POST", "/v1/chat/completions", chatBody)
		require.Len(t, pool.reports, want, "limit %d", limit)
	}
}

func TestServe_AnswersWithTheOperationsAProviderLacks(t *testing.T) {
	t.Parallel()
	pool := newPool(good(providers.Gemini))
	w := send(newTestServer(pool, live()), "POST", "/v1beta/models/m:batchEmbedContents", `{}`)
	require.Equal(t, 501, w.Code)
	requireCode(t, providers.Gemini, "operation_not_supported", w)
	require.Equal(t, []string{"a:request-fault"}, pool.kinds(), "the credential is not to blame")
}

func TestServe_ReportsAPanicOnceAndAnswers500(t *testing.T) {
	t.Parallel()
	for name, panicked := range map[string]transport{
		"in the transport": func(*http.Request) (*http.Response, error) { panic("boom") },
		"in the provider":  good(providers.Anthropic),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(panicked)
			if name == "in the provider" {
				pool.credentials[0].Upstream.Provider = fakeProvider{crash: true}
			}
			w := send(newTestServer(pool, live()), "POST", "/v1/messages", chatBody)
			require.Equal(t, 500, w.Code)
			requireCode(t, providers.Anthropic, "internal_error", w)
			require.NotContains(t, w.Body.String(), "boom")
			require.Equal(t, []string{"a:gateway-bug"}, pool.kinds())
		})
	}
}

func TestServe_BreaksTheConnectionAfterAPanicInMidStream(t *testing.T) {
	t.Parallel()
	pool := newPool(func(*http.Request) (*http.Response, error) {
		return newResponse(200, "text/event-stream", panicking{&inPieces{[]string{"data: {}\n\n"}, io.EOF}}), nil
	})
	s := newTestServer(pool, live())
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { send(s, "POST", "/v1/chat/completions", chatBody) })
	require.Equal(t, []string{"a:gateway-bug"}, pool.kinds())
	require.Zero(t, s.Wait(t.Context()))
}

// panicking panics where the body would end.
type panicking struct{ *inPieces }

func (p panicking) Read(b []byte) (int, error) {
	n, err := p.inPieces.Read(b)
	if err != nil {
		panic(err)
	}
	return n, nil
}

func TestServe_CancelsTheUpstreamWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		canceled := false
		pool := newPool(func(r *http.Request) (*http.Response, error) {
			leave()
			<-r.Context().Done()
			canceled = true
			return nil, r.Context().Err()
		}, good(providers.OpenAIChat))
		r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(chatBody)).WithContext(ctx)
		newTestServer(pool, live()).Handler().ServeHTTP(httptest.NewRecorder(), r)
		require.True(t, canceled)
		require.Equal(t, []string{"a:canceled"}, pool.kinds(), "and nobody else is tried")
	})
}

func TestServe_AsksForTheSessionOfConversationsOnly(t *testing.T) {
	t.Parallel()
	pool := newPool()
	s := newTestServer(pool, live())
	send(s, "POST", "/v1/chat/completions", chatBody, "X-Session-ID", "s1")
	send(s, "POST", "/v1/chat/completions", `{"model":"m(high)","messages":[]}`, "X-Session-ID", "s1")
	send(s, "POST", "/v1/embeddings", `{"model":"m","input":"hi"}`, "X-Session-ID", "s1")
	require.False(t, pool.acquired[0].Session.Primary.IsZero())
	require.Equal(t, pool.acquired[0].Session, pool.acquired[1].Session, "a reasoning suffix stays in the session")
	require.Equal(t, "m", pool.acquired[1].Model)
	require.True(t, pool.acquired[2].Session.Primary.IsZero())
}
