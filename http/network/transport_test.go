package network

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/http/payload"
)

func TestTransport_BodiesOfEverySizeArriveWhole(t *testing.T) {
	t.Parallel()
	transport := start(t, Options{Connect: 5 * time.Second})
	server := serve(t, echo)
	for _, size := range []int{0, 1, 2900, 3 << 10, 4096, 70_000, 5 << 20} {
		for name, model := range map[string][]byte{"as it came": nil, "another model": []byte(`"longer-than-before"`)} {
			body := []byte(`{"model":"m","x":"` + strings.Repeat("y", size) + `"}`)
			held := new(payload.Pool).Get(int64(len(body)))
			held.Bytes = append(held.Bytes, body...)
			want, edits := body, []payload.Edit(nil)
			if model != nil {
				want = bytes.Replace(body, []byte(`"m"`), model, 1)
				edits = []payload.Edit{{Start: 9, End: 12, Value: model}, {Start: len(body) - 2, End: len(body) - 1}}
				want = append(want[:len(want)-2:len(want)-2], '}')
			}
			r := post(t, server.URL, "")
			out, length := payload.Outbound(held, edits)
			require.Equal(t, len(want), length)
			r.Body, r.ContentLength = out, int64(length)
			resp, err := transport.RoundTrip(r)
			require.NoError(t, err, name)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			requireSame(t, string(want), string(got))
			held.Release()
		}
	}
}

func TestTransport_SpeaksHTTP2AndTrustsItsRoots(t *testing.T) {
	t.Parallel()
	server, roots := serveTLS(t, http.HandlerFunc(echo))
	transport := start(t, Options{Connect: 5 * time.Second, Roots: roots})
	first, _ := exchange(t, transport, server.URL, "one")
	require.Equal(t, "HTTP/2.0", first.Header.Get("Proto"))
	body := large()[:1<<20]
	second, text := exchange(t, transport, server.URL, body)
	requireSame(t, body, text)
	require.Equal(t, first.Header.Get("Conn"), second.Header.Get("Conn"), "connections are kept")

	stranger := start(t, Options{Connect: 5 * time.Second})
	require.ErrorContains(t, refusal(t, stranger, server.URL), "certificate")
}

// slow holds its answers back until the test lets them go.
func slow(release <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "begun ")
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = io.WriteString(w, "ended")
	}
}

func TestTransport_RetiredOnesFinishWhatTheyHaveBegun(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	plain := serve(t, slow(release))
	secure, roots := serveTLS(t, slow(release))
	transport := start(t, Options{Connect: 5 * time.Second, Roots: roots})
	var bodies []io.ReadCloser
	for _, url := range []string{plain.URL, secure.URL} {
		resp, err := transport.RoundTrip(post(t, url, "x"))
		require.NoError(t, err)
		bodies = append(bodies, resp.Body)
	}
	transport.Retire()
	require.Equal(t, 2, transport.current.open)
	close(release)
	for _, body := range bodies {
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		require.Equal(t, "begun ended", string(text))
		require.NoError(t, body.Close())
		_ = body.Close() // a second time
	}
	require.Zero(t, transport.current.open)
	// goleak finds the connections if they outlive their answers.
}

func TestTransport_RetiredOnesStillServe(t *testing.T) {
	t.Parallel()
	server, roots := serveTLS(t, http.HandlerFunc(echo))
	transport := start(t, Options{Connect: 5 * time.Second, Roots: roots})
	transport.Retire()
	first, _ := exchange(t, transport, server.URL, "x")
	second, _ := exchange(t, transport, server.URL, "x")
	require.NotEqual(t, first.Header.Get("Conn"), second.Header.Get("Conn"), "it keeps nothing")
}

// answerEach answers every request on conn and tells of the connection's begin and end.
func answerEach(begun, ended *int) func(net.Conn) {
	return func(conn net.Conn) {
		*begun++
		defer func() { *ended++ }()
		defer conn.Close()
		r := bufio.NewReader(conn)
		for {
			request, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, request.Body)
			if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
				return
			}
		}
	}
}

