package network

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw serves connections by hand, each in a goroutine of its own with its number from 1.
func raw(t *testing.T, handle func(conn net.Conn, n int64)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var count atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn, count.Add(1))
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// answerOne reads one request whole and answers with its body.
func answerOne(conn net.Conn, r *bufio.Reader) bool {
	request, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return false
	}
	resp := http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(string(body))),
	}
	return resp.Write(conn) == nil
}

// reset makes closing conn drop it without the goodbye that would be noticed beforehand.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func TestTransport_ReplacesADeadKeptConnection(t *testing.T) {
	t.Parallel()
	// What the first connection does when its second request arrives; later ones answer.
	deaths := map[string]func(net.Conn, *bufio.Reader){
		"closed":                func(net.Conn, *bufio.Reader) {},
		"reset":                 func(conn net.Conn, _ *bufio.Reader) { reset(conn) },
		"closed after the head": func(_ net.Conn, r *bufio.Reader) { _, _ = http.ReadRequest(r) },
	}
	for death, die := range deaths {
		for size, body := range map[string]string{"no": "", "small": "small", "large": large()} {
			t.Run(death+" "+size+" body", func(t *testing.T) {
				t.Parallel()
				address := raw(t, func(conn net.Conn, n int64) {
					r := bufio.NewReader(conn)
					if !answerOne(conn, r) {
						return
					}
					if _, err := r.Peek(1); err != nil {
						return
					}
					if n == 1 {
						die(conn, r)
						return
					}
					answerOne(conn, r)
				})
				transport := start(t, Options{Connect: 5 * time.Second, Proxy: Direct})
				_, text := exchange(t, transport, "http://"+address, "first")
				require.Equal(t, "first", text)
				_, text = exchange(t, transport, "http://"+address, body)
				requireSame(t, body, text)
			})
		}
	}
}

func TestTransport_DoesNotRepeatWhatANewConnectionLoses(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	address := raw(t, func(conn net.Conn, n int64) {
		connections.Store(n)
		_, _ = http.ReadRequest(bufio.NewReader(conn))
	})
	transport := start(t, Options{Connect: 5 * time.Second, Proxy: Direct})
	require.ErrorIs(t, refusal(t, transport, "http://"+address), io.EOF)
	require.EqualValues(t, 1, connections.Load())
}

func TestTransport_RepeatsOnlyOnce(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	address := raw(t, func(conn net.Conn, n int64) {
		connections.Store(n)
		r := bufio.NewReader(conn)
		if n == 1 {
			answerOne(conn, r)
		}
		_, _ = r.Peek(1)
	})
	transport := start(t, Options{Connect: 5 * time.Second, Proxy: Direct})
	exchange(t, transport, "http://"+address, "first")
	_ = refusal(t, transport, "http://"+address)
	require.EqualValues(t, 2, connections.Load())
}

func TestTransport_DoesNotRepeatWhatMayHaveBeenWorkedOn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		work  time.Duration // between the second request and the connection's end
		say   string        // before it
		again bool
	}{
		"at once":             {0, "", true},
		"a round trip later":  {300 * time.Millisecond, "", true},
		"later":               {promptly, "", false},
		"within the answer":   {0, "HTTP/1.1 200 OK\r\nContent-", false},
		"with another answer": {0, "no HTTP\r\n\r\n", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				transport, err := inMemory(time.Second, Direct, func(conn net.Conn) {
					defer conn.Close()
					r := bufio.NewReader(conn)
					for {
						request, err := http.ReadRequest(r)
						if err != nil {
							return
						}
						_, _ = io.Copy(io.Discard, request.Body)
						if requests++; requests == 2 {
							time.Sleep(tt.work)
							_, _ = io.WriteString(conn, tt.say)
							return
						}
						_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					}
				})
				require.NoError(t, err)
				defer transport.Retire()
				exchange(t, transport, "http://upstream.test/", "x")
				resp, err := transport.RoundTrip(post(t, "http://upstream.test/", "x"))
				if tt.again {
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
					require.Equal(t, 3, requests)
					return
				}
				require.Error(t, err)
				require.Equal(t, 2, requests)
			})
		})
	}
}

