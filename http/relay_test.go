package httpapi

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/http/payload"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// listen serves the gateway over real HTTP.
func listen(t *testing.T, s *Server) *httptest.Server {
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return server
}

func post(t *testing.T, url, body string, header ...string) (*http.Response, []byte) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, text
}

func TestRelay_KeepsEveryByteOfAPlainAnswerAndItsRequest(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat(`lorem \u00e9psum é 😀 `, 20<<20/24)
	bodies := map[string]string{
		"small":          `{"model":"m"}`,
		"odd spacing":    " {\n\t\"model\" :\r\n \"m\" ,\"x\":[ 1 , 2.50e+1,null ] }\n\n",
		"unknown fields": `{"zzz":{"model":"other"},"model":"m","future":{"a":[{"b":true}]},"zzz":1}`,
		"escapes":        `{"\u006dodel":"\u006d","text":"\ud83d\ude00 \/ \u0000 é"}`,
		"20 MB":          `{"model":"m","text":"` + huge + `"}`,
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstream := fake.New(func(r fake.Request) fake.Reply {
				return fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: r.Body}
			})
			pool := newPool(nil).toServer(t, upstream)
			server := listen(t, newTestServer(pool, live()))
			for _, path := range []string{"/v1/chat/completions", "/v1/responses", "/v1/messages"} {
				resp, got := post(t, server.URL+path, body)
				require.Equal(t, 200, resp.StatusCode)
				requireSameBytes(t, body, got)
				requests := upstream.Requests()
				requireSameBytes(t, body, requests[len(requests)-1].Body)
				require.Equal(t, int64(len(body)), resp.ContentLength)
			}
		})
	}
}

// requireSameBytes compares by digest: nobody wants to see 20 MB in a message.
func requireSameBytes(t *testing.T, want string, got []byte) {
	t.Helper()
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte(want))), fmt.Sprintf("%x", sha256.Sum256(got)))
}

func TestRelay_KeepsEveryByteOfAStream(t *testing.T) {
	t.Parallel()
	streams := map[string]string{
		"comments":       ": open\n\n: again\n\n" + chatChunk + ": between\n\ndata: [DONE]\n\n: after\n",
		"names":          "event: x\nid: 7\nretry: 10\n" + chatChunk + "event:y\ndata:{}\n\ndata: [DONE]\n\n",
		"CRLF":           ": c\r\n\r\ndata: {}\r\n\r\ndata: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\n",
		"CR":             "data: {}\r\rdata: [DONE]\r\r",
		"multi-line":     "data: {\ndata:   \"a\": 1\ndata: }\n\n\n\ndata: [DONE]\n\n",
		"byte order":     "\ufeffdata: {}\n\ndata: [DONE]\n\n",
		"a large event":  "data: {\"x\":\"" + strings.Repeat("y", 3*maxPartialBytes) + "\"}\n\ndata: [DONE]\n\n",
		"no blank line":  chatChunk + "data: [DONE]",
		"usage in nulls": strings.Repeat("data: {\"usage\":null,\"x\":1}\n\n", 50) + "data: {\"usage\":{\"prompt_tokens\":5}}\n\ndata: [DONE]\n\n",
	}
	for name, body := range streams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 3, 100, len(body)} {
				if len(body)/size > 1000 {
					continue
				}
				var chunks [][]byte
				for rest := []byte(body); len(rest) > 0; rest = rest[min(size, len(rest)):] {
					chunks = append(chunks, rest[:min(size, len(rest))])
				}
				pool := newPool(nil).toServer(t, fake.New(func(fake.Request) fake.Reply {
					return fake.Reply{Header: http.Header{"Content-Type": {"text/event-stream"}}, Chunks: chunks}
				}))
				resp, got := post(t, listen(t, newTestServer(pool, live())).URL+"/v1/chat/completions", chatBody)
				require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
				requireSameBytes(t, body, got)
				require.Equal(t, []string{"a:success"}, pool.kinds())
			}
		})
	}
}

