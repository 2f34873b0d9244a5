package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

const chatChunk = `data: {"choices":[{"delta":{"content":"hi"}}]}` + "\n\n"

// opening is a stream's beginning, its first payload included.
func opening(f providers.Format) []string {
	chunks := fake.Answer(string(f), true, 3).Chunks
	pieces := []string{}
	for _, chunk := range chunks[:len(chunks)/2+1] {
		pieces = append(pieces, string(chunk))
	}
	return pieces
}

func TestStream_TellsACutInItsFormat(t *testing.T) {
	t.Parallel()
	const early, broken = "The upstream's stream ended before its end.", "The connection to the upstream failed."
	want := map[providers.Format]string{
		providers.OpenAIChat: `data: {"error":{"message":"MESSAGE","type":"server_error","code":"upstream_error","param":null}}`,
		providers.OpenAIResponses: "event: response.failed\n" +
			`data: {"type":"response.failed","sequence_number":6,"response":{"id":"resp_fake","object":"response",` +
			`"status":"failed","error":{"code":"upstream_error","message":"MESSAGE"},"output":[]}}`,
		providers.Anthropic: "event: error\n" +
			`data: {"type":"error","error":{"type":"api_error","message":"MESSAGE","code":"upstream_error"},"request_id":"req-1"}`,
		providers.Gemini: `data: {"error":{"code":502,"message":"MESSAGE","status":"UNAVAILABLE","details":` +
			`[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"upstream_error","domain":"understudy"}]}}`,
	}
	for _, e := range endpoints() {
		for err, message := range map[error]string{io.EOF: early, io.ErrUnexpectedEOF: broken} {
			pool := newPool(stream(err, opening(e.format)...), good(e.format))
			w := send(newTestServer(pool, live()), "POST", e.path, e.body, "X-Request-Id", "req-1")
			require.Equal(t, 200, w.Code)
			rest, ok := strings.CutPrefix(w.Body.String(), strings.Join(opening(e.format), ""))
			require.True(t, ok)
			require.Equal(t, strings.ReplaceAll(want[e.format], "MESSAGE", message), strings.TrimRight(rest, "\r\n"))
			require.Regexp(t, `[^\n](\n\n|\r\n\r\n)$`, rest)
			require.Equal(t, []string{"a:transient"}, pool.kinds(), "no failover any more")
			require.Equal(t, []providers.CredentialID{"a"}, pool.firsts)
		}
	}
}

func TestStream_NeverEndsInHalfAnEvent(t *testing.T) {
	t.Parallel()
	for name, half := range map[string]string{"a line": `data: {"choices":[`, "no blank line": "data: {}\n", "a CR": "data: {}\r"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(stream(io.ErrUnexpectedEOF, chatChunk+half))
			w := send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody)
			rest, ok := strings.CutPrefix(w.Body.String(), chatChunk)
			require.True(t, ok)
			require.True(t, strings.HasPrefix(rest, `data: {"error":{`), rest)
		})
	}
}

func TestStream_EndsAHugeHalfEventBeforeItsError(t *testing.T) {
	t.Parallel()
	half := `data: {"x":"` + strings.Repeat("x", maxPartialBytes+1)
	pool := newPool(stream(io.ErrUnexpectedEOF, chatChunk, half))
	w := send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody)
	rest, ok := strings.CutPrefix(w.Body.String(), chatChunk+half[:maxPartialBytes])
	require.True(t, ok)
	_, rest, ok = strings.Cut(rest, "\n\n")
	require.True(t, ok)
	require.True(t, strings.HasPrefix(rest, `data: {"error":{`), rest)
}

