package roster

import (
	"slices"
	"time"

	"github.com/understudyhq/understudy/providers"
)

// Shortage says why nobody can serve, and how long that lasts.
type Shortage struct {
	Provider   string         // set when all candidates are of one upstream
	RetryAfter time.Duration  // to the soonest time that clients are told; 0 = none is known
	Reasons    map[string]int // how many candidates each reason keeps out
	Due        time.Time      // when a request may be let through again; zero = not known
	Saturated  bool           // somebody is only busy, and may be ready any moment
}

// Shortage says why nobody in r can serve. Its cost does not grow with the number of
// candidates.
func (r *Ring[O]) Shortage(tried []Tried, now time.Time) Shortage {
	e := Shortage{Provider: r.provider, Reasons: make(map[string]int, len(r.counts)+1), Saturated: r.counts[Saturated] > 0}
	for reason, n := range r.counts {
		e.Reasons[string(reason)] = n
	}
	if r.ready > 0 && len(tried) > 0 {
		e.Reasons[string(AlreadyTried)] += r.ready
	}
	if _, until, ok := r.told.Min(); ok {
		e.tell(until, now)
	}
	if _, due, ok := r.due.Min(); ok {
		e.Due = due
	}
	return e
}

func (e *Shortage) tell(until, now time.Time) {
	d := max(until.Sub(now), time.Millisecond)
	if e.RetryAfter == 0 || d < e.RetryAfter {
		e.RetryAfter = d
	}
}

// Field returns what a pick from r is made from now, by a request that has tried some. Ready
// are then the others, and what was tried is rejected for that, whatever else there is.
func (r *Ring[O]) Field(tried []Tried, now time.Time) *Field {
	if len(tried) == 0 {
		if r.field == nil {
			r.field = r.newField(nil)
		}
		return r.field
	}
	var gone []int
	for _, t := range tried {
		if i, ok := r.at[t.Credential]; ok && !r.seats[i].untried(tried, now) && !slices.Contains(gone, int(i)) {
			gone = append(gone, int(i))
		}
	}
	slices.Sort(gone)
	return r.newField(gone)
}

// newField makes a field for a request that has tried the seats at gone.
func (r *Ring[O]) newField(gone []int) *Field {
	f := &Field{Strategy: r.roster.strategy, Ready: r.ready}
	outside := r.out.Len()
	for _, i := range gone {
		f.reject(r.seats[i].member.credential.ID, AlreadyTried)
		if r.standings[i].ready {
			f.Ready--
			outside++
		}
	}
	for i, ok := r.out.Next(0); ok && len(f.Rejected) < maxRejections; i, ok = r.out.Next(i + 1) {
		if !slices.Contains(gone, i) {
			f.reject(r.seats[i].member.credential.ID, r.standings[i].reason)
		}
	}
	lower := r.lowerTiers(f, gone)
	for _, e := range r.excluded {
		f.reject(e.Credential, e.Reason)
	}
	f.More = outside + lower + r.lists - len(f.Rejected)
	return f
}

// reject lists one that cannot be picked, if there is room.
func (f *Field) reject(id providers.CredentialID, why Reason) {
	if len(f.Rejected) < maxRejections {
		f.Rejected = append(f.Rejected, Rejection{id, why})
	}
}

// lowerTiers lists candidates that are ready, but below the tier that is picked from, and
// returns how many there are.
func (r *Ring[O]) lowerTiers(f *Field, gone []int) int {
	best, ready := r.bestTier(gone)
	if ready == 0 {
		return 0
	}
	for i := range r.seats[r.tiers[best].first:] {
		// A glance at the next ones is enough: the rest are counted.
		if i += r.tiers[best].first; len(f.Rejected) >= maxRejections || i > r.tiers[best].first+4*maxRejections {
			break
		}
		if t := &r.seats[i]; t.tier != best && r.standings[i].ready && !slices.Contains(gone, i) {
			f.reject(t.member.credential.ID, LowerTier)
		}
	}
	return f.Ready - ready
}

// bestTier returns the tier that a request picks from that has tried the seats at gone, and
// how many it can pick there; 0 = there is no such tier.
func (r *Ring[O]) bestTier(gone []int) (best, ready int) {
	for best, ok := r.open.Next(0); ok; best, ok = r.open.Next(best + 1) {
		ready := r.tiers[best].picker.Ready()
		for _, i := range gone {
			if r.seats[i].tier == best && r.standings[i].ready {
				ready--
			}
		}
		if ready > 0 {
			return best, ready
		}
	}
	return 0, 0
}
