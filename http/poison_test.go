package httpapi

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

// gigabyte is what a poisoned answer has.
const gigabyte = 1 << 30

// endless is a body that repeats a unit for many bytes, and then ends with end.
type endless struct {
	unit   string
	left   int64
	end    error         // nil = io.EOF
	nap    time.Duration // after half a megabyte
	at     int
	read   int64
	closed bool
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		if e.end == nil {
			return 0, io.EOF
		}
		return 0, e.end
	}
	if e.nap > 0 && e.read > 512<<10 {
		time.Sleep(e.nap)
		e.nap = 0
	}
	p = p[:min(int64(len(p)), e.left)]
	for n := 0; n < len(p); {
		copied := copy(p[n:], e.unit[e.at:])
		n, e.at = n+copied, (e.at+copied)%len(e.unit)
		if n == copied && copied < len(p) && e.at == 0 { // the rest by doubling: it is a gigabyte
			for n < len(p) {
				whole := copy(p[n:], p[:n])
				n += whole
			}
			e.at = n % len(e.unit)
		}
	}
	e.left -= int64(len(p))
	e.read += int64(len(p))
	return len(p), nil
}

func (e *endless) Close() error { e.closed = true; return nil }

// bomb is a gzip stream that inflates to n zeros.
func bomb(t *testing.T, n int64) []byte {
	t.Helper()
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = io.CopyN(z, &endless{unit: strings.Repeat("\x00", 1<<10), left: n}, n)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return packed.Bytes()
}

// A gigabyte of nonsense is read to a bound, let go, and somebody else serves.
func TestPoison_IsReadToABoundAndFailedOver(t *testing.T) {
	t.Parallel()
	const sse, chunk = "text/event-stream", 1 << 20
	tests := map[string]struct {
		status  int
		kind    string // content type
		unit    string
		most    int64 // bytes that are read of it
		outcome string
	}{
		"a refusal":               {500, "application/json", `{"error":"`, maxRefusalBytes + chunk, "a:transient"},
		"a refusal for the limit": {429, "text/plain", "no ", maxRefusalBytes + chunk, "a:rate-limited"},
		"no JSON":                 {200, "application/json", "\x00", maxWholeBytes + chunk, "a:transient"},
		"blanks":                  {200, "application/json", "\r\n \t", maxWholeBytes + chunk, "a:transient"},
		"a line without end":      {200, sse, "data: x", 32<<20 + chunk, "a:transient"},
		"a comment without end":   {200, sse, ":::", 32<<20 + chunk, "a:transient"},
		"an event without end":    {200, sse, "data: " + strings.Repeat("x", 1000) + "\n", 33<<20 + chunk, "a:transient"},
		"garbage":                 {200, sse, "\xff\xfe\x00", 32<<20 + chunk, "a:transient"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				body := &endless{unit: strings.Repeat(tt.unit, 1<<10), left: gigabyte, nap: 2 * holdBack}
				pool := newPool(func(*http.Request) (*http.Response, error) { return newResponse(tt.status, tt.kind, body), nil }, good(providers.OpenAIChat))
				w := send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody)
				require.Equal(t, 200, w.Code)
				require.Equal(t, []string{tt.outcome, "b:success"}, pool.kinds())
				require.LessOrEqual(t, body.read, tt.most)
				require.True(t, body.closed)
			})
		})
	}
}

// What is small when it is compressed is bounded by what comes out.
func TestPoison_InflatesToABound(t *testing.T) {
	t.Parallel()
	packed := bomb(t, maxWholeBytes+16<<20)
	for _, kind := range []string{"application/json", "text/event-stream"} {
		all := bytes.NewReader(packed)
		pool := newPool(func(*http.Request) (*http.Response, error) {
			return newResponse(200, kind, io.NopCloser(all), "Content-Encoding", "gzip"), nil
		}, good(providers.OpenAIChat))
		w := send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody)
		require.Equal(t, 200, w.Code)
		require.Equal(t, []string{"a:transient", "b:success"}, pool.kinds())
		require.Positive(t, all.Len(), "it was not read to its end")
	}
}

func TestPoison_ABodyInAnEncodingThatItIsNotIsAFailure(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd", "rot13", "gzip, gzip, gzip, gzip, gzip"} {
		pool := newPool(answer(200, "application/json", strings.Repeat("garbage", 100), "Content-Encoding", encoding), good(providers.OpenAIChat))
		w := send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody)
		require.Equal(t, 200, w.Code, encoding)
		require.Equal(t, []string{"a:transient", "b:success"}, pool.kinds(), encoding)
	}
}

// firstWrite notes how much of an upstream's answer has been read when its client gets the
// first byte.
type firstWrite struct {
	counting

	of   *endless
	read int64
}

func (w *firstWrite) Write(b []byte) (int, error) {
	if w.n == 0 {
		w.read = w.of.read
	}
	return w.counting.Write(b)
}

// Comments without end are no reason to hold more and more back.
func TestPoison_CommentsAreHeldBackToABound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // time stands still
		body := &endless{unit: strings.Repeat(": still thinking\n\n", 1<<10), left: 8 * maxHeldBackBytes}
		pool := newPool(func(*http.Request) (*http.Response, error) { return newResponse(200, "text/event-stream", body), nil })
		w := &firstWrite{counting: counting{ResponseWriter: httptest.NewRecorder()}, of: body}
		newTestServer(pool, live()).Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(chatBody)))
		require.InDelta(t, maxHeldBackBytes, w.read, 2*chunkBytes)
		require.Greater(t, w.n, int64(8*maxHeldBackBytes), "and an error in the end")
		require.Equal(t, []string{"a:transient"}, pool.kinds())
	})
}

// Large answers are held back together to a bound; beyond that they are passed on as they come.
func TestPoison_ManyLargeAnswersAreHeldBackToABound(t *testing.T) {
	t.Parallel()
	pool := newPool(func(*http.Request) (*http.Response, error) {
		return newResponse(200, "application/json", &endless{unit: "{", left: maxWholeBytes / 2, end: io.ErrUnexpectedEOF}), nil
	}, good(providers.OpenAIChat))
	s := newTestServer(pool, live())
	ask := func() (w *counting) {
		w = &counting{ResponseWriter: httptest.NewRecorder()}
		defer func() { _ = recover() }()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(chatBody)))
		return w
	}
	ask()
	require.Equal(t, []string{"a:transient", "b:success"}, pool.kinds(), "there is room: nobody sees that it breaks off")
	require.Zero(t, s.held.bytes.Load())
	others := s.held.share(&endless{unit: "x", left: maxHeldBytes})
	_, err := io.Copy(io.Discard, others)
	require.NoError(t, err)
	ask()
	require.Equal(t, []string{"a:transient", "b:success", "a:transient"}, pool.kinds(), "there is none: it has begun to leave")
	others.release()
	others.release()
	require.Zero(t, s.held.bytes.Load())
	ask()
	require.Len(t, pool.kinds(), 5)
}
