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
	// native says that only one whose upstream speaks the client's format may.
	native bool
}

// isFinal reports whether f is the gateway's own refusal, which stays the same.
func (f *failure) isFinal() bool { return f.answer == nil && fault.OfAttempt(f.cause).Final }

// attempt spends one lease. It returns nil when the client has its answer: a whole one, or
// one that ends in an error the client can see. Whatever happens, a panic included, the
// lease is reported once.
func (s *Server) attempt(in *inbound, c *call, lease actors.Lease, out *sink) *failure {
	o := providers.Outcome{Kind: providers.GatewayBug, Reason: "panic"} // stands if one unwinds
	a := &attempt{server: s, in: in, call: c, original: c, lease: lease, out: out, beganAt: time.Now()}
	if in.trace != nil {
		a.trace = in.trace.Attempt(lease, c.operation, outboundFormat(in.format, c.operation, lease.Credential.Upstream), c.stream)
	}
	defer func() {
		a.trace.End(o, a.firstByte())
		in.outcome = o.Kind
		in.attempted(a, o)
		s.pool.Report(a.lease, o)
		if o.Retryable() {
			in.logFailure(a.lease, o)
		}
	}()
	defer func() { a.end() }()
	expired := a.expired()
	if expired {
		a.renew() // in vain, perhaps: then the upstream has the last word
	}
	result := a.run()
	if !expired && a.refusedSecret(result) && a.renew() {
		a = a.again()
		result = a.run()
	}
	if !a.unmark && a.refusedMarks(result) {
		a = a.again()
		a.unmark = true
		result = a.run()
	}
	if a.forgot(result) {
		a = a.again()
		a.full = true
		result = a.run()
	}
	o = result.outcome
	in.err = result.err
	return result.failure
}

// again ends the attempt and returns one that does the same.
func (a *attempt) again() *attempt {
	a.end()
	return &attempt{
		server: a.server, in: a.in, call: a.original, original: a.original, lease: a.lease, out: a.out,
		beganAt: a.beganAt, trace: a.trace, unmark: a.unmark, full: a.full,
	}
}

// expired reports whether the lease's secret is known not to be accepted.
func (a *attempt) expired() bool {
	c := a.lease.Credential
	return c.Grant != nil && !providers.Token{Secret: c.Secret, ExpiresAt: c.ExpiresAt}.Usable(a.beganAt)
}

// refusedSecret reports whether another secret may help the lease's credential.
func (a *attempt) refusedSecret(r result) bool {
	o := r.outcome
	return a.lease.Credential.Grant != nil && r.failure != nil && o.Kind == providers.Unauthorized && o.Then == providers.ThenByKind
}

// renew gets the lease another secret, and reports whether there was one.
func (a *attempt) renew() bool {
	lease, err := a.server.pool.Renew(a.in.ctx, a.lease)
	if err != nil {
		return false
	}
	a.lease = lease
	a.in.lease = lease
	return true
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
