package stage

import "sync"

// feedBuffer is how many events a feed's callback may lag behind.
const feedBuffer = 1024

// Feed carries events from one actor to a callback, which may be slow.
type Feed[E any] struct {
	events  chan E
	missed  func(e *E, dropped uint64)
	done    chan struct{}
	end     sync.Once
	ended   chan struct{}
	dropped uint64 // used by the sender only
}

// NewFeed calls fn for every event, one at a time, in a goroutine of its own until Close.
// missed notes in an event how many were dropped before it.
func NewFeed[E any](fn func(E), missed func(e *E, dropped uint64)) *Feed[E] {
	f := &Feed[E]{events: make(chan E, feedBuffer), missed: missed, done: make(chan struct{}), ended: make(chan struct{})}
	go f.run(fn)
	return f
}

func (f *Feed[E]) run(fn func(E)) {
	defer close(f.ended)
	for {
		select {
		case <-f.done:
			return
		case e := <-f.events:
			fn(e)
		}
	}
}

// Offer hands e over, unless the callback lags too far behind. It does not block, and is not
// safe for concurrent use.
func (f *Feed[E]) Offer(e E) {
	f.missed(&e, f.dropped)
	select {
	case f.events <- e:
	default:
		f.dropped++
	}
}

// Close ends the feed. The callback may still be running when it returns, until Ended.
func (f *Feed[E]) Close() { f.end.Do(func() { close(f.done) }) }

// Ended is closed when the callback runs no more.
func (f *Feed[E]) Ended() <-chan struct{} { return f.ended }
