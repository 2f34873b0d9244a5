package httpapi

import (
	"fmt"
	"io"
	"net/http"

	"github.com/understudyhq/understudy/providers"
)

// chunkBytes is how much of an answer is read at once.
const chunkBytes = 32 << 10

// stream passes a streamed answer on as it comes. Until its first payload event nothing
// leaves, so that whatever goes wrong before is a failed attempt. After that, trouble is
// told to the client inside the stream, unless the upstream has told its own.
func (a *attempt) stream(resp *http.Response, body io.Reader, t *tap, o providers.Outcome) result {
	a.out.begin(resp, t.array == nil)
	chunk := a.server.buffers.get(chunkBytes)
	defer chunk.release()
	for {
		a.watchdog.waiting()
		n, err := body.Read(chunk.bytes[:chunkBytes])
		a.watchdog.received()
		if n > 0 {
			if stop := a.pass(resp, chunk.bytes[:n], t); stop != nil {
				return *stop
			}
		}
		switch {
		case err == nil:
		case err == io.EOF:
			return a.streamEnd(resp, t, o)
		case t.sealed:
			return a.streamDone(resp, t, o) // broken, but behind its end
		default:
			return a.streamCut(resp, t, contextCause(a.ctx, err))
		}
	}
}

// pass looks at one piece of a stream and passes it on. It returns a result if the attempt
// is over with it.
func (a *attempt) pass(resp *http.Response, chunk []byte, t *tap) *result {
	waiting := !t.begun
	if err := t.feed(chunk); err != nil {
		r := a.streamCut(resp, t, fmt.Errorf("%w: %w", errMalformedAnswer, err))
		return &r
	}
	if t.failure != nil && !t.begun && a.out.drop() {
		r := a.streamRefused(resp, t)
		return &r
	}
	if err := a.out.pass(chunk, t, t.begun); err != nil {
		r := a.lost(err)
		r.outcome.Usage = t.usage
		return &r
	}
	if waiting && t.begun {
		a.watchdog.begun(a.in.settings.streamIdle)
		a.server.pool.FirstByte(a.lease)
	}
	return nil
}

// streamEnd judges a stream that has ended in good order.
func (a *attempt) streamEnd(resp *http.Response, t *tap, o providers.Outcome) result {
	waiting := !t.begun
	if err := t.close(); err != nil {
		return a.streamCut(resp, t, fmt.Errorf("%w: %w", errMalformedAnswer, err))
	}
	switch {
	case t.failure != nil && !t.begun && a.out.drop():
		return a.streamRefused(resp, t)
	case t.failure == nil && !t.begun:
		return a.streamCut(resp, t, errEmptyAnswer)
	case !t.ended:
		return a.streamCut(resp, t, errUnfinished)
	}
	if waiting && t.begun {
		a.server.pool.FirstByte(a.lease)
	}
	return a.streamDone(resp, t, o)
}

// streamDone is the result of a stream that came to its end, be it by the upstream's own
// error.
func (a *attempt) streamDone(resp *http.Response, t *tap, o providers.Outcome) result {
	var cause error
	if t.failure != nil {
		o = a.classify(resp, t.failure, nil)
		cause = fmt.Errorf("upstream failed in its stream: %s", o.Reason)
	}
	o.Usage = t.usage
	if err := a.out.finish(); err != nil {
		r := a.lost(err)
		r.outcome.Usage = t.usage
		return r
	}
	return result{outcome: o, err: cause}
}

// streamCut is the result of a stream that did not come to its end. If the client has seen
// some of it, it is told so in its own format.
func (a *attempt) streamCut(resp *http.Response, t *tap, cause error) result {
	if a.out.drop() {
		return a.broken(resp, cause)
	}
	o, ours := a.interrupted(cause)
	if !ours {
		o = a.classify(resp, nil, cause)
	}
	o.Usage = t.usage
	if a.in.isGone() {
		a.in.gone = true
		return result{outcome: o, err: errClientGone}
	}
	if t.sealed {
		return result{outcome: o, err: cause} // the upstream has told its own error
	}
	if err := a.out.fail(a.streamError(t, transportError(cause))); err != nil {
		a.in.gone = true
	}
	return result{outcome: o, err: cause}
}

func (a *attempt) streamError(t *tap, e *apiError) []byte {
	if t.array != nil {
		return errorElement(e, a.in.id, t.seen)
	}
	return errorEvent(a.in.format, e, a.in.id, t.seen)
}

// streamRefused is the result of a stream whose upstream reported an error before any
// payload. Should nobody else do better, the client gets it as a plain error.
func (a *attempt) streamRefused(resp *http.Response, t *tap) result {
	o := a.classify(resp, t.failure, nil)
	h := resp.Header.Clone()
	h.Set("Content-Type", "application/json")
	return result{outcome: o, failure: &failure{outcome: o, next: o.Retryable(), answer: &wholeAnswer{
		status: refusalStatus(a.in.format, o, t.failure),
		header: h,
		body:   refusalBody(a.in.format, t.failure),
	}}}
}
