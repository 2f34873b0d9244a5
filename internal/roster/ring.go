package roster

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/understudyhq/understudy/internal/strategy"
	"github.com/understudyhq/understudy/providers"
)

// Ring is the candidates of one name in one format: by tier of priority, and inside a tier
// in the order its strategy wants. A pick costs the same however many of them there are and
// however many of those rest.
type Ring[O any] struct {
	roster    *Roster[O]
	seats     []seat[O]
	at        map[providers.CredentialID]int32
	tiers     []tier // highest first
	open      *strategy.Set
	out       *strategy.Set // positions that cannot be picked
	ready     int
	standings []standing
	due       *strategy.Queue[time.Time]
	told      *strategy.Queue[time.Time] // times that clients are told
	counts    map[Reason]int             // of those that cannot be picked
	provider  string                     // set when all candidates are of one upstream
	fallbacks []string
	excluded  []Rejection // the first of those whose lists leave the model out
	lists     int         // all of them
	field     *Field      // as of now; nil = to be made
	accounts  map[account][]int32

	tried []Tried // of the pick that is under way
	now   time.Time
	skip  func(int) bool // made once
	first int            // of the tier that is picked from
}

// tier is the candidates of one priority.
type tier struct {
	priority int
	first    int // position
	picker   strategy.Picker
}

// account names credentials that can stand in for each other.
type account struct {
	upstream *providers.Upstream
	name     string
}

// Pick is a slot that was picked.
type Pick[O any] struct {
	*Slot[O]
	ID     providers.CredentialID
	Probe  bool // it rests: this request finds out whether it must go on
	Pooled bool // its credential has other models under the same name
}

// newRing seats slots, which are grouped by credential. memory holds, by priority, where
// earlier rings of that name were.
func newRing[O any](x *Roster[O], slots []*Slot[O], memory map[int]strategy.Memory, now time.Time) *Ring[O] {
	r := &Ring[O]{roster: x, counts: map[Reason]int{}}
	r.sit(slots)
	n := len(r.seats)
	r.at = make(map[providers.CredentialID]int32, n)
	r.out, r.standings = strategy.NewSet(n), make([]standing, n)
	r.due, r.told = strategy.NewQueue(n, time.Time.Compare), strategy.NewQueue(n, time.Time.Compare)
	r.divide(memory)
	r.open = strategy.NewSet(len(r.tiers))
	r.skip = func(i int) bool { return !r.seats[r.first+i].untried(r.tried, r.now) }
	r.provider = r.seats[0].member.credential.Upstream.Name
	for i := range r.seats {
		t := &r.seats[i]
		r.at[t.member.credential.ID] = int32(i)
		for _, s := range t.pool {
			s.seats = append(s.seats, t)
			s.chooseGranter()
		}
		if t.member.credential.Upstream.Name != r.provider {
			r.provider = ""
		}
		r.out.Add(i)
		st := t.standing(now)
		r.standings[i] = standing{reason: st.reason}
		r.counts[st.reason]++
		r.place(t, st)
		r.tiers[t.tier].picker.SetLoad(i-r.tiers[t.tier].first, t.member.inFlight, t.member.usedAt)
	}
	return r
}

// sit makes a seat for every credential of slots, in the strategy's order.
func (r *Ring[O]) sit(slots []*Slot[O]) {
	fill := r.roster.kind() == strategy.FillFirst
	slices.SortStableFunc(slots, func(a, b *Slot[O]) int {
		x, y := a.member, b.member
		inTier := cmp.Compare(x.credential.ID, y.credential.ID)
		if fill {
			inTier = cmp.Compare(x.order, y.order)
		}
		return cmp.Or(cmp.Compare(y.credential.Priority, x.credential.Priority), inTier)
	})
	r.seats = make([]seat[O], 0, len(slots)) // grows no more: slots point to its elements
	for _, s := range slots {
		if n := len(r.seats); n > 0 && r.seats[n-1].member == s.member {
			r.seats[n-1].pool = append(r.seats[n-1].pool, s)
			continue
		}
		r.seats = append(r.seats, seat[O]{ring: r, at: len(r.seats), id: s.member.credential.ID, member: s.member, pool: []*Slot[O]{s}})
	}
}

// divide makes the tiers and their pickers.
func (r *Ring[O]) divide(memory map[int]strategy.Memory) {
	for begin := 0; begin < len(r.seats); {
		priority := r.seats[begin].member.credential.Priority
		end := begin
		var candidates []strategy.Candidate
		for ; end < len(r.seats) && r.seats[end].member.credential.Priority == priority; end++ {
			c := r.seats[end].member.credential
			r.seats[end].tier = len(r.tiers)
			candidates = append(candidates, strategy.Candidate{ID: string(c.ID), Account: c.Account, Weight: c.Weight})
		}
		picker := strategy.New(r.roster.kind(), candidates, memory[priority], rand.IntN)
		r.tiers = append(r.tiers, tier{priority: priority, first: begin, picker: picker})
		begin = end
	}
}

