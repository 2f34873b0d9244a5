package actors

import (
	"time"

	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Warm is a credential that served a session before and may still have its prompts cached.
type Warm struct {
	Credential providers.CredentialID
	UsedAt     int64 // Unix nanoseconds
}

// WarmList is the warm credentials of a session, latest first. It is never changed.
type WarmList [2]Warm

// binding is what the router knows of one session.
type binding struct {
	bound  providers.CredentialID // served last
	likely providers.CredentialID // picked, but has not served yet: the first burst follows it
	open   int32                  // picks of likely that have not ended
	seat   int32                  // where in its ring bound or likely was found last
	warm   *WarmList              // nil = none
}

// bindings is the router's index of sessions, by the lead of their ids. The sessions own the
// truth.
type bindings struct {
	directory *session.Directory
	byLead    map[session.Key]binding
	known     func(session.Key) bool // made once
	ttl       time.Duration          // of warm credentials
}

func newBindings() *bindings {
	b := &bindings{directory: session.NewDirectory(), byLead: map[session.Key]binding{}}
	b.known = func(k session.Key) bool { _, ok := b.byLead[k]; return ok }
	return b
}

// find returns the lead of a session, and its binding if there is one: its own or else that
// of the same opening, which is found under another lead then. The zero Key is no session.
func (b *bindings) find(keys session.Keys) (lead, at session.Key, known binding, ok bool) {
	if keys.Primary.IsZero() {
		return lead, at, known, false
	}
	lead = b.directory.Lead(keys, b.known)
	if known, ok = b.byLead[lead]; ok || keys.Fallback.IsZero() {
		return lead, lead, known, ok
	}
	known, ok = b.byLead[keys.Fallback]
	known.likely = "" // who began alike and has not been answered yet is somebody else
	return lead, keys.Fallback, known, ok
}

// bound takes over what a session says of itself.
func (b *bindings) bound(f SessionBound) {
	old := b.byLead[f.Key]
	b.byLead[f.Key] = binding{bound: f.Credential, warm: f.Warm, seat: old.seat}
}

// pick notes that a credential was picked for a session that nobody ready is bound to.
func (b *bindings) pick(lead session.Key, id providers.CredentialID) {
	known := b.byLead[lead]
	known.likely, known.open = id, 1
	b.byLead[lead] = known
}

// follow notes another pick of the same burst.
func (b *bindings) follow(lead session.Key, at int32) {
	known := b.byLead[lead]
	known.open++
	known.seat = at
	b.byLead[lead] = known
}

// seated notes where in its ring a session's credential was found.
func (b *bindings) seated(lead session.Key, at int32) {
	if known := b.byLead[lead]; known.seat != at {
		known.seat = at
		b.byLead[lead] = known
	}
}

// expired forgets a session, but not a pick that has since been made for it.
func (b *bindings) expired(lead session.Key) {
	known, ok := b.byLead[lead]
	if !ok {
		return
	}
	known.bound, known.warm = "", nil
	b.keep(lead, known)
}

// forget forgets all sessions: the actors that owned them are gone.
func (b *bindings) forget() {
	for lead := range b.byLead {
		b.expired(lead)
	}
}

// abandoned forgets a pick that has not served once nothing of its burst is under way.
func (b *bindings) abandoned(lead session.Key, id providers.CredentialID) {
	known, ok := b.byLead[lead]
	if !ok || known.likely != id {
		return
	}
	if known.open--; known.open <= 0 {
		known.likely = ""
	}
	b.keep(lead, known)
}

// keep stores what is known of a session, if anything is.
func (b *bindings) keep(lead session.Key, known binding) {
	if known.bound == "" && known.likely == "" {
		delete(b.byLead, lead)
		b.directory.Drop(lead)
		return
	}
	b.byLead[lead] = known
}

// warmth returns the credentials that served a session within the TTL, latest first.
func (b *bindings) warmth(known binding, now time.Time) []Warm {
	if known.warm == nil {
		return nil
	}
	list := known.warm[:]
	for i, w := range list {
		if w.Credential == "" || now.UnixNano()-w.UsedAt > int64(b.ttl) {
			return list[:i]
		}
	}
	return list
}
