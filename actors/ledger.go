package actors

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/internal/recent"
	"github.com/understudyhq/understudy/providers"
)

// Messages the ledger takes, besides every Fact.
type (
	takeSnapshot struct{}                     // answered with Snapshot
	subscribe    struct{ *stage.Feed[Event] } // events flow until unsubscribe
	unsubscribe  struct{ *stage.Feed[Event] }
	recorded     struct{ record *Record }
	listRecords  struct{ limit int } // answered with []*Record
	findRecord   struct{ id string } // answered with *Record, nil if there is none
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

// maxKnownModels bounds the models of one credential that are shown: clients can make names
// up for an upstream that takes any.
const maxKnownModels = 256

// record is one credential as the ledger keeps it.
type record struct {
	credential *providers.Credential
	down       CredentialDown // zero while its actor is well
	rest       cooldown.State
	models     map[string]cooldown.State
	last       string // the model that was used last, which is in models if there is room
	attempts   uint64
	served     uint64
	failed     uint64
	usage      providers.Usage
	windows    []providers.Quota
	rests      map[providers.Kind]uint64
}

// ledger counts what happened and passes it on to subscribers.
type ledger struct {
	credentials map[providers.CredentialID]*record
	records     recent.List[*Record]
	subscribers map[*stage.Feed[Event]]struct{}
	seq         uint64
	sessions    map[[16]byte]struct{}
	attempts    uint64
	overdue     uint64
	failures    uint64
}

func newLedger() *ledger {
	return &ledger{
		credentials: map[providers.CredentialID]*record{},
		records:     recent.New[*Record](recordsKept),
		subscribers: map[*stage.Feed[Event]]struct{}{},
		sessions:    map[[16]byte]struct{}{},
	}
}

// Receive is part of actor.Actor.
func (l *ledger) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case Fact:
		l.note(msg)
		l.publish(msg)
	case takeSnapshot:
		c.Respond(l.snapshot(time.Now()))
	case subscribe:
		l.subscribers[msg.Feed] = struct{}{}
	case unsubscribe:
		delete(l.subscribers, msg.Feed)
	case recorded:
		l.records.Add(msg.record)
		l.publish(Recorded{msg.record})
	case listRecords:
		c.Respond(l.records.Latest(msg.limit))
	case findRecord:
		rec, _ := l.records.Find(func(r *Record) bool { return r.RequestID == msg.id })
		c.Respond(rec)
	default:
		stage.Unhandled(c)
	}
}

func (l *ledger) note(f Fact) {
	switch f := f.(type) {
	case Attempted:
		l.attempted(f)
	case CredentialJoined:
		r, ok := l.credentials[f.Credential.ID]
		if !ok {
			r = &record{models: map[string]cooldown.State{}, rests: map[providers.Kind]uint64{}}
			l.credentials[f.Credential.ID] = r
		}
		r.credential, r.down = f.Credential, CredentialDown{}
	case CredentialLeft:
		delete(l.credentials, f.Credential)
	case CredentialDown:
		l.with(f.Credential, func(r *record) { r.down = f })
	case CredentialUp:
		l.with(f.Credential, func(r *record) { r.down = CredentialDown{} })
	case Rested:
		l.with(f.Credential, func(r *record) {
			last, known := r.models[f.Model]
			if f.Model == "" {
				last = r.rest
			}
			if f.State.Resting(time.Now()) && !f.State.Since.Equal(last.Since) {
				r.rests[f.State.Kind]++
			}
			switch {
			case f.Model == "":
				r.rest = f.State
			case known || !f.State.Until.IsZero(): // not the end of a rest of a model that has left
				r.models[f.Model] = f.State
			}
		})
	case ModelLeft:
		l.with(f.Credential, func(r *record) {
			delete(r.models, f.Model)
			r.last = ""
		})
	case SessionBound:
		l.sessions[f.Key] = struct{}{}
	case SessionExpired:
		delete(l.sessions, f.Key)
	case SessionsLost:
		clear(l.sessions)
	case Supervised:
		l.failures++
	}
}

func (l *ledger) with(id providers.CredentialID, change func(*record)) {
	if r, ok := l.credentials[id]; ok {
		change(r)
	}
}

func (l *ledger) attempted(f Attempted) {
	l.attempts++
	if f.Overdue {
		l.overdue++
	}
	l.with(f.Credential, func(r *record) {
		r.attempts++
		if f.Model != r.last { // else it is known
			if _, known := r.models[f.Model]; !known && len(r.models) < maxKnownModels {
				r.models[f.Model] = cooldown.State{}
			}
			r.last = f.Model
		}
		switch {
		case f.Outcome.Kind == providers.Success:
			r.served++
		case f.Outcome.Retryable():
			r.failed++
		}
		if f.Outcome.Quotas != nil {
			r.windows = f.Outcome.Quotas
		}
		r.usage.InputTokens += f.Outcome.Usage.InputTokens
		r.usage.OutputTokens += f.Outcome.Usage.OutputTokens
		r.usage.CachedTokens += f.Outcome.Usage.CachedTokens
		r.usage.CacheWriteTokens += f.Outcome.Usage.CacheWriteTokens
	})
}

// publish passes a fact on. A subscriber that is too slow misses it and is told how many.
func (l *ledger) publish(f Fact) {
	if len(l.subscribers) == 0 {
		return
	}
	l.seq++
	at := time.Now()
	for s := range l.subscribers {
		s.Offer(Event{Seq: l.seq, At: at, Fact: f})
	}
}

func (l *ledger) snapshot(now time.Time) Snapshot {
	s := Snapshot{At: now, Sessions: len(l.sessions), Attempts: l.attempts, Overdue: l.overdue, Failures: l.failures}
	for _, r := range l.credentials {
		s.Credentials = append(s.Credentials, r.view(now))
	}
	slices.SortFunc(s.Credentials, func(a, b CredentialView) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

func (r *record) view(now time.Time) CredentialView {
	v := CredentialView{
		ID: r.credential.ID, Provider: r.credential.Upstream.Name, Account: r.credential.Account,
		Attempts: r.attempts, Served: r.served, Failed: r.failed, Usage: r.usage, Windows: r.windows,
		Rests: maps.Clone(r.rests),
	}
	resting := 0
	var soonest cooldown.State
	for _, name := range slices.Sorted(maps.Keys(r.models)) {
		state := r.models[name]
		v.Models = append(v.Models, ModelView{name, state})
		if state.Resting(now) {
			resting++
			if soonest.Until.IsZero() || state.Until.Before(soonest.Until) {
				soonest = state
			}
		}
	}
	switch {
	case r.credential.Disabled:
		v.Status = "disabled"
	case r.down.Failed:
		v.Status, v.Reason = "failed", r.down.Reason
	case r.down.Credential != "":
		v.Status, v.Reason = "restarting", r.down.Reason
	case r.rest.Resting(now) && r.rest.Kind == providers.Unauthorized:
		v.Status, v.Reason, v.Until = "unauthorized", string(r.rest.Kind), r.rest.Until
	case r.rest.Resting(now):
		v.Status, v.Reason, v.Until = "resting", string(r.rest.Kind), r.rest.Until
	case resting > 0 && resting == len(r.models):
		v.Status, v.Reason, v.Until = "resting", string(soonest.Kind), soonest.Until
	default:
		v.Status = "active"
	}
	return v
}
