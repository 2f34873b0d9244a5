// Package cooldown decides how long a credential rests after an outcome. It is a pure
// state machine: no clock, no randomness, no actor. docs/routing.md draws it.
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
	Until time.Time // when it ends; in the past or zero = it has ended, unless it is held
	// ProbeAt is when one request may be let through to see whether the rest is still
	// needed; zero = the rest just ends.
	ProbeAt time.Time
	// Held means that the rest does not end by itself: only a probe that succeeds ends it.
	Held bool
	// Firm is how long it rests, in part, for anything else than overload or transient trouble:
	// sparing does not cut that. Zero = for nothing else.
	Firm time.Time
	// Ignored means that cooldowns are switched off: the state is for showing only.
	Ignored bool
	Kind    providers.Kind
}

// Resting reports whether s keeps its credential from being used freely at now.
func (s State) Resting(now time.Time) bool { return !s.Ignored && s.open(now) }

// Due returns when a resting s lets a request through again, be it one probe; the zero
// time if s is not resting.
func (s State) Due(now time.Time) time.Time {
	switch {
	case !s.Resting(now):
		return time.Time{}
	case !s.ProbeAt.IsZero():
		return s.ProbeAt
	default:
		return s.Until
	}
}

// ProbeDue reports whether s rests, but one request at a time may be let through.
func (s State) ProbeDue(now time.Time) bool {
	return s.Resting(now) && !s.ProbeAt.IsZero() && !now.Before(s.ProbeAt)
}

// Over returns s once its time has passed: not resting, but with its streak. A held s, or
// one that is not over, is returned as it is.
func (s State) Over(now time.Time) State {
	if s.Held || now.Before(s.Until) {
		return s
	}
	s.Until, s.ProbeAt, s.Firm = time.Time{}, time.Time{}, time.Time{}
	return s
}

// open reports whether the rest runs, whether or not it is ignored.
func (s State) open(now time.Time) bool { return s.Held || now.Before(s.Until) }

// Policy holds the lengths of rests. All must be positive.
type Policy struct {
	Base         time.Duration // first computed rest; each further one doubles
	Max          time.Duration // cap of every computed rest, and how often a longer one is probed
	TransientMax time.Duration // cap of rests for overload and transient trouble
	Disabled     bool          // nobody rests; only error rules still say so
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
	Probe   bool      // it was let through a rest to see whether that is still needed
}

// Next returns the state after attempt a.
//
// A failure never shortens a rest. Answers of attempts that were under way when the rest
// began neither lengthen a computed rest nor raise its level: one bad second counts once.
// A success ends the streak, and the rest too if the attempt was let go after it began; one
// that says that a quota is used up begins a rest of its own. A probe that fails renews the
// rest; one that says nothing leaves it due for the next.
func (p Policy) Next(s State, a Attempt) State {
	o := a.Outcome
	switch {
	case o.Rest > 0:
		return p.rest(s, a, span{d: o.Rest, exact: true})
	case o.Neutral:
		return s
	}
	switch o.Kind {
	case providers.Success:
		return p.succeeded(s, a)
	case providers.RequestFault, providers.Canceled, providers.GatewayBug:
		return s
	case providers.RateLimited, providers.WindowExhausted:
		if o.RetryAfter > 0 {
			return p.rest(s, a, hinted(o.RetryAfter, a.Spread))
		}
		if o.Kind == providers.WindowExhausted {
			return p.rest(s, a, span{d: p.Max, held: true})
		}
		return p.grow(s, a, p.Max)
	case providers.Overloaded, providers.Transient:
		if o.RetryAfter > 0 {
			return p.rest(s, a, span{d: min(hinted(o.RetryAfter, a.Spread).d, p.TransientMax)})
		}
		return p.grow(s, a, p.TransientMax)
	case providers.ModelUnsupported:
		return p.rest(s, a, span{d: min(unsupportedRest, p.Max), held: true})
	case providers.Forbidden:
		if o.RetryAfter > 0 { // a challenge page: about the moment, not about the credential
			return p.rest(s, a, span{d: min(o.RetryAfter, p.Max)})
		}
	}
	return p.rest(s, a, span{d: p.Max, held: true}) // unauthorized, forbidden, out of funds
}

// span is the rest that an outcome asks for.
type span struct {
	d     time.Duration
	held  bool // only a probe ends it
	grown bool // it counts towards the next one
	exact bool // an operator's rule says so: not to be probed, and not to be ignored
}

