package actors

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/internal/roster"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Messages the router takes, besides the facts CredentialLeft, CredentialDown,
// CredentialUp, Rested, SessionBound and SessionExpired. It answers acquire (through the
// model that grants it, or with denied) and listModels.
type (
	// acquire is a numbered Acquire, asked by System. What it points to is never changed:
	// it goes through three mailboxes and is not worth three copies.
	acquire struct {
		*Acquire
		id uint64
	}
	// refused sends a grant back: its owner would not let the credential be used now.
	refused struct {
		grant grant
		state cooldown.State // the model's
		wide  cooldown.State // its credential's
	}
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
	// modelUp tells which actor grants one model of a credential.
	modelUp struct {
		credential providers.CredentialID
		model      string
		pid        *actor.PID
	}
	// modelDown says that a model's actor is gone or, if failing, is being restarted.
	modelDown struct {
		credential providers.CredentialID
		model      string
		failing    bool
	}
	// announced ends the credentials' answer to announce.
	announced struct{}
	// sessionsAnnounced says how many SessionBound answer announce.
	sessionsAnnounced struct{ count int }
	// settle is the alarm after which a new router serves with what it has heard.
	settle struct{}
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

func (r refused) Question() uint64 { return r.grant.acquire.id }
func (a acquire) Question() uint64 { return a.id }
func (d denied) Question() uint64  { return d.id }

// binding is what the router knows of one session.
type binding struct {
	bound  providers.CredentialID // served last
	likely providers.CredentialID // picked, but has not served yet: the first burst follows it
	open   int32                  // picks of likely that have not ended
	seat   int32                  // where in its ring bound or likely was found last
}

// settleWithin bounds how long a new router waits to be told all.
const settleWithin = time.Second

// router turns an Acquire into a hand-over to one credential. It ranks by its roster, which
// it rebuilds from announcements after a restart; it decides nothing that an owner must.
type router struct {
	w        *wiring
	roster   *roster.Roster[*actor.PID]
	bindings map[session.Key]binding
	alarm    stage.Alarm
	// Until settled, requests are stashed: the roster is not complete yet.
	settled      bool
	stashed      []stashedAcquire
	credentials  bool // have been announced
	sessionsLeft int  // bindings still to be announced; -1 = not known how many
}

type stashedAcquire struct {
	msg    acquire
	sender *actor.PID
}

func newRouter(w *wiring) actor.Actor {
	return &router{w: w, roster: roster.New[*actor.PID](), bindings: map[session.Key]binding{}, sessionsLeft: -1}
}

// Receive is part of actor.Actor.
func (r *router) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		c.Send(r.w.credentials, announce{})
		c.Send(r.w.sessions, announce{})
		r.alarm.At(c, time.Now().Add(settleWithin), settle{})
	case acquire:
		r.acquire(c, msg)
	case refused:
		r.refused(c, msg)
	case SessionBound:
		r.bound(c, msg)
	case SessionExpired:
		r.expired(msg.Key)
	case abandoned:
		r.abandoned(msg)
	case Rested:
		r.roster.Rest(msg.Credential, msg.Model, msg.State)
	case modelUp:
		r.roster.Own(msg.credential, msg.model, msg.pid)
	case modelDown:
		r.roster.Disown(msg.credential, msg.model, msg.failing)
	case joined:
		r.roster.Join(msg.credential, msg.pid, msg.order)
	case CredentialLeft:
		r.roster.Leave(msg.Credential)
	case CredentialDown:
		r.roster.SetDown(msg.Credential, true, msg.Failed)
	case CredentialUp:
		r.roster.SetDown(msg.Credential, false, false)
	case configure:
		r.roster.SetStrategy(msg.settings.Routing.Strategy)
	case modelsListed:
		r.roster.List(msg.upstream, msg.models)
	case listModels:
		c.Respond(r.roster.Models())
	case SessionsLost:
		r.forgetSessions()
	case announced:
		r.credentials = true
		r.settleIfComplete(c)
	case sessionsAnnounced:
		r.sessionsLeft = msg.count
		r.settleIfComplete(c)
	case settle:
		r.settle(c)
	case *actor.Stopping, *actor.Restarting:
		r.alarm.Cancel()
		for _, s := range r.stashed {
			c.Send(s.sender, stage.Bounced{Message: s.msg})
		}
	default:
		stage.Unhandled(c)
	}
}

func (r *router) acquire(c actor.Context, msg acquire) {
	if !r.settled {
		r.stashed = append(r.stashed, stashedAcquire{msg, c.Sender()})
		return
	}
	r.handOver(c, msg, c.Sender())
}

func (r *router) settleIfComplete(c actor.Context) {
	if r.credentials && r.sessionsLeft == 0 {
		r.settle(c)
	}
}

// settle serves the requests that came before the roster was complete.
func (r *router) settle(c actor.Context) {
	r.alarm.Cancel()
	waiting := r.stashed
	r.stashed, r.settled = nil, true
	for _, s := range waiting {
		r.handOver(c, s.msg, s.sender)
	}
}

