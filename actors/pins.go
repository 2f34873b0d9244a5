package actors

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/pin"
)

// Messages the pins take. They answer whose.
type (
	// made says that things were made at a credential, for a client.
	made struct {
		keys  []pin.Key
		place place
	}
	// whose asks where things were made; it is answered with []Origin, in order.
	whose struct {
		keys   []pin.Key
		client string
	}
	// pinsDue is the alarm for the oldest pin.
	pinsDue struct{}
)

const (
	// pinsKept bounds the pins that are remembered; the oldest are forgotten first.
	pinsKept = 1 << 18
	// pinTTL is how long one is remembered.
	pinTTL = 30 * 24 * time.Hour
	// outdatedKept is how many outdated entries are not worth the tidying.
	outdatedKept = 1024
	// placesKept bounds the memory that pins of one place share.
	placesKept = 1 << 16
)

// place is where things were made, and for whom.
type place struct {
	origin Origin
	client string
}

// pinned is one pin.
type pinned struct {
	place *place
	at    int64 // Unix seconds
}

// pins remembers where things were made that exist there only: responses, conversations,
// reasoning that is encrypted. It is one for all incarnations of its actor.
type pins struct {
	byKey  map[pin.Key]pinned
	order  []datedKey // oldest first, from head on; some are outdated
	head   int
	places map[place]*place
	alarm  stage.Alarm
}

type datedKey struct {
	key pin.Key
	at  int64
}

func newPins() *pins {
	return &pins{byKey: map[pin.Key]pinned{}, places: map[place]*place{}}
}

// Receive is part of actor.Actor.
func (p *pins) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case made:
		p.note(msg, time.Now())
		p.expire(c, time.Now())
	case whose:
		c.Respond(p.whose(msg, time.Now()))
	case pinsDue:
		p.expire(c, time.Now())
	case *actor.Stopping, *actor.Restarting:
		p.alarm.Cancel()
	default:
		stage.Unhandled(c)
	}
}

// note remembers what was made. The order of pins that are made again and again stays as
// short as theirs who are not.
func (p *pins) note(msg made, now time.Time) {
	at := now.Unix()
	shared := p.shared(msg.place)
	for _, key := range msg.keys {
		old, known := p.byKey[key]
		if known && old.place.client != msg.place.client {
			continue // an id that somebody else has already cannot be taken over
		}
		p.byKey[key] = pinned{shared, at}
		if !known || old.at != at {
			p.order = append(p.order, datedKey{key, at})
		}
	}
	if len(p.order)-p.head > 2*len(p.byKey)+outdatedKept {
		p.order = slices.DeleteFunc(p.order[p.head:], func(d datedKey) bool { return p.byKey[d.key].at != d.at })
		p.head = 0
	}
}

// shared returns the one copy of a place.
func (p *pins) shared(at place) *place {
	if known, ok := p.places[at]; ok {
		return known
	}
	if len(p.places) >= placesKept {
		clear(p.places)
	}
	p.places[at] = &at
	return &at
}

// expire forgets pins that are too old or too many.
func (p *pins) expire(c actor.Context, now time.Time) {
	before := now.Add(-pinTTL).Unix()
	for p.head < len(p.order) {
		oldest := p.order[p.head]
		if oldest.at > before && len(p.byKey) <= pinsKept {
			p.alarm.At(c, time.Unix(oldest.at, 0).Add(pinTTL), pinsDue{})
			break
		}
		if known, ok := p.byKey[oldest.key]; ok && known.at == oldest.at {
			delete(p.byKey, oldest.key)
		}
		p.head++
	}
	if p.head > len(p.order)/2 {
		p.order = append([]datedKey(nil), p.order[p.head:]...)
		p.head = 0
	}
}

func (p *pins) whose(msg whose, now time.Time) []Origin {
	origins := make([]Origin, len(msg.keys))
	for i, key := range msg.keys {
		known, ok := p.byKey[key]
		switch {
		case !ok || now.Unix()-known.at > int64(pinTTL/time.Second):
		case known.place.client != msg.client:
			origins[i] = Origin{Foreign: true}
		default:
			origins[i] = known.place.origin
		}
	}
	return origins
}
