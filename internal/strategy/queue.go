package strategy

// Queue is a priority queue over positions 0..n-1, each queued at most once under a key
// that may change. Equal keys are ordered by position. Nothing is allocated after NewQueue.
//
// It is a heap of degree 4 that keeps the keys in its entries: with thousands of positions,
// the time goes into reaching memory, and so the children of an entry lie side by side.
type Queue[K any] struct {
	compare func(a, b K) int
	at      []int32    // by position: its index in heap, or absent
	heap    []entry[K] // its capacity is n
}

type entry[K any] struct {
	key K
	pos int32
}

const (
	absent = -1
	degree = 4
)

// NewQueue returns an empty queue over n positions. compare is negative when a comes
// before b and zero when neither does, as cmp.Compare and time.Time.Compare are.
func NewQueue[K any](n int, compare func(a, b K) int) *Queue[K] {
	q := &Queue[K]{compare: compare, at: make([]int32, n), heap: make([]entry[K], 0, n)}
	for i := range q.at {
		q.at[i] = absent
	}
	return q
}

// Len returns how many positions are queued.
func (q *Queue[K]) Len() int { return len(q.heap) }

// Has reports whether i is queued.
func (q *Queue[K]) Has(i int) bool { return q.at[i] != absent }

// Key returns the key of i, or false if it is not queued.
func (q *Queue[K]) Key(i int) (key K, ok bool) {
	if !q.Has(i) {
		return key, false
	}
	return q.heap[q.at[i]].key, true
}

// Put queues i under key, or moves it there, in O(log n).
func (q *Queue[K]) Put(i int, key K) {
	h := int(q.at[i])
	if h == absent {
		h = len(q.heap)
		q.heap = q.heap[:h+1]
	}
	q.settle(h, entry[K]{key, int32(i)})
}

// Remove takes i out in O(log n); if it is not queued, nothing happens.
func (q *Queue[K]) Remove(i int) {
	if !q.Has(i) {
		return
	}
	h, end := int(q.at[i]), len(q.heap)-1
	last := q.heap[end]
	q.heap = q.heap[:end]
	q.at[i] = absent
	if h < end {
		q.settle(h, last)
	}
}

// Min returns the first position and its key, or false if the queue is empty.
func (q *Queue[K]) Min() (int, K, bool) {
	if len(q.heap) == 0 {
		var none K
		return 0, none, false
	}
	return int(q.heap[0].pos), q.heap[0].key, true
}

// MinExcept returns the first position that skip does not exclude, and its key. A nil skip
// excludes nothing. It costs O(log n) for each excluded position before the answer.
func (q *Queue[K]) MinExcept(skip func(int) bool) (int, K, bool) {
	whole := len(q.heap)
	i, key, ok := q.Min()
	for ok && skip != nil && skip(i) {
		// The first entry goes behind the heap's end, the last one takes its place.
		end := len(q.heap) - 1
		first, last := q.heap[0], q.heap[end]
		q.put(end, first)
		q.heap = q.heap[:end]
		if end > 0 {
			q.down(0, last)
		}
		i, key, ok = q.Min()
	}
	for n := len(q.heap); n < whole; n++ {
		q.heap = q.heap[:n+1]
		q.up(n, q.heap[n])
	}
	return i, key, ok
}

// settle puts e at index h, whose entry is to be overwritten, or wherever the order wants it
// from there.
func (q *Queue[K]) settle(h int, e entry[K]) {
	if h > 0 && q.before(e, q.heap[(h-1)/degree]) {
		q.up(h, e)
	} else {
		q.down(h, e)
	}
}

// up moves the hole at index h towards the root until e fits into it.
func (q *Queue[K]) up(h int, e entry[K]) {
	for h > 0 {
		parent := (h - 1) / degree
		if !q.before(e, q.heap[parent]) {
			break
		}
		q.put(h, q.heap[parent])
		h = parent
	}
	q.put(h, e)
}

// down moves the hole at index h away from the root until e fits into it.
func (q *Queue[K]) down(h int, e entry[K]) {
	for {
		first := degree*h + 1
		if first >= len(q.heap) {
			break
		}
		least := first
		for child := first + 1; child < min(first+degree, len(q.heap)); child++ {
			if q.before(q.heap[child], q.heap[least]) {
				least = child
			}
		}
		if !q.before(q.heap[least], e) {
			break
		}
		q.put(h, q.heap[least])
		h = least
	}
	q.put(h, e)
}

func (q *Queue[K]) put(h int, e entry[K]) {
	q.heap[h] = e
	q.at[e.pos] = int32(h)
}

func (q *Queue[K]) before(a, b entry[K]) bool {
	if c := q.compare(a.key, b.key); c != 0 {
		return c < 0
	}
	return a.pos < b.pos
}
