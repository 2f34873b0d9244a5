package network

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/understudyhq/understudy/http/payload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers with the protocol, the body and, in a header, the connection.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Proto", r.Proto)
	w.Header().Set("Conn", r.RemoteAddr)
	_, _ = w.Write(body)
}

// serveTLS starts an HTTP/2 server and returns the roots that make it trusted.
func serveTLS(t *testing.T, handler http.Handler) (*httptest.Server, *Roots) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, rootsOf(t, s)
}

func rootsOf(t *testing.T, servers ...*httptest.Server) *Roots {
	t.Helper()
	var text bytes.Buffer
	for _, s := range servers {
		require.NoError(t, pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, text.Bytes(), 0o600))
	roots, err := ReadRoots(file)
	require.NoError(t, err)
	return roots
}

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

// start returns a transport that the test's end retires.
func start(t *testing.T, o Options) *Transport {
	t.Helper()
	transport, err := New(o)
	require.NoError(t, err)
	t.Cleanup(transport.Retire)
	return transport
}

// post makes a request as the gateway does: its body can be read again, and is not copied
// if it is large.
func post(t *testing.T, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	require.NoError(t, err)
	held := new(payload.Pool).Get(int64(len(body)))
	held.Bytes = append(held.Bytes, body...)
	r.GetBody = func() (io.ReadCloser, error) {
		again, _ := payload.Outbound(held, nil)
		return again, nil
	}
	out, length := payload.Outbound(held, nil)
	r.Body, r.ContentLength = out, int64(length)
	return r
}

// exchange posts body and returns the answer, whole.
func exchange(t *testing.T, rt http.RoundTripper, url, body string) (*http.Response, string) {
	t.Helper()
	resp, err := rt.RoundTrip(post(t, url, body))
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp, string(text)
}

// refusal posts something and returns the error.
func refusal(t *testing.T, rt http.RoundTripper, url string) error {
	t.Helper()
	resp, err := rt.RoundTrip(post(t, url, "x"))
	if err == nil {
		_ = resp.Body.Close()
	}
	require.Error(t, err)
	return err
}

// inMemory returns a transport whose every connection is served by handle.
func inMemory(connect time.Duration, proxy string, handle func(net.Conn)) (*Transport, error) {
	p, err := proxyOf(proxy)
	if err != nil {
		return nil, err
	}
	return newTransport(Options{Connect: connect}, p, func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go handle(theirs)
		return ours, nil
	}), nil
}

// large is a body that is sent without a copy, and does not fit into a socket's buffers.
func large() string { return strings.Repeat("0123456789abcdef", 1<<20) }

func requireSame(t *testing.T, want, got string) {
	t.Helper()
	require.Len(t, got, len(want))
	require.Equal(t, sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got)))
}
