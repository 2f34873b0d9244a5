package actors

import (
	"container/list"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/scheduler"

	"github.com/understudyhq/understudy/providers"
)

// maxWaiters bounds the requests that wait in one engine; more are told to come later.
const maxWaiters = 10_000

// waiter is one request that waits for somebody to be ready.
type waiter struct {
	msg    acquire
	asker  *actor.PID
	until  time.Time // it gives up
	cancel scheduler.CancelFunc
}

// waitRoute is what waiters wait for: a name in a format.
type waitRoute struct {
	model  string
	format providers.Format
}

// waitRoom is the requests that wait, first come first served for each route. The zero value
// is not usable. It decides nothing.
type waitRoom struct {
	queues map[waitRoute]*list.List // of *waiter
	byID   map[uint64]*list.Element
}

func newWaitRoom() *waitRoom {
	return &waitRoom{queues: map[waitRoute]*list.List{}, byID: map[uint64]*list.Element{}}
}

func routeOf(msg acquire) waitRoute { return waitRoute{msg.Model, msg.Format} }

// full reports whether nobody may be added.
func (w *waitRoom) full() bool { return len(w.byID) >= maxWaiters }

// empty reports whether nobody waits.
func (w *waitRoom) empty() bool { return len(w.byID) == 0 }

// add puts a request at the end of its queue.
func (w *waitRoom) add(who *waiter) {
	route := routeOf(who.msg)
	q, ok := w.queues[route]
	if !ok {
		q = list.New()
		w.queues[route] = q
	}
	w.byID[who.msg.id] = q.PushBack(who)
}

// get returns the waiter with an id; nil if there is none.
func (w *waitRoom) get(id uint64) *waiter {
	if e, ok := w.byID[id]; ok {
		return e.Value.(*waiter)
	}
	return nil
}

// remove takes a request out, if it waits, and returns it.
func (w *waitRoom) remove(id uint64) *waiter {
	e, ok := w.byID[id]
	if !ok {
		return nil
	}
	who := e.Value.(*waiter)
	who.cancel()
	delete(w.byID, id)
	route := routeOf(who.msg)
	q := w.queues[route]
	if q.Remove(e); q.Len() == 0 {
		delete(w.queues, route)
	}
	return who
}

// clear empties the room and calls fn for everybody who was in it.
func (w *waitRoom) clear(fn func(*waiter)) {
	for id := range w.byID {
		fn(w.remove(id))
	}
}