func TestTransport_DoesNotRepeatABodyItCannotReadAgain(t *testing.T) {
	t.Parallel()
	address := raw(t, func(conn net.Conn, n int64) {
		r := bufio.NewReader(conn)
		if n == 1 && answerOne(conn, r) {
			_, _ = r.Peek(1)
			reset(conn)
		}
	})
	transport := start(t, Options{Connect: 5 * time.Second, Proxy: Direct})
	exchange(t, transport, "http://"+address, "first")
	r := post(t, "http://"+address, "second")
	r.GetBody = nil
	resp, err := transport.RoundTrip(r)
	if err == nil {
		_ = resp.Body.Close()
	}
	require.Error(t, err)
}

// frames speaks HTTP/2 by hand: it answers the first request of a connection with 200 and
// hands the next one's stream to end.
func frames(conn net.Conn, end func(f *http2.Framer, stream uint32)) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	f := http2.NewFramer(conn, conn)
	if f.WriteSettings() != nil {
		return
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			if frame.StreamID != 1 {
				end(f, frame.StreamID)
				return
			}
			var head strings.Builder
			_ = hpack.NewEncoder(&head).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(head.String()), EndHeaders: true, EndStream: true})
		}
	}
}

func TestTransport_ReplacesAnHTTP2ConnectionThatIsGoingAway(t *testing.T) {
	t.Parallel()
	certified, roots := serveTLS(t, http.HandlerFunc(echo))
	ends := map[string]func(*http2.Framer, uint32){
		"the request not accepted": func(f *http2.Framer, _ uint32) { _ = f.WriteGoAway(1, http2.ErrCodeNo, nil) },
		"the last one not told":    func(f *http2.Framer, _ uint32) { _ = f.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil) },
		"refused":                  func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) },
		"without a word":           func(*http2.Framer, uint32) {},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			var connections atomic.Int64
			address := raw(t, func(conn net.Conn, n int64) {
				connections.Store(n)
				if n == 1 {
					secure := tls.Server(conn, &tls.Config{
						MinVersion: tls.VersionTLS12, Certificates: certified.TLS.Certificates, NextProtos: []string{"h2"},
					})
					frames(secure, end)
					_ = secure.Close()
					return
				}
				passOn(conn, certified.Listener.Addr().String())
			})
			transport := start(t, Options{Connect: 5 * time.Second, Proxy: Direct, Roots: roots})
			exchange(t, transport, "https://"+address, "first")
			body := large()[:100_000]
			resp, text := exchange(t, transport, "https://"+address, body)
			requireSame(t, body, text)
			require.Equal(t, "HTTP/2.0", resp.Header.Get("Proto"))
			require.EqualValues(t, 2, connections.Load())
			transport.Retire()
		})
	}
}

// passOn connects conn with a server until one of them ends.
func passOn(conn net.Conn, address string) {
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(server, conn)
		_ = server.Close()
	}()
	_, _ = io.Copy(conn, server)
	_ = server.Close()
}

func TestTransport_HandsOverASwitchedConnection(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		line, _ := rw.ReadString('\n')
		_, _ = io.WriteString(conn, line)
	}))
	t.Cleanup(server.Close)
	transport := start(t, Options{Connect: 5 * time.Second})
	r := post(t, server.URL, "")
	r.Body, r.GetBody = nil, nil
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	resp, err := transport.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.WriteString(resp.Body.(io.Writer), "hello\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
}

func TestIsLost_KnowsTheWordsOfNetHTTP(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		&net.OpError{Op: "write", Err: syscall.EPIPE}:     true,
		io.ErrUnexpectedEOF:                               true,
		errors.New("http: server closed idle connection"): true,
		errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=\"\""): true,
		errors.New("http2: client connection lost"):                                  true,
		errors.New("net/http: timeout awaiting response headers"):                    false,
		errors.New("http2: request header list larger than peer's advertised limit"): false,
	} {
		require.Equal(t, want, isLost(err), err)
	}
}
