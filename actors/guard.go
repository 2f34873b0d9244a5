package actors

import (
	"fmt"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"
)

// crash is what a guarded actor panics with: the original value and the stack that the
// library would have lost.
type crash struct {
	Reason any
	Stack  []byte
}

func (c crash) String() string { return fmt.Sprint(c.Reason) }

// crashed answers the asker whose message panicked, so that it need not wait for its
// deadline. Message is the one that did.
type crashed struct {
	Message any
	Reason  string
}

// guarded wraps an actor's Receive. A panic while handling a message is answered to the
// asker and then goes on to the supervisor; one while stopping goes to trouble only,
// because the library would resurrect the actor or hang its parent.
type guarded struct {
	actor.Actor
	trouble func(c actor.Context, why crash)
}

// guard wraps the actors that producer makes. trouble is told of panics that no
// supervisor sees; it must not block.
func guard(producer func() actor.Actor, trouble func(actor.Context, crash)) actor.Producer {
	return func() actor.Actor { return &guarded{producer(), trouble} }
}

// Receive hands the message to the wrapped actor.
func (g *guarded) Receive(c actor.Context) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		why := crash{Reason: r, Stack: debug.Stack()}
		switch c.Message().(type) {
		case *actor.Stopping, *actor.Stopped, *actor.Restarting:
			g.trouble(c, why)
			return
		}
		if sender := c.Sender(); sender != nil {
			c.Send(sender, crashed{Message: c.Message(), Reason: why.String()})
		}
		panic(why)
	}()
	g.Actor.Receive(c)
}
