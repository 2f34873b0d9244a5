// Package affinity keeps which credential serves a session: the read model of the router, and
// the lists that sessions keep. It is pure: no clock, no actor.
package affinity

import (
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Binding is what the router knows of one session.
type Binding struct {
	Bound  providers.CredentialID // served last
	Likely providers.CredentialID // picked, but has not served yet: the first burst follows it
	open   int32                  // picks of Likely that have not ended
	Seat   int32                  // where in its ring Bound or Likely was found last
	Warm   *WarmList              // nil = none
}

// Bindings is an index of sessions, by the lead of their ids. The sessions own the
// truth.
type Bindings struct {
	directory *session.Directory
	byLead    map[session.Key]Binding
	known     func(session.Key) bool // made once
}

// New returns an index that knows no session.
func New() *Bindings {
	b := &Bindings{directory: session.NewDirectory(), byLead: map[session.Key]Binding{}}
	b.known = func(k session.Key) bool { _, ok := b.byLead[k]; return ok }
	return b
}

// Find returns the lead of a session, and its binding if there is one: its own or else that
// of the same opening, which is found under another lead then. The zero Key is no session.
func (b *Bindings) Find(keys session.Keys) (lead, at session.Key, known Binding, ok bool) {
	if keys.Primary.IsZero() {
		return lead, at, known, false
	}
	lead = b.directory.Lead(keys, b.known)
	if known, ok = b.byLead[lead]; ok || keys.Fallback.IsZero() {
		return lead, lead, known, ok
	}
	known, ok = b.byLead[keys.Fallback]
	known.Likely = "" // who began alike and has not been answered yet is somebody else
	return lead, keys.Fallback, known, ok
}

// Bound takes over what a session says of itself.
func (b *Bindings) Bound(lead session.Key, id providers.CredentialID, warm *WarmList) {
	b.byLead[lead] = Binding{Bound: id, Warm: warm, Seat: b.byLead[lead].Seat}
}

// Pick notes that a credential was picked for a session that nobody ready is bound to.
func (b *Bindings) Pick(lead session.Key, id providers.CredentialID) {
	known := b.byLead[lead]
	known.Likely, known.open = id, 1
	b.byLead[lead] = known
}

// Follow notes another pick of the same burst.
func (b *Bindings) Follow(lead session.Key, at int32) {
	known := b.byLead[lead]
	known.open++
	known.Seat = at
	b.byLead[lead] = known
}

// Seated notes where in its ring a session's credential was found.
func (b *Bindings) Seated(lead session.Key, at int32) {
	if known := b.byLead[lead]; known.Seat != at {
		known.Seat = at
		b.byLead[lead] = known
	}
}

// Expired forgets a session, but not a pick that has since been made for it.
func (b *Bindings) Expired(lead session.Key) {
	known, ok := b.byLead[lead]
	if !ok {
		return
	}
	known.Bound, known.Warm = "", nil
	b.keep(lead, known)
}

// Forget forgets all sessions: the actors that owned them are gone.
func (b *Bindings) Forget() {
	for lead := range b.byLead {
		b.Expired(lead)
	}
}

// Abandoned forgets a pick that has not served once nothing of its burst is under way.
func (b *Bindings) Abandoned(lead session.Key, id providers.CredentialID) {
	known, ok := b.byLead[lead]
	if !ok || known.Likely != id {
		return
	}
	if known.open--; known.open <= 0 {
		known.Likely = ""
	}
	b.keep(lead, known)
}

// keep stores what is known of a session, if anything is.
func (b *Bindings) keep(lead session.Key, known Binding) {
	if known.Bound == "" && known.Likely == "" {
		delete(b.byLead, lead)
		b.directory.Drop(lead)
		return
	}
	b.byLead[lead] = known
}

// Named notes which ids name the session of lead, if there are several.
func (b *Bindings) Named(lead session.Key, ids []session.ID) { b.directory.Set(lead, ids) }
