package httpapi

import (
	"fmt"
	"io"
	"net/http"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/tap"
	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// chunkBytes is how much of an answer is read at once.
const chunkBytes = 32 << 10

// stream passes a streamed answer on as it comes. Until its first payload event nothing
// leaves, so that whatever goes wrong before is a failed attempt. After that, trouble is
// told to the client inside the stream, unless the upstream has told its own.
func (a *attempt) stream(resp *http.Response, body io.Reader, t *tap.Tap, o providers.Outcome) result {
	if a.translated != nil {
		a.out.begin(http.StatusOK, a.translatedAnswerHeader(resp), !a.call.array && a.in.turn == nil)
		t.Each = a.translated.answer.Take
	} else {
		a.out.begin(resp.StatusCode, resp.Header, !t.IsArray() && a.in.turn == nil) // a WebSocket has pings of its own
		a.pinTurn(resp.Header)
		t.Makes = a.call.maker()
		if a.in.turn != nil {
			a.native = &translate.Native{}
			t.Each = a.native.Take
		}
	}
	if a.trace != nil {
		t.Each = a.traced(t.Each)
	}
	chunk := a.server.buffers.Get(chunkBytes)
	defer chunk.Release()
	for {
		a.watchdog.waiting()
		n, err := body.Read(chunk.Bytes[:chunkBytes])
		a.watchdog.received()
		if n > 0 {
			if stop := a.pass(resp, chunk.Bytes[:n], t); stop != nil {
				return *stop
			}
		}
		switch {
		case err == nil:
		case err == io.EOF:
			return a.streamEnd(resp, t, o)
		case t.Sealed:
			return a.streamDone(resp, t, o) // broken, but behind its end
		default:
			return a.streamCut(resp, t, causeOf(a.ctx, err))
		}
	}
}

// traced lets the attempt's span see each event, before next if there is one.
func (a *attempt) traced(next func(sse.Event) error) func(sse.Event) error {
	return func(e sse.Event) error {
		a.trace.Answered(a.format, e.Data)
		if next == nil {
			return nil
		}
		return next(e)
	}
}

// pass looks at one piece of a stream and passes it on. It returns a result if the attempt
// is over with it.
func (a *attempt) pass(resp *http.Response, chunk []byte, t *tap.Tap) *result {
	waiting := !t.Begun
	if err := t.Feed(chunk); err != nil {
		r := a.streamCut(resp, t, fmt.Errorf("%w: %w", fault.ErrMalformedAnswer, err))
		return &r
	}
	if t.Failure != nil && !t.Begun && a.out.drop() {
		r := a.streamRefused(resp, t)
		return &r
	}
	if a.translated != nil {
		return a.passTranslated(resp, t, waiting)
	}
	if len(t.Made) > 0 { // before the client can refer to it
		a.pin(t.Made)
		t.Made = nil
	}
	a.keepTurn()
	if err := a.out.pass(chunk, t, t.Begun); err != nil {
		r := a.lost(err)
		r.outcome.Usage = a.cost(t)
		return &r
	}
	if waiting && t.Begun {
		a.watchdog.begun(a.in.settings.streamIdle)
		a.served()
	}
	return nil
}

// streamEnd judges a stream that has ended in good order.
func (a *attempt) streamEnd(resp *http.Response, t *tap.Tap, o providers.Outcome) result {
	waiting := !t.Begun
	if err := t.Close(); err != nil {
		return a.streamCut(resp, t, fmt.Errorf("%w: %w", fault.ErrMalformedAnswer, err))
	}
	switch {
	case t.Failure != nil && !t.Begun && a.out.drop():
		return a.streamRefused(resp, t)
	case t.Failure != nil && a.translated != nil:
		return *a.streamFailed(resp, t)
	case t.Failure == nil && !t.Begun:
		return a.streamCut(resp, t, fault.ErrEmptyAnswer)
	case !t.Ended:
		return a.streamCut(resp, t, fault.ErrUnfinished)
	}
	if waiting && t.Begun || a.isCollected() {
		a.served()
	}
	return a.streamDone(resp, t, o)
}

// cost is what a stream cost. What a stored answer cost has been counted when it was made.
func (a *attempt) cost(t *tap.Tap) providers.Usage {
	if a.call.resource != "" {
		return providers.Usage{}
	}
	return t.Usage
}

// streamDone is the result of a stream that came to its end, be it by the upstream's own
// error.
func (a *attempt) streamDone(resp *http.Response, t *tap.Tap, o providers.Outcome) result {
	var cause error
	if t.Failure != nil {
		o = a.classify(resp, t.Failure, nil)
		cause = fmt.Errorf("upstream failed in its stream: %s", o.Reason)
	}
	o.Usage = a.cost(t)
	finish := a.out.finish
	if a.translated != nil {
		finish = func() error { return a.endTranslated(resp) }
	}
	if err := finish(); err != nil {
		r := a.lost(err)
		r.outcome.Usage = o.Usage
		return r
	}
	return result{outcome: o, err: cause}
}

// streamCut is the result of a stream that did not come to its end. If the client has seen
// some of it, it is told so in its own format.
func (a *attempt) streamCut(resp *http.Response, t *tap.Tap, cause error) result {
	if a.out.drop() {
		return a.broken(resp, cause)
	}
	o, ours := a.interrupted(cause)
	if !ours {
		o = a.classify(resp, nil, cause)
	}
	o.Usage = a.cost(t)
	if a.in.isGone() {
		a.in.gone = true
		return result{outcome: o, err: fault.ErrClientGone}
	}
	if t.Sealed {
		return result{outcome: o, err: cause} // the upstream has told its own error
	}
	if err := a.out.fail(a.streamError(t, fault.OfAttempt(cause))); err != nil {
		a.in.gone = true
	}
	return result{outcome: o, err: cause}
}

func (a *attempt) streamError(t *tap.Tap, e *fault.Error) []byte {
	if a.call.array {
		return fault.Element(e, a.in.id, a.progress(t))
	}
	return fault.Event(a.in.format, e, a.in.id, a.progress(t))
}

// streamRefused is the result of a stream whose upstream reported an error before any
// payload. Should nobody else do better, the client gets it as a plain error.
func (a *attempt) streamRefused(resp *http.Response, t *tap.Tap) result {
	o := a.classify(resp, t.Failure, nil)
	if !gjson.ValidBytes(t.Failure) { // nothing that a client could read
		cause := fmt.Errorf("%w: an error that is no JSON", fault.ErrMalformedAnswer)
		return result{outcome: o, failure: &failure{outcome: o, cause: cause, next: o.Retryable()}}
	}
	if a.translated != nil {
		cause := a.foreignRefusal(o, tap.RefusalStatus(a.format, o, t.Failure), t.Failure)
		return result{outcome: o, failure: &failure{outcome: o, cause: cause, next: o.Retryable()}}
	}
	h := resp.Header.Clone()
	h.Set("Content-Type", "application/json")
	return result{outcome: o, failure: &failure{outcome: o, next: o.Retryable(), answer: &wholeAnswer{
		status: tap.RefusalStatus(a.in.format, o, t.Failure),
		header: h,
		body:   tap.RefusalBody(a.in.format, t.Failure),
	}}}
}
