package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Acquire asks for leave to use one credential once.
type Acquire struct {
	// Model as the client named it, without a reasoning suffix.
	Model string
	// Format is the inbound one; only credentials whose upstream speaks it are picked.
	Format providers.Format
	// Session of the request; zero keys = none.
	Session session.Keys
	// Exclude lists credentials already tried. It is not changed after the call.
	Exclude []providers.CredentialID
}

// Why says why a credential was picked.
type Why string

// Reasons for a pick.
const (
	WhyBound    Why = "bound"    // it serves this session
	WhyWarm     Why = "warm"     // it served this session before
	WhyStrategy Why = "strategy" // the strategy chose it
	WhyOnly     Why = "only"     // nothing else was ready
)

// Lease is leave to use a credential once. Whoever got one reports it, once, with
// System.Report; System.FirstByte before that says that it has served.
type Lease struct {
	ID         uint64
	Credential *providers.Credential
	Model      string // the upstream's own name
	Why        Why

	session session.Key
	owner   *actor.PID // the actor that granted it
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
}

func (e *NoCredentialError) Error() string {
	return fmt.Sprintf("no credential for model %q: %v", e.Model, e.Reasons)
}
