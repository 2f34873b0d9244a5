package roster

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/internal/strategy"
	"github.com/understudyhq/understudy/providers"
)

// Ring is the candidates of one name in one format, in the order its strategy wants.
type Ring[O any] struct {
	slots  []*Slot[O]
	at     map[providers.CredentialID]int // each credential's first seat
	ready  *strategy.Set
	picker strategy.Picker
	last   providers.CredentialID // picked last by the strategy
}

// Slot is one (credential, upstream model).
type Slot[O any] struct {
	member *member[O]
	model  string
	owner  O    // of this model alone
	owned  bool // owner is set; else the credential's owner stands in
	down   bool // its owner is being restarted
	rest   cooldown.State
	seats  []seat[O]
}

// seat is a slot's place in one ring.
type seat[O any] struct {
	ring *Ring[O]
	at   int
}

// newRing seats slots in the order that name wants. last was picked before, if anybody was.
func newRing[O any](slots []*Slot[O], name config.Strategy, last providers.CredentialID) *Ring[O] {
	r := &Ring[O]{slots: slots, at: make(map[providers.CredentialID]int, len(slots)), ready: strategy.NewSet(len(slots)), last: last}
	if name == config.FillFirst {
		slices.SortStableFunc(slots, func(a, b *Slot[O]) int { return cmp.Compare(a.member.order, b.member.order) })
		r.picker = strategy.FillFirst{}
	} else {
		slices.SortStableFunc(slots, func(a, b *Slot[O]) int { return cmp.Compare(a.member.credential.ID, b.member.credential.ID) })
		start := rand.IntN(len(slots))
		if last != "" {
			start, _ = slices.BinarySearchFunc(slots, last, func(s *Slot[O], id providers.CredentialID) int {
				if s.member.credential.ID <= id {
					return -1
				}
				return 1
			})
		}
		r.picker = strategy.NewRoundRobin(start)
	}
	for i, s := range slots {
		if _, ok := r.at[s.member.credential.ID]; !ok {
			r.at[s.member.credential.ID] = i
		}
		s.seats = append(s.seats, seat[O]{r, i})
		if s.ready() {
			r.ready.Add(i)
		}
	}
	return r
}

// Credential returns the id of s's credential.
func (s *Slot[O]) Credential() providers.CredentialID { return s.member.credential.ID }

// Owner returns who grants s: its own owner or, while that is not known, its credential's.
func (s *Slot[O]) Owner() O {
	if s.owned {
		return s.owner
	}
	return s.member.owner
}

// Model returns the upstream's own name of s's model.
func (s *Slot[O]) Model() string { return s.model }

// Pick asks the strategy for a ready slot that tried does not name.
func (r *Ring[O]) Pick(tried []providers.CredentialID) *Slot[O] {
	var skip func(int) bool
	if len(tried) > 0 {
		skip = func(i int) bool { return slices.Contains(tried, r.slots[i].member.credential.ID) }
	}
	i, ok := r.picker.Pick(r.ready, skip)
	if !ok {
		return nil
	}
	r.last = r.slots[i].member.credential.ID
	return r.slots[i]
}

// Ready returns how many of r's slots are believed ready.
func (r *Ring[O]) Ready() int { return r.ready.Len() }

// Seated returns the slot of a credential if it is ready and tried does not name it. hint is
// the place where it was found last, or anything; at is where it is now. With a right hint
// nothing is looked up, which matters when there are so many credentials that nothing of
// them is in the processor's caches.
func (r *Ring[O]) Seated(id providers.CredentialID, hint int32, tried []providers.CredentialID) (s *Slot[O], at int32) {
	if id == "" || slices.Contains(tried, id) {
		return nil, hint
	}
	if i := int(hint); i >= 0 && i < len(r.slots) && r.slots[i].member.credential.ID == id && r.ready.Has(i) {
		return r.slots[i], hint
	}
	if i, ok := r.at[id]; ok && r.ready.Has(i) {
		return r.slots[i], int32(i)
	}
	return nil, hint
}

// Wake makes slots ready whose rest ended at or before now but whose owner has not said
// so yet. It runs only when nobody else is ready.
func (r *Ring[O]) Wake(now time.Time) (woken bool) {
	for _, s := range r.slots {
		if !s.rest.Until.IsZero() && !s.rest.Resting(now) {
			s.rest.Until = time.Time{}
			s.refresh()
		}
		if m := s.member; !m.rest.Until.IsZero() && !m.rest.Resting(now) {
			m.rest.Until = time.Time{}
			m.refresh()
		}
		woken = woken || s.ready()
	}
	return woken
}

// Shortage says why nobody can serve.
type Shortage struct {
	Provider   string         // set when all candidates are of one upstream
	RetryAfter time.Duration  // to the soonest recovery; 0 = none is known
	Reasons    map[string]int // how many candidates each reason keeps out
}

// Shortage says why nobody in r can serve.
func (r *Ring[O]) Shortage(tried []providers.CredentialID, now time.Time) Shortage {
	e := Shortage{Reasons: map[string]int{}}
	soonest := time.Time{}
	for i, s := range r.slots {
		reason, until := s.unready(tried)
		e.Reasons[reason]++
		if !until.IsZero() && (soonest.IsZero() || until.Before(soonest)) {
			soonest = until
		}
		switch name := s.member.credential.Upstream.Name; {
		case i == 0:
			e.Provider = name
		case e.Provider != name:
			e.Provider = ""
		}
	}
	if !soonest.IsZero() {
		e.RetryAfter = max(soonest.Sub(now), time.Millisecond)
	}
	return e
}

// slot returns m's slot for an upstream model, made on first use.
func (m *member[O]) slot(model string) *Slot[O] {
	s, ok := m.slots[model]
	if !ok {
		s = &Slot[O]{member: m, model: model}
		m.slots[model] = s
	}
	return s
}

// tidy forgets a slot of which nothing is known and that sits nowhere.
func (m *member[O]) tidy(s *Slot[O]) {
	if len(s.seats) == 0 && s.rest.Until.IsZero() && !s.owned && !s.down {
		delete(m.slots, s.model)
	}
}

func (m *member[O]) refresh() {
	for _, s := range m.slots {
		s.refresh()
	}
}

// ready reports whether s may be picked, as far as the index knows. A rest counts until
// its owner says that it ended, or wake finds it over.
func (s *Slot[O]) ready() bool {
	m := s.member
	return !m.credential.Disabled && !m.down && !m.failed && !s.down && m.rest.Until.IsZero() && s.rest.Until.IsZero()
}

// refresh carries s's readiness to every ring it sits in.
func (s *Slot[O]) refresh() {
	ready := s.ready()
	for _, t := range s.seats {
		if ready {
			t.ring.ready.Add(t.at)
		} else {
			t.ring.ready.Remove(t.at)
		}
	}
}

// unready says what keeps s out and, if that ends by itself, when.
func (s *Slot[O]) unready(tried []providers.CredentialID) (reason string, until time.Time) {
	m := s.member
	rest := m.rest
	if s.rest.Until.After(rest.Until) {
		rest = s.rest
	}
	switch {
	case m.credential.Disabled:
		return "disabled", time.Time{}
	case m.failed:
		return "failed", time.Time{}
	case rest.Kind == providers.Unauthorized && !rest.Until.IsZero():
		return "unauthorized", time.Time{}
	case !rest.Until.IsZero():
		return "resting:" + string(rest.Kind), rest.Until
	case slices.Contains(tried, m.credential.ID):
		return "tried", time.Time{}
	default:
		return "restarting", time.Time{}
	}
}
