package actors

import (
	"errors"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/affinity"
	"github.com/understudyhq/understudy/internal/roster"
	"github.com/understudyhq/understudy/internal/session"
)

// ring and pick are the roster's, for this engine's actors.
type (
	ring = roster.Ring[*actor.PID]
	pick = roster.Pick[*actor.PID]
)

// choice is what the router has decided about one request.
type choice struct {
	pick
	why       Why
	session   session.Key // the lead of its session; zero = none
	tentative bool        // the session is not bound to the credential yet
}

// handOver passes msg, asker and all, to the credential that ranks first; if nobody is ready,
// it lets the request wait or denies it.
func (r *router) handOver(c actor.Context, msg acquire, asker *actor.PID, now time.Time) {
	if !r.waiting.empty() { // those who wait come first
		r.serveQueue(c, msg.Model, now)
	}
	if !r.grantNow(c, msg, asker, now) {
		r.park(c, msg, asker, now)
	}
}

// route returns the candidates for msg and the suffix that goes upstream with their names.
func (r *router) route(msg acquire, now time.Time) (ring *ring, suffix string) {
	if msg.Suffix != "" && r.roster.Named(msg.Model+msg.Suffix) {
		return r.roster.Ring(msg.Model+msg.Suffix, msg.Format, now), ""
	}
	return r.roster.Ring(msg.Model, msg.Format, now), msg.Suffix
}

// grantNow hands msg to whoever ranks first among those that are ready, and reports whether
// there was one.
func (r *router) grantNow(c actor.Context, msg acquire, asker *actor.PID, now time.Time) bool {
	if msg.NotBefore.After(now) {
		return false
	}
	ring, suffix := r.route(msg, now)
	if ring == nil {
		return false
	}
	ring.Wake(now)
	field := ring.Field(msg.Tried, now) // before the pick changes it
	chosen, ok := r.rank(ring, field, msg, now)
	if !ok {
		return false
	}
	g := grant{
		acquire: msg, credential: chosen.ID, model: chosen.Model(), suffix: suffix,
		why: chosen.why, field: field, fallbacks: ring.Fallbacks(),
		session: chosen.session, tentative: chosen.tentative,
		probe: chosen.Probe, tracked: r.roster.Tracked(chosen.Slot), pooled: chosen.Pooled,
	}
	if !msg.since.IsZero() {
		g.waited = now.Sub(msg.since)
	}
	owner := chosen.Owner()
	if g.tracked {
		r.roster.Used(chosen.Slot, now)
	}
	c.RequestWithCustomSender(owner, g, asker)
	return true
}

// rank returns the slot to try first: where state of the request lies, the session's own,
// else the strategy's choice.
func (r *router) rank(ring *ring, field *Field, msg acquire, now time.Time) (choice, bool) {
	lead, at, known, isKnown := r.sessions.Find(msg.Session)
	ch := choice{session: lead}
	var ok bool
	if pin := msg.Pin; pin.Credential != "" {
		ch.pick, ok = ring.Fellow(pin.Credential, pin.Upstream, pin.Account, msg.Tried, now)
		return ch.because(WhyPin), ok
	}
	if msg.Stay != "" {
		if ch.pick, _, ok = ring.Seated(msg.Stay, 0, msg.Tried, now); ok {
			return ch.because(WhyStrategy), true
		}
		if msg.StayOnly {
			return ch, false
		}
	}
	if made := msg.Prefer; made.Credential != "" {
		if ch.pick, ok = ring.Fellow(made.Credential, made.Upstream, made.Account, msg.Tried, now); ok {
			return ch.because(WhyBound), true
		}
	}
	if isKnown {
		if found, ok := r.sessionSlot(ring, ch, at, known, msg, now); ok {
			return found, true
		}
	}
	if ch.pick, ok = ring.Pick(msg.Tried, now); !ok {
		return ch, false
	}
	if !lead.IsZero() {
		r.sessions.Pick(lead, ch.ID)
		ch.tentative = true
	}
	if field.Ready == 1 {
		return ch.because(WhyOnly), true
	}
	return ch.because(WhyStrategy), true
}

