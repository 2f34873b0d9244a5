package httpapi

import (
	"errors"
	"slices"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/providers"
)

// maxNames bounds the models of one request's chain of fallbacks.
const maxNames = 8

// course is one request's way through credentials, rounds and fallbacks. It is for one
// goroutine.
type course struct {
	server *Server
	in     *inbound
	call   *call
	out    *sink
	left   time.Duration // that the request may still wait

	names     []string // the model asked for and its fallbacks, as far as they are known
	last      *failure // the last attempt; nil = none was made
	denied    error    // why the model asked for has nobody more
	attempts  int      // of this round
	hope      bool     // one of them may go better when it is made again
	notBefore time.Time
}

// serve spends leases on a call until one brings an answer: on every credential of the model
// and of its fallbacks, round after round. It fails over to others, but never after the
// client saw a byte.
func (s *Server) serve(in *inbound, c *call) error {
	w := &course{
		server: s, in: in, call: c, out: newSink(in),
		left: in.settings.maxWait, names: []string{c.acquire.Model},
	}
	defer w.out.close()
	in.queued = time.Since(in.startedAt)
	for round := 0; ; round++ {
		over, err := w.goRound()
		switch {
		case over:
			return err
		case !w.hope || round >= in.settings.rounds || in.ctx.Err() != nil:
			return in.unserved(w.last, w.denied)
		}
	}
}

// goRound tries the model's credentials, then those of its fallbacks. over tells whether the
// request has its answer, or err as one.
func (w *course) goRound() (over bool, err error) {
	w.attempts, w.hope = 0, false
	for i := 0; i < len(w.names); i++ {
		if over, err = w.try(w.acquireFor(i)); over {
			return true, err
		}
	}
	if w.attempts == 0 && len(w.names) > 1 { // nobody is ready under any name: wait for the first
		a := w.acquireFor(0)
		a.LastResort = true
		return w.try(a)
	}
	return false, nil
}

// acquireFor is the first question of a round for the i-th name.
func (w *course) acquireFor(i int) actors.Acquire {
	a := w.call.acquire
	a.Wait, a.NotBefore = w.left, w.notBefore
	if name := w.names[i]; i > 0 {
		a.Model, a.Suffix, a.Session = name, "", a.Session.For(name)
	}
	w.notBefore = time.Time{}
	return a
}

// try spends leases under one name until one brings an answer or nobody is left.
func (w *course) try(a actors.Acquire) (over bool, err error) {
	max := w.in.settings.maxCredentials
	var tried []providers.CredentialID
	hinted := true // every attempt told when to come again
	var soonest time.Time
	for {
		lease, err := w.server.pool.Acquire(w.in.ctx, a)
		if err != nil {
			w.deny(a, err)
			if hinted && len(tried) > 0 {
				w.hold(soonest, err)
			}
			return false, nil
		}
		w.spend(lease.Waited)
		w.learn(lease.Fallbacks)
		w.attempts++
		w.in.lease = lease
		w.last = w.server.attempt(w.in, w.call, lease, w.out)
		if w.last == nil {
			return true, nil
		}
		w.hope = w.hope || !w.last.isFinal()
		o := w.last.outcome
		if !w.last.next || w.in.ctx.Err() != nil {
			return true, w.in.fail(w.last, o.RetryAfter)
		}
		if id := lease.Credential.ID; !slices.Contains(tried, id) {
			tried = append(tried, id)
		}
		if hinted = hinted && o.RetryAfter > 0; hinted {
			if at := time.Now().Add(o.RetryAfter); soonest.IsZero() || at.Before(soonest) {
				soonest = at
			}
		}
		wide := o.Scope != providers.ScopeModel
		a.Tried = append(a.Tried, lease.Tried(wide))
		a.Wait, a.NotBefore, a.Stay = 0, time.Time{}, ""
		if lease.Pooled && !wide {
			a.Stay = lease.Credential.ID
		}
		if len(tried) == max {
			if a.Stay == "" {
				return false, nil
			}
			a.StayOnly = true
		}
	}
}

// spend takes time that was waited off what is left of it.
func (w *course) spend(waited time.Duration) {
	w.in.waited += waited
	w.left = max(0, w.left-waited)
}

// deny takes note of a name that has nobody more.
func (w *course) deny(a actors.Acquire, err error) {
	var none *actors.NoCredentialError
	if errors.As(err, &none) {
		w.spend(none.Waited)
		w.learn(none.Fallbacks)
		w.in.rejected = none.Field
	}
	if a.Model == w.names[0] {
		w.denied = err
	}
}

// hold keeps the next round from beginning before a time that was hinted at, or before
// somebody else is back, where the engine would not: of credentials whose cooldowns are off,
// which are ready whatever they have said. err is why there was nobody more.
func (w *course) hold(until time.Time, err error) {
	var none *actors.NoCredentialError
	if !errors.As(err, &none) || none.Reasons["tried"] == 0 || none.Reasons["saturated"] > 0 {
		return
	}
	if back := time.Now().Add(none.RetryAfter); none.RetryAfter > 0 && back.Before(until) {
		until = back
	}
	if until.After(w.notBefore) {
		w.notBefore = until
	}
}

// learn adds fallbacks that the client's key may use to the names to try.
func (w *course) learn(fallbacks []string) {
	for _, name := range fallbacks {
		if len(w.names) < maxNames && w.in.key.allows(name) && !slices.Contains(w.names, name) {
			w.names = append(w.names, name)
		}
	}
}

// unserved answers a request for which there were no more credentials: as its last attempt
// ended, or, if there was none, as err says.
func (in *inbound) unserved(last *failure, err error) error {
	if in.isGone() {
		return fault.ErrClientGone
	}
	if last == nil {
		return in.refusal(causeOf(in.ctx, err))
	}
	wait := last.outcome.RetryAfter
	var nobody *actors.NoCredentialError
	if wait == 0 && errors.As(err, &nobody) {
		wait = nobody.RetryAfter
		if nobody.Reasons["tried"] > 0 && passes(last.outcome.Kind) && (wait == 0 || wait > soon) {
			wait = soon // the engine may not have heard yet how long the last one rests
		}
	}
	return in.fail(last, wait)
}

// soon is when somebody who has failed may be back, if nothing more is known.
const soon = time.Second

// passes reports whether what was wrong ends by itself.
func passes(k providers.Kind) bool {
	return k == providers.RateLimited || k == providers.Overloaded || k == providers.Transient
}

// refusal is what a client is told about an error of Pool.Acquire.
func (in *inbound) refusal(err error) error {
	var pin *actors.PinError
	if errors.As(err, &pin) && in.call != nil {
		return in.call.pinLost()
	}
	return fault.OfAcquire(err, time.Now())
}
