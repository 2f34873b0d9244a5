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

// Field returns what a pick from r is made from now, for a request that has tried some
// already.
func (r *Ring[O]) Field(tried []Tried, now time.Time) *Field {
	if gone := r.gone(tried, now); gone != nil {
		return r.describe(gone)
	}
	if r.field == nil {
		r.field = r.describe(nil)
	}
	return r.field
}

// gone returns the seats that are ready, but of which all was tried.
func (r *Ring[O]) gone(tried []Tried, now time.Time) []int32 {
	var gone []int32
	for _, t := range tried {
		i, known := r.at[t.Credential]
		if known && r.standings[i].ready && !slices.Contains(gone, i) && !r.seats[i].untried(tried, now) {
			gone = append(gone, i)
		}
	}
	return gone
}

// describe makes a Field, for which the seats in gone are tried.
func (r *Ring[O]) describe(gone []int32) *Field {
	f := &Field{Strategy: r.roster.strategy, Ready: r.ready - len(gone)}
	reject := func(id providers.CredentialID, why Reason) {
		if len(f.Rejected) < maxRejections {
			f.Rejected = append(f.Rejected, Rejection{id, why})
		}
	}
	for _, i := range gone {
		reject(r.seats[i].member.credential.ID, AlreadyTried)
	}
	for i, ok := r.out.Next(0); ok && len(f.Rejected) < maxRejections; i, ok = r.out.Next(i + 1) {
		reject(r.seats[i].member.credential.ID, r.standings[i].reason)
	}
	lower := r.lowerTiers(gone, reject)
	for _, e := range r.excluded {
		reject(e.Credential, e.Reason)
	}
	f.More = len(gone) + r.out.Len() + lower + r.lists - len(f.Rejected)
	return f
}

// lowerTiers rejects candidates that are ready, but below the tier that is picked from, and
// returns how many there are.
func (r *Ring[O]) lowerTiers(gone []int32, reject func(providers.CredentialID, Reason)) int {
	left := func(t int) int {
		n := r.tiers[t].picker.Ready()
		for _, i := range gone {
			if r.seats[i].tier == t {
				n--
			}
		}
		return n
	}
	best, ok := r.open.Next(0)
	for ok && left(best) == 0 {
		best, ok = r.open.Next(best + 1)
	}
	if !ok {
		return 0
	}
	// A glance at the next ones is enough: the rest are counted.
	from := r.tiers[best].first
	for i := from; i < len(r.seats) && i <= from+4*maxRejections; i++ {
		if t := &r.seats[i]; t.tier != best && r.standings[i].ready && !slices.Contains(gone, int32(i)) {
			reject(t.member.credential.ID, LowerTier)
		}
	}
	return r.ready - len(gone) - left(best)
}
