package ledger

import (
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/internal/recent"
	"github.com/understudyhq/understudy/providers"
)

// Messages the ledger takes, besides every Fact.
type (
	// TakeSnapshot asks for a Snapshot.
	TakeSnapshot struct{}
	// Watch says where to read how many leases of a credential are open.
	Watch struct {
		Credential providers.CredentialID
		InFlight   *atomic.Int64
	}
	// Subscribe lets events flow into a feed, until Unsubscribe.
	Subscribe struct{ Feed *stage.Feed[Event] }
	// Unsubscribe ends the flow into a feed.
	Unsubscribe struct{ Feed *stage.Feed[Event] }
	// Keep hands over the record of a request, which is not changed any more.
	Keep struct{ Record *Record }
	// ListRecords asks for the latest records, up to Limit: []*Record, latest first.
	ListRecords struct{ Limit int }
	// FindRecord asks for the latest record of a request: *Record, nil if there is none.
	FindRecord struct{ RequestID string }
)

// maxKnownModels bounds the models of one credential that are shown: clients can make names
// up for an upstream that takes any.
const maxKnownModels = 256

// account is one credential as the ledger keeps it.
type account struct {
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
	inFlight   *atomic.Int64 // nil until it is told
	expiresAt  time.Time     // of a token that was renewed
	lastError  *LastError
}

// Ledger counts what happened and passes it on to subscribers.
type Ledger struct {
	credentials map[providers.CredentialID]*account
	records     recent.List[*Record]
	subscribers map[*stage.Feed[Event]]struct{}
	seq         uint64
	sessions    sessionBook
	usage       usageBook
	attempts    uint64
	overdue     uint64
	failures    uint64
	stops       uint64
}

// New returns a ledger of nothing. It is one actor for all its incarnations: what was counted
// stays counted.
func New() *Ledger {
	return &Ledger{
		credentials: map[providers.CredentialID]*account{},
		records:     recent.New[*Record](RecordsKept),
		subscribers: map[*stage.Feed[Event]]struct{}{},
		sessions:    newSessionBook(),
		usage:       usageBook{},
	}
}

// Receive is part of actor.Actor.
func (l *Ledger) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case Fact:
		l.note(msg)
		l.publish(msg)
	case TakeSnapshot:
		c.Respond(l.snapshot(time.Now()))
	case Watch:
		l.with(msg.Credential, func(a *account) { a.inFlight = msg.InFlight })
	case ListSessions:
		c.Respond(l.sessions.list(msg))
	case ListMembers:
		c.Respond(l.members())
	case ListUsage:
		c.Respond(l.usage.list())
	case Subscribe:
		l.subscribers[msg.Feed] = struct{}{}
	case Unsubscribe:
		delete(l.subscribers, msg.Feed)
	case Keep:
		l.records.Add(msg.Record)
		l.usage.add(msg.Record)
		l.publish(Recorded(msg))
	case ListRecords:
		c.Respond(l.records.Latest(msg.Limit))
	case FindRecord:
		rec, _ := l.records.Find(func(r *Record) bool { return r.RequestID == msg.RequestID })
		c.Respond(rec)
	default:
		stage.Unhandled(c)
	}
}

func (l *Ledger) note(f Fact) {
	switch f := f.(type) {
	case Attempted:
		l.attempted(f)
	case CredentialJoined:
		a, ok := l.credentials[f.Credential.ID]
		if !ok {
			a = &account{models: map[string]cooldown.State{}, rests: map[providers.Kind]uint64{}}
			l.credentials[f.Credential.ID] = a
		}
		a.credential, a.down = f.Credential, CredentialDown{}
	case CredentialLeft:
		delete(l.credentials, f.Credential)
	case CredentialDown:
		l.with(f.Credential, func(a *account) { a.down = f })
	case CredentialUp:
		l.with(f.Credential, func(a *account) { a.down = CredentialDown{} })
	case Rested:
		l.with(f.Credential, func(a *account) {
			last, known := a.models[f.Model]
			if f.Model == "" {
				last = a.rest
			}
			if f.State.Resting(time.Now()) && !f.State.Since.Equal(last.Since) {
				a.rests[f.State.Kind]++
			}
			switch {
			case f.Model == "":
				a.rest = f.State
			case known || !f.State.Until.IsZero(): // not the end of a rest of a model that has left
				a.models[f.Model] = f.State
			}
		})
	case ModelLeft:
		l.with(f.Credential, func(a *account) {
			delete(a.models, f.Model)
			a.last = ""
		})
	case TokenRenewed:
		l.with(f.Credential, func(a *account) { a.expiresAt = f.ExpiresAt })
	case SessionBound:
		l.sessions.bound(f.Key, f.Credential)
	case SessionExpired:
		l.sessions.expired(f.Key)
	case SessionsLost:
		l.sessions = newSessionBook()
	case Supervised:
		if l.failures++; f.Stopped {
			l.stops++
		}
	}
}

func (l *Ledger) with(id providers.CredentialID, change func(*account)) {
	if a, ok := l.credentials[id]; ok {
		change(a)
	}
}

func (l *Ledger) attempted(f Attempted) {
	l.attempts++
	if f.Overdue {
		l.overdue++
	}
	if !f.Session.IsZero() {
		l.sessions.used(f.Session, f.Outcome.Usage)
	}
	l.with(f.Credential, func(a *account) {
		a.attempts++
		if f.Model != a.last { // else it is known
			if _, known := a.models[f.Model]; !known && len(a.models) < maxKnownModels {
				a.models[f.Model] = cooldown.State{}
			}
			a.last = f.Model
		}
		switch {
		case f.Outcome.Kind == providers.Success:
			a.served++
		case f.Outcome.Retryable():
			a.failed++
			a.lastError = &LastError{
				At: time.Now(), Model: f.Model, Kind: f.Outcome.Kind, Status: f.Outcome.Status, Reason: f.Outcome.Reason,
			}
		}
		if f.Outcome.Quotas != nil {
			a.windows = f.Outcome.Quotas
		}
		a.usage = sum(a.usage, f.Outcome.Usage)
	})
}

// publish passes a fact on. A subscriber that is too slow misses it and is told how many.
func (l *Ledger) publish(f Fact) {
	if len(l.subscribers) == 0 {
		return
	}
	l.seq++
	at := time.Now()
	for s := range l.subscribers {
		s.Offer(Event{Seq: l.seq, At: at, Fact: f})
	}
}
