package actors

import (
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/affinity"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Messages a session takes, besides Bind, announce and unbind. It answers none.
type (
	// bind is the first Bind: lead is the session's own key.
	bind struct {
		lead  session.Key
		first Bind
	}
	expire struct{} // the session's own alarm, or its parent's word that the TTL is shorter
	// lost tells the parent that a session stops without having asked.
	lost struct {
		key session.Key
		pid *actor.PID
	}
)

// sessionTTL is how long bindings live, shared by all sessions of one parent: the parent
// sets it, sessions read it when their alarm is due.
type sessionTTL struct{ d atomic.Int64 }

func (t *sessionTTL) set(d time.Duration) { t.d.Store(int64(max(d, minTTL))) }
func (t *sessionTTL) get() time.Duration  { return max(time.Duration(t.d.Load()), minTTL) }

// sessionActor owns one binding: which credential serves a client's session, and for how
// long. It asks its parent to let it go once the TTL has passed since the last Bind.
// There may be a million of them, so it is small: shared things are behind one pointer.
type sessionActor struct {
	kind       *sessionKind
	key        session.Key
	credential providers.CredentialID
	warm       *affinity.WarmList // credentials that served before; nil = none
	lease      uint64             // that served last
	usedAt     int64              // Unix nanoseconds
	binds      uint32
	alarm      func() // cancels the alarm
}

// sessionKind is what all sessions of one parent share.
type sessionKind struct {
	w   *wiring
	ttl *sessionTTL
}

func sessionProps(w *wiring, ttl *sessionTTL) *actor.Props {
	kind := &sessionKind{w, ttl}
	return w.props(func() actor.Actor { return &sessionActor{kind: kind} }, stage.InCallersTurn())
}

// Receive is part of actor.Actor.
func (s *sessionActor) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case Bind:
		s.bind(c, msg)
	case bind:
		s.key = msg.lead
		s.bind(c, msg.first)
	case expire:
		s.expire(c)
	case announce:
		s.kind.w.tellRouter(s.view())
	case unbind:
		s.unbind(c, msg.credential)
	case *actor.Stopping:
		s.stop(c)
	default:
		stage.Unhandled(c)
	}
}

func (s *sessionActor) view() SessionBound {
	return SessionBound{Key: s.key, Credential: s.credential, Warm: s.warm}
}

func (s *sessionActor) bind(c actor.Context, msg Bind) {
	before := s.usedAt
	s.binds++
	s.usedAt = time.Now().UnixNano()
	if s.alarm == nil {
		s.alarm = stage.After(c, s.kind.ttl.get(), expire{})
	}
	if msg.Lease < s.lease {
		// An answer that came late moves nothing, but its credential is warm, and the router
		// still counts on its pick.
		if msg.Credential != s.credential {
			s.warm = s.warm.With(affinity.Warm{Credential: msg.Credential, UsedAt: s.usedAt}, s.credential)
		}
		s.kind.w.tellRouter(s.view())
		return
	}
	s.lease = msg.Lease
	if s.credential != msg.Credential {
		if s.credential != "" {
			s.warm = s.warm.With(affinity.Warm{Credential: s.credential, UsedAt: before}, msg.Credential)
		}
		s.credential = msg.Credential
		s.kind.w.tell(s.view())
	}
}

// unbind forgets a credential. A session that it served last goes to the one that served it
// before, within the TTL, or, if there is none, is free.
func (s *sessionActor) unbind(c actor.Context, id providers.CredentialID) {
	if id != s.credential && !s.warm.Has(id) {
		return
	}
	s.warm = s.warm.Without(id)
	if id == s.credential {
		if s.warm == nil || time.Since(time.Unix(0, s.warm[0].UsedAt)) > s.kind.ttl.get() {
			s.leave(c)
			return
		}
		s.credential = s.warm[0].Credential
		s.warm = s.warm.Without(s.credential)
	}
	s.kind.w.tell(s.view())
}

// expire asks to be let go or, if the session was used meanwhile, sets the alarm for what
// is left: one timer per session, and none to reset per request.
func (s *sessionActor) expire(c actor.Context) {
	if s.alarm == nil {
		return // it has asked already
	}
	if left := s.kind.ttl.get() - time.Duration(time.Now().UnixNano()-s.usedAt); left > 0 {
		s.alarm() // it may not be what has brought this
		s.alarm = stage.After(c, left, expire{})
		return
	}
	s.leave(c)
}

func (s *sessionActor) leave(c actor.Context) {
	if s.alarm != nil {
		s.alarm()
		s.alarm = nil
	}
	c.Send(c.Parent(), expiring{s.key, s.binds})
}

func (s *sessionActor) stop(c actor.Context) {
	if s.alarm != nil {
		s.alarm()
	}
	c.Send(c.Parent(), lost{s.key, c.Self()})
}