// longestHint bounds hints, so that adding to them cannot overflow.
const longestHint = 366 * 24 * time.Hour

// hinted is a hint and up to a tenth more.
func hinted(hint time.Duration, spread float64) span {
	hint = min(hint, longestHint)
	return span{d: hint + time.Duration(float64(hint)*spread/10)}
}

func (p Policy) succeeded(s State, a Attempt) State {
	next := State{}
	if s.open(a.Now) && !a.Probe && !a.Granted.After(s.Since) {
		next = s
	}
	if a.Outcome.RetryAfter <= 0 {
		return next
	}
	a.Outcome.Kind = providers.WindowExhausted // served, but it was the last of its window
	a.Probe = false
	return p.rest(next, a, hinted(a.Outcome.RetryAfter, a.Spread))
}

// grow doubles the rest, once for each rest that had ended.
func (p Policy) grow(s State, a Attempt, limit time.Duration) State {
	if a.Probe && s.open(a.Now) {
		return p.rest(s, a, span{d: p.Base})
	}
	if s.open(a.Now) || !a.Granted.After(s.Since) {
		return s
	}
	d := p.Base
	for i := 0; i < s.Level && d < limit; i++ {
		d *= 2
	}
	return p.rest(s, a, span{d: min(d, limit), grown: true})
}

// rest lets s rest for r from now, unless it rests longer already.
func (p Policy) rest(s State, a Attempt, r span) State {
	next := State{
		Level: s.Level, Since: a.Now, Until: a.Now.Add(r.d), Kind: a.Outcome.Kind,
		Held: r.held, Ignored: p.Disabled && !r.exact,
	}
	if r.grown {
		next.Level++
	}
	if r.held {
		next.ProbeAt = next.Until
	}
	switch {
	case !s.open(a.Now):
	case s.Ignored && !next.Ignored: // what is only shown makes no rule's rest longer
	case next.Ignored && !s.Ignored:
		return s // a rule's rest counts more than what is only shown
	case !a.Probe && s.Held && r.held && s.Kind == next.Kind:
		return s // one of those under way when the rest began: it says the same again
	default:
		next = next.atLeast(s, a.Probe)
	}
	long := !r.exact && next.Until.Sub(a.Now) > p.Max
	if (long || next.Held) && next.ProbeAt.IsZero() {
		next.ProbeAt = a.Now.Add(p.Max)
	}
	if next.Held && next.Until.Before(next.ProbeAt) {
		next.Until = next.ProbeAt
	}
	return next
}

// atLeast returns s, but resting no shorter and held no less than open, which it follows.
func (s State) atLeast(open State, probe bool) State {
	if !probe { // a late answer: it neither begins a rest nor puts a probe off
		s.Since = open.Since
		if !open.ProbeAt.IsZero() && (s.ProbeAt.IsZero() || open.ProbeAt.Before(s.ProbeAt)) {
			s.ProbeAt = open.ProbeAt
		}
	}
	firm := s.firm()
	if open.firm().After(firm) {
		firm = open.firm()
	}
	weaker := open.Held && !s.Held
	if weaker || open.Held == s.Held && !s.Until.After(open.Until) {
		s.Kind = open.Kind
	}
	if open.Until.After(s.Until) {
		s.Until = open.Until
	}
	s.Held = s.Held || open.Held
	if s.Firm = firm; !s.passing() {
		s.Firm = time.Time{}
	}
	return s
}

// passing reports whether s rests, for the most part, for what may be spared.
func (s State) passing() bool { return s.Kind == providers.Overloaded || s.Kind == providers.Transient }

// firm returns how long s rests for what may not be spared.
func (s State) firm() time.Time {
	if s.passing() {
		return s.Firm
	}
	return s.Until
}

// Spare returns s with its rest cut to the base step, if it is one for overload or transient
// trouble: for the last ready candidate of a model, and when the whole provider is
// overloaded. The streak begins anew.
func (p Policy) Spare(s State) State {
	if !s.passing() || s.Held {
		return s
	}
	end := s.Since.Add(p.Base)
	if s.Firm.After(end) {
		end = s.Firm
	}
	if end.Before(s.Until) {
		s.Until, s.ProbeAt, s.Level = end, time.Time{}, min(s.Level, 1)
	}
	return s
}
