package roster

import (
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// Reason says why a candidate was not picked. The list is closed: routing rules, section 9.
type Reason string

// Reasons. Those for rests are "resting:" and the kind of the outcome that caused it.
const (
	Disabled      Reason = "disabled" // also: of weight 0, under the weighted strategy
	Unauthorized  Reason = "unauthorized"
	Saturated     Reason = "saturated"
	ExcludedModel Reason = "excluded-model"
	AlreadyTried  Reason = "tried"
	LowerTier     Reason = "lower-tier"
	Draining      Reason = "draining"
	Failed        Reason = "failed" // its actor is being restarted or was given up
)

// restReason returns the reason for a rest because of kind, without making a new string for
// the kinds there are.
func restReason(kind providers.Kind) Reason {
	switch kind {
	case providers.RateLimited:
		return "resting:rate-limited"
	case providers.WindowExhausted:
		return "resting:window-exhausted"
	case providers.OutOfFunds:
		return "resting:out-of-funds"
	case providers.Unauthorized:
		return "resting:unauthorized"
	case providers.Forbidden:
		return "resting:forbidden"
	case providers.Overloaded:
		return "resting:overloaded"
	case providers.Transient:
		return "resting:transient"
	case providers.ModelUnsupported:
		return "resting:model-unsupported"
	default:
		return Reason("resting:" + string(kind))
	}
}

// Rejection is one candidate that was not picked.
type Rejection struct {
	Credential providers.CredentialID
	Reason     Reason
}

// maxRejections is how many rejections are listed; the rest are counted.
const maxRejections = 16

// Field is what a pick was made from. It is shared between picks and never changed.
type Field struct {
	Strategy config.Strategy
	Ready    int         // candidates that could be picked
	Rejected []Rejection // the first ones of the others, in the strategy's order
	More     int         // further ones
}
