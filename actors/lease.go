package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/memory"
	"github.com/understudyhq/understudy/internal/roster"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Acquire asks for leave to use one credential once.
type Acquire struct {
	// Model as the client named it, without a reasoning suffix.
	Model string
	// Suffix is the reasoning suffix, such as "(high)". If a name with it is configured, that
	// one is meant; else the suffix is appended to whatever the upstream calls the model.
	Suffix string
	// Format, if set, rules out credentials whose upstream does not speak it.
	Format providers.Format
	// Session of the request; zero keys = none.
	Session session.Keys
	// Tried lists what was tried already. It is not changed after the call.
	Tried []Tried
	// Stay is a credential whose other models, if the name stands for several of them, go
	// before other credentials; empty = none.
	Stay providers.CredentialID
	// StayOnly rules all other credentials out.
	StayOnly bool
	// Pin is where state lies that the request needs; nobody but the credentials of that
	// account can serve. Zero = none.
	Pin Origin
	// Prefer is like Pin, but others serve if those cannot. Zero = none.
	Prefer Origin
	// Wait is how long the request may wait for somebody to be ready; 0 = not at all. Where
	// the model has fallbacks it waits only as a LastResort.
	Wait       time.Duration
	LastResort bool
	// NotBefore is a time before which nothing is granted, if Wait reaches that far.
	NotBefore time.Time
}

// Tried is what a request has tried already: a credential's model or, without a model, the
// credential as a whole.
type Tried = roster.Tried

// Origin is where something was made that exists there only.
type Origin = memory.Origin

// Turned says what an answer has added to a conversation that no upstream remembers.
type Turned = memory.Turned

// Lease is leave to use a credential once. Whoever got one reports it, once, with
// System.Report; System.FirstByte before that says that it has served.
type Lease struct {
	ID         uint64
	Credential *providers.Credential
	Model      string // the upstream's own name, reasoning suffix included
	Suffix     string // the part of Model that the client asked for; empty = none
	Why        Why
	Field      *Field        // what it was picked from
	Waited     time.Duration // for somebody to be ready
	Fallbacks  []string      // names to try when nobody can serve this one
	Pooled     bool          // the credential has other models under the same name

	asked  *Acquire
	box    *reportBox // of its owner
	owner  *actor.PID // the actor that granted it
	parent *actor.PID // its credential's
}

// Field is what a pick was made from.
type Field = roster.Field

// Tried is what a request that fails with l has tried: the model or, if wide, the credential.
func (l Lease) Tried(wide bool) Tried {
	t := Tried{Credential: l.Credential.ID, Model: strings.TrimSuffix(l.Model, l.Suffix)}
	if wide {
		t.Model = ""
	}
	return t
}

// Route is the name that the client used, or that of a fallback.
func (l Lease) Route() string {
	switch {
	case l.asked == nil:
		return ""
	case l.Suffix == "": // what looks like one is part of a configured name, if there is any
		return l.asked.Model + l.asked.Suffix
	default:
		return l.asked.Model
	}
}

// LogValue leaves out everything that does not belong in a log.
func (l Lease) LogValue() slog.Value {
	return slog.GroupValue(slog.Uint64("lease", l.ID), slog.String("credential", string(l.Credential.ID)), slog.String("model", l.Model))
}

// Errors of Acquire besides the context's own and the types below.
var (
	// ErrStopped means that the engine is stopping or has stopped.
	ErrStopped = errors.New("engine stopped")
	// ErrOverloaded means that too many requests wait already.
	ErrOverloaded = errors.New("too many requests wait for a credential")
)

// UnknownModelError means that no upstream serves the model.
type UnknownModelError struct{ Model string }

func (e *UnknownModelError) Error() string { return fmt.Sprintf("unknown model %q", e.Model) }

// FormatError means that the model is served, but only in other formats.
type FormatError struct {
	Model   string
	Formats []providers.Format // those it is served in
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("model %q is served only in %v", e.Model, e.Formats)
}

// NoCredentialError means that the model is known but nobody can serve it now.
type NoCredentialError struct {
	Model    string
	Provider string // set when all candidates are of one upstream
	// RetryAfter is the time to the soonest recovery; 0 = none is known.
	RetryAfter time.Duration
	// Reasons counts the candidates by what keeps each out, such as "disabled",
	// "unauthorized", "tried" or "resting:rate-limited".
	Reasons map[string]int
	// Field is what there was to pick from; nil = no candidate at all.
	Field *Field
	// Waited is how long the request waited for somebody to be ready, in vain.
	Waited time.Duration
	// Fallbacks are names to try instead.
	Fallbacks []string
}

func (e *NoCredentialError) Error() string {
	return fmt.Sprintf("no credential for model %q: %v", e.Model, e.Reasons)
}

// PinError means that a request needs state that lies at an organisation none of whose
// credentials can be used any more.
type PinError struct{ Model string }

func (e *PinError) Error() string {
	return fmt.Sprintf("what the request for model %q refers to is out of reach", e.Model)
}
