package memory

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/providers"
)

// Messages the pins take. They answer Whose.
type (
	// Made says that things were made at a place, for a client.
	Made struct {
		Keys   []pin.Key
		Origin Origin
		Client string
	}
	// Whose asks where things were made; it is answered with []Origin, in order.
	Whose struct {
		Keys   []pin.Key
		Client string
	}
	// pinsDue is the alarm for the oldest pin.
	pinsDue struct{}
)

// Origin is where something was made that exists there only.
type Origin struct {
	Credential providers.CredentialID // empty = not known
	Upstream   string
	Account    string // empty = the credential is alone
	Model      string // the name the client used, reasoning suffix included
	// Foreign means that it was made for another client, who alone may use it.
	Foreign bool
}

// SameAs reports whether c can use what was made at o.
func (o Origin) SameAs(c *providers.Credential) bool {
	return o.Credential == c.ID || o.Account != "" && o.Account == c.Account && o.Upstream == c.Upstream.Name
}

// pins remembers where things were made that exist there only: responses, conversations,
// reasoning that is encrypted. It is one for all incarnations of its actor.
type pins struct {
	book  *pin.Book[Origin]
	alarm stage.Alarm
}

// NewPins returns the actor of one engine's pins.
func NewPins() actor.Actor { return &pins{book: pin.NewBook[Origin]()} }

// Receive is part of actor.Actor.
func (p *pins) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case Made:
		p.book.Add(msg.Keys, msg.Origin, msg.Client, time.Now())
		p.expire(c)
	case Whose:
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

func (p *pins) whose(msg Whose, now time.Time) []Origin {
	origins := make([]Origin, len(msg.Keys))
	for i, key := range msg.Keys {
		place, foreign, _ := p.book.Find(key, msg.Client, now)
		origins[i] = place
		origins[i].Foreign = foreign
	}
	return origins
}
