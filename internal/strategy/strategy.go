// Package strategy picks one of a model's ready candidates. It is pure: positions in,
// position out. What the positions stand for, and which are ready, is the caller's.
package strategy

// Kind names a rule. Its values are those of the configuration's routing.strategy.
type Kind string

// The rules.
const (
	// RoundRobin takes turns: over accounts and inside each of them, when every candidate
	// has an account and there are at least two; else over all candidates.
	RoundRobin Kind = "round-robin"
	// FillFirst takes the first ready candidate, always.
	FillFirst Kind = "fill-first"
	// Weighted takes turns in proportion to the candidates' weights, evenly spread.
	Weighted Kind = "weighted"
	// LeastLoaded takes the candidate with the fewest requests in flight, of several the
	// one unused for longest.
	LeastLoaded Kind = "least-loaded"
)

// Candidate describes one position.
type Candidate struct {
	ID      string // unique
	Account string // optional; for RoundRobin only
	Weight  int    // for Weighted only: 0 or less = never picked, more than 1000000 = 1000000
}

// Picker chooses among the ready positions of one priority tier of one model. One
// goroutine may use it at a time; no method but Memory allocates.
type Picker interface {
	// SetReady says whether position i may be picked. All begin not ready. O(log n).
	SetReady(i int, ready bool)
	// Ready returns how many positions may be picked.
	Ready() int
	// Has reports whether position i may be picked. One that can never be, for its
	// weight, may not, and does not count, whatever SetReady said.
	Has(i int) bool
	// Pick returns a ready position that skip does not exclude and counts it as used, or
	// false if there is none. A nil skip excludes nothing. It costs O(log n) for each
	// position excluded, and nothing for those that are not ready.
	Pick(skip func(int) bool) (int, bool)
	// SetLoad tells how many requests position i has in flight, and when it was used last
	// by a counter that only grows. Only LeastLoaded cares.
	SetLoad(i, inFlight int, usedAt uint64)
	// Memory returns what a later picker needs to go on where this one is. O(n).
	Memory() Memory
}

// Memory is where a picker stood. The zero value is nowhere: a picker made from it begins
// anew, as does one of another kind. What it holds is never changed, so it may be used for
// any number of pickers.
type Memory struct {
	kind     Kind
	line     line            // of the candidates, or of the accounts when there are accounts
	accounts map[string]line // by account: of the candidates in it
	after    string          // round-robin: the candidate picked last
	lanes    map[string]lane // by candidate
	loads    map[string]load // by candidate
	usedAt   uint64          // least-loaded: the latest use
}

// New returns a picker over candidates, none of them ready, that goes on from m. Their
// order is the rule's: as configured for FillFirst, ascending by ID for all others. random
// returns a number in 0..n-1 and says where a RoundRobin without memory begins; nil is
// always 0. An unknown kind is RoundRobin; telling the user is the configuration's part.
func New(kind Kind, candidates []Candidate, m Memory, random func(n int) int) Picker {
	switch kind {
	case FillFirst, Weighted, LeastLoaded:
	default:
		kind = RoundRobin
	}
	if m.kind != kind {
		m = Memory{}
	}
	if random == nil {
		random = func(int) int { return 0 }
	}
	switch {
	case len(candidates) == 0:
		return &fillFirst{ready: NewSet(0), memory: m} // only there to remember
	case kind == FillFirst:
		return &fillFirst{ready: NewSet(len(candidates))}
	case kind == Weighted:
		return newWeighted(candidates, m)
	case kind == LeastLoaded:
		return newLeastLoaded(candidates, m)
	default:
		return newRoundRobin(candidates, m, random)
	}
}
