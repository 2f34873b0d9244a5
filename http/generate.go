package httpapi

import (
	"errors"
	"strconv"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/providers"
)

// failure is an attempt that has left the client without a byte.
type failure struct {
	outcome providers.Outcome
	// answer is the upstream's own, to be passed on as it is; nil if it gave none.
	answer *wholeAnswer
	// cause is what went wrong if there is no answer.
	cause error
	// next says that another credential may do better.
	next bool
}

// serve spends leases on call until one brings an answer. It fails over to other
// credentials, but never after the client saw a byte.
func (s *Server) serve(in *inbound, c *call) error {
	out := newSink(in)
	defer out.close()
	var last *failure
	for {
		lease, err := s.pool.Acquire(in.ctx, c.acquire)
		if err != nil {
			return in.unserved(last, err)
		}
		in.attempts++
		in.lease = lease
		last = s.attempt(in, c, lease, out)
		if last == nil {
			return nil
		}
		if !last.next || in.attempts == in.settings.maxCredentials || in.ctx.Err() != nil {
			return in.fail(last, last.outcome.RetryAfter)
		}
		c.acquire.Exclude = append(c.acquire.Exclude, lease.Credential.ID)
	}
}

// attempt spends one lease. It returns nil when the client has its answer: a whole one, or
// one that ends in an error the client can see. Whatever happens, a panic included, the
// lease is reported once.
func (s *Server) attempt(in *inbound, c *call, lease actors.Lease, out *sink) *failure {
	o := providers.Outcome{Kind: providers.GatewayBug, Reason: "panic"} // stands if one unwinds
	defer func() {
		in.outcome = o.Kind
		s.pool.Report(lease, o)
		if o.Retryable() {
			in.logFailure(lease, o)
		}
	}()
	a := attempt{server: s, in: in, call: c, lease: lease, out: out}
	defer a.end()
	result := a.run()
	o = result.outcome
	in.err = result.err
	return result.failure
}

// unserved answers a request for which Acquire had no more credentials: as its last attempt
// ended, or, if there was none, as err says.
func (in *inbound) unserved(last *failure, err error) error {
	if in.isGone() {
		return fault.ErrClientGone
	}
	if last == nil {
		return fault.OfAcquire(causeOf(in.ctx, err), time.Now())
	}
	wait := last.outcome.RetryAfter
	var nobody *actors.NoCredentialError
	if wait == 0 && errors.As(err, &nobody) {
		wait = nobody.RetryAfter
	}
	return in.fail(last, wait)
}

// fail answers with what the last attempt brought. wait, if positive, is told as Retry-After
// unless the upstream told its own.
func (in *inbound) fail(last *failure, wait time.Duration) error {
	if in.isGone() {
		return fault.ErrClientGone
	}
	if last.answer == nil {
		e := fault.OfAttempt(last.cause)
		if e.RetryAfter == 0 {
			e.RetryAfter = wait
		}
		return e
	}
	h := in.w.Header()
	copyAnswerHeader(h, last.answer.header)
	if wait > 0 && len(h["Retry-After"]) == 0 {
		h.Set("Retry-After", strconv.FormatInt(fault.WholeSeconds(wait), 10))
	}
	if last.outcome.Kind == providers.RequestFault && len(h["X-Should-Retry"]) == 0 {
		h.Set("X-Should-Retry", "false")
	}
	in.send(last.answer.status, last.answer.body)
	return nil
}
