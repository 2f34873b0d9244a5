package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/capture"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/socket"
	"github.com/understudyhq/understudy/http/tracing"
	"github.com/understudyhq/understudy/providers"
)

// statusClientGone is logged, never sent, when a client left before its answer's end.
const statusClientGone = 499

// maxRequestIDBytes bounds a client's request id.
const maxRequestIDBytes = 128

// writeTimeout is how long a client may take nothing of its answer before it counts as gone.
const writeTimeout = 2 * time.Minute

// unreadBodyTimeout is how long a refused request may go on to send its body.
const unreadBodyTimeout = time.Second

// inbound is one HTTP request of a client, from its arrival to its line in the log.
type inbound struct {
	server    *Server
	settings  *settings
	route     *route
	param     string // what the path names, if the route has such a part
	w         *echo.Response
	r         *http.Request
	ctx       context.Context // ends with the client's connection, or by the server's Abort
	cancel    context.CancelCauseFunc
	id        string
	format    providers.Format
	key       *clientKey // nil until admitted
	startedAt time.Time

	// What generate.go and exchange.go tell for the headers and the log.
	turn      *socket.Turn // nil = it came over HTTP
	call      *call
	tries     []actors.AttemptRecord // that are over
	usage     providers.Usage        // of the last one
	formatOut providers.Format       // of the last attempt
	lost      []string               // what the request lost in translation to it, as paths
	dropped   int                    // encrypted items that a credential could not have read
	rejected  *actors.Field          // who was not ready when nobody was left
	queued    time.Duration          // until the engine was asked
	waited    time.Duration          // for somebody to be ready
	lease     actors.Lease           // the last one; zero = none
	outcome   providers.Kind
	sentAt    time.Time     // when the running attempt's request went out; zero = none runs
	elsewhere time.Duration // spent in attempts that are over
	err       error
	gone      bool              // nobody is left to answer
	received  bool              // the body has been read
	limited   bool              // a write deadline is set
	cut       bool              // the answer is not whole: break the connection, so that it shows
	capture   *capture.Exchange // nil = the request is not to be taken down
	trace     *tracing.Request  // nil = there is no span
}

func newInbound(s *Server, rt *route, w *echo.Response, r *http.Request) *inbound {
	in := &inbound{
		server: s, settings: s.settings.Load(), route: rt, w: w, r: r,
		id: requestID(r.Header), format: rt.format, startedAt: time.Now(),
	}
	if rt.dialect != nil {
		in.format = rt.dialect(r)
	}
	in.ctx, in.cancel = context.WithCancelCause(r.Context())
	if !rt.always {
		in.trace = s.options.Tracer.Begin(r, rt.path, in.id)
	}
	return in
}

// run admits the request and serves it.
func (in *inbound) run() error {
	if !in.server.gate.enter(in) {
		in.w.Header().Set("Connection", "close") // so that the client finds another server
		return fault.ShuttingDown()
	}
	if !in.route.open {
		if in.key = in.settings.keys.find(in.r); in.key == nil {
			return fault.InvalidKey()
		}
	}
	if in.settings.keys.open != nil && !isLocalOrigin(in.r.Header.Get("Origin")) {
		// Without keys whoever reaches the gateway may use it, but not every web page that
		// somebody near it happens to look at.
		return fault.OriginNotAllowed()
	}
	if !in.route.open {
		if in.capture = in.server.options.Captures.Begin(in.r); in.capture != nil {
			in.w.Writer = in.capture.Writer(in.w.Writer)
		}
	}
	return in.route.serve(in)
}

// isLocalOrigin reports whether a browser's Origin is this machine, or there is none.
func isLocalOrigin(origin string) bool {
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
}

// finish ends every request, also one that panicked. It is deferred.
func (in *inbound) finish() {
	if p := recover(); p != nil {
		in.crash(p)
	}
	in.cancel(nil)
	if in.limited {
		in.limitWrites(time.Time{}) // the connection may serve further requests
	}
	total := time.Since(in.startedAt)
	if in.capture.Wants(in.failed()) {
		in.capture.End(in.report(total)) // before anybody stops waiting for the request
	} else {
		in.capture.Drop()
	}
	in.server.gate.leave(in)
	r := in.record(total)
	in.trace.End(r, in.status(), in.codeOf(in.err))
	in.log(total)
	if in.cut {
		panic(http.ErrAbortHandler) // net/http's way to break a connection
	}
}

// crash answers a request whose handling panicked with p.
func (in *inbound) crash(p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // a panic's value, compared as net/http does
		in.cut = true
		return
	}
	err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	if in.w.Committed {
		in.err, in.cut = err, true
		return
	}
	in.refuse(fault.Internal(err))
}

// refuse answers with err in the client's format. Nothing may have been sent yet.
func (in *inbound) refuse(err error) {
	in.err = err
	if errors.Is(err, fault.ErrClientGone) {
		in.gone = true
		return
	}
	if !in.received && in.r.ContentLength != 0 {
		// net/http reads what is left of a body before it answers, as long as that takes.
		_ = http.NewResponseController(in.w.Writer).SetReadDeadline(time.Now().Add(unreadBodyTimeout))
	}
	e := fault.As(err)
	maps.Copy(in.w.Header(), e.Header())
	in.write(e.Status, "application/json", fault.Body(in.format, e, in.id))
}

// write sends a whole answer of the gateway's own.
func (in *inbound) write(status int, contentType string, body []byte) {
	in.w.Header().Set("Content-Type", contentType)
	in.send(status, body)
}

