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

	names    []string   // the model asked for and its fallbacks, as far as they are known
	prospect []prospect // of each name
	last     *failure   // the last attempt; nil = none was made
	denied   error      // why the model asked for has nobody more
	attempts int        // of this round
	hope     bool       // one of them may go better when it is made again
	shunned  bool       // in this round somebody did not wait because there are fallbacks
}

// prospect is what a name that has nobody more may come to.
type prospect struct {
	notBefore time.Time     // all who were tried in a round have said so; zero = they have not
	back      bool          // somebody will be back
	in        time.Duration // after that time; 0 = any moment
}

// serve spends leases on a call until one brings an answer: on every credential of the model
// and of its fallbacks, round after round. It fails over to others, but never after the
// client saw a byte.
func (s *Server) serve(in *inbound, c *call) error {
	w := &course{
		server: s, in: in, call: c, out: newSink(in),
		left: in.settings.maxWait, names: []string{c.acquire.Model}, prospect: make([]prospect, 1),
	}
	defer w.out.close()
	in.queued = time.Since(in.startedAt)
	for round := 0; ; round++ {
		over, err := w.goRound()
		switch {
		case over:
			return err
		case !w.hope || round >= in.settings.rounds || in.ctx.Err() != nil:
			in.rejected = rejected(w.denied)
			return in.unserved(w.last, w.denied)
		}
	}
}

// goRound tries the model's credentials, then those of its fallbacks. over tells whether the
// request has its answer, or err as one.
func (w *course) goRound() (over bool, err error) {
	w.attempts, w.hope, w.shunned = 0, false, false
	for i := 0; i < len(w.names); i++ {
		if over, err = w.try(i, w.acquireFor(i)); over {
			return true, err
		}
	}
	if w.attempts == 0 && w.shunned && w.left > 0 { // nobody is ready under any name
		i := w.soonest()
		a := w.acquireFor(i)
		a.Wait, a.LastResort = w.left, true
		return w.try(i, a)
	}
	return false, nil
}

// soonest returns the name that somebody will be back for first.
func (w *course) soonest() int {
	best := 0
	for i, p := range w.prospect {
		if b := w.prospect[best]; p.back && (!b.back || p.in < b.in) {
			best = i
		}
	}
	return best
}

// acquireFor is the first question of a round for the i-th name. No fallback waits while
// there may be somebody behind it.
func (w *course) acquireFor(i int) actors.Acquire {
	a := w.call.acquire
	a.NotBefore = w.prospect[i].notBefore
	if i == 0 {
		a.Wait = w.left
		return a
	}
	w.shunned = true
	a.Model, a.Suffix = cutSuffix(w.names[i])
	a.Session = a.Session.For(a.Model)
	return a
}

// try spends leases under the i-th name until one brings an answer or nobody is left.
func (w *course) try(i int, a actors.Acquire) (over bool, err error) {
	limit := w.in.settings.maxCredentials
	var tried []providers.CredentialID
	hinted := true // every attempt told when to come again
	var soonest time.Time
	for {
		asked := time.Now()
		lease, err := w.acquire(a)
		if err != nil {
			w.deny(i, err, time.Since(asked))
			if len(tried) > 0 && hinted {
				w.prospect[i].hold(soonest, err)
			}
			return false, nil
		}
		w.spend(lease.Waited)
		w.learn(lease.Fallbacks)
		w.attempts++
		w.prospect[i] = prospect{}
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
		if w.last.native {
			a.Format, w.call.acquire.Format = w.in.format, w.in.format
		}
		wide := o.Scope != providers.ScopeModel
		a.Tried = append(a.Tried, lease.Tried(wide))
		a.Wait, a.NotBefore, a.Stay = 0, time.Time{}, ""
		if lease.Pooled && !wide {
			a.Stay = lease.Credential.ID
		}
		if len(tried) == limit {
			if a.Stay == "" {
				return false, nil
			}
			a.StayOnly = true
		}
	}
}

// acquire asks for a credential.
func (w *course) acquire(a actors.Acquire) (actors.Lease, error) {
	span := w.in.trace.Acquire(a.Model)
	lease, err := w.server.pool.Acquire(w.in.ctx, a)
	if span != nil {
		code := ""
		if err != nil {
			code = fault.Code(w.in.refusal(causeOf(w.in.ctx, err)))
		}
		span.End(lease, code)
	}
	return lease, err
}

// spend takes time that was waited off what is left of it.
func (w *course) spend(waited time.Duration) {
	w.in.waited += waited
	w.left = max(0, w.left-waited)
}

// deny takes note of a name that has nobody more, which it took a while to hear.
func (w *course) deny(i int, err error, took time.Duration) {
	if i == 0 {
		w.denied = err
	}
	p := &w.prospect[i]
	*p = prospect{notBefore: p.notBefore}
	var none *actors.NoCredentialError
	if !errors.As(err, &none) {
		if w.in.ctx.Err() != nil { // nobody tells how much of that was waiting
			w.spend(took)
		}
		return
	}
	w.spend(none.Waited)
	w.learn(none.Fallbacks)
	w.shunned = w.shunned || len(none.Fallbacks) > 0
	p = &w.prospect[i]
	p.in = none.RetryAfter
	p.back = p.in > 0 || none.Reasons[saturated] > 0
	if none.Reasons[saturated] > 0 {
		p.in = 0
	}
	p.wait(p.notBefore)
}

// wait takes note that nobody wants to be asked before a time.
func (p *prospect) wait(until time.Time) {
	p.notBefore = until
	if d := time.Until(until); d > 0 {
		p.back, p.in = true, max(p.in, d)
	}
}

// saturated is what keeps a candidate out that is only busy.
const saturated = "saturated"

// rejected returns who was not ready when nobody was left; nil = err does not tell.
func rejected(err error) *actors.Field {
	var none *actors.NoCredentialError
	if errors.As(err, &none) {
		return none.Field
	}
	return nil
}

// hold keeps the next round from beginning before a time that was hinted at, or before
// somebody else is back, where the engine would not: of credentials whose cooldowns are off,
// which are ready whatever they have said. err is why there was nobody more.
func (p *prospect) hold(until time.Time, err error) {
	var none *actors.NoCredentialError
	if !errors.As(err, &none) || none.Reasons["tried"] == 0 || none.Reasons[saturated] > 0 {
		return
	}
	if back := time.Now().Add(none.RetryAfter); none.RetryAfter > 0 && back.Before(until) {
		until = back
	}
	p.wait(until)
}

// learn adds fallbacks that the client's key may use to the names to try.
func (w *course) learn(fallbacks []string) {
	for _, name := range fallbacks {
		route, _ := cutSuffix(name)
		allowed := w.in.key.allows(name) || w.in.key.allows(route)
		if allowed && len(w.names) < maxNames && !slices.Contains(w.names, name) {
			w.names, w.prospect = append(w.names, name), append(w.prospect, prospect{})
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
	var (
		lost    *actors.PinError
		unknown *actors.UnknownModelError
		format  *actors.FormatError
	)
	switch c := in.call; {
	case c == nil:
	case errors.As(err, &lost):
		return c.pinLost()
	case c.resource != "" && (errors.As(err, &unknown) || errors.As(err, &format)):
		return c.pinLost() // the client has named no model that could be wrong
	}
	return fault.OfAcquire(err, time.Now())
}
