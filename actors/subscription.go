package actors

import "sync"

// subscriptionBuffer is how many events a subscriber may lag behind.
const subscriptionBuffer = 1024

// subscription carries events from the ledger to one subscriber's goroutine.
type subscription struct {
	events  chan Event
	done    chan struct{}
	end     sync.Once
	ended   chan struct{} // closed when the goroutine has returned
	dropped uint64        // used by the ledger only
}

// newSubscription calls fn for every event, one at a time, in a goroutine of its own until close.
func newSubscription(fn func(Event)) *subscription {
	s := &subscription{events: make(chan Event, subscriptionBuffer), done: make(chan struct{}), ended: make(chan struct{})}
	go s.run(fn)
	return s
}

func (s *subscription) run(fn func(Event)) {
	defer close(s.ended)
	for {
		select {
		case <-s.done:
			return
		case e := <-s.events:
			fn(e)
		}
	}
}

// offer hands e over unless the subscriber lags too far behind.
func (s *subscription) offer(e Event) {
	e.Dropped = s.dropped
	select {
	case s.events <- e:
	default:
		s.dropped++
	}
}

// close ends the subscription. The callback may still be running when it returns.
func (s *subscription) close() { s.end.Do(func() { close(s.done) }) }
