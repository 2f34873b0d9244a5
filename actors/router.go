package actors

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Messages the router takes, besides the facts CredentialLeft, CredentialDown,
// CredentialUp, Rested, SessionBound and SessionExpired. It answers acquire (through the
// model that grants it, or with denied) and listModels.
type (
	// acquire is a numbered Acquire, asked by System.
	acquire struct {
		Acquire
		id uint64
	}
	// refused sends a grant back: its owner would not let the credential be used now.
	refused struct{ grant grant }
	// abandoned says that a pick for a session ended without having served.
	abandoned struct {
		key        session.Key
		credential providers.CredentialID
	}
	// joined tells of a credential and the actor that owns it.
	joined struct {
		credential *providers.Credential
		pid        *actor.PID
		order      int
	}
	// announced ends the announcement that a new router asks for.
	announced struct{}
	// configure brings new settings, to every actor that keeps some.
	configure struct{ settings Settings }
	// modelsListed tells what an upstream without configured models has.
	modelsListed struct {
		upstream string
		models   []string
	}
	// listModels asks for []ModelInfo.
	listModels struct{}
)

// denied answers an acquire that nobody can grant.
type denied struct {
	id  uint64
	err error
}

func (a acquire) question() uint64 { return a.id }
func (d denied) question() uint64  { return d.id }

// binding is what the router knows of one session.
type binding struct {
	bound  *member // served last
	likely *member // picked, but has not served yet: the first burst follows it
	open   int     // picks of likely that have not ended
}

// router turns an Acquire into a hand-over to one credential. It ranks by its index, which
// it rebuilds from announcements after a restart; it decides nothing that an owner must.
type router struct {
	w        *wiring
	index    *index
	bindings map[session.Key]binding
	stashed  []stashedAcquire // until the announcement is complete; nil afterwards
	settled  bool
}

type stashedAcquire struct {
	msg    acquire
	sender *actor.PID
}

func newRouter(w *wiring) actor.Actor {
	return &router{w: w, index: newIndex(Settings{}), bindings: map[session.Key]binding{}}
}

// Receive is part of actor.Actor.
func (r *router) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		c.Send(r.w.credentials, announce{})
		c.Send(r.w.sessions, announce{})
	case acquire:
		r.acquire(c, msg)
	case refused:
		r.refused(c, msg.grant)
	case SessionBound:
		r.bound(msg)
	case SessionExpired:
		r.expired(msg.Key)
	case abandoned:
		r.abandoned(msg)
	case Rested:
		r.index.rested(msg)
	case joined:
		r.index.join(msg.credential, msg.pid, msg.order)
	case CredentialLeft:
		r.index.leave(msg.Credential)
	case CredentialDown:
		r.index.setDown(msg.Credential, true, msg.Failed)
	case CredentialUp:
		r.index.setDown(msg.Credential, false, false)
	case configure:
		r.index.configure(msg.settings)
	case modelsListed:
		r.index.list(msg.upstream, msg.models)
	case listModels:
		c.Respond(r.index.models())
	case announced:
		r.settle(c)
	default:
		unhandled(c)
	}
}

func (r *router) acquire(c actor.Context, msg acquire) {
	if !r.settled {
		r.stashed = append(r.stashed, stashedAcquire{msg, c.Sender()})
		return
	}
	r.handOver(c, msg, c.Sender())
}

// settle serves the requests that came before the index was complete.
func (r *router) settle(c actor.Context) {
	waiting := r.stashed
	r.stashed, r.settled = nil, true
	for _, s := range waiting {
		r.handOver(c, s.msg, s.sender)
	}
}

// handOver passes msg, asker and all, to the credential that ranks first.
func (r *router) handOver(c actor.Context, msg acquire, asker *actor.PID) {
	ring := r.index.route(msg.Model, msg.Format)
	if ring == nil {
		c.Send(asker, denied{msg.id, r.unserved(msg.Model)})
		return
	}
	s, why := r.rank(ring, msg)
	if s == nil && ring.wake(time.Now()) {
		s, why = r.rank(ring, msg)
	}
	if s == nil {
		c.Send(asker, denied{msg.id, ring.shortage(msg.Model, msg.Exclude, time.Now())})
		return
	}
	c.RequestWithCustomSender(s.member.pid, grant{acquire: msg, credential: s.member.credential.ID, model: s.model, why: why}, asker)
}

// unserved says why a name has no candidates.
func (r *router) unserved(model string) error {
	if formats := r.index.formats(model); len(formats) > 0 {
		return &FormatError{Model: model, Formats: formats}
	}
	return &UnknownModelError{Model: model}
}

// rank returns the slot to try first: the session's own, else the strategy's choice.
func (r *router) rank(ring *ring, msg acquire) (*slot, Why) {
	key := msg.Session.Primary
	sticky := r.index.settings.Routing.SessionAffinity && !key.IsZero()
	if sticky {
		if s := r.sessionSlot(ring, msg); s != nil {
			return s, WhyBound
		}
	}
	s := ring.pick(msg.Exclude)
	if s == nil {
		return nil, ""
	}
	if sticky {
		b := r.bindings[key]
		b.likely, b.open = s.member, 1
		r.bindings[key] = b
	}
	if ring.ready.Len() == 1 {
		return s, WhyOnly
	}
	return s, WhyStrategy
}

// sessionSlot returns the ready slot that serves msg's session, or is about to.
func (r *router) sessionSlot(ring *ring, msg acquire) *slot {
	for _, key := range [...]session.Key{msg.Session.Primary, msg.Session.Fallback} {
		b, ok := r.bindings[key]
		if !ok || key.IsZero() {
			continue
		}
		if s := ring.seated(b.bound, msg.Exclude); s != nil {
			return s
		}
		if s := ring.seated(b.likely, msg.Exclude); s != nil {
			b.open++
			r.bindings[key] = b
			return s
		}
	}
	return nil
}

// refused tries the next candidate for a grant that its owner sent back.
func (r *router) refused(c actor.Context, g grant) {
	r.abandoned(abandoned{g.acquire.Session.Primary, g.credential})
	g.acquire.Exclude = append(slices.Clip(g.acquire.Exclude), g.credential)
	r.handOver(c, g.acquire, c.Sender())
}

func (r *router) bound(msg SessionBound) {
	if m, ok := r.index.members[msg.Credential]; ok {
		r.bindings[msg.Key] = binding{bound: m}
	}
}

// expired forgets a session, but not a pick that has since been made for it.
func (r *router) expired(key session.Key) {
	b := r.bindings[key]
	if b.bound = nil; b.likely == nil {
		delete(r.bindings, key)
		return
	}
	r.bindings[key] = b
}

// abandoned forgets a pick that has not served once nothing of its burst is under way.
func (r *router) abandoned(msg abandoned) {
	b, ok := r.bindings[msg.key]
	if !ok || b.likely == nil || b.likely.credential.ID != msg.credential {
		return
	}
	if b.open--; b.open <= 0 {
		b.likely = nil
	}
	if b.likely == nil && b.bound == nil {
		delete(r.bindings, msg.key)
		return
	}
	r.bindings[msg.key] = b
}
