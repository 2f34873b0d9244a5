package inprocess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func call(ctx context.Context, t *testing.T, h http.HandlerFunc) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://host/path?x=1", strings.NewReader("question"))
	require.NoError(t, err)
	return Transport{Handler: h}.RoundTrip(r)
}

func abort() { panic(http.ErrAbortHandler) }

func TestTransport_CarriesRequestAndAnswer(t *testing.T) {
	t.Parallel()
	response, err := call(t.Context(), t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", fmt.Sprint(r.Method, r.URL.Path, r.RequestURI, string(body)))
		w.Header().Set("Content-Length", "6")
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
		w.Header().Set("X-Late", "1")
		_, _ = io.WriteString(w, "answer")
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusTeapot, response.StatusCode)
	require.Equal(t, "418 I'm a teapot", response.Status)
	require.Equal(t, "POST/path/path?x=1question", response.Header.Get("X-Seen"))
	require.Empty(t, response.Header.Get("X-Late"), "the head was sent")
	require.EqualValues(t, 6, response.ContentLength)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, "answer", string(body))
	n, err := response.Body.Read(make([]byte, 1))
	require.Zero(t, n)
	require.Equal(t, io.EOF, err, "the end stays")
	require.NoError(t, response.Body.Close())
	_, err = response.Body.Read(make([]byte, 1))
	require.ErrorIs(t, err, errBodyClosed)
}

func TestTransport_AnswersEmptyForAHandlerThatDoesNothing(t *testing.T) {
	t.Parallel()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://host/", nil)
	require.NoError(t, err)
	var unreadable error
	response, err := Transport{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, unreadable = io.ReadAll(r.Body)
	})}.RoundTrip(r)
	require.NoError(t, err)
	require.NoError(t, unreadable, "the body of a request without one")
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.EqualValues(t, -1, response.ContentLength)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Empty(t, body)
}

func TestTransport_SendsNoBodyForHead(t *testing.T) {
	t.Parallel()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://host/", nil)
	require.NoError(t, err)
	response, err := Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "answer")
	})}.RoundTrip(r)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Empty(t, body)
}

func TestTransport_StreamsWhatIsWritten(t *testing.T) {
	t.Parallel()
	next := make(chan string)
	response, err := call(t.Context(), t, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		for text := range next {
			_, _ = io.WriteString(w, text)
		}
	})
	require.NoError(t, err, "the head comes before the body")
	buffer := make([]byte, 100)
	for _, text := range []string{"one", "two"} {
		next <- text
		n, err := response.Body.Read(buffer)
		require.NoError(t, err)
		require.Equal(t, text, string(buffer[:n]))
	}
	close(next)
	_, err = response.Body.Read(buffer)
	require.Equal(t, io.EOF, err)
}

func TestTransport_HoldsAFastHandlerBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := 0
		response, err := call(t.Context(), t, func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 {
				n, err := w.Write(make([]byte, 1<<10))
				if err != nil {
					abort()
				}
				written += n
			}
		})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, pipeCapacity, written)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Len(t, body, 1000<<10)
	})
}

func TestTransport_ResetsWhatAHandlerAborts(t *testing.T) {
	t.Parallel()
	_, err := call(t.Context(), t, func(http.ResponseWriter, *http.Request) { abort() })
	require.ErrorIs(t, err, syscall.ECONNRESET, "before the head")

	response, err := call(t.Context(), t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "some")
		abort()
	})
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.ErrorIs(t, err, syscall.ECONNRESET, "in the middle")
	require.Equal(t, "some", string(body), "what came before is not lost")
}

func TestTransport_EndsTheHandlerWhenTheBodyIsClosed(t *testing.T) {
	t.Parallel()
	tests := map[string]http.HandlerFunc{
		"waiting": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			<-r.Context().Done()
		},
		"writing": func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1000)); err != nil {
					abort()
				}
			}
		},
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := false
			response, err := call(t.Context(), t, func(w http.ResponseWriter, r *http.Request) {
				defer func() { ended = true }()
				h(w, r)
			})
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.True(t, ended, "Close returns after the handler")
			require.NoError(t, response.Body.Close(), "a second Close is harmless")
		})
	}
}

func TestTransport_HonoursCancellation(t *testing.T) {
	tests := map[string]struct {
		handler http.HandlerFunc
		inBody  bool
	}{
		"before the head": {handler: func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			abort()
		}},
		"in the body": {inBody: true, handler: func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "some")
			<-r.Context().Done()
			abort()
		}},
		"with content unread": {inBody: true, handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, 1000))
		}},
		"late to notice": {inBody: true, handler: func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "some")
			<-r.Context().Done()
			time.Sleep(time.Hour)
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(errors.New("enough")) })
				start := time.Now()
				response, err := call(ctx, t, tt.handler)
				if tt.inBody {
					require.NoError(t, err)
					time.Sleep(time.Second)
					synctest.Wait()
					_, err = io.ReadAll(response.Body)
					require.Equal(t, time.Second, time.Since(start))
					require.NoError(t, response.Body.Close())
				}
				require.ErrorIs(t, err, context.Canceled)
			})
		})
	}
}

func TestTransport_SendsNothingForACanceledRequest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	closed := false
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://host/", closer{&closed})
	require.NoError(t, err)
	_, err = Transport{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") })}.RoundTrip(r)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, closed, "the request body is closed")
}

type closer struct{ closed *bool }

func (closer) Read([]byte) (int, error) { return 0, io.EOF }

func (c closer) Close() error {
	*c.closed = true
	return nil
}

func TestTransport_WorksInAClientForManyAtOnce(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})}}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			sent := bytes.Repeat([]byte{byte(i)}, 100_000)
			response, err := client.Post("http://host/", "text/plain", bytes.NewReader(sent))
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(response.Body)
			if err != nil || !bytes.Equal(sent, got) || response.Body.Close() != nil {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
}
