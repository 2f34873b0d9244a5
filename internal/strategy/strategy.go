package strategy

// Picker chooses among the ready positions of one model. It keeps its own cursor; callers
// use it from one goroutine at a time.
type Picker interface {
	// Pick returns a member of ready that skip does not exclude, or false if there is none.
	// A nil skip excludes nothing. The cost does not grow with positions that are not ready.
	Pick(ready *Set, skip func(int) bool) (int, bool)
}

// RoundRobin picks cyclically in order of position. Over N·k picks of N positions that
// stay ready each gets k, give or take one; positions that rest, recover, come and go do
// not reset the cycle.
type RoundRobin struct {
	next int // where the search for the next pick begins
}

// NewRoundRobin returns a cycle that begins at position start.
func NewRoundRobin(start int) *RoundRobin { return &RoundRobin{next: start} }

// Pick returns the next ready position.
func (r *RoundRobin) Pick(ready *Set, skip func(int) bool) (int, bool) {
	i, ok := firstFrom(r.next, ready, skip)
	if ok {
		r.next = i + 1
	}
	return i, ok
}

// FillFirst always picks the first ready position: the next one only while the first is
// not ready. The zero value is ready for use.
type FillFirst struct{}

// Pick returns the first ready position.
func (FillFirst) Pick(ready *Set, skip func(int) bool) (int, bool) {
	return firstFrom(0, ready, skip)
}

// firstFrom finds the first member at or after from, going round once.
func firstFrom(from int, ready *Set, skip func(int) bool) (int, bool) {
	for i, ok := ready.Next(from); ok; i, ok = ready.Next(i + 1) {
		if skip == nil || !skip(i) {
			return i, true
		}
	}
	for i, ok := ready.Next(0); ok && i < from; i, ok = ready.Next(i + 1) {
		if skip == nil || !skip(i) {
			return i, true
		}
	}
	return 0, false
}
