package roster

import "time"

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

// Field returns what a pick from r is made from now.
func (r *Ring[O]) Field() *Field {
	if r.field != nil {
		return r.field
	}
	f := &Field{Strategy: r.roster.strategy, Ready: r.ready}
	for i, ok := r.out.Next(0); ok && len(f.Rejected) < maxRejections; i, ok = r.out.Next(i + 1) {
		f.Rejected = append(f.Rejected, Rejection{r.seats[i].member.credential.ID, r.standings[i].reason})
	}
	lower := r.lowerTiers(f)
	for _, e := range r.excluded {
		if len(f.Rejected) < maxRejections {
			f.Rejected = append(f.Rejected, e)
		}
	}
	f.More = r.out.Len() + lower + r.lists - len(f.Rejected)
	r.field = f
	return f
}

// lowerTiers lists candidates that are ready, but below the tier that is picked from, and
// returns how many there are.
func (r *Ring[O]) lowerTiers(f *Field) int {
	best, ok := r.open.Next(0)
	if !ok {
		return 0
	}
	lower := r.ready - r.tiers[best].picker.Ready()
	for i := range r.seats[r.tiers[best].first:] {
		// A glance at the next ones is enough: the rest are counted.
		if i += r.tiers[best].first; len(f.Rejected) >= maxRejections || i > r.tiers[best].first+4*maxRejections {
			break
		}
		if t := &r.seats[i]; t.tier != best && r.standings[i].ready {
			f.Rejected = append(f.Rejected, Rejection{t.member.credential.ID, LowerTier})
		}
	}
	return lower
}
