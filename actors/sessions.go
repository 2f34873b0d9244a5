package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Messages the parent of the sessions takes, besides configure and announce. It answers none.
type (
	// Bind ties the session of a request to the credential that has just served it and
	// restarts its TTL.
	Bind struct {
		Asked      *Acquire // whose session it is
		Credential providers.CredentialID
		// Lease that served. One older than that of the present binding changes nothing.
		Lease uint64
	}
	// expiring says that a session's TTL has passed; binds counts those it has seen.
	expiring struct {
		key   session.Key
		binds uint32
	}
	// unbind frees the sessions of a credential, which has left or is disabled.
	unbind struct{ credential providers.CredentialID }
	// describeSessions asks for what is known of sessions: []SessionView, of those that live.
	describeSessions struct{ keys []session.Key }
	// endSessions ends sessions; it is answered with how many there were.
	endSessions struct{ keys []session.Key }
)

// sessionRow is one living session.
type sessionRow struct {
	pid    *actor.PID
	since  int64     // Unix nanoseconds
	usedAt int64     // likewise
	origin originRef // what it was recognized by, for which model
	binds  uint32    // handed on to it
}

// sessionsActor is the parent of all sessions: it spawns one with its first Bind, hands the
// further ones on, and lets one go when nothing came since it asked to. It knows sessions by
// the lead of their ids.
type sessionsActor struct {
	w         *wiring
	heir      bool // there was an earlier incarnation
	rows      map[session.Key]sessionRow
	directory *session.Directory
	known     func(session.Key) bool // made once
	ttl       *sessionTTL
	kind      *actor.Props // made once: it is the same for all sessions
	origins   origins
}

// sessionsProps describes the one parent of an engine's sessions. A session that fails is
// stopped: a lost binding is simply made again.
func sessionsProps(w *wiring) *actor.Props {
	supervisor := actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })
	incarnations := 0
	return w.props(func() actor.Actor {
		ttl := &sessionTTL{}
		incarnations++
		return newSessions(w, incarnations > 1, ttl)
	}, actor.WithSupervisor(supervisor), w.measured("sessions", 0))
}

func newSessions(w *wiring, heir bool, ttl *sessionTTL) *sessionsActor {
	s := &sessionsActor{
		w: w, heir: heir, rows: map[session.Key]sessionRow{}, directory: session.NewDirectory(),
		ttl: ttl, kind: sessionProps(w, ttl),
	}
	s.known = func(k session.Key) bool { _, ok := s.rows[k]; return ok }
	return s
}

// Receive is part of actor.Actor.
func (s *sessionsActor) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		if s.heir {
			s.w.tell(SessionsLost{})
			c.Request(c.Parent(), planWanted{})
		}
	case Bind:
		s.bind(c, msg)
	case expiring:
		s.expire(c, msg)
	case configure:
		s.configure(c, msg.settings)
	case apply:
		s.ttl.set(msg.plan.Settings.Routing.SessionAffinityTTL)
	case announce:
		c.Send(s.w.router, sessionsAnnounced{msg.router, len(s.rows)})
		s.directory.Groups(func(lead session.Key, ids []session.ID) { c.Send(s.w.router, named{lead, ids}) })
		s.broadcast(c, msg)
	case unbind:
		s.broadcast(c, msg)
	case describeSessions:
		c.Respond(s.describe(msg.keys))
	case endSessions:
		c.Respond(s.end(c, msg.keys))
	case lost:
		s.lost(msg)
	case *actor.Terminated:
	default:
		stage.Unhandled(c)
	}
}

// configure takes a new TTL. Alarms are set for the old one, so if it was longer, every session
// looks whether its time has come.
func (s *sessionsActor) configure(c actor.Context, settings Settings) {
	before := s.ttl.get()
	s.ttl.set(settings.Routing.SessionAffinityTTL)
	if s.ttl.get() < before {
		s.broadcast(c, expire{})
	}
}

func (s *sessionsActor) bind(c actor.Context, msg Bind) {
	keys := msg.Asked.Session
	lead := s.directory.Lead(keys, s.known)
	row, ok := s.rows[lead]
	row.usedAt = time.Now().UnixNano()
	if !ok {
		row.pid, row.since = c.Spawn(s.kind), row.usedAt
		row.origin = s.origins.ref(keys.Source, msg.Asked.Model)
	}
	row.binds++
	s.rows[lead] = row
	if ids := s.directory.Join(lead, keys.IDs); ids != nil {
		c.Send(s.w.router, named{lead, ids})
	}
	if ok {
		c.Forward(row.pid) // it knows its lead
		return
	}
	c.Send(row.pid, bind{lead, msg})
}

func (s *sessionsActor) broadcast(c actor.Context, msg any) {
	for _, row := range s.rows {
		c.Send(row.pid, msg)
	}
}

// expire lets a session go, unless a Bind is on its way to it.
func (s *sessionsActor) expire(c actor.Context, msg expiring) {
	row, ok := s.rows[msg.key]
	if !ok || row.binds != msg.binds {
		return
	}
	s.forget(msg.key)
	c.Stop(row.pid)
}

// lost forgets a session that failed.
func (s *sessionsActor) lost(msg lost) {
	if row, ok := s.rows[msg.key]; ok && row.pid.Equal(msg.pid) {
		s.forget(msg.key)
	}
}

func (s *sessionsActor) forget(lead session.Key) {
	delete(s.rows, lead)
	s.directory.Drop(lead)
	s.w.tell(SessionExpired{Key: lead})
}

// minTTL keeps a nonsensical setting from turning every session into a busy loop.
const minTTL = 10 * time.Millisecond
