package actors

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/scheduler"
)

// after sends msg to the actor of c once d has passed and returns what cancels that.
// A message that is already under way cannot be cancelled: handlers check their state.
func after(c actor.Context, d time.Duration, msg any) scheduler.CancelFunc {
	return scheduler.NewTimerScheduler(c.ActorSystem().Root).SendOnce(d, c.Self(), msg)
}

// unhandled is the default case of every Receive: it ignores the library's own lifecycle
// messages and panics for anything else, because a message nobody handles is a bug.
func unhandled(c actor.Context) {
	switch c.Message().(type) {
	case actor.AutoReceiveMessage, actor.SystemMessage, *actor.DeadLetterResponse:
	default:
		panic(fmt.Sprintf("unhandled message %T", c.Message()))
	}
}
