package socket

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/providers"
)

// refusedFor is how long a credential whose upstream has refused a socket is spoken to
// without one.
const refusedFor = 10 * time.Minute

// Messages the parent of the sockets takes. It answers Open and Linkable.
type (
	// Open spawns the actor of a line. It is answered with an Opened.
	Open struct {
		Line   Line
		Limits Limits
	}
	// LinkRefused says that a credential's upstream takes no links.
	LinkRefused struct{ Credential providers.CredentialID }
	// Linkable asks whether a credential's upstream may take links. It is answered with a bool.
	Linkable struct{ Credential providers.CredentialID }
)

// Opened answers Open.
type Opened struct{ Socket *actor.PID }

// sockets is the parent of all sockets' actors.
type sockets struct {
	props   func(func() actor.Actor) *actor.Props
	refused map[providers.CredentialID]time.Time // until when
}

// Props describes the one parent of an engine's sockets. props describes an actor of that
// engine; failed is told of a socket whose actor has crashed, which is stopped.
func Props(props func(func() actor.Actor, ...actor.PropsOption) *actor.Props, failed func(stage.Failure)) *actor.Props {
	supervisor := stage.NewBackoff(stage.Limits{}, failed)
	// The actors of one engine are made in the same way, whichever incarnation does it.
	child := func(producer func() actor.Actor) *actor.Props { return props(producer) }
	return props(func() actor.Actor {
		return &sockets{props: child, refused: map[providers.CredentialID]time.Time{}}
	}, actor.WithSupervisor(supervisor))
}

// Receive is part of actor.Actor.
func (s *sockets) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case Open:
		made := newSocket(msg.Line, msg.Limits)
		c.Respond(Opened{c.Spawn(s.props(func() actor.Actor { return made }))})
	case LinkRefused:
		s.refused[msg.Credential] = time.Now().Add(refusedFor)
	case Linkable:
		until, known := s.refused[msg.Credential]
		if known && !time.Now().Before(until) {
			delete(s.refused, msg.Credential)
			known = false
		}
		c.Respond(!known)
	default:
		stage.Unhandled(c)
	}
}