func TestRelay_ReplacesNothingButTheModelOfAnAlias(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ path, sent, want string }{
		"chat": {
			"/v1/chat/completions",
			"{ \"a\" : \"main\",\n\"model\" :  \"m\\u0061in\" , \"metadata\":{\"model\":\"main\"}}",
			"{ \"a\" : \"main\",\n\"model\" :  \"up\\\"stream/1\" , \"metadata\":{\"model\":\"main\"}}",
		},
		"with a suffix": {"/v1/messages", `{"model":"main(high)"}`, `{"model":"up\"stream/1","thinking":{"type":"enabled","budget_tokens":24576},"max_tokens":25600}`},
		"gemini":        {"/v1beta/models/main:generateContent", `{"x": 1 }`, `{"x": 1 }`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstream := fake.New(func(r fake.Request) fake.Reply { return fake.Reply{Body: []byte("{}")} })
			pool := newPool(nil).toServer(t, upstream)
			pool.model = `up"stream/1`
			resp, _ := post(t, listen(t, newTestServer(pool, live())).URL+tt.path, tt.sent)
			require.Equal(t, 200, resp.StatusCode)
			require.Equal(t, "main", pool.acquired[0].Model)
			got := upstream.Requests()[0]
			require.Equal(t, tt.want, string(got.Body))
			if name == "gemini" {
				require.True(t, strings.HasSuffix(got.Path, `/up"stream/1`), got.Path)
			}
		})
	}
}

func TestRelay_SendsTheBodyAgainOnAConnectionThatWasClosed(t *testing.T) {
	t.Parallel()
	pool := newPool(nil)
	s := newTestServer(pool, live())
	rest := `,"x":"` + strings.Repeat("x", 4096) + `"}`
	c := &call{body: s.buffers.Get(100)}
	c.body.Bytes = append(c.body.Bytes, `{"model":"main"`+rest...)
	c.modelAt.Start, c.modelAt.End = 9, 15
	in := &inbound{server: s, settings: s.settings.Load(), r: httptest.NewRequest(http.MethodPost, "/", nil), format: providers.OpenAIChat}
	a := &attempt{server: s, in: in, call: c, ctx: t.Context()}
	a.lease.Credential, a.upstreamCall.Model = pool.credentials[0], "m"

	r, err := a.request()
	require.NoError(t, err)
	for range 2 {
		text, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Equal(t, `{"model":"m"`+rest, string(text))
		require.Equal(t, int64(len(text)), r.ContentLength)
		require.NoError(t, r.Body.Close())
		_, err = r.Body.Read(make([]byte, 1))
		require.ErrorIs(t, err, http.ErrBodyReadAfterClose)
		require.NoError(t, r.Body.Close(), "closing twice releases once")
		r.Body, err = r.GetBody()
		require.NoError(t, err)
	}
	c.body.Release()
	require.NotSame(t, c.body, s.buffers.Get(100), "a body that is not closed yet still needs the bytes")
}

func TestRelay_DecodesAnswersThatAreCompressedAllTheSame(t *testing.T) {
	t.Parallel()
	body := string(fake.Answer("openai-chat", false, 100).Body)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, body)
	require.NoError(t, w.Close())
	pool := newPool(nil).toServer(t, fake.New(func(fake.Request) fake.Reply {
		return fake.Reply{
			Header: http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, Body: packed.Bytes(),
		}
	}))
	resp, got := post(t, listen(t, newTestServer(pool, live())).URL+"/v1/chat/completions", chatBody)
	require.Equal(t, body, string(got))
	require.Empty(t, resp.Header.Get("Content-Encoding"))
	require.Equal(t, int64(100), pool.reports[0].outcome.Usage.OutputTokens)
}

func TestRelay_PassesOtherContentUnchecked(t *testing.T) {
	t.Parallel()
	w := send(newTestServer(newPool(answer(200, "audio/mpeg", "\xff\xfb\x00")), live()), "POST", "/v1/chat/completions", chatBody)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "\xff\xfb\x00", w.Body.String())
	require.Equal(t, "audio/mpeg", w.Header().Get("Content-Type"))
}

// counting is a response writer that keeps only the count.
type counting struct {
	http.ResponseWriter
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

func TestRelay_StreamsAnswersThatAreTooLongToHold(t *testing.T) {
	t.Parallel()
	const size = maxWholeBytes + 100_000
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
		pool := newPool(func(*http.Request) (*http.Response, error) {
			return newResponse(200, "application/json", &endless{unit: "{", left: size, end: end}), nil
		})
		s := newTestServer(pool, live())
		w := &counting{ResponseWriter: httptest.NewRecorder()}
		serve := func() {
			s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/embeddings", strings.NewReader(chatBody)))
		}
		if errors.Is(end, io.EOF) {
			serve()
			require.Equal(t, []string{"a:success"}, pool.kinds())
		} else {
			require.PanicsWithValue(t, http.ErrAbortHandler, serve, "the cut must show")
			require.Equal(t, []string{"a:transient"}, pool.kinds())
		}
		require.Equal(t, int64(size), w.n)
	}
}