func TestStream_TellsAnArraysCutAsItsLastElement(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pieces []string
		err    error
		sent   string
	}{
		"between elements":  {[]string{"[", `{"a":[1]}`, ",\n"}, io.EOF, `[{"a":[1]}`},
		"inside an element": {[]string{`[{"a":"]}"},{"b":`}, io.ErrUnexpectedEOF, `[{"a":"]}"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(array(tt.err, tt.pieces...))
			w := send(newTestServer(pool, live()), "POST", "/v1beta/models/m:streamGenerateContent", `{}`)
			rest, ok := strings.CutPrefix(w.Body.String(), tt.sent)
			require.True(t, ok, w.Body.String())
			require.True(t, strings.HasPrefix(rest, ",\n"+`{"error":{"code":502,`), rest)
			require.True(t, strings.HasSuffix(rest, "}\n]"), rest)
			require.Equal(t, []string{"a:transient"}, pool.kinds())
		})
	}
}

// array is a transport that answers with a JSON array, piece by piece, and then err.
func array(err error, pieces ...string) transport {
	return func(*http.Request) (*http.Response, error) {
		return newResponse(200, "application/json; charset=UTF-8", &inPieces{append([]string(nil), pieces...), err}), nil
	}
}

func TestStream_PassesAnArrayOn(t *testing.T) {
	t.Parallel()
	body := "[{\"candidates\": [{\"finishReason\":\"STOP\"}]}\n,\r\n{\"usageMetadata\":{\"promptTokenCount\":3}}\n]\n"
	for _, size := range []int{1, 2, 7, len(body)} {
		var pieces []string
		for i := 0; i < len(body); i += size {
			pieces = append(pieces, body[i:min(i+size, len(body))])
		}
		pool := newPool(array(io.EOF, `[]`), array(io.EOF, `[{"error":{"kind":"overloaded"}}]`), array(io.EOF, `{"no":"array"}`), array(io.EOF, pieces...))
		w := send(newTestServer(pool, live()), "POST", "/v1/models/m:streamGenerateContent", `{}`)
		require.Equal(t, body, w.Body.String())
		require.Equal(t, []string{"a:transient", "b:overloaded", "c:transient", "d:success"}, pool.kinds())
		require.Equal(t, int64(3), pool.reports[3].outcome.Usage.InputTokens)
	}
}

func TestStream_AddsNothingBehindTheUpstreamsOwnError(t *testing.T) {
	t.Parallel()
	errorEvent := "event: error\ndata: {\"type\":\"error\",\"error\":{\"kind\":\"overloaded\"}}\n\n"
	for _, err := range []error{io.EOF, io.ErrUnexpectedEOF} {
		for _, e := range endpoints() {
			begin := strings.Join(opening(e.format), "")
			pool := newPool(stream(err, begin, errorEvent))
			w := send(newTestServer(pool, live()), "POST", e.path, e.body)
			require.Equal(t, begin+errorEvent, w.Body.String(), e.format)
			require.Equal(t, []string{"a:overloaded"}, pool.kinds())
		}
	}
}

func TestStream_IsWholeWhenItBreaksBehindItsEnd(t *testing.T) {
	t.Parallel()
	body := chatChunk + "data: [DONE]\n\n"
	pool := newPool(stream(io.ErrUnexpectedEOF, body))
	w := send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody)
	require.Equal(t, body, w.Body.String())
	require.Equal(t, []string{"a:success"}, pool.kinds())
}

func TestStream_IsWholeWithoutALastBlankLine(t *testing.T) {
	t.Parallel()
	for _, body := range []string{chatChunk + "data: [DONE]", chatChunk + "data: [DONE]\n"} {
		pool := newPool(stream(io.EOF, body))
		w := send(newTestServer(pool, live()), "POST", "/v1/completions", `{"model":"m","stream":true}`)
		require.Equal(t, body, w.Body.String())
		require.Equal(t, []string{"a:success"}, pool.kinds())
	}
}

// client is a response writer that remembers what it got, when, and in how many flushes.
type client struct {
	mu      sync.Mutex
	header  http.Header
	status  int
	written strings.Builder
	began   time.Time
	at      []time.Duration // of each write
	fail    error
}

func newClient() *client { return &client{header: http.Header{}, began: time.Now()} }

func (c *client) Header() http.Header { return c.header }
func (c *client) Flush()              {}

func (c *client) WriteHeader(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

func (c *client) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = append(c.at, time.Since(c.began))
	c.written.Write(b)
	return len(b), c.fail
}

func (c *client) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written.String()
}

// live drives one streamed request whose upstream the test plays. It must run in a bubble.
type liveStream struct {
	client *client
	pieces chan string
	done   chan struct{}
	pool   *fakePool
}

func startStream(ctx context.Context, s *Server, pool *fakePool, path string) *liveStream {
	l := &liveStream{client: newClient(), done: make(chan struct{}), pool: pool, pieces: make(chan string)}
	pool.credentials[0].Transport = transport(func(r *http.Request) (*http.Response, error) {
		body := newGated(r.Context())
		body.pieces = l.pieces
		return newResponse(200, "text/event-stream", body), nil
	})
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(chatBody)).WithContext(ctx)
	go func() {
		defer close(l.done)
		s.Handler().ServeHTTP(l.client, r)
	}()
	return l
}

func TestStream_HoldsHandshakesBackForASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const start = "event: message_start\ndata: {\"type\":\"message_start\"}\n\n"
		const delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\"}\n\n"
		pool := newPool(nil, good(providers.Anthropic))
		l := startStream(t.Context(), newTestServer(pool, live()), pool, "/v1/messages")
		l.pieces <- start + "event: pi"
		synctest.Wait()
		require.Empty(t, l.client.text())
		time.Sleep(holdBack)
		synctest.Wait()
		require.Equal(t, start, l.client.text(), "half an event stays back")
		require.Empty(t, pool.firsts, "a handshake is no payload")
		l.pieces <- "ng\ndata: {\"type\":\"ping\"}\n\n" + delta
		synctest.Wait()
		require.True(t, strings.HasSuffix(l.client.text(), delta))
		require.Len(t, pool.firsts, 1)
		close(l.pieces)
		<-l.done
		require.Contains(t, l.client.text(), "event: error\n", "after the handshake it is too late to fail over")
		require.Equal(t, []string{"a:transient"}, pool.kinds())
	})
}

func TestStream_PassesPayloadOnAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := newPool(nil)
		l := startStream(t.Context(), newTestServer(pool, live()), pool, "/v1/chat/completions")
		for n := 1; n <= 3; n++ {
			l.pieces <- chatChunk
			synctest.Wait()
			require.Equal(t, strings.Repeat(chatChunk, n), l.client.text())
			time.Sleep(time.Minute)
		}
		l.pieces <- "data: [DONE]\n\n"
		close(l.pieces)
		<-l.done
		require.Equal(t, []time.Duration{0, time.Minute, 2 * time.Minute, 3 * time.Minute}, l.client.at)
	})
}

func TestStream_FillsSilenceWithCommentsBetweenEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		settings := live()
		settings.Streaming.Keepalive = 15 * time.Second
		pool := newPool(nil)
		l := startStream(t.Context(), newTestServer(pool, settings), pool, "/v1/chat/completions")
		time.Sleep(time.Minute)
		require.Empty(t, l.client.text(), "nothing leaves before the first payload")
		l.pieces <- chatChunk
		time.Sleep(10 * time.Second)
		l.pieces <- chatChunk + "data: {"
		time.Sleep(31 * time.Second)
		l.pieces <- "}\n\n"
		l.pieces <- "data: [DONE]\n\n"
		close(l.pieces)
		<-l.done
		comment := ": keepalive\n\n"
		require.Equal(t, chatChunk+chatChunk+comment+comment+"data: {}\n\ndata: [DONE]\n\n", l.client.text())
		require.Equal(t, []time.Duration{60, 70, 85, 100, 101, 101}, inSeconds(l.client.at))
	})
}

// TestStream_KeepsGeminiAliveWithoutComments: Google's SDKs take a comment for a broken event.
func TestStream_KeepsGeminiAliveWithoutComments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		settings := live()
		settings.Streaming.Keepalive = 15 * time.Second
		pool := newPool(nil)
		l := startStream(t.Context(), newTestServer(pool, settings), pool, "/v1beta/models/m:streamGenerateContent?alt=sse")
		first := "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n"
		last := "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n"
		l.pieces <- first
		time.Sleep(16 * time.Second)
		l.pieces <- last
		close(l.pieces)
		<-l.done
		require.Equal(t, first+"\r\n\r\n"+last, l.client.text())
	})
}

func TestStream_PutsNoCommentIntoAHalfEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		settings := live()
		settings.Streaming.Keepalive = 15 * time.Second
		pool := newPool(nil)
		l := startStream(t.Context(), newTestServer(pool, settings), pool, "/v1/chat/completions")
		l.pieces <- chatChunk
		l.pieces <- "data: " + strings.Repeat("x", maxPartialBytes)
		time.Sleep(time.Minute)
		l.pieces <- "\n\n"
		l.pieces <- "data: [DONE]\n\n"
		close(l.pieces)
		<-l.done
		require.NotContains(t, l.client.text(), "keepalive")
	})
}

func inSeconds(times []time.Duration) []time.Duration {
	out := make([]time.Duration, len(times))
	for i, d := range times {
		out[i] = d / time.Second
	}
	return out
}

func TestStream_EndsWhenTheUpstreamFallsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		settings := live()
		settings.Timeouts.FirstByte = time.Minute
		settings.Timeouts.StreamIdle = 20 * time.Second
		pool := newPool(nil)
		l := startStream(t.Context(), newTestServer(pool, settings), pool, "/v1/chat/completions")
		time.Sleep(50 * time.Second)
		for range 5 { // longer than first-byte in all, but never silent for long
			l.pieces <- chatChunk
			time.Sleep(19 * time.Second)
		}
		<-l.done
		require.Equal(t, 50*time.Second+4*19*time.Second+20*time.Second, l.client.at[len(l.client.at)-1])
		require.Contains(t, l.client.text(), `"code":"upstream_timeout"`)
		require.Equal(t, []string{"a:transient"}, pool.kinds())
	})
}

func TestStream_EndsWithAnErrorWhenTheServerAborts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := newPool(nil)
		s := newTestServer(pool, live())
		l := startStream(t.Context(), s, pool, "/v1/chat/completions")
		l.pieces <- chatChunk
		synctest.Wait()
		s.Drain()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.Equal(t, 1, s.Wait(ctx), "an open stream is not ended by Drain")
		s.Abort()
		require.Zero(t, s.Wait(t.Context()))
		<-l.done
		require.True(t, strings.HasPrefix(l.client.text(), chatChunk+`data: {"error":{`))
		require.Contains(t, l.client.text(), `"code":"shutting_down"`)
		require.Equal(t, []string{"a:canceled"}, pool.kinds(), "the credential is not to blame")
	})
}

func TestStream_StopsWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		pool := newPool(nil)
		l := startStream(ctx, newTestServer(pool, live()), pool, "/v1/chat/completions")
		l.pieces <- chatChunk
		synctest.Wait()
		leave()
		<-l.done
		require.Equal(t, chatChunk, l.client.text(), "nobody is left to tell")
		require.Equal(t, []string{"a:canceled"}, pool.kinds())
	})
}

func TestStream_StopsWhenTheClientTakesNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := newPool(nil)
		l := startStream(t.Context(), newTestServer(pool, live()), pool, "/v1/chat/completions")
		l.pieces <- chatChunk
		synctest.Wait()
		l.client.mu.Lock()
		l.client.fail = errors.New("broken pipe")
		l.client.mu.Unlock()
		l.pieces <- chatChunk
		<-l.done
		require.Equal(t, []string{"a:canceled"}, pool.kinds())
	})
}

// FuzzStream: whatever an upstream sends, the client gets a prefix of it, then either the
// rest or an error; and the lease is reported once.
func FuzzStream(f *testing.F) {
	f.Add("data: {}\n\ndata: [DONE]\n\n", uint8(5), uint8(0))
	f.Add("data: {}\n\nda", uint8(1), uint8(0))
	f.Add(": c\r\n\r\ndata: {\"error\":{}}\r\n\r\n", uint8(200), uint8(2))
	f.Fuzz(func(t *testing.T, text string, size, which uint8) {
		e := endpoints()[int(which)%4]
		var pieces []string
		for rest := text; rest != ""; {
			n := min(int(size)+1, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		pool := newPool(stream(io.EOF, pieces...))
		w := send(newTestServer(pool, live()), "POST", e.path, e.body)
		require.Len(t, pool.reports, 1)
		if w.Code != 200 || w.Header().Get("Content-Type") != "text/event-stream" {
			return
		}
		got := w.Body.String()
		if pool.reports[0].outcome.Kind == providers.Success {
			require.Equal(t, text, got)
			return
		}
		same := 0
		for same < len(got) && same < len(text) && got[same] == text[same] {
			same++
		}
		require.True(t, same == len(got) || strings.Contains(got, "upstream_error"), "%q", got)
	})
}
