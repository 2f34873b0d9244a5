package capture

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/http/payload"
)

// Exchange takes one request and its answer down. It is for one goroutine at a time. A nil one
// does nothing.
type Exchange struct {
	store    *Store
	settings *config.Logging
	request  *http.Request
	body     *payload.Buffer // of the request, without content codings; nil = it was not read
	hidden   []string        // what must not be written

	all     bool   // the answer is taken down while it passes, whatever it is
	answer  spool  // of all
	failing []byte // the failing answer, or the error at the end of one
}

// Begin returns what takes a request down; nil if nothing of it is wanted. Requests that only
// read are not, but for those that become a WebSocket. The request must have been admitted:
// whoever has no key could fill the folder.
func (s *Store) Begin(r *http.Request) *Exchange {
	if s == nil {
		return nil
	}
	l := s.settings.Load()
	if l == nil || !isWanted(r) {
		return nil
	}
	return &Exchange{
		store: s, settings: l, request: r, all: l.Requests == requestsAll,
		answer: spool{store: s, limit: l.MaxBodyBytes},
	}
}

func isWanted(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
	default:
		return true
	}
}

// Body takes a reference to the request's body.
func (e *Exchange) Body(b *payload.Buffer) {
	if e == nil {
		return
	}
	b.Retain()
	e.body = b
}

// Hide keeps a secret, such as a credential's, out of what is written.
func (e *Exchange) Hide(secret string) {
	if e != nil {
		e.hidden = append(e.hidden, secret)
	}
}

// Writer returns a writer that takes down what passes to w; w itself if the whole answer is not
// wanted.
func (e *Exchange) Writer(w http.ResponseWriter) http.ResponseWriter {
	if e == nil || !e.all {
		return w
	}
	return &tee{ResponseWriter: w, to: &e.answer}
}

// Failing takes the body of a failing answer, or of the error that ends one. It must not be
// changed afterwards.
func (e *Exchange) Failing(body []byte) {
	if e != nil && !e.all {
		e.failing = body
	}
}

// Report is what is known of a request when it is over.
type Report struct {
	ID     string
	At     time.Time // when it came
	Status int       // what the client got; 499 = it went away
	Failed bool      // the gateway's or the upstream's failure, told to the client
	Header http.Header
	Sent   int64       // bytes of the answer's body that have left
	Facts  []slog.Attr // as in the log
	Tries  []string    // one line for each attempt
}

// Wants reports whether a request that is over is to be written down.
func (e *Exchange) Wants(failed bool) bool { return e != nil && (e.all || failed) }

// End writes the request down and drops what was held of it.
func (e *Exchange) End(report Report) {
	if e == nil {
		return
	}
	name := Name{At: report.At, Failed: report.Failed, Status: report.Status, ID: report.ID}
	e.store.trouble(e.store.create(name, func(w io.Writer) error { return e.write(w, report) }))
	e.Drop()
}

// Drop gives back what was held of a request.
func (e *Exchange) Drop() {
	if e == nil {
		return
	}
	e.answer.drop()
	if e.body != nil {
		e.body.Release()
		e.body = nil
	}
}

// answered returns what is known of the answer's body, and how long all of it was.
func (e *Exchange) answered(report Report) (body io.Reader, held, whole int64) {
	if e.all {
		return e.answer.reader(), e.answer.held, e.answer.seen
	}
	n := min(int64(len(e.failing)), e.settings.MaxBodyBytes)
	return bytes.NewReader(e.failing[:n]), n, max(report.Sent, int64(len(e.failing)))
}

// tee takes down what passes.
type tee struct {
	http.ResponseWriter
	to *spool
}

// Write is part of http.ResponseWriter.
func (t *tee) Write(p []byte) (int, error) {
	n, err := t.ResponseWriter.Write(p)
	_, _ = t.to.Write(p[:n]) // it never fails
	return n, err
}

// Flush is part of http.Flusher.
func (t *tee) Flush() { _ = t.FlushError() }

// FlushError is what net/http looks for first.
func (t *tee) FlushError() error { return http.NewResponseController(t.ResponseWriter).Flush() }

// Unwrap lets net/http find the deadlines of the connection.
func (t *tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }
