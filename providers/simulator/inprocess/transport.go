// Package inprocess calls an http.Handler as an http.Client would, without sockets.
package inprocess

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
)

// Transport serves requests with Handler as if a connection lay between them: answers
// stream as they are written, with backpressure; canceling the request fails the call or
// the body's reads; closing the body ends the handler; a handler that panics with
// http.ErrAbortHandler is a reset connection. Any other panic is not caught.
//
// Nothing is left running once a body was read to its end or closed. The handler must
// honour its request's context, since Close waits for it.
type Transport struct{ Handler http.Handler }

var _ http.RoundTripper = Transport{}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		closeBody(r)
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	p := newPipe()
	a := &answer{head: make(chan struct{}), header: http.Header{}, pipe: p, bodyless: r.Method == http.MethodHead}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer closeBody(r)
		p.end(t.handle(a, serverRequest(ctx, r)))
	}()
	// The client's reads fail at once, even if the handler is slow to notice.
	unwatch := context.AfterFunc(r.Context(), func() { p.fail(r.Context().Err()) })
	body := &body{pipe: p, done: done, release: func() { unwatch(); cancel() }}
	select {
	case <-a.head:
		return a.response(r, body), nil
	case <-done:
	case <-ctx.Done():
		_ = body.Close()
		return nil, ctx.Err()
	}
	select {
	case <-a.head:
		return a.response(r, body), nil
	default: // it aborted before its head: see handle
		body.release()
		return nil, p.failure()
	}
}

// handle runs the handler and returns why the connection broke; nil = it did not.
func (t Transport) handle(a *answer, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			if err = r.Context().Err(); err != nil {
				return // it gave up because its client did
			}
			err = &net.OpError{Op: "read", Net: "pipe", Err: syscall.ECONNRESET}
		default:
			panic(p) // a bug of ours, which must not pass for an upstream's trouble
		}
	}()
	t.Handler.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK)
	return nil
}

// serverRequest is r as its server sees it.
func serverRequest(ctx context.Context, r *http.Request) *http.Request {
	in := r.WithContext(ctx)
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI = r.URL.RequestURI()
	return in
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// answer is the ResponseWriter of one request.
type answer struct {
	header   http.Header // the handler's, until the head is sent
	pipe     *pipe
	bodyless bool

	sendHead sync.Once
	head     chan struct{} // closed when status and sent are set
	status   int
	sent     http.Header
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. The first call counts.
func (a *answer) WriteHeader(status int) {
	a.sendHead.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.head)
	})
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.bodyless {
		return len(b), nil
	}
	return a.pipe.write(b)
}

// Flush implements http.Flusher: what is written is on its way anyhow.
func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }

func (a *answer) response(r *http.Request, body io.ReadCloser) *http.Response {
	length, err := strconv.ParseInt(a.sent.Get("Content-Length"), 10, 64)
	if err != nil {
		length = -1
	}
	return &http.Response{
		Status:     strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode: a.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Body: body, ContentLength: length, Request: r,
	}
}

// body is the client's end of an answer.
type body struct {
	pipe    *pipe
	done    <-chan struct{} // closed when the handler has ended
	release func()          // ends the handler's context and lets go of the client's
}

// Read implements io.Reader.
func (b *body) Read(dst []byte) (int, error) {
	n, err := b.pipe.read(dst)
	if err != nil {
		b.release()
	}
	return n, err
}

// errBodyClosed is what a handler and a late reader get after Close.
var errBodyClosed = errors.New("read on closed answer body")

// Close implements io.Closer. It returns when the handler has ended.
func (b *body) Close() error {
	b.pipe.fail(errBodyClosed)
	b.release()
	<-b.done
	return nil
}

// pipeCapacity is how far a handler may be ahead of its client, in bytes.
const pipeCapacity = 64 << 10

// pipe is a bounded buffer between a handler and its client.
type pipe struct {
	mu      sync.Mutex
	changed sync.Cond // content, ended or err
	content []byte    // not read yet
	ended   bool      // the handler has written everything
	err     error     // the connection broke; sticks
}

func newPipe() *pipe {
	p := &pipe{}
	p.changed.L = &p.mu
	return p
}

// write appends b, waiting for room. A large b goes in whole once there is any.
func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.content) >= pipeCapacity && p.err == nil {
		p.changed.Wait()
	}
	if p.err != nil {
		return 0, p.err
	}
	p.content = append(p.content, b...)
	p.changed.Broadcast()
	return len(b), nil
}

// read takes what there is, waiting for something. After a cut it still gives out what was
// written before; after fail it does not.
func (p *pipe) read(dst []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.content) == 0 && !p.ended && p.err == nil {
		p.changed.Wait()
	}
	if len(p.content) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		return 0, io.EOF
	}
	n := copy(dst, p.content)
	p.content = p.content[:copy(p.content, p.content[n:])]
	p.changed.Broadcast()
	return n, nil
}

// end is the handler's last word: all is written (nil), or the connection broke.
func (p *pipe) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.err == nil {
		p.err = err
	}
	p.changed.Broadcast()
}

// fail breaks the pipe from the client's side and drops what was not read. The first
// reason stays.
func (p *pipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.content = nil
	p.changed.Broadcast()
}

func (p *pipe) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
