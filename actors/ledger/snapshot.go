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
	Restarts    uint64           // of those, followed by a restart
}

// CredentialView is one credential at one instant.
type CredentialView struct {
	ID       providers.CredentialID
	Provider string
	Account  string
	Status   string // active, resting, unauthorized, disabled, draining, restarting or failed
	Reason   string // why, when it is not active
	Until    time.Time
	Models   []ModelView // those that were used or rest
	Attempts uint64
	Served   uint64
	Failed   uint64
	Usage    providers.Usage
	Windows  []providers.Quota         // limits as the upstream told them last
	Rests    map[providers.Kind]uint64 // that began, its own and its models', by what they are for

	Priority       int
	Weight         int
	MaxConcurrency int // 0 = no limit
	Disabled       bool
	InFlight       int        // leases that are open
	Sessions       int        // that are bound to it
	ExpiresAt      time.Time  // of its access token; zero = not known, or it is no token
	LastError      *LastError // nil = there was none
}

// LastError is what a credential failed with last. It holds no secret.
type LastError struct {
	At     time.Time
	Model  string
	Kind   providers.Kind
	Status int // the upstream's; 0 = it did not answer
	Reason string
}

// ModelView is one model of a credential at one instant.
type ModelView struct {
	Name  string
	State cooldown.State
}

func (l *Ledger) snapshot(now time.Time) Snapshot {
	s := Snapshot{At: now, Sessions: len(l.sessions.byKey), Attempts: l.attempts, Overdue: l.overdue, Failures: l.failures, Restarts: l.failures - l.stops}
	for _, r := range l.credentials {
		v := r.view(now)
		v.Sessions = l.sessions.count[v.ID]
		s.Credentials = append(s.Credentials, v)
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
	a.describe(&v)
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
	case a.credential.Draining:
		v.Status = "draining"
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

// describe tells of the credential itself.
func (a *account) describe(v *CredentialView) {
	c := a.credential
	v.Priority, v.Weight, v.MaxConcurrency, v.Disabled = c.Priority, c.Weight, c.MaxConcurrency, c.Disabled
	v.ExpiresAt, v.LastError = c.ExpiresAt, a.lastError
	if c.Grant != nil {
		v.ExpiresAt = a.expiresAt
	}
	if a.inFlight != nil {
		v.InFlight = int(a.inFlight.Load())
	}
}
