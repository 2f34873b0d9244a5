package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Messages the parent of the sessions takes, besides configure, announce and
// CredentialLeft. It answers none.
type (
	// Bind ties a session to the credential that has just served it and restarts its TTL.
	Bind struct {
		Key        session.Key
		Credential providers.CredentialID
		// Lease that served. One older than that of the present binding changes nothing.
		Lease uint64
	}
	// expiring says that a session's TTL has passed; binds counts those it has seen.
	expiring struct {
		key   session.Key
		binds uint32
	}
)

// sessionRow is one living session.
type sessionRow struct {
	pid   *actor.PID
	binds uint32 // handed on to it
}

// sessionsActor is the parent of all sessions: it spawns one with its first Bind, hands the
// further ones on, and lets one go when nothing came since it asked to.
type sessionsActor struct {
	w    *wiring
	heir bool // there was an earlier incarnation
	rows map[session.Key]sessionRow
	ttl  *sessionTTL
	kind *actor.Props // made once: it is the same for all sessions
}

// sessionsProps describes the one parent of an engine's sessions. A session that fails is
// stopped: a lost binding is simply made again.
func sessionsProps(w *wiring) *actor.Props {
	supervisor := actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })
	incarnations := 0
	return w.props(func() actor.Actor {
		ttl := &sessionTTL{}
		incarnations++
		return &sessionsActor{w: w, heir: incarnations > 1, rows: map[session.Key]sessionRow{}, ttl: ttl, kind: sessionProps(w, ttl)}
	}, actor.WithSupervisor(supervisor))
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
		s.ttl.set(msg.settings.Routing.SessionAffinityTTL)
	case apply:
		s.ttl.set(msg.plan.Settings.Routing.SessionAffinityTTL)
	case announce:
		c.Send(s.w.router, sessionsAnnounced{len(s.rows)})
		s.broadcast(c, msg)
	case CredentialLeft:
		s.broadcast(c, msg)
	case lost:
		s.lost(msg)
	case *actor.Terminated:
	default:
		stage.Unhandled(c)
	}
}

func (s *sessionsActor) bind(c actor.Context, msg Bind) {
	row, ok := s.rows[msg.Key]
	if !ok {
		row.pid = c.Spawn(s.kind)
	}
	row.binds++
	s.rows[msg.Key] = row
	c.Forward(row.pid)
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
	delete(s.rows, msg.key)
	s.w.tell(SessionExpired{msg.key})
	c.Stop(row.pid)
}

// lost forgets a session that failed.
func (s *sessionsActor) lost(msg lost) {
	if row, ok := s.rows[msg.key]; ok && row.pid.Equal(msg.pid) {
		delete(s.rows, msg.key)
		s.w.tell(SessionExpired{msg.key})
	}
}

// minTTL keeps a nonsensical setting from turning every session into a busy loop.
const minTTL = 10 * time.Millisecond
