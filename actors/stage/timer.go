package stage

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/scheduler"
)

// After sends msg to the actor of c once d has passed and returns what cancels that.
// A message that is already under way cannot be cancelled: handlers check their state.
func After(c actor.Context, d time.Duration, msg any) scheduler.CancelFunc {
	return scheduler.NewTimerScheduler(c.ActorSystem().Root).SendOnce(d, c.Self(), msg)
}

// Unhandled is the default case of every Receive: it ignores the library's own lifecycle
// messages and panics for anything else, because a message nobody handles is a bug.
func Unhandled(c actor.Context) {
	switch c.Message().(type) {
	case actor.AutoReceiveMessage, actor.SystemMessage, *actor.DeadLetterResponse:
	default:
		panic(fmt.Sprintf("unhandled message %T", c.Message()))
	}
}

// Alarm is the one timer of an actor. The zero value is not set. A message of an alarm
// that was set anew may still be under way: handlers check their state.
type Alarm struct {
	due  time.Time
	stop scheduler.CancelFunc
}

// At sends msg to the actor of c at due, unless an earlier alarm is set: its handler sets
// the next one. So an alarm that moves later again and again costs nothing.
func (a *Alarm) At(c actor.Context, due time.Time, msg any) {
	now := time.Now()
	if a.stop != nil && a.due.After(now) && !a.due.After(due) {
		return
	}
	a.Cancel()
	a.due, a.stop = due, After(c, due.Sub(now), msg)
}

// Cancel unsets the alarm.
func (a *Alarm) Cancel() {
	if a.stop != nil {
		a.stop()
		a.stop = nil
	}
}
