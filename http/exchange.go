package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/payload"
	"github.com/understudyhq/understudy/http/socket"
	"github.com/understudyhq/understudy/http/tap"
	"github.com/understudyhq/understudy/http/tracing"
	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/providers"
)

const (
	// maxWholeBytes is the longest answer that is held back until it is known to be good.
	maxWholeBytes = 64 << 20
	// maxRefusalBytes is the longest failing answer that a client gets to see. Nobody explains
	// an error at such length.
	maxRefusalBytes = 4 << 20
	// maxClassifiedBytes is how much of a failing answer a provider gets to see.
	maxClassifiedBytes = 64 << 10
)

// attempt is one lease being used: one upstream call and its answer. It is for one
// goroutine. Its end method must be called.
type attempt struct {
	server *Server
	in     *inbound
	call   *call
	lease  actors.Lease
	out    *sink

	original *call             // of which call may be the delta
	full     bool              // the delta is not to be sent
	uplink   *socket.Uplink    // a WebSocket to the upstream; nil = HTTP
	native   *translate.Native // what a turn's answer adds to its conversation; nil = of no interest

	format       providers.Format // the upstream is spoken to in
	translated   *translated      // nil = the upstream speaks the client's format
	losses       []translate.Loss // what of the request cannot be said in format
	upstreamCall providers.Call
	ctx          context.Context // ends with the request, or by the watchdog
	watchdog     watchdog
	beganAt      time.Time
	sentAt       time.Time
	firstByteAt  time.Time        // zero = none came
	edited       [1]payload.Edit  // room for the edit that most bodies need
	dropped      int              // encrypted items left out
	unmark       bool             // take signatures out that the gateway has marked
	trace        *tracing.Attempt // nil = there is no span
}

// result is how an attempt ended.
type result struct {
	outcome providers.Outcome
	failure *failure // nil once the client has seen a byte
	err     error    // for the log, when the client saw what came of it
}

// run makes the upstream call and gives its answer to the client or returns a failure.
func (a *attempt) run() result {
	a.format = outboundFormat(a.in.format, a.call.operation, a.lease.Credential.Upstream)
	a.upstreamCall = providers.Call{
		Format: a.format, Operation: a.call.operation,
		Model: strings.TrimSuffix(a.lease.Model, a.lease.Suffix), Stream: a.call.stream, Query: a.call.query, Resource: a.call.resource,
	}
	a.ctx, a.watchdog.cancel = context.WithCancelCause(a.in.ctx)
	a.ctx = a.trace.Context(a.ctx)
	a.uplink = a.newUplink()
	a.choose()
	if err := a.checkSuffix(); err != nil {
		return a.unfit(err)
	}
	if a.format != a.in.format {
		if err := a.translate(); err != nil {
			return a.untranslated(err)
		}
		if a.call.operation == providers.CountTokens && !translate.CanCount(a.format) {
			return a.estimate()
		}
	}
	req, err := a.request()
	if err != nil {
		return a.unsendable(err)
	}
	a.sentAt = time.Now()
	a.in.sentAt = a.sentAt
	a.watchdog.start(a.in.settings.firstByte)
	resp, err := a.transport().RoundTrip(req)
	if err != nil {
		if strings.Contains(err.Error(), headersTooLarge) {
			return a.headersRefused(err)
		}
		return a.broken(nil, causeOf(a.ctx, err))
	}
	defer resp.Body.Close()
	return a.receive(resp)
}

// transport is the way to the upstream.
func (a *attempt) transport() http.RoundTripper {
	if a.uplink != nil {
		return a.uplink
	}
	return a.lease.Credential.Transport
}

// end stops what the attempt has running.
func (a *attempt) end() {
	a.uplink.End()
	a.watchdog.stop()
	if !a.sentAt.IsZero() {
		a.in.elsewhere += time.Since(a.sentAt)
		a.in.sentAt = time.Time{}
	}
}

// receive decides what an answer's head means and how its body is to be passed on.
func (a *attempt) receive(resp *http.Response) result {
	body, done, err := plainBody(resp)
	if err != nil {
		return a.broken(resp, err)
	}
	defer done()
	switch resp.StatusCode / 100 {
	case 2:
	case 4, 5:
		return a.refused(resp, body)
	default: // a redirect, too: clients would take their keys to where it leads
		return a.broken(resp, fmt.Errorf("%w: status %d", fault.ErrMalformedAnswer, resp.StatusCode))
	}
	o := a.classify(resp, nil, nil)
	if o.Kind != providers.Success {
		return a.refused(resp, body)
	}
	if t := tap.New(a.format, a.call.array && a.translated == nil, resp.Header); t != nil {
		return a.stream(resp, body, t, o)
	}
	return a.whole(resp, body, o)
}

