package actors

import (
	"container/list"
	"slices"
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
	order  uint64    // in which they came
	until  time.Time // it gives up
	cancel scheduler.CancelFunc
}

// waitRoom is the requests that wait for each model, in one queue for each format, since not
// everybody speaks all of them. The zero value is not usable. It decides nothing.
type waitRoom struct {
	queues map[string]map[providers.Format]*list.List // of *waiter; neither is ever empty
	byID   map[uint64]*list.Element
	came   uint64
}

func newWaitRoom() *waitRoom {
	return &waitRoom{queues: map[string]map[providers.Format]*list.List{}, byID: map[uint64]*list.Element{}}
}

// full reports whether nobody may be added.
func (w *waitRoom) full() bool { return len(w.byID) >= maxWaiters }

// empty reports whether nobody waits.
func (w *waitRoom) empty() bool { return len(w.byID) == 0 }

// add puts a request at the end of its queue.
func (w *waitRoom) add(who *waiter) {
	w.came++
	who.order = w.came
	formats, ok := w.queues[who.msg.Model]
	if !ok {
		formats = map[providers.Format]*list.List{}
		w.queues[who.msg.Model] = formats
	}
	q, ok := formats[who.msg.Format]
	if !ok {
		q = list.New()
		formats[who.msg.Format] = q
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
	formats := w.queues[who.msg.Model]
	q := formats[who.msg.Format]
	if q.Remove(e); q.Len() == 0 {
		delete(formats, who.msg.Format)
	}
	if len(formats) == 0 {
		delete(w.queues, who.msg.Model)
	}
	return who
}

// each calls fn for those who wait for a model, in the order in which they came, until it
// says that nobody else of that format can be served. fn may remove whom it is called for.
func (w *waitRoom) each(model string, fn func(*waiter) (others bool)) {
	var next []*list.Element // of each queue
	for _, q := range w.queues[model] {
		next = append(next, q.Front())
	}
	for len(next) > 0 {
		first := 0
		for i, e := range next {
			if e.Value.(*waiter).order < next[first].Value.(*waiter).order {
				first = i
			}
		}
		who, after := next[first].Value.(*waiter), next[first].Next()
		if next[first] = after; !fn(who) || after == nil {
			next = slices.Delete(next, first, first+1)
		}
	}
}

// clear empties the room and calls fn for everybody who was in it.
func (w *waitRoom) clear(fn func(*waiter)) {
	for id := range w.byID {
		fn(w.remove(id))
	}
}
