package strategy

// Queue is a priority queue over positions 0..n-1, each queued at most once under a key
// that may change. Equal keys are ordered by position. Nothing is allocated after NewQueue.
type Queue[K any] struct {
	compare func(a, b K) int
	keys    []K   // by position
	at      []int // by position: its index in heap, or absent
	heap    []int // positions, a binary heap; its capacity is n
}

const absent = -1

// NewQueue returns an empty queue over n positions. compare is negative when a comes
// before b and zero when neither does, as cmp.Compare and time.Time.Compare are.
func NewQueue[K any](n int, compare func(a, b K) int) *Queue[K] {
	q := &Queue[K]{compare: compare, keys: make([]K, n), at: make([]int, n), heap: make([]int, 0, n)}
	for i := range q.at {
		q.at[i] = absent
	}
	return q
}

// Len returns how many positions are queued.
func (q *Queue[K]) Len() int { return len(q.heap) }

// Has reports whether i is queued.
func (q *Queue[K]) Has(i int) bool { return q.at[i] != absent }

// Put queues i under key, or moves it there, in O(log n).
func (q *Queue[K]) Put(i int, key K) {
	q.keys[i] = key
	if !q.Has(i) {
		q.at[i] = len(q.heap)
		q.heap = append(q.heap, i)
	}
	q.settle(q.at[i])
}

// Remove takes i out in O(log n); if it is not queued, nothing happens.
func (q *Queue[K]) Remove(i int) {
	if !q.Has(i) {
		return
	}
	h := q.at[i]
	q.drop(h)
	q.at[i] = absent
	if h < len(q.heap) {
		q.settle(h)
	}
}

// Min returns the first position and its key, or false if the queue is empty.
func (q *Queue[K]) Min() (int, K, bool) {
	if len(q.heap) == 0 {
		var none K
		return 0, none, false
	}
	i := q.heap[0]
	return i, q.keys[i], true
}

// MinExcept returns the first position that skip does not exclude, and its key. A nil skip
// excludes nothing. It costs O(log n) for each excluded position before the answer.
func (q *Queue[K]) MinExcept(skip func(int) bool) (int, K, bool) {
	whole := len(q.heap)
	i, key, ok := q.Min()
	for ok && skip != nil && skip(i) {
		q.drop(0)
		q.down(0)
		i, key, ok = q.Min()
	}
	// What was dropped still stands behind the heap's end, and comes back from there.
	for n := len(q.heap); n < whole; n++ {
		q.heap = q.heap[:n+1]
		q.up(n)
	}
	return i, key, ok
}

// drop moves the entry at index h behind the heap's end. What took its place may be out
// of order.
func (q *Queue[K]) drop(h int) {
	end := len(q.heap) - 1
	q.swap(h, end)
	q.heap = q.heap[:end]
}

// settle restores the order after the entry at index h changed.
func (q *Queue[K]) settle(h int) {
	if !q.down(h) {
		q.up(h)
	}
}

func (q *Queue[K]) up(h int) {
	for h > 0 {
		parent := (h - 1) / 2
		if !q.before(h, parent) {
			return
		}
		q.swap(h, parent)
		h = parent
	}
}

// down reports whether the entry at index h moved.
func (q *Queue[K]) down(h int) bool {
	start := h
	for {
		child := 2*h + 1
		if child >= len(q.heap) {
			break
		}
		if right := child + 1; right < len(q.heap) && q.before(right, child) {
			child = right
		}
		if !q.before(child, h) {
			break
		}
		q.swap(h, child)
		h = child
	}
	return h > start
}

// before compares the entries at two indexes of the heap.
func (q *Queue[K]) before(a, b int) bool {
	i, j := q.heap[a], q.heap[b]
	if c := q.compare(q.keys[i], q.keys[j]); c != 0 {
		return c < 0
	}
	return i < j
}

func (q *Queue[K]) swap(a, b int) {
	q.heap[a], q.heap[b] = q.heap[b], q.heap[a]
	q.at[q.heap[a]], q.at[q.heap[b]] = a, b
}