// refused reads the body of an answer that is no success.
func (a *attempt) refused(resp *http.Response, body io.Reader) result {
	b, whole, err := a.read(resp, body, maxRefusalBytes)
	defer b.Release()
	if !whole && err == nil {
		err = fault.ErrMalformedAnswer
	}
	if a.ctx.Err() != nil {
		return a.broken(resp, causeOf(a.ctx, err))
	}
	o := a.classify(resp, b.Bytes[:min(len(b.Bytes), maxClassifiedBytes)], nil)
	f := &failure{outcome: o, cause: err, next: o.Retryable()}
	switch {
	case err != nil:
	case a.translated != nil:
		f.cause = a.foreignRefusal(o, resp.StatusCode, b.Bytes)
	default:
		f.answer = &wholeAnswer{status: resp.StatusCode, header: resp.Header, body: append([]byte(nil), b.Bytes...)}
	}
	return result{outcome: o, failure: f}
}

// broken is the result of an attempt that failed on the way with cause, before the client
// saw a byte. resp is nil if there was no answer at all.
func (a *attempt) broken(resp *http.Response, cause error) result {
	o, ours := a.interrupted(cause)
	if !ours {
		o = a.classify(resp, nil, cause)
	}
	return result{outcome: o, failure: &failure{outcome: o, cause: cause, next: o.Retryable()}}
}

// headersTooLarge is how net/http says that an HTTP/2 upstream takes no headers of this size.
const headersTooLarge = "request header list larger than peer's advertised limit"

// headersRefused is the result of an attempt whose headers are too large. It is the client's
// fault, and no credential's.
func (a *attempt) headersRefused(err error) result {
	o := providers.Outcome{Kind: providers.RequestFault, Reason: "headers too large"}
	return result{outcome: o, failure: &failure{outcome: o, cause: fault.HeadersTooLarge(err)}}
}

// untranslated is the result of an attempt whose request cannot be said in the upstream's
// format. Only somebody who speaks the client's own can help.
func (a *attempt) untranslated(err error) result {
	o := providers.Outcome{Kind: providers.RequestFault, Reason: "not translatable"}
	return result{outcome: o, failure: &failure{outcome: o, cause: err, next: true, native: true}}
}

// unsendable is the result of an attempt for which no request could be built. The
// credential has nothing to do with it; one of another provider may do.
func (a *attempt) unsendable(err error) result {
	o := providers.Outcome{Kind: providers.RequestFault, Reason: "operation not supported"}
	if errors.Is(err, providers.ErrUnsupported) {
		return result{outcome: o, failure: &failure{outcome: o, cause: fault.NotSupported(err), next: true}}
	}
	if a.call.resource != "" {
		o.Reason = "response cannot be addressed"
		return result{outcome: o, failure: &failure{outcome: o, cause: a.call.pinLost()}}
	}
	o.Reason = "model cannot be addressed"
	return result{outcome: o, failure: &failure{outcome: o, cause: fault.ModelNotFound(a.call.model)}}
}

// interrupted returns the outcome of an attempt that the gateway or the client ended, and
// whether one of them did.
func (a *attempt) interrupted(cause error) (providers.Outcome, bool) {
	switch {
	case errors.Is(cause, fault.ErrShuttingDown):
		return providers.Outcome{Kind: providers.Canceled, Reason: "gateway shutting down"}, true
	case a.in.isGone():
		return providers.Outcome{Kind: providers.Canceled, Reason: "client went away"}, true
	default:
		return providers.Outcome{}, false
	}
}

// classify asks the provider what an answer means.
func (a *attempt) classify(resp *http.Response, body []byte, err error) providers.Outcome {
	answer := providers.Answer{Call: a.upstreamCall, Body: body, Err: err, Now: time.Now()}
	if resp != nil {
		answer.Status, answer.Header = resp.StatusCode, resp.Header
	}
	o := providers.Judge(a.lease.Credential, answer)
	if o.Kind == providers.ModelUnsupported && a.call.resource != "" {
		// Of a response that it does not have it may say anything: no reason to rest the model.
		o.Kind = providers.RequestFault
	}
	return o
}

// firstByte is how long the first payload byte took; 0 = none came.
func (a *attempt) firstByte() time.Duration {
	if a.firstByteAt.IsZero() {
		return 0
	}
	return a.firstByteAt.Sub(a.beganAt)
}

// served tells that the answer's first payload byte goes out.
func (a *attempt) served() {
	a.firstByteAt = time.Now()
	a.server.pool.FirstByte(a.lease)
}
