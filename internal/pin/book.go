package pin

import "time"

// Bounds of a Book.
const (
	// kept bounds the keys that are remembered; the oldest are forgotten first.
	kept = 1 << 18
	// TTL is how long one is remembered.
	TTL = 30 * 24 * time.Hour
	// placesKept bounds the memory that keys of one place share.
	placesKept = 1 << 16
)

// Book remembers where things were made, and for whom. Places are of type P. Make one with
// NewBook; it is for one goroutine.
type Book[P comparable] struct {
	byKey  map[Key]entry[P]
	order  []dated // oldest first, from head on; some are outdated
	head   int
	places map[owned[P]]*owned[P]
	limit  int
}

// owned is a place and whom things were made for there.
type owned[P comparable] struct {
	place  P
	client string
}

type entry[P comparable] struct {
	where *owned[P]
	at    int64 // Unix seconds
}

type dated struct {
	key Key
	at  int64
}

// NewBook returns an empty book.
func NewBook[P comparable]() *Book[P] {
	return &Book[P]{byKey: map[Key]entry[P]{}, places: map[owned[P]]*owned[P]{}, limit: kept}
}

// Len returns how many keys are remembered.
func (b *Book[P]) Len() int { return len(b.byKey) }

// Add notes that keys were made at place for client. A key that somebody else has already
// stays with them.
func (b *Book[P]) Add(keys []Key, place P, client string, now time.Time) {
	where := b.shared(owned[P]{place, client})
	at := now.Unix()
	for _, key := range keys {
		old, known := b.byKey[key]
		if known && old.where.client != client {
			continue
		}
		b.byKey[key] = entry[P]{where, at}
		if !known || old.at != at {
			b.order = append(b.order, dated{key, at})
		}
	}
	b.Expire(now)
}

// shared returns the one copy of a place.
func (b *Book[P]) shared(at owned[P]) *owned[P] {
	if known, ok := b.places[at]; ok {
		return known
	}
	if len(b.places) >= placesKept {
		clear(b.places) // those in use stay where they are
	}
	b.places[at] = &at
	return &at
}

// Find returns where a key was made; ok tells whether that is known, foreign whether it was
// for another client, who alone may know the place.
func (b *Book[P]) Find(key Key, client string, now time.Time) (place P, foreign, ok bool) {
	known, ok := b.byKey[key]
	if !ok || now.Unix()-known.at > int64(TTL/time.Second) {
		return place, false, false
	}
	if known.where.client != client {
		return place, true, true
	}
	return known.where.place, false, true
}

// Expire forgets keys that are too old or too many, and returns when the oldest of the others
// will be too old; the zero time if there is none.
func (b *Book[P]) Expire(now time.Time) time.Time {
	before := now.Add(-TTL).Unix()
	next := time.Time{}
	for b.head < len(b.order) {
		oldest := b.order[b.head]
		if oldest.at > before && len(b.byKey) <= b.limit {
			next = time.Unix(oldest.at, 0).UTC().Add(TTL)
			break
		}
		if known, ok := b.byKey[oldest.key]; ok && known.at == oldest.at {
			delete(b.byKey, oldest.key)
		}
		b.head++
	}
	b.tidy()
	return next
}

// minOrder is how many outdated entries are not worth a thought.
const minOrder = 64

// tidy frees the memory of what is outdated in order, when that is most of it: a conversation
// that is gone on from leaves an entry behind each time.
func (b *Book[P]) tidy() {
	if len(b.order) <= 2*len(b.byKey)+minOrder {
		return
	}
	order := make([]dated, 0, len(b.byKey))
	for _, d := range b.order[b.head:] {
		if known, ok := b.byKey[d.key]; ok && known.at == d.at {
			order = append(order, d)
		}
	}
	b.order, b.head = order, 0
}
