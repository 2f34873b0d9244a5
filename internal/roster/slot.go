package roster

import (
	"time"

	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

// member is one credential as the router sees it.
type member[O any] struct {
	credential *providers.Credential
	owner      O
	order      int  // in the configuration
	never      bool // of weight 0, under the weighted strategy
	down       bool // its owner is being restarted
	failed     bool // its owner was given up
	rest       cooldown.State
	probing    bool   // a probe of rest is under way
	inFlight   int    // leases, as far as they are tracked
	usedAt     uint64 // counts picks; 0 = never
	slots      map[string]*Slot[O]
}

// Slot is one (credential, upstream model). What every pick needs comes first: with many
// credentials, the rest is in no cache.
type Slot[O any] struct {
	model   string
	granter O    // who grants it now
	limited bool // the credential's leases have a limit
	owned   bool // owner is set; else the credential's owner stands in
	down    bool // its owner is being restarted
	probing bool // a probe of rest is under way
	member  *member[O]
	owner   O // of this model alone
	seats   []*seat[O]
	names   []routeKey // it had seats under, and may have again
	rest    cooldown.State
}

// standing says whether a candidate can be picked and, if not, why.
type standing struct {
	ready  bool
	probe  bool      // ready, but only for one request that finds out whether the rest can end
	reason Reason    // unless ready
	due    time.Time // when it may be ready without further news; zero = it will not
	until  time.Time // the time that clients are told; zero = none is known
}

// Credential returns the id of s's credential.
func (s *Slot[O]) Credential() providers.CredentialID { return s.member.credential.ID }

// Owner returns who grants s: its own owner or its credential's, while s has none that is
// known, and where a grant is the credential's own business: if the number of its leases
// has a limit, or if it rests as a whole.
func (s *Slot[O]) Owner() O { return s.granter }

// Granter returns the owner of this model alone, if it is known.
func (s *Slot[O]) Granter() (owner O, ok bool) { return s.owner, s.owned }

// RestsBeyond reports whether s rests for longer than d in all.
func (s *Slot[O]) RestsBeyond(d time.Duration) bool { return s.rest.Until.After(s.rest.Since.Add(d)) }

// Spare cuts the rest of s to the base step, as its owner is about to do.
func (s *Slot[O]) Spare(base time.Duration, now time.Time) {
	s.rest = cooldown.Policy{Base: base}.Spare(s.rest)
	s.refresh(now)
}

// Model returns the upstream's own name of s's model.
func (s *Slot[O]) Model() string { return s.model }

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

func (m *member[O]) refresh(now time.Time) {
	for _, s := range m.slots {
		s.refresh(now)
	}
}

// refresh carries s's standing to every ring it sits in.
func (s *Slot[O]) refresh(now time.Time) {
	s.chooseGranter()
	for _, t := range s.seats {
		t.ring.place(t, t.standing(now))
	}
}

func (s *Slot[O]) chooseGranter() {
	m := s.member
	s.limited = m.credential.MaxConcurrency > 0
	if s.granter = s.owner; !s.owned || s.limited || !m.rest.Until.IsZero() {
		s.granter = m.owner
	}
}

// loaded carries m's load to every ring it sits in.
func (m *member[O]) loaded(now time.Time) {
	for _, s := range m.slots {
		for _, t := range s.seats {
			t.ring.tiers[t.tier].picker.SetLoad(t.at-t.ring.tiers[t.tier].first, m.inFlight, m.usedAt)
		}
	}
	if m.credential.MaxConcurrency > 0 {
		m.refresh(now)
	}
}

func (m *member[O]) saturated() bool {
	limit := m.credential.MaxConcurrency
	return limit > 0 && m.inFlight >= limit
}

// standing says how s stands at now, as far as the roster knows.
func (s *Slot[O]) standing(now time.Time) standing {
	m := s.member
	switch {
	case m.credential.Disabled, m.never:
		return standing{reason: Disabled}
	case m.credential.Draining:
		return standing{reason: Draining}
	case m.failed, m.down, s.down:
		return standing{reason: Failed}
	}
	wide, own := m.rest.Resting(now), s.rest.Resting(now)
	switch {
	case wide && m.rest.Kind == providers.Unauthorized:
		st := rested(m.rest, m.probing, now)
		if own {
			st = st.and(rested(s.rest, s.probing, now))
		}
		st.reason, st.until = Unauthorized, time.Time{}
		return st.unless(m.saturated())
	case wide && own:
		return rested(m.rest, m.probing, now).and(rested(s.rest, s.probing, now)).unless(m.saturated())
	case wide:
		return rested(m.rest, m.probing, now).unless(m.saturated())
	case own:
		return rested(s.rest, s.probing, now).unless(m.saturated())
	default:
		return standing{ready: true}.unless(m.saturated())
	}
}

// rested is the standing of what rests at now.
func rested(rest cooldown.State, probing bool, now time.Time) standing {
	switch {
	case probing:
		return standing{reason: restReason(rest.Kind), until: rest.Until}
	case rest.ProbeDue(now):
		return standing{ready: true, probe: true}
	default:
		return standing{reason: restReason(rest.Kind), due: rest.Due(now), until: rest.Until}
	}
}

// and is the standing of what rests for two reasons.
func (a standing) and(b standing) standing {
	switch {
	case a.ready:
		return b
	case b.ready:
		return a
	}
	if a.due.IsZero() || b.due.IsZero() { // one of them ends with news only
		a.due = time.Time{}
	} else if b.due.After(a.due) {
		a.due = b.due
	}
	if b.until.After(a.until) {
		a.reason, a.until = b.reason, b.until
	}
	return a
}

// unless takes the readiness away from a credential that has all the leases it may have.
func (a standing) unless(saturated bool) standing {
	if a.ready && saturated {
		return standing{reason: Saturated}
	}
	return a
}
