package ledger

import (
	"time"

	"github.com/understudyhq/understudy/internal/affinity"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Fact is something that happened in the engine. Facts are values without secrets; they
// reach subscribers through the ledger.
type Fact interface{ fact() }

// Facts about credentials and their models.
type (
	// CredentialJoined says that a credential can be picked from now on, or was changed.
	CredentialJoined struct{ Credential *providers.Credential }
	// CredentialLeft says that a credential was removed. Requests it serves may still end well.
	CredentialLeft struct{ Credential providers.CredentialID }
	// CredentialDown says that a credential's actor failed and is not picked until it is back.
	CredentialDown struct {
		Credential providers.CredentialID
		Reason     string
		Failed     bool // given up for longer, not just restarting
	}
	// CredentialUp says that a credential's actor is back.
	CredentialUp struct{ Credential providers.CredentialID }
	// TokenRenewed says until when a credential's access token is good; the zero time if that
	// is not known.
	TokenRenewed struct {
		Credential providers.CredentialID
		ExpiresAt  time.Time
	}
	// ModelLeft says that a model of a credential was not used for long.
	ModelLeft struct {
		Credential providers.CredentialID
		Model      string
	}
	// Rested says that a credential (Model empty) or one of its models rests, or does no
	// longer: then State is not resting.
	Rested struct {
		Credential providers.CredentialID
		Model      string
		State      cooldown.State
	}
)

// Facts about sessions.
type (
	// SessionBound says which credential serves a session from now on.
	SessionBound struct {
		Key        session.Key
		Credential providers.CredentialID
		Warm       *affinity.WarmList // that served it before; nil = none
	}
	// SessionExpired says that a session has no credential any more.
	SessionExpired struct{ Key session.Key }
	// SessionsLost says that all sessions have lost their credential: their parent failed.
	SessionsLost struct{}
)

// Attempted says how one lease ended.
type Attempted struct {
	Lease      uint64
	Credential providers.CredentialID
	Model      string // the upstream's own name
	Route      string // the name the client used
	Outcome    providers.Outcome
	Duration   time.Duration // from grant to report
	Overdue    bool          // nobody reported it; it was taken back
	Session    session.Key   // that it was for, hashed; zero = none
}

// Supervised says that an actor failed and what was done about it.
type Supervised struct {
	Actor   string // its path below the guardian
	Reason  string
	Stopped bool
}

// ConfigChanged says that another configuration runs. It holds paths, never values.
type ConfigChanged struct{ Changes []string }

// Recorded says that a request has been answered, or could not be.
type Recorded struct{ Record *Record }

func (CredentialJoined) fact() {}
func (CredentialLeft) fact()   {}
func (CredentialDown) fact()   {}
func (CredentialUp) fact()     {}
func (TokenRenewed) fact()     {}
func (ModelLeft) fact()        {}
func (Rested) fact()           {}
func (SessionBound) fact()     {}
func (SessionExpired) fact()   {}
func (SessionsLost) fact()     {}
func (Attempted) fact()        {}
func (Supervised) fact()       {}
func (ConfigChanged) fact()    {}
func (Recorded) fact()         {}

// Event is one fact as subscribers see it.
type Event struct {
	Seq     uint64 // counts up by one; a gap means that this subscriber was too slow
	At      time.Time
	Dropped uint64 // events this subscriber has missed so far
	Fact    Fact
}
