package e2e

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// pausing makes an upstream wait before it writes more of an answer, until goOn is closed.
type pausing struct {
	http.ResponseWriter
	left   *int // pieces to be written before the pause
	goOn   <-chan struct{}
	paused chan<- struct{}
}

func (w pausing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w pausing) Write(b []byte) (int, error) {
	if *w.left--; *w.left < 0 {
		w.paused <- struct{}{}
		<-w.goOn
	}
	return w.ResponseWriter.Write(b)
}

// startPausing makes a rig whose upstream pauses after so many pieces of every answer.
func startPausing(t *testing.T, d dialect, pieces int) (r *rig, paused <-chan struct{}, goOn func()) {
	t.Helper()
	wait, reached := make(chan struct{}), make(chan struct{}, 100)
	r = start(t, setup{kinds: []string{d.kind}, around: func(upstream http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			left := pieces
			upstream.ServeHTTP(pausing{w, &left, wait, reached}, req)
		})
	}})
	return r, reached, func() { close(wait) }
}

// sendLater sends a request in a goroutine; the answer comes through the channel.
func (r *rig) sendLater(req *http.Request) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		resp, err := r.client.Do(req)
		if err != nil {
			answers <- answer{err: err}
			return
		}
		answers <- read(r.t, resp)
	}()
	return answers
}

func TestShutdown_LetsOpenRequestsEndAndNoNewOnesBegin(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r, paused, goOn := startPausing(t, d, 0)
			var open []<-chan answer
			for _, stream := range []bool{false, true} {
				open = append(open, r.sendLater(r.request(http.MethodPost, d.target(stream), d.question(stream))))
				<-paused
			}
			r.gateway.Drain()
			done := make(chan error, 1)
			go func() { done <- r.gateway.Shutdown(context.WithoutCancel(t.Context())) }()

			got := r.ask(d, true)
			require.Equal(t, http.StatusServiceUnavailable, got.status)
			d.requireError(t, string(got.body), "shutting_down")
			require.NotEmpty(t, got.header.Get("Retry-After"))
			require.Equal(t, http.StatusServiceUnavailable, r.get("/readyz").status)
			require.Equal(t, http.StatusServiceUnavailable, r.get("/v1/models").status)
			require.Equal(t, http.StatusOK, r.get("/healthz").status)

			goOn()
			for i, stream := range []bool{false, true} {
				got := <-open[i]
				require.NoError(t, got.err)
				require.Equal(t, d.want(stream), string(got.body))
			}
			require.NoError(t, <-done)
			<-r.gateway.Done()
			require.NoError(t, r.gateway.Err())
			require.Equal(t, http.StatusServiceUnavailable, r.get("/readyz").status)
		})
	}
}

func TestShutdown_TellsAStreamThatOutlivesTheGrace(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply, after, sent := d.opening()
			reply.Hang, reply.HangAfter = true, after
			r := start(t, setup{kinds: []string{d.kind}, script: first(reply)})
			resp := r.open(r.request(http.MethodPost, d.streamed, d.questionN))
			begin := make([]byte, len(sent))
			_, err := io.ReadFull(resp.Body, begin)
			require.NoError(t, err)

			over, end := context.WithCancel(t.Context())
			end()
			require.EqualError(t, r.gateway.Shutdown(over), "1 requests were cut off")
			got := read(t, resp)
			got.body = slices.Concat(begin, got.body)
			d.requireBroken(t, got, sent, "shutting_down")
		})
	}
}

func TestShutdown_RefusesARequestThatOutlivesTheGraceBeforeItsFirstByte(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{kinds: []string{d.kind}, script: always(fake.Reply{Hang: true})}, func(t *testing.T, r *rig) {
				open := r.sendLater(r.request(http.MethodPost, d.streamed, d.questionN))
				grace, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				time.Sleep(time.Second) // the request is on its way
				before := time.Now()
				require.EqualError(t, r.gateway.Shutdown(grace), "1 requests were cut off")
				require.Equal(t, 59*time.Second, time.Since(before))
				got := <-open
				require.Equal(t, http.StatusServiceUnavailable, got.status)
				d.requireError(t, string(got.body), "shutting_down")
				require.Equal(t, []string{"a"}, r.served(), "no failover in a gateway that stops")
			})
		})
	}
}

func TestShutdown_EndsTheEngineForItsHostToo(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	want := understudy.Request{Model: "m", Format: providers.OpenAIChat}
	lease, err := r.gateway.Acquire(t.Context(), want)
	require.NoError(t, err)
	require.NoError(t, r.gateway.Shutdown(t.Context()))
	require.NoError(t, r.gateway.Shutdown(t.Context()), "a second time is no error")
	lease.FirstByte()
	lease.Done(providers.Outcome{Kind: providers.Success}) // too late, and harmless
	_, err = r.gateway.Acquire(t.Context(), want)
	require.ErrorIs(t, err, understudy.ErrStopped)
	_, err = r.gateway.Snapshot(t.Context())
	require.Error(t, err)
	r.gateway.Subscribe(func(understudy.Event) {})()
}
