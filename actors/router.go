package actors

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/affinity"
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
		id      uint64
		refusal int       // owners that would not grant it
		since   time.Time // when it began to wait; zero = it did not
	}
	// forsaken says that nobody waits for the answer to an acquire any more.
	forsaken struct{ id uint64 }
	// waited is the alarm of one request that waits.
	waited struct{ id uint64 }
	// refused sends a grant back: its owner would not let the credential be used now.
	refused struct {
		grant   grant
		state   cooldown.State // the model's
		wide    cooldown.State // its credential's
		probing bool           // somebody else finds out whether the rest must go on
		open    int            // the credential's leases, if it has as many as it may; else 0
	}
	// lost says that a grant came to nothing: its owner was not there.
	lostGrant struct{ grant grant }
	// abandoned says that a pick for a session ended without having served.
	abandoned struct {
		key        session.Key
		credential providers.CredentialID
	}
	// released says that a lease that the router counts has ended.
	released struct{ credential providers.CredentialID }
	// load says how many leases of a credential are open.
	load struct {
		credential providers.CredentialID
		open       int
	}
	// unprobed says that a probe ended without news of the rest.
	unprobed struct {
		credential providers.CredentialID
		model      string
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
	// named says which ids name a session, if there are several.
	named struct {
		lead session.Key
		ids  []session.ID
	}
	// announced ends the credentials' answer to announce.
	announced struct{ router uint64 }
	// sessionsAnnounced says how many SessionBound answer announce.
	sessionsAnnounced struct {
		router uint64
		count  int
	}
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

// settleWithin bounds how long a new router waits to be told all.
const settleWithin = time.Second

// router turns an Acquire into a hand-over to one credential. It ranks by its roster, which
// it rebuilds from announcements after a restart; it decides nothing that an owner must.
type router struct {
	w        *wiring
	id       uint64 // of this incarnation
	roster   *roster.Roster[*actor.PID]
	sessions *affinity.Bindings
	ttl      time.Duration // of warm credentials
	waiting  *waitRoom
	alarm    stage.Alarm
	// Until settled, requests are stashed: the roster is not complete yet.
	settled      bool
	stashed      []stashedAcquire
	left         map[uint64]struct{} // of those, nobody waits for
	credentials  bool                // have been announced
	sessionsLeft int                 // bindings still to be announced; -1 = not known how many
}

type stashedAcquire struct {
	msg    acquire
	sender *actor.PID
}

func newRouter(w *wiring) actor.Actor {
	return &router{w: w, id: 1 + rand.Uint64N(math.MaxUint64), roster: roster.New[*actor.PID](), sessions: affinity.New(), waiting: newWaitRoom(), sessionsLeft: -1}
}

// Receive is part of actor.Actor.
func (r *router) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		c.Send(r.w.credentials, announce{r.id})
		c.Send(r.w.sessions, announce{r.id})
		r.alarm.At(c, time.Now().Add(settleWithin), settle{})
	case acquire:
		r.acquire(c, msg)
	case refused:
		r.refused(c, msg)
	case forsaken:
		r.forsaken(msg.id)
	case waited:
		r.waited(c, msg.id)
	case SessionBound:
		r.bound(c, msg)
	case SessionExpired:
		r.sessions.Expired(msg.Key)
	case named:
		r.sessions.Named(msg.lead, msg.ids)
	case abandoned:
		r.sessions.Abandoned(msg.key, msg.credential)
	case listModels:
		c.Respond(r.roster.Models(time.Now()))
	case catalogWanted:
		c.Respond(r.roster.Names())
	case SessionsLost:
		r.sessions.Forget()
	case announced:
		r.credentials = r.credentials || msg.router == r.id // else it is what a former one asked for
		r.settleIfComplete(c)
	case sessionsAnnounced:
		if msg.router == r.id {
			r.sessionsLeft = msg.count
			r.settleIfComplete(c)
		}
	case settle:
		r.settle(c)
	case *actor.Stopping, *actor.Restarting:
		r.leave(c)
	default:
		r.learn(c, time.Now())
	}
}