func (ch choice) because(why Why) choice {
	if ch.why = why; ch.Probe {
		ch.why = WhyProbe
	}
	return ch
}

// sessionSlot returns the ready slot that serves a session, is about to, or served it before.
// Its binding was found under the lead at.
func (r *router) sessionSlot(ring *ring, ch choice, at session.Key, known affinity.Binding, msg acquire, now time.Time) (choice, bool) {
	var seat int32
	var ok bool
	if ch.pick, seat, ok = ring.Seated(known.Bound, known.Seat, msg.Tried, now); ok {
		r.sessions.Seated(at, seat)
		return ch.because(WhyBound), true
	}
	if ch.pick, seat, ok = ring.Seated(known.Likely, known.Seat, msg.Tried, now); ok {
		r.sessions.Follow(at, seat)
		ch.tentative = true
		return ch.because(WhyBound), true
	}
	for _, w := range known.Warm.Within(r.ttl, now) {
		if ch.pick, _, ok = ring.Seated(w.Credential, known.Seat, msg.Tried, now); ok {
			return ch.because(WhyWarm), true
		}
	}
	return ch, false
}

// refused tries the next candidate for a grant that its owner sent back. What the owner says
// of its rests may be ahead of the facts about them.
func (r *router) refused(c actor.Context, msg refused) {
	g, now := msg.grant, time.Now()
	r.sessions.Abandoned(g.session, g.credential)
	if g.tracked && !g.handed { // else its credential tells
		r.roster.Released(g.credential, now)
	}
	if g.probe {
		r.roster.Unprobed(g.credential, g.model, now)
	}
	explained := false
	if msg.state.Resting(now) {
		r.rested(c, Rested{Credential: g.credential, Model: g.model, State: msg.state}, now)
		explained = true
	}
	if msg.wide.Resting(now) {
		r.roster.Rest(g.credential, "", msg.wide, now)
		explained = true
	}
	if msg.probing {
		r.roster.Probing(g.credential, g.model, now)
	}
	if msg.open > 0 {
		r.roster.SetInFlight(g.credential, msg.open, now)
		explained = true
	}
	again := g.acquire
	again.refusal++
	if !explained || again.refusal > maxRefusals {
		next := *again.Acquire
		next.Tried = append(slices.Clip(next.Tried), Tried{Credential: g.credential})
		again.Acquire = &next
	}
	r.handOver(c, again, c.Sender(), now)
	r.serveWaiting(c, now)
}

// maxRefusals is how often a request is sent back before the credentials that do so are left
// out altogether.
const maxRefusals = 8

// lost takes back what was noted about a grant that came to nothing.
func (r *router) lost(c actor.Context, g grant, now time.Time) {
	r.sessions.Abandoned(g.session, g.credential)
	if g.tracked && !g.handed { // else its credential tells
		r.roster.Released(g.credential, now)
	}
	if g.probe {
		r.roster.Unprobed(g.credential, g.model, now)
	}
	if owner, ok := r.roster.Owner(g.credential); ok {
		c.Send(owner, freed{lease: g.acquire.id})
	}
}

// park lets a request wait for the soonest recovery or a free place, if that is soon enough,
// or denies it.
func (r *router) park(c actor.Context, msg acquire, asker *actor.PID, now time.Time) {
	if msg.since.IsZero() {
		msg.since = now
	}
	due, waits, err := r.outlook(msg, now)
	until := msg.since.Add(msg.Wait)
	switch {
	case !waits || !due.IsZero() && due.After(until) || !until.After(now):
		r.deny(c, msg, asker, err, now)
	case r.waiting.full():
		c.Send(asker, denied{msg.id, ErrOverloaded})
	default:
		w := &waiter{msg: msg, asker: asker, until: until}
		w.wake(c, due, now)
		r.waiting.add(w)
	}
}