// handOver passes msg, asker and all, to the credential that ranks first.
func (r *router) handOver(c actor.Context, msg acquire, asker *actor.PID) {
	ring := r.roster.Ring(msg.Model, msg.Format)
	if ring == nil {
		c.Send(asker, denied{msg.id, r.unserved(msg.Model)})
		return
	}
	s, why := r.rank(ring, msg)
	if s == nil && ring.Wake(time.Now()) {
		s, why = r.rank(ring, msg)
	}
	if s == nil {
		c.Send(asker, denied{msg.id, shortage(msg.Model, ring.Shortage(msg.Exclude, time.Now()))})
		return
	}
	c.RequestWithCustomSender(s.Owner(), grant{
		acquire: msg, credential: s.Credential(), model: s.Model(), why: why,
		tentative: r.bindings[msg.Session.Primary].likely == s.Credential(),
	}, asker)
}

// unserved says why a name has no candidates.
func (r *router) unserved(model string) error {
	if formats := r.roster.Formats(model); len(formats) > 0 {
		return &FormatError{Model: model, Formats: formats}
	}
	return &UnknownModelError{Model: model}
}

// shortage is a roster's answer as Acquire tells it.
func shortage(model string, s roster.Shortage) *NoCredentialError {
	return &NoCredentialError{Model: model, Provider: s.Provider, RetryAfter: s.RetryAfter, Reasons: s.Reasons}
}

// rank returns the slot to try first: the session's own, else the strategy's choice.
func (r *router) rank(ring *roster.Ring[*actor.PID], msg acquire) (*roster.Slot[*actor.PID], Why) {
	key := msg.Session.Primary
	sticky := !key.IsZero() // without affinity System leaves sessions out
	if sticky {
		if s := r.sessionSlot(ring, msg); s != nil {
			return s, WhyBound
		}
	}
	s := ring.Pick(msg.Exclude)
	if s == nil {
		return nil, ""
	}
	if sticky {
		b := r.bindings[key]
		b.likely, b.open = s.Credential(), 1
		r.bindings[key] = b
	}
	if ring.Ready() == 1 {
		return s, WhyOnly
	}
	return s, WhyStrategy
}

// sessionSlot returns the ready slot that serves msg's session, or is about to.
func (r *router) sessionSlot(ring *roster.Ring[*actor.PID], msg acquire) *roster.Slot[*actor.PID] {
	for _, key := range [...]session.Key{msg.Session.Primary, msg.Session.Fallback} {
		b, ok := r.bindings[key]
		if !ok || key.IsZero() {
			continue
		}
		if s, at := ring.Seated(b.bound, b.seat, msg.Exclude); s != nil {
			if at != b.seat {
				b.seat = at
				r.bindings[key] = b
			}
			return s
		}
		if s, at := ring.Seated(b.likely, b.seat, msg.Exclude); s != nil {
			b.open++
			b.seat = at
			r.bindings[key] = b
			return s
		}
	}
	return nil
}

// refused tries the next candidate for a grant that its owner sent back. What the owner says
// of its rests may be ahead of the facts about them.
func (r *router) refused(c actor.Context, msg refused) {
	g, now := msg.grant, time.Now()
	if msg.state.Resting(now) {
		r.roster.Rest(g.credential, g.model, msg.state)
	}
	if msg.wide.Resting(now) {
		r.roster.Rest(g.credential, "", msg.wide)
	}
	r.abandoned(abandoned{g.acquire.Session.Primary, g.credential})
	again := *g.acquire.Acquire
	again.Exclude = append(slices.Clip(again.Exclude), g.credential)
	r.handOver(c, acquire{&again, g.acquire.id}, c.Sender())
}

func (r *router) bound(c actor.Context, msg SessionBound) {
	r.bindings[msg.Key] = binding{bound: msg.Credential}
	if !r.settled && r.sessionsLeft > 0 {
		r.sessionsLeft--
		r.settleIfComplete(c)
	}
}

// expired forgets a session, but not a pick that has since been made for it.
func (r *router) expired(key session.Key) {
	if b, ok := r.bindings[key]; ok {
		b.bound = ""
		r.keep(key, b)
	}
}

// forgetSessions forgets all bindings: the sessions that owned them are gone.
func (r *router) forgetSessions() {
	for key := range r.bindings {
		r.expired(key)
	}
}

// abandoned forgets a pick that has not served once nothing of its burst is under way.
func (r *router) abandoned(msg abandoned) {
	b, ok := r.bindings[msg.key]
	if !ok || b.likely != msg.credential {
		return
	}
	if b.open--; b.open <= 0 {
		b.likely = ""
	}
	r.keep(msg.key, b)
}

// keep stores what is known of a session, if anything is.
func (r *router) keep(key session.Key, b binding) {
	if b.bound == "" && b.likely == "" {
		delete(r.bindings, key)
		return
	}
	r.bindings[key] = b
}
