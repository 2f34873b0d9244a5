package stage

import (
	"fmt"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"
)

// Crash is what a guarded actor panics with: the original value and the stack that the
// library would have lost.
type Crash struct {
	Reason any
	Stack  []byte
}

func (c Crash) String() string { return fmt.Sprint(c.Reason) }

// Crashed answers the asker whose message panicked, so that it need not wait for its
// deadline. Message is the one that did.
type Crashed struct {
	Message any
	Reason  string
}

// guarded wraps an actor's Receive. A panic while handling a message is answered to the
// asker and then goes on to the supervisor; one while stopping goes to trouble only,
// because the library would resurrect the actor or hang its parent.
type guarded struct {
	actor.Actor
	trouble func(c actor.Context, why Crash)
}

// Guard wraps the actors that producer makes. trouble is told of panics that no
// supervisor sees; it must not block.
func Guard(producer func() actor.Actor, trouble func(actor.Context, Crash)) actor.Producer {
	return func() actor.Actor { return &guarded{producer(), trouble} }
}

// Receive hands the message to the wrapped actor.
func (g *guarded) Receive(c actor.Context) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		why := Crash{Reason: r, Stack: debug.Stack()}
		switch c.Message().(type) {
		case *actor.Stopping, *actor.Stopped, *actor.Restarting:
			g.trouble(c, why)
			return
		}
		if sender := c.Sender(); sender != nil {
			c.Send(sender, Crashed{Message: c.Message(), Reason: why.String()})
		}
		panic(why)
	}()
	g.Actor.Receive(c)
}