// learn takes news of credentials in. Somebody who waits may be served with them.
func (r *router) learn(c actor.Context, now time.Time) {
	switch msg := c.Message().(type) {
	case Rested:
		r.rested(c, msg, now)
	case released:
		r.roster.Released(msg.credential, now)
	case load:
		r.roster.SetInFlight(msg.credential, msg.open, now)
	case unprobed:
		r.roster.Unprobed(msg.credential, msg.model, now)
	case lostGrant:
		r.lost(c, msg.grant, now)
	case modelUp:
		r.roster.Own(msg.credential, msg.model, msg.pid, now)
	case modelDown:
		r.roster.Disown(msg.credential, msg.model, msg.failing, now)
	case joined:
		r.roster.Join(msg.credential, msg.pid, msg.order)
	case CredentialLeft:
		r.roster.Leave(msg.Credential)
	case CredentialDown:
		r.roster.SetDown(msg.Credential, true, msg.Failed, now)
	case CredentialUp:
		r.roster.SetDown(msg.Credential, false, false, now)
	case configure:
		r.roster.SetStrategy(msg.settings.Routing.Strategy)
		r.ttl = msg.settings.Routing.SessionAffinityTTL
	case modelsListed:
		r.roster.List(msg.upstream, msg.models)
	default:
		stage.Unhandled(c)
		return
	}
	r.serveWaiting(c, now)
}

// leave readies what was asked for another incarnation: whoever asked asks again.
func (r *router) leave(c actor.Context) {
	r.alarm.Cancel()
	for _, s := range r.stashed {
		c.Send(s.sender, stage.Bounced{Message: s.msg})
	}
	r.waiting.clear(func(w *waiter) { c.Send(w.asker, stage.Bounced{Message: w.msg}) })
}

func (r *router) acquire(c actor.Context, msg acquire) {
	if !r.settled {
		r.stashed = append(r.stashed, stashedAcquire{msg, c.Sender()})
		return
	}
	r.handOver(c, msg, c.Sender(), time.Now())
}

func (r *router) settleIfComplete(c actor.Context) {
	if r.credentials && r.sessionsLeft == 0 {
		r.settle(c)
	}
}

// settle serves the requests that came before the roster was complete.
func (r *router) settle(c actor.Context) {
	r.alarm.Cancel()
	stashed, left := r.stashed, r.left
	r.stashed, r.left, r.settled = nil, nil, true
	now := time.Now()
	for _, s := range stashed {
		if _, ok := left[s.msg.id]; !ok {
			r.handOver(c, s.msg, s.sender, now)
		}
	}
}

// forsaken lets nobody wait for whom no answer is wanted.
func (r *router) forsaken(id uint64) {
	if r.waiting.remove(id); r.settled {
		return
	}
	if r.left == nil {
		r.left = map[uint64]struct{}{}
	}
	r.left[id] = struct{}{}
}

func (r *router) bound(c actor.Context, msg SessionBound) {
	r.sessions.Bound(msg.Key, msg.Credential, msg.Warm)
	if !r.settled && r.sessionsLeft > 0 {
		r.sessionsLeft--
		r.settleIfComplete(c)
	}
}

// rested takes note of a rest, and tells its owner what only the router can see: that the
// whole provider is overloaded, or that nobody else is left.
func (r *router) rested(c actor.Context, msg Rested, now time.Time) {
	kind := msg.State.Kind
	passing := msg.Model != "" && msg.State.Resting(now) && (kind == providers.Overloaded || kind == providers.Transient)
	wasReady := passing && r.roster.Ready(msg.Credential, msg.Model, now) // else this is no news of who is left
	r.roster.Rest(msg.Credential, msg.Model, msg.State, now)
	if !passing {
		return
	}
	if kind == providers.Overloaded {
		wide, news := r.roster.Overloaded(msg.Credential, msg.Model, msg.State.Since)
		if news {
			r.roster.Resting(msg.Credential, msg.Model, kind, now, func(s *roster.Slot[*actor.PID]) { r.spare(c, s, now) })
		}
		if wide {
			r.spare(c, r.roster.Slot(msg.Credential, msg.Model), now)
			return
		}
	}
	if s, last := r.roster.LastOut(msg.Credential, msg.Model); last && wasReady {
		r.spare(c, s, now)
	}
}

// spare asks the owner of a slot to rest no longer than the base step. It counts on that at
// once: whoever wants to wait for the slot must not be turned away meanwhile.
func (r *router) spare(c actor.Context, s *roster.Slot[*actor.PID], now time.Time) {
	if s == nil {
		return
	}
	if owner, ok := s.Granter(); ok && s.RestsBeyond(cooldown.DefaultBase) {
		c.Send(owner, spare{})
		s.Spare(cooldown.DefaultBase, now)
	}
}
