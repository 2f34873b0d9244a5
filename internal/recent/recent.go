// Package recent keeps the latest of many.
package recent

// List holds the latest items, up to its limit. Make one with New; it is for one goroutine.
type List[T any] struct {
	limit int
	items []T
	next  int // where the next one goes, once the list is full
}

// New returns an empty list for limit items. It takes no memory for what it does not hold.
func New[T any](limit int) List[T] { return List[T]{limit: limit} }

// Add puts an item in, in place of the oldest one if the list is full.
func (r *List[T]) Add(item T) {
	if len(r.items) < r.limit {
		r.items = append(r.items, item)
		return
	}
	r.items[r.next] = item
	r.next = (r.next + 1) % r.limit
}

// Latest returns up to limit items, latest first.
func (r *List[T]) Latest(limit int) []T {
	list := make([]T, 0, min(limit, len(r.items)))
	for i := range min(limit, len(r.items)) {
		list = append(list, r.at(i))
	}
	return list
}

// Find returns the latest item that match accepts.
func (r *List[T]) Find(match func(T) bool) (item T, ok bool) {
	for i := range r.items {
		if item := r.at(i); match(item) {
			return item, true
		}
	}
	return item, false
}

// at returns the i-th item, latest first.
func (r *List[T]) at(i int) T {
	n := len(r.items)
	return r.items[(r.next+n-1-i)%n]
}