// send writes a whole answer. Its own headers are set already.
func (in *inbound) send(status int, body []byte) {
	if status >= http.StatusBadRequest {
		in.capture.Failing(body)
	}
	h := in.w.Header()
	h.Set("Content-Length", strconv.Itoa(len(body)))
	in.stamp(h)
	in.w.WriteHeader(status)
	if in.r.Method == http.MethodHead {
		return
	}
	if err := in.writeAll(body); err != nil {
		in.gone = true
	}
}

// writePiece is how much of an answer a client must take within writeTimeout.
const writePiece = 256 << 10

func (in *inbound) writeAll(body []byte) error {
	for piece := range slices.Chunk(body, writePiece) {
		in.limitWrites(time.Now().Add(writeTimeout))
		if _, err := in.w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// limitWrites sets the deadline for writing to the client; zero = none.
func (in *inbound) limitWrites(deadline time.Time) {
	in.limited = !deadline.IsZero()
	_ = http.NewResponseController(in.w.Writer).SetWriteDeadline(deadline) // not every writer knows deadlines
}

// isGone reports whether the client has left.
func (in *inbound) isGone() bool { return errors.Is(in.r.Context().Err(), context.Canceled) }

// stamp sets the headers that every answer has.
func (in *inbound) stamp(h http.Header) {
	until := in.sentAt
	if until.IsZero() {
		until = time.Now()
	}
	timing := make([]byte, 0, 32)
	timing = append(timing, "gateway;dur="...)
	timing = strconv.AppendFloat(timing, float64(until.Sub(in.startedAt)-in.elsewhere)/float64(time.Millisecond), 'f', 3, 64)
	h["Server-Timing"] = []string{string(timing)}
	h["X-Request-Id"] = []string{in.id}
	in.debug(h)
}

// log writes the request's line in the access log.
func (in *inbound) log(total time.Duration) {
	level := slog.LevelInfo
	if in.route.always {
		level = slog.LevelDebug
	}
	if status := in.status(); status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	ctx := in.r.Context()
	if !in.server.logger.Enabled(ctx, level) {
		return
	}
	in.server.logger.LogAttrs(ctx, level, "request served", in.facts(total)...)
}

// status is what the client got.
func (in *inbound) status() int {
	if in.gone {
		return statusClientGone
	}
	return in.w.Status
}

// failed reports whether the client was told of a failure, by status or in a stream.
func (in *inbound) failed() bool {
	return !in.gone && (in.w.Status >= http.StatusBadRequest || in.cut || in.err != nil)
}

// codeOf names an error for a span, if there are any; empty = there is none.
func (in *inbound) codeOf(err error) string {
	if in.trace == nil || err == nil {
		return ""
	}
	return fault.Code(err)
}

// facts are what is told of the request when it is over.
func (in *inbound) facts(total time.Duration) []slog.Attr {
	attrs := make([]slog.Attr, 0, 18)
	attrs = append(attrs,
		slog.String("method", in.r.Method),
		slog.String("path", in.r.URL.Path),
		slog.Int("status", in.status()),
		slog.Duration("duration", total),
		slog.String("request_id", in.id),
	)
	if in.call != nil {
		attrs = append(attrs,
			slog.String("format_in", string(in.format)),
			slog.String("model", in.call.model),
			slog.String("session", in.call.acquire.Session.Primary.String()),
			slog.Int("attempt", len(in.tries)),
		)
	}
	if credential := in.lease.Credential; credential != nil {
		attrs = append(attrs,
			slog.String("format_out", string(in.formatOut)),
			slog.String("provider", credential.Upstream.Name),
			slog.String("credential", string(credential.ID)),
			slog.Uint64("lease", in.lease.ID),
			slog.String("outcome", string(in.outcome)),
		)
	}
	if in.err != nil {
		attrs = append(attrs, slog.String("err", in.err.Error()))
		if e := fault.As(in.err); e.Code == "model_cooldown" {
			attrs = append(attrs, cooldownUntil(e.RetryAfter))
		}
	}
	return attrs
}

// cooldownUntil tells until when somebody rests who rests for d from now on.
func cooldownUntil(d time.Duration) slog.Attr {
	return slog.Time("cooldown_until", time.Now().Add(d).UTC().Truncate(time.Second))
}

// logFailure writes a line about an attempt that says something about its credential. The
// client may see nothing of it.
func (in *inbound) logFailure(l actors.Lease, o providers.Outcome) {
	attrs := []slog.Attr{
		slog.String("request_id", in.id),
		slog.Int("attempt", len(in.tries)),
		slog.String("provider", l.Credential.Upstream.Name),
		slog.String("credential", string(l.Credential.ID)),
		slog.Uint64("lease", l.ID),
		slog.String("model", l.Model),
		slog.String("outcome", string(o.Kind)),
		slog.Int("status", o.Status),
		slog.String("err", o.Reason),
	}
	if o.RetryAfter > 0 { // as the upstream has told it
		attrs = append(attrs, cooldownUntil(o.RetryAfter))
	}
	in.server.logger.LogAttrs(in.r.Context(), slog.LevelWarn, "attempt failed", attrs...)
}

// requestID returns the client's request id if it sent a sane one, else a new one.
func requestID(h http.Header) string {
	if ids := h["X-Request-Id"]; len(ids) > 0 && isSaneID(ids[0]) {
		return ids[0]
	}
	return rand.Text()
}

// isSaneID reports whether id is fit for headers and logs.
func isSaneID(id string) bool {
	if id == "" || len(id) > maxRequestIDBytes {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}
