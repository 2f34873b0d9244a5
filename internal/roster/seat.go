package roster

import (
	"slices"
	"time"

	"github.com/understudyhq/understudy/providers"
)

// Tried is what a request has tried already: a credential's model or, without a model, the
// credential as a whole.
type Tried struct {
	Credential providers.CredentialID
	Model      string
}

// seat is one credential's place in one ring. Where a name stands for several models of an
// upstream, they are a pool: the seat is ready while one of them is.
type seat[O any] struct {
	id     providers.CredentialID
	pool   []*Slot[O] // never empty
	at     int        // position in the ring
	ring   *Ring[O]
	member *member[O]
	tier   int
	turn   int // where the search for the pool's next one begins
}

// standing is the best of the pool's.
func (t *seat[O]) standing(now time.Time) standing {
	best := t.pool[0].standing(now)
	for _, s := range t.pool[1:] {
		next := s.standing(now)
		switch {
		case best.ready && !best.probe:
			return best
		case next.ready && (!best.ready || !next.probe):
			best = next
		case !best.ready && !next.due.IsZero() && (best.due.IsZero() || next.due.Before(best.due)):
			best = next
		}
	}
	return best
}

// untried reports whether t has a slot that is ready and that tried does not name.
func (t *seat[O]) untried(tried []Tried, now time.Time) bool {
	if len(t.pool) == 1 { // the ring knows whether it is ready
		return !t.pool[0].in(tried)
	}
	return slices.ContainsFunc(t.pool, func(s *Slot[O]) bool { return !s.in(tried) && s.standing(now).ready })
}

func (s *Slot[O]) in(tried []Tried) bool {
	for i := range tried {
		if tried[i].Credential == s.member.credential.ID && (tried[i].Model == "" || tried[i].Model == s.model) {
			return true
		}
	}
	return false
}

// next returns the pool's next slot that is ready and untried, which may be a probe; nil if
// there is none.
func (t *seat[O]) next(tried []Tried, now time.Time) (s *Slot[O], probe bool) {
	if len(t.pool) == 1 {
		// As the ring knows it to be: looking again would touch what is in no cache.
		if st := &t.ring.standings[t.at]; st.ready && (len(tried) == 0 || !t.pool[0].in(tried)) {
			return t.pool[0], st.probe
		}
		return nil, false
	}
	for i := range t.pool {
		at := (t.turn + i) % len(t.pool)
		s = t.pool[at]
		if st := s.standing(now); st.ready && !s.in(tried) {
			t.turn = (at + 1) % len(t.pool)
			return s, st.probe
		}
	}
	return nil, false
}
