// Package cooldown decides how long a credential rests after an outcome. It is a pure
// state machine: no clock, no randomness, no actor.
package cooldown

import (
	"time"

	"github.com/understudyhq/understudy/providers"
)

// State is the rest of one (credential, model), or of one credential as a whole. The zero
// State is ready.
type State struct {
	Level int       // how many times in a row the computed rest has grown
	Since time.Time // when the present or last rest began
	Until time.Time // when it ends; in the past or zero = ready
	Kind  providers.Kind
}

// Resting reports whether s keeps its credential from being used at now.
func (s State) Resting(now time.Time) bool { return now.Before(s.Until) }

// Policy holds the lengths of rests. All must be positive.
type Policy struct {
	Base         time.Duration // first computed rest; each further one doubles
	Max          time.Duration // cap of every rest
	TransientMax time.Duration // cap of rests for overload and transient trouble
	Disabled     bool          // nobody ever rests
}

// Rests for what no growing step describes.
const (
	// DefaultBase is the first step of a growing rest.
	DefaultBase = time.Second
	// unsupportedRest is how long a model that a credential cannot serve is left alone.
	unsupportedRest = 30 * time.Minute
)

// Attempt is what Next judges.
type Attempt struct {
	Outcome providers.Outcome
	Granted time.Time // when the attempt was let go
	Now     time.Time // when its outcome came
	Spread  float64   // 0..1: how much of the jitter is added to a hinted rest
}

// Next returns the state after attempt a.
//
// A failure never shortens a rest. Answers of attempts that were under way when the rest
// began neither lengthen a computed rest nor raise its level: one bad second counts once.
// A success ends the streak, and the rest too if the attempt was let go after it began.
func (p Policy) Next(s State, a Attempt) State {
	switch a.Outcome.Kind {
	case providers.Success:
		if s.Resting(a.Now) && a.Granted.Before(s.Since) {
			return s
		}
		return State{}
	case providers.RequestFault, providers.Canceled, providers.GatewayBug:
		return s
	}
	if p.Disabled {
		return s
	}
	if hint := a.Outcome.RetryAfter; hint > 0 {
		limit := p.limit(a.Outcome.Kind)
		hint = min(hint, limit) // before anything is added to it
		jitter := time.Duration(float64(hint) * a.Spread / 10)
		return s.extend(a, min(hint+jitter, limit), s.Level)
	}
	switch a.Outcome.Kind {
	case providers.RateLimited, providers.Overloaded, providers.Transient:
		return p.grow(s, a, p.limit(a.Outcome.Kind))
	case providers.ModelUnsupported:
		return s.extend(a, min(unsupportedRest, p.Max), s.Level)
	default: // unauthorized, forbidden, out of funds, an exhausted window of unknown length
		return s.extend(a, p.Max, s.Level)
	}
}

// limit caps the rests for kind: what is not the credential's own trouble rests shorter.
func (p Policy) limit(kind providers.Kind) time.Duration {
	if kind == providers.Overloaded || kind == providers.Transient {
		return p.TransientMax
	}
	return p.Max
}

// grow doubles the rest, once for each rest that had ended.
func (p Policy) grow(s State, a Attempt, limit time.Duration) State {
	if s.Resting(a.Now) || a.Granted.Before(s.Since) {
		return s
	}
	rest := p.Base
	for i := 0; i < s.Level && rest < limit; i++ {
		rest *= 2
	}
	return s.extend(a, min(rest, limit), s.Level+1)
}

// extend lets s rest for d from now, unless it rests longer already.
func (s State) extend(a Attempt, d time.Duration, level int) State {
	until := a.Now.Add(d)
	if !until.After(s.Until) {
		return s
	}
	since := a.Now
	if s.Resting(a.Now) {
		since = s.Since
	}
	return State{Level: level, Since: since, Until: until, Kind: a.Outcome.Kind}
}