func TestRelay_SurvivesRealFaults(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fake.Reply{
		"reset before the head": {Reset: true},
		"cut in the body":       {Body: fake.Answer("openai-chat", false, 3).Body, CutAfter: 1},
		"hang":                  {Hang: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := live()
			settings.Timeouts.FirstByte = 200 * time.Millisecond
			pool := newPool(make([]transport, 2)...).toServer(t, fake.New(func(r fake.Request) fake.Reply {
				if r.Key == "secret-a" {
					return fault
				}
				return fake.Answer("openai-chat", false, 3)
			}))
			resp, _ := post(t, listen(t, newTestServer(pool, settings)).URL+"/v1/chat/completions", chatBody)
			require.Equal(t, 200, resp.StatusCode)
			require.Equal(t, []string{"a:transient", "b:success"}, pool.kinds())
		})
	}
}

func TestRelay_ClosesTheUpstreamWhenARealClientLeaves(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	pool := newPool(nil).toServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, chatChunk)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(left)
	}))
	s := newTestServer(pool, live())
	server := listen(t, s)
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/v1/chat/completions", strings.NewReader(chatBody))
	require.NoError(t, err)
	resp, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = bufio.NewReader(resp.Body).ReadString('\n')
	require.NoError(t, err)
	leave()
	<-left
	require.Zero(t, s.Wait(t.Context()))
	require.Equal(t, []string{"a:canceled"}, pool.kinds())
}

func TestReadBody_AnswersACutRequest(t *testing.T) {
	t.Parallel()
	server := listen(t, newTestServer(newPool(), live()))
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"model\":")
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 400, resp.StatusCode)
	require.Contains(t, string(text), `"code":"incomplete_body"`)
}

// Row TR65: the same model's body is nobody's but the client's, at the cost of one allocation;
// of another model only the name is replaced.
func TestRelay_TR65CopiesNoBody(t *testing.T) {
	t.Parallel()
	pool := newPool(nil)
	s := newTestServer(pool, live())
	text := `{"model":"m", "x" : "` + strings.Repeat("x", 64<<10) + `"}`
	c := &call{model: "m", body: s.buffers.Get(int64(len(text)))}
	c.body.Bytes = append(c.body.Bytes, text...)
	c.modelAt.Start, c.modelAt.End = 9, 12
	in := &inbound{server: s, r: httptest.NewRequest(http.MethodPost, "/", nil), format: providers.OpenAIChat}
	a := &attempt{server: s, in: in, call: c, format: providers.OpenAIChat}
	a.lease.Credential, a.upstreamCall.Model = pool.credentials[0], "m"
	own, err := a.ownBody()
	require.NoError(t, err)
	require.Nil(t, own)

	sent := func() []byte {
		body, length := payload.Outbound(c.body, a.edits())
		defer body.Close()
		all, err := io.ReadAll(body)
		require.NoError(t, err)
		require.Len(t, all, length)
		return all
	}
	requireSameBytes(t, text, sent())
	a.upstreamCall.Model = "other"
	requireSameBytes(t, strings.Replace(text, `"m"`, `"other"`, 1), sent())
}

// TestRelay_TR65CostsOneAllocation is apart because nothing may run beside it.
func TestRelay_TR65CostsOneAllocation(t *testing.T) {
	pool := newPool(nil)
	s := newTestServer(pool, live())
	c := &call{model: "m", body: s.buffers.Get(64 << 10)}
	c.body.Bytes = append(c.body.Bytes, `{"model":"m","x":"`+strings.Repeat("x", 32<<10)+`"}`...)
	a := &attempt{server: s, in: &inbound{format: providers.OpenAIChat}, call: c}
	a.lease.Credential, a.upstreamCall.Model = pool.credentials[0], "m"
	allocations := testing.AllocsPerRun(100, func() {
		body, _ := payload.Outbound(c.body, a.edits())
		_ = body.Close()
	})
	require.LessOrEqual(t, allocations, 1.0)
}