func TestTransport_ReplacesEvenBusyConnectionsAfterMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, ended := 0, 0
		transport, err := inMemory(time.Second, Direct, answerEach(&begun, &ended))
		require.NoError(t, err)
		defer transport.Retire()
		for range 4 {
			exchange(t, transport, "http://upstream.test/", "x")
			time.Sleep(time.Minute)
		}
		require.Equal(t, 1, begun, "one connection in the first minutes")
		exchange(t, transport, "http://upstream.test/", "x")
		time.Sleep(time.Minute)
		exchange(t, transport, "http://upstream.test/", "x")
		synctest.Wait()
		require.Equal(t, 2, begun, "another one after five")
		require.Equal(t, 1, ended)
	})
}

func TestTransport_ClosesIdleConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, ended := 0, 0
		transport, err := inMemory(time.Second, Direct, answerEach(&begun, &ended))
		require.NoError(t, err)
		exchange(t, transport, "http://upstream.test/", "x")
		time.Sleep(idleConnectionLife + time.Second)
		synctest.Wait()
		require.Equal(t, []int{1, 1}, []int{begun, ended})
	})
}

func TestTransport_BoundsTheWaitForAConnection(t *testing.T) {
	t.Parallel()
	mute := func(conn net.Conn) {
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
	for name, tt := range map[string]struct{ proxy, url string }{
		"TLS":              {Direct, "https://upstream.test/"},
		"a SOCKS5 proxy":   {"socks5://user:pass@proxy.test", "http://upstream.test/"},
		"an HTTP proxy":    {"http://proxy.test:3128", "https://upstream.test/"},
		"TLS of the proxy": {"https://proxy.test", "https://upstream.test/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				transport, err := inMemory(10*time.Second, tt.proxy, mute)
				require.NoError(t, err)
				begun := time.Now()
				err = refusal(t, transport, tt.url)
				var timeout net.Error
				require.ErrorAs(t, err, &timeout)
				require.True(t, timeout.Timeout())
				require.Equal(t, 10*time.Second, time.Since(begun))
			})
		})
	}
}

func TestTransport_DoesNotBoundTheWaitForAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		transport, err := inMemory(time.Second, Direct, func(conn net.Conn) {
			defer conn.Close()
			request, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, request.Body)
			time.Sleep(time.Hour)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
		})
		require.NoError(t, err)
		_, text := exchange(t, transport, "http://upstream.test/", "x")
		require.Equal(t, "ok", text)
	})
}

// A connection that came too late for the request that it was dialled for waits for another
// one. That one may take longer than it may take to connect.
func TestTransport_DoesNotBoundTheFirstUseOfAConnectionThatWaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		transport := newTransport(Options{Connect: 5 * time.Second}, proxy{}, func(context.Context, string, string) (net.Conn, error) {
			if dials++; dials == 2 {
				time.Sleep(time.Second)
			}
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				r := bufio.NewReader(theirs)
				for {
					request, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					thinks, _ := time.ParseDuration(request.URL.Path[1:])
					time.Sleep(thinks)
					if _, err := theirs.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")); err != nil {
						return
					}
				}
			}()
			return ours, nil
		})
		defer transport.Retire()
		var all sync.WaitGroup
		ask := func(thinks string) {
			all.Go(func() {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://upstream.test/"+thinks, nil)
				if err == nil {
					var resp *http.Response
					if resp, err = transport.RoundTrip(request); err == nil {
						err = resp.Body.Close()
					}
				}
				if err != nil {
					t.Errorf("%s: %v", thinks, err)
				}
			})
		}
		ask("100ms")
		synctest.Wait()
		ask("100ms") // dials, but the first one's connection is free sooner
		time.Sleep(2 * time.Second)
		ask("10s")
		ask("10s")
		all.Wait()
		require.Equal(t, 2, dials, "both were used")
	})
}