// memory returns where the ring is, by priority.
func (r *Ring[O]) memory() map[int]strategy.Memory {
	m := make(map[int]strategy.Memory, len(r.tiers))
	for _, t := range r.tiers {
		m[t.priority] = t.picker.Memory()
	}
	return m
}

// place takes note of how a seat stands.
func (r *Ring[O]) place(t *seat[O], st standing) {
	old := &r.standings[t.at]
	if *old == st {
		return
	}
	if !old.ready {
		if r.counts[old.reason]--; r.counts[old.reason] == 0 {
			delete(r.counts, old.reason)
		}
	}
	if !st.ready {
		r.counts[st.reason]++
	}
	if old.ready != st.ready {
		r.setReady(t, st.ready)
	}
	setTime(r.due, t.at, st.due)
	setTime(r.told, t.at, st.until)
	*old = st
	r.field = nil
}

func (r *Ring[O]) setReady(t *seat[O], ready bool) {
	tier := r.tiers[t.tier]
	tier.picker.SetReady(t.at-tier.first, ready)
	if ready {
		r.ready++
		r.out.Remove(t.at)
	} else {
		r.ready--
		r.out.Add(t.at)
	}
	if tier.picker.Ready() > 0 {
		r.open.Add(t.tier)
	} else {
		r.open.Remove(t.tier)
	}
}

func setTime(q *strategy.Queue[time.Time], at int, t time.Time) {
	if t.IsZero() {
		q.Remove(at)
	} else {
		q.Put(at, t)
	}
}

// Wake takes note of the rests that ended at or before now and of the probes that are due.
func (r *Ring[O]) Wake(now time.Time) {
	for {
		i, due, ok := r.due.Min()
		if !ok || due.After(now) {
			return
		}
		st := r.seats[i].standing(now)
		if !st.due.IsZero() && !st.due.After(now) {
			st.due = time.Time{} // it cannot be: lest one wait for it for ever
		}
		r.place(&r.seats[i], st)
	}
}

// Pick asks the strategy of the highest tier that has a ready candidate, but for what was
// tried. It counts the pick.
func (r *Ring[O]) Pick(tried []Tried, now time.Time) (Pick[O], bool) {
	r.tried, r.now = tried, now
	skip := r.skip
	if len(tried) == 0 {
		skip = nil
	}
	for t, ok := r.open.Next(0); ok; t, ok = r.open.Next(t + 1) {
		r.first = r.tiers[t].first
		if i, ok := r.tiers[t].picker.Pick(skip); ok {
			return r.take(r.first+i, tried, now)
		}
	}
	return Pick[O]{}, false
}

// take returns a slot of the ready seat at i, and remembers a probe.
func (r *Ring[O]) take(i int, tried []Tried, now time.Time) (Pick[O], bool) {
	t := &r.seats[i]
	s, probe := t.next(tried, now)
	if s == nil {
		return Pick[O]{}, false
	}
	if probe {
		s.probed(now)
	}
	return Pick[O]{Slot: s, ID: t.id, Probe: probe, Pooled: len(t.pool) > 1}, true
}

// probed remembers that a probe of s is under way.
func (s *Slot[O]) probed(now time.Time) {
	m := s.member
	if s.rest.Resting(now) {
		s.probing = true
		s.refresh(now)
	}
	if m.rest.Resting(now) {
		m.probing = true
		m.refresh(now)
	}
}

// Seated returns a slot of a credential if it is ready and was not tried. hint is the place
// where it was found last, or anything; at is where it is now. With a right hint nothing is
// looked up, which matters when there are so many credentials that nothing of them is in
// the processor's caches.
func (r *Ring[O]) Seated(id providers.CredentialID, hint int32, tried []Tried, now time.Time) (p Pick[O], at int32, ok bool) {
	at = hint
	if id == "" {
		return Pick[O]{}, at, false
	}
	if i := int(hint); i < 0 || i >= len(r.seats) || r.seats[i].id != id {
		var known bool
		if at, known = r.at[id]; !known {
			return Pick[O]{}, hint, false
		}
	}
	if !r.standings[at].ready || len(tried) > 0 && !r.seats[at].untried(tried, now) {
		return Pick[O]{}, at, false
	}
	p, ok = r.take(int(at), tried, now)
	return p, at, ok
}

// Fallbacks returns the names to try when nobody in r can serve. It is not to be changed.
func (r *Ring[O]) Fallbacks() []string { return r.fallbacks }