// outlook says why nobody can serve msg now, whether that may change while it waits and, if
// it is known, when.
func (r *router) outlook(msg acquire, now time.Time) (due time.Time, waits bool, err error) {
	ring, _ := r.route(msg, now)
	if ring == nil {
		return time.Time{}, false, r.unserved(msg.Model)
	}
	e := ring.Shortage(msg.Tried, now)
	fallbacks := ring.Fallbacks()
	if pin := msg.Pin; pin.Credential != "" {
		var known bool
		if e, known = ring.FellowShortage(pin.Credential, pin.Upstream, pin.Account, now); !known {
			return time.Time{}, false, &PinError{msg.Model}
		}
		fallbacks = nil
	}
	none := &NoCredentialError{
		Model: msg.Model + msg.Suffix, Provider: e.Provider, RetryAfter: e.RetryAfter, Reasons: e.Reasons,
		Field: ring.Field(msg.Tried, now), Fallbacks: fallbacks,
	}
	waits = msg.Wait > 0 && (len(fallbacks) == 0 || msg.LastResort)
	if msg.NotBefore.After(now) {
		return msg.NotBefore, waits, none
	}
	if e.Saturated { // a place may be free any moment: it is worth waiting, whoever rests for how long
		if e.Due.After(msg.since.Add(msg.Wait)) {
			e.Due = time.Time{}
		}
		return e.Due, waits, none
	}
	return e.Due, waits && !e.Due.IsZero(), none
}

// wake sets the alarm of a waiter to when something may change for it.
func (w *waiter) wake(c actor.Context, due, now time.Time) {
	at := w.until
	if due.After(now) && due.Before(at) {
		at = due
	}
	w.cancel = stage.After(c, at.Sub(now), waited{w.msg.id})
}

// deny tells an asker that nobody can serve.
func (r *router) deny(c actor.Context, msg acquire, asker *actor.PID, err error, now time.Time) {
	var none *NoCredentialError
	if errors.As(err, &none) {
		none.Waited = now.Sub(msg.since)
	}
	c.Send(asker, denied{msg.id, err})
}

// waited looks after one waiter whose time has come: somebody may be ready, or its patience
// may be over.
func (r *router) waited(c actor.Context, id uint64) {
	who := r.waiting.get(id)
	if who == nil {
		return
	}
	now := time.Now()
	r.serveQueue(c, who.msg.Model, now)
	if who = r.waiting.get(id); who == nil {
		return
	}
	due, waits, err := r.outlook(who.msg, now)
	if !waits || !who.until.After(now) || due.After(who.until) {
		r.waiting.remove(id)
		r.deny(c, who.msg, who.asker, err, now)
		return
	}
	who.wake(c, due, now)
}

// serveWaiting serves whom it can of those that wait.
func (r *router) serveWaiting(c actor.Context, now time.Time) {
	if r.waiting.empty() || !r.settled {
		return
	}
	for model := range r.waiting.queues {
		r.serveQueue(c, model, now)
	}
}

// serveQueue serves those who wait for one model, first come first served, while anybody is
// ready. Whoever waits for somebody else lets the next ones pass.
func (r *router) serveQueue(c actor.Context, model string, now time.Time) {
	r.waiting.each(model, func(who *waiter) bool {
		if !r.grantNow(c, who.msg, who.asker, now) {
			return who.particular()
		}
		r.waiting.remove(who.msg.id)
		return true
	})
}

// particular reports whether a waiter may be passed by: it waits for a credential of its own
// or for a time.
func (w *waiter) particular() bool {
	return w.msg.Pin.Credential != "" || !w.msg.NotBefore.IsZero() || len(w.msg.Tried) > 0 || w.msg.StayOnly || w.msg.Suffix != ""
}

// unserved says why a name has no candidates.
func (r *router) unserved(model string) error {
	if formats := r.roster.Formats(model); len(formats) > 0 {
		return &FormatError{Model: model, Formats: formats}
	}
	return &UnknownModelError{Model: model}
}
