package roster

import (
	"time"

	"github.com/understudyhq/understudy/providers"
)

// fellows returns the positions of those that can stand in for a credential in what exists
// at its organisation only: itself and the others of its account.
func (r *Ring[O]) fellows(id providers.CredentialID, upstream, accountName string) []int32 {
	var all []int32
	if i, ok := r.at[id]; ok && r.seats[i].member.credential.Upstream.Name == upstream {
		all = append(all, i)
	}
	if accountName == "" {
		return all
	}
	if r.accounts == nil {
		r.accounts = map[account][]int32{}
		for i := range r.seats {
			if c := r.seats[i].member.credential; c.Account != "" {
				a := account{c.Upstream, c.Account}
				r.accounts[a] = append(r.accounts[a], int32(i))
			}
		}
	}
	for a, places := range r.accounts {
		if a.name != accountName || a.upstream.Name != upstream {
			continue
		}
		for _, i := range places {
			if r.seats[i].member.credential.ID != id {
				all = append(all, i)
			}
		}
	}
	return all
}

// Fellow returns a ready, untried slot of the credential or, if there is none, of another
// one of its account.
func (r *Ring[O]) Fellow(id providers.CredentialID, upstream, account string, tried []Tried, now time.Time) (p Pick[O], ok bool) {
	for _, i := range r.fellows(id, upstream, account) {
		if !r.standings[i].ready || len(tried) > 0 && !r.seats[i].untried(tried, now) {
			continue
		}
		if p, ok = r.take(int(i), tried, now); ok {
			return p, true
		}
	}
	return Pick[O]{}, false
}

// FellowShortage is Shortage for those that Fellow looks at. known tells whether any of them
// is a candidate that is not out for good.
func (r *Ring[O]) FellowShortage(id providers.CredentialID, upstream, account string, now time.Time) (e Shortage, known bool) {
	e = Shortage{Provider: upstream, Reasons: map[string]int{}}
	for _, i := range r.fellows(id, upstream, account) {
		st := r.standings[i]
		if st.ready {
			known = true
			e.Reasons[string(AlreadyTried)]++
			continue
		}
		known = known || st.reason != Disabled && st.reason != Draining && st.reason != Unauthorized
		e.Reasons[string(st.reason)]++
		e.note(st, now)
	}
	return e, known
}

// note takes the times of st over if they are sooner.
func (e *Shortage) note(st standing, now time.Time) {
	if !st.until.IsZero() {
		e.tell(st.until, now)
	}
	if !st.due.IsZero() && (e.Due.IsZero() || st.due.Before(e.Due)) {
		e.Due = st.due
	}
	e.Saturated = e.Saturated || st.reason == Saturated
}
