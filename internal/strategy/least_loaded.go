package strategy

import "cmp"

// leastLoaded picks the candidate with the fewest requests in flight.
type leastLoaded struct {
	ids   []string
	loads []load // by position, ready or not
	queue *Queue[load]
	now   uint64 // the latest use
}

// load is how busy a candidate is, and when it was used last.
type load struct {
	inFlight int
	usedAt   uint64
}

func (l load) compare(m load) int {
	return cmp.Or(cmp.Compare(l.inFlight, m.inFlight), cmp.Compare(l.usedAt, m.usedAt))
}

func newLeastLoaded(candidates []Candidate, m Memory) *leastLoaded {
	l := &leastLoaded{
		ids:   ids(candidates),
		loads: make([]load, len(candidates)),
		queue: NewQueue(len(candidates), load.compare),
		now:   m.usedAt,
	}
	for i, id := range l.ids {
		l.loads[i] = m.loads[id]
	}
	return l
}

func (l *leastLoaded) SetReady(i int, ready bool) {
	if ready {
		l.queue.Put(i, l.loads[i])
	} else {
		l.queue.Remove(i)
	}
}

func (l *leastLoaded) Ready() int { return l.queue.Len() }

func (l *leastLoaded) Has(i int) bool { return l.queue.Has(i) }

// Pick counts one more request for its answer until SetLoad says how many there are.
func (l *leastLoaded) Pick(skip func(int) bool) (int, bool) {
	i, own, ok := l.queue.MinExcept(skip)
	if ok {
		l.SetLoad(i, own.inFlight+1, l.now+1)
	}
	return i, ok
}

func (l *leastLoaded) SetLoad(i, inFlight int, usedAt uint64) {
	l.loads[i] = load{inFlight, usedAt}
	l.now = max(l.now, usedAt)
	if l.queue.Has(i) {
		l.queue.Put(i, l.loads[i])
	}
}

func (l *leastLoaded) Memory() Memory {
	m := Memory{kind: LeastLoaded, usedAt: l.now, loads: make(map[string]load, len(l.ids))}
	for i, id := range l.ids {
		m.loads[id] = l.loads[i]
	}
	return m
}
