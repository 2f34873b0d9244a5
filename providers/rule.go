package providers

import (
	"regexp"
	"time"
)

// Action is what an error rule does.
type Action string

// Actions.
const (
	ActionStop   Action = "stop"   // the client gets the answer; nobody rests
	ActionNext   Action = "next"   // another credential is tried; nobody rests
	ActionRest   Action = "rest"   // the credential's model rests for Rest; another credential is tried
	ActionIgnore Action = "ignore" // nobody rests; the request does what it would do without the rule
)

// ErrorRule says what failing answers of one form mean, before the built-in rules. It
// matches if all that it sets matches.
type ErrorRule struct {
	Status   int            // of HTTP, or as an error event names it; 0 = any
	Contains string         // in the decoded body, case included; empty = any
	Pattern  *regexp.Regexp // of the body; nil = any
	Action   Action
	Rest     time.Duration // for ActionRest
}

// Equal reports whether r and other say the same; patterns are compared by their text.
func (r ErrorRule) Equal(other ErrorRule) bool {
	if (r.Pattern == nil) != (other.Pattern == nil) || r.Pattern != nil && r.Pattern.String() != other.Pattern.String() {
		return false
	}
	r.Pattern, other.Pattern = nil, nil
	return r == other
}
