package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/pin"
)

// Messages the pins take. They answer whose.
type (
	// made says that things were made at a place, for a client.
	made struct {
		keys   []pin.Key
		origin Origin
		client string
	}
	// whose asks where things were made; it is answered with []Origin, in order.
	whose struct {
		keys   []pin.Key
		client string
	}
	// pinsDue is the alarm for the oldest pin.
	pinsDue struct{}
)

// pins remembers where things were made that exist there only: responses, conversations,
// reasoning that is encrypted. It is one for all incarnations of its actor.
type pins struct {
	book  *pin.Book[Origin]
	alarm stage.Alarm
}

func newPins() *pins { return &pins{book: pin.NewBook[Origin]()} }

// Receive is part of actor.Actor.
func (p *pins) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case made:
		p.book.Add(msg.keys, msg.origin, msg.client, time.Now())
		p.expire(c)
	case whose:
		c.Respond(p.whose(msg, time.Now()))
	case pinsDue, *actor.Started:
		p.expire(c)
	case *actor.Stopping, *actor.Restarting:
		p.alarm.Cancel()
	default:
		stage.Unhandled(c)
	}
}

func (p *pins) expire(c actor.Context) {
	if next := p.book.Expire(time.Now()); !next.IsZero() {
		p.alarm.At(c, next, pinsDue{})
	}
}

func (p *pins) whose(msg whose, now time.Time) []Origin {
	origins := make([]Origin, len(msg.keys))
	for i, key := range msg.keys {
		place, foreign, _ := p.book.Find(key, msg.client, now)
		origins[i] = place
		origins[i].Foreign = foreign
	}
	return origins
}
