package ledger

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

// Snapshot is what the engine knows at one instant.
type Snapshot struct {
	At          time.Time
	Credentials []CredentialView // by id
	Sessions    int              // bound ones
	Attempts    uint64           // leases that ended
	Overdue     uint64           // of those, never reported
	Failures    uint64           // of actors
}

// CredentialView is one credential at one instant.
type CredentialView struct {
	ID       providers.CredentialID
	Provider string
	Account  string
	Status   string // active, resting, unauthorized, disabled, restarting or failed
	Reason   string // why, when it is not active
	Until    time.Time
	Models   []ModelView // those that were used or rest
	Attempts uint64
	Served   uint64
	Failed   uint64
	Usage    providers.Usage
	Windows  []providers.Quota         // limits as the upstream told them last
	Rests    map[providers.Kind]uint64 // that began, its own and its models', by what they are for
}

// ModelView is one model of a credential at one instant.
type ModelView struct {
	Name  string
	State cooldown.State
}

func (l *Ledger) snapshot(now time.Time) Snapshot {
	s := Snapshot{At: now, Sessions: len(l.sessions), Attempts: l.attempts, Overdue: l.overdue, Failures: l.failures}
	for _, r := range l.credentials {
		s.Credentials = append(s.Credentials, r.view(now))
	}
	slices.SortFunc(s.Credentials, func(a, b CredentialView) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

func (a *account) view(now time.Time) CredentialView {
	v := CredentialView{
		ID: a.credential.ID, Provider: a.credential.Upstream.Name, Account: a.credential.Account,
		Attempts: a.attempts, Served: a.served, Failed: a.failed, Usage: a.usage, Windows: a.windows,
		Rests: maps.Clone(a.rests),
	}
	resting := 0
	var soonest cooldown.State
	for _, name := range slices.Sorted(maps.Keys(a.models)) {
		state := a.models[name]
		v.Models = append(v.Models, ModelView{name, state})
		if state.Resting(now) {
			resting++
			if soonest.Until.IsZero() || state.Until.Before(soonest.Until) {
				soonest = state
			}
		}
	}
	switch {
	case a.credential.Disabled:
		v.Status = "disabled"
	case a.down.Failed:
		v.Status, v.Reason = "failed", a.down.Reason
	case a.down.Credential != "":
		v.Status, v.Reason = "restarting", a.down.Reason
	case a.rest.Resting(now) && a.rest.Kind == providers.Unauthorized:
		v.Status, v.Reason, v.Until = "unauthorized", string(a.rest.Kind), a.rest.Until
	case a.rest.Resting(now):
		v.Status, v.Reason, v.Until = "resting", string(a.rest.Kind), a.rest.Until
	case resting > 0 && resting == len(a.models):
		v.Status, v.Reason, v.Until = "resting", string(soonest.Kind), soonest.Until
	default:
		v.Status = "active"
	}
	return v
}
