// Package lineage remembers the transcripts of conversations that clients continue by the id
// of an answer, where no upstream remembers them.
package lineage

import (
	"crypto/sha256"
	"time"
)

// Bounds of a Book.
const (
	// MaxBytes bounds what is remembered; what has not been used for longest goes first.
	MaxBytes = 128 << 20
	// MaxTranscriptBytes bounds one conversation: nobody could send a longer one anyway.
	MaxTranscriptBytes = 32 << 20
	// TTL is how long an answer can be continued after it was made or continued last.
	TTL = 24 * time.Hour
)

// Key names an answer. Another client has another key for the same id.
type Key [16]byte

// KeyOf returns the key of an answer's id for a client.
func KeyOf(client, id string) Key {
	sum := sha256.Sum256([]byte(client + "\x00" + id))
	return Key(sum[:16])
}

// Turn is what one answer has added to a conversation: comma-separated JSON items. It is
// never changed.
type Turn = []byte

// Book remembers turns, each with the one it continues. Make one with NewBook; it is for one
// goroutine.
type Book struct {
	turns map[Key]*entry
	root  entry // of the ring of all, root.next was used last
	bytes int
}

type entry struct {
	key        Key
	before     *entry // the turn it continues, also when that one is forgotten; nil = none
	items      Turn
	length     int // of the conversation up to here
	usedAt     time.Time
	forgotten  bool
	prev, next *entry
}

// NewBook returns an empty book.
func NewBook() *Book {
	b := &Book{turns: map[Key]*entry{}}
	b.root.prev, b.root.next = &b.root, &b.root
	return b
}

// Bytes returns how much is remembered.
func (b *Book) Bytes() int { return b.bytes }

// Keep notes what the answer key has added to the conversation that it continues, which is
// that of before; the zero Key if it continues none. What is too long is not kept, nor what
// continues an answer that is not known.
func (b *Book) Keep(key, before Key, items Turn, now time.Time) {
	e := &entry{key: key, items: items, length: len(items), usedAt: now}
	if before != (Key{}) {
		e.before = b.turns[before]
		if e.before == nil || before == key {
			return
		}
		if e.length > 0 && e.before.length > 0 {
			e.length++
		}
		e.length += e.before.length
	}
	if e.length > MaxTranscriptBytes {
		return
	}
	if old := b.turns[key]; old != nil {
		b.forget(old)
	}
	b.turns[key] = e
	b.bytes += len(items)
	b.use(e, now)
	b.Expire(now)
}

// Find returns the conversation up to and with the answer key as comma-separated JSON items;
// nil if it is not known, or not all of it.
func (b *Book) Find(key Key, now time.Time) []byte {
	b.Expire(now)
	last := b.turns[key]
	for e := last; e != nil; e = e.before {
		if e.forgotten {
			return nil
		}
	}
	if last == nil {
		return nil
	}
	text := make([]byte, last.length)
	at := len(text)
	for e := last; e != nil; e = e.before {
		at -= copy(text[at-len(e.items):], e.items)
		if e.before != nil && len(e.items) > 0 && e.before.length > 0 {
			at--
			text[at] = ','
		}
	}
	for e := last; e != nil; e = e.before {
		b.use(e, now) // the beginning last: without it the rest is worth nothing
	}
	return text
}

// Expire forgets what is too old or too much, and returns when the next turn will be too old;
// the zero time if there is none.
func (b *Book) Expire(now time.Time) time.Time {
	for b.root.prev != &b.root {
		oldest := b.root.prev
		if b.bytes <= MaxBytes && now.Sub(oldest.usedAt) < TTL {
			return oldest.usedAt.Add(TTL)
		}
		b.forget(oldest)
	}
	return time.Time{}
}

// use makes e the one that was used last.
func (b *Book) use(e *entry, now time.Time) {
	e.usedAt = now
	if e.next != nil {
		e.prev.next, e.next.prev = e.next, e.prev
	}
	e.prev, e.next = &b.root, b.root.next
	e.prev.next, e.next.prev = e, e
}

func (b *Book) forget(e *entry) {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
	e.forgotten = true
	delete(b.turns, e.key)
	b.bytes -= len(e.items)
	e.items, e.before = nil, nil
}
