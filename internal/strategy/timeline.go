package strategy

import (
	"cmp"
	"slices"
)

// A timeline gives out turns in virtual time. In each round a lane of weight w has w turns
// at fixed, evenly spaced instants, whether it is ready or not: a lane that rests misses
// its turns and one that returns waits for the next of them, so there is neither credit to
// build up nor a burst. The clock stands at the latest turn given. Lanes of equal weight
// and phase take turns in exact cyclic order, which is round robin.
//
// A pick that excludes the lane whose turn it is gives the next lane its turn early. The
// lane passed over keeps that one turn, and no more than one, for the first pick that does
// not exclude it; the order of all others stays.
type timeline struct {
	names []string // ascending; what Memory knows the lanes by
	lanes []lane
	queue *Queue[turn] // the next turn of each ready lane
	clock turn         // the latest turn given,
	last  int          // and the lane it went to, or the one before its place if it is gone
	after string       // and that lane's name
	owed  map[int]turn // turns an earlier timeline owed; they lapse with the first pick
}

// lane is the weight of a candidate and where in the time between two turns its own lies.
type lane struct {
	weight uint64 // turns in a round, 1..maxWeight; 0 = none
	phase  uint64 // 0..stride-1
}

// turn is an instant: part/(stride·weight) of the way through round. Instants are exact
// fractions, so no error builds up, and products of two of their terms fit into 64 bits.
type turn struct {
	round  uint64 // may wrap around
	part   uint64 // 0..stride·weight-1
	weight uint64
}

// line is what a timeline needs to go on where another stood.
type line struct {
	clock turn
	after string          // the lane that had the latest turn
	owed  map[string]turn // by lane: a turn before the clock that it was passed over for
}

const (
	stride    = 1 << 20 // parts from one turn of a lane to its next
	maxWeight = 1_000_000
)

// compare orders two instants less than 2^63 rounds apart.
func (t turn) compare(u turn) int {
	switch {
	case t.round != u.round:
		if t.round-u.round > 1<<63 {
			return -1
		}
		return 1
	case t.weight == u.weight:
		return cmp.Compare(t.part, u.part)
	default:
		return cmp.Compare(t.part*u.weight, u.part*t.weight)
	}
}

// newTimeline returns a timeline with no lane ready that goes on from a line; the zero
// line is the beginning of a round. names are ascending.
func newTimeline(names []string, lanes []lane, from line) *timeline {
	t := &timeline{
		names: names, lanes: lanes, queue: NewQueue(len(lanes), turn.compare),
		clock: from.clock, after: from.after,
	}
	if t.clock.weight == 0 {
		t.clock.weight = 1
	}
	i, found := slices.BinarySearch(names, from.after)
	if !found {
		i--
	}
	t.last = i
	for name, owed := range from.owed {
		if i, found := slices.BinarySearch(names, name); found && lanes[i].weight == owed.weight {
			if t.owed == nil {
				t.owed = make(map[int]turn, len(from.owed))
			}
			t.owed[i] = owed
		}
	}
	return t
}

// SetReady makes lane i ready or not.
func (t *timeline) SetReady(i int, ready bool) {
	switch {
	case !ready:
		t.queue.Remove(i)
	case t.queue.Has(i) || t.lanes[i].weight == 0:
	default:
		next, ok := t.owed[i]
		if !ok {
			next = t.next(i)
		}
		t.queue.Put(i, next)
	}
}

// Pick gives the next turn to a ready lane that skip does not exclude.
func (t *timeline) Pick(skip func(int) bool) (int, bool) {
	i, own, ok := t.queue.MinExcept(skip)
	if !ok {
		return 0, false
	}
	t.owed = nil
	if c := own.compare(t.clock); c > 0 || c == 0 && i > t.last {
		t.clock, t.last, t.after = own, i, t.names[i]
	}
	t.queue.Put(i, t.next(i))
	return i, true
}

// Ready returns how many lanes are.
func (t *timeline) Ready() int { return t.queue.Len() }

// Has reports whether lane i is ready.
func (t *timeline) Has(i int) bool { return t.queue.Has(i) }

// SetLoad does nothing: turns do not depend on it.
func (t *timeline) SetLoad(int, int, uint64) {}

// offers reports whether a lane is ready that skip does not exclude.
func (t *timeline) offers(skip func(int) bool) bool {
	_, _, ok := t.queue.MinExcept(skip)
	return ok
}

// next returns lane i's first turn after the clock. Turns at one instant are ordered by
// lane, so a lane behind the last one still has its own at the clock's very instant.
func (t *timeline) next(i int) turn {
	l, c := t.lanes[i], t.clock
	atLeast := (c.part*l.weight + c.weight - 1) / c.weight // the clock in parts of this lane
	part := l.phase
	if atLeast > part {
		part += (atLeast - part + stride - 1) / stride * stride
	}
	if part*c.weight == c.part*l.weight && i <= t.last {
		part += stride
	}
	if part < stride*l.weight {
		return turn{round: c.round, part: part, weight: l.weight}
	}
	return turn{round: c.round + 1, part: l.phase, weight: l.weight}
}

// line returns what a later timeline needs to go on from here.
func (t *timeline) line() line {
	l := line{clock: t.clock, after: t.after}
	for i := range t.lanes {
		if own, queued := t.queue.Key(i); queued && own != t.next(i) && own.compare(t.clock) <= 0 {
			if l.owed == nil {
				l.owed = make(map[string]turn)
			}
			l.owed[t.names[i]] = own
		}
	}
	return l
}
