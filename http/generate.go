package httpapi

import (
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

// isFinal reports whether f is the gateway's own refusal, which stays the same.
func (f *failure) isFinal() bool { return f.answer == nil && fault.OfAttempt(f.cause).Final }

// attempt spends one lease. It returns nil when the client has its answer: a whole one, or
// one that ends in an error the client can see. Whatever happens, a panic included, the
// lease is reported once.
func (s *Server) attempt(in *inbound, c *call, lease actors.Lease, out *sink) *failure {
	o := providers.Outcome{Kind: providers.GatewayBug, Reason: "panic"} // stands if one unwinds
	a := attempt{server: s, in: in, call: c, lease: lease, out: out, beganAt: time.Now()}
	defer func() {
		in.outcome = o.Kind
		in.attempted(&a, o)
		s.pool.Report(lease, o)
		if o.Retryable() {
			in.logFailure(lease, o)
		}
	}()
	defer a.end()
	result := a.run()
	o = result.outcome
	in.err = result.err
	return result.failure
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
