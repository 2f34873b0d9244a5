package cooldown

import (
	"time"

	"github.com/understudyhq/understudy/providers"
)

// What makes the overload of one model at one provider the provider's own.
const (
	wideCredentials = 3
	wideWithin      = 10 * time.Second
)

// Evidence gathers overloads of one model at one provider. Three different credentials that
// are overloaded within ten seconds show that the provider is, and not they. The zero value
// has seen nothing.
type Evidence struct {
	seen [wideCredentials]sighting // the latest ones, of different credentials
}

type sighting struct {
	credential providers.CredentialID
	at         time.Time
}

// Note takes note of an overload and reports whether the provider as a whole is overloaded.
func (e *Evidence) Note(id providers.CredentialID, at time.Time) bool {
	oldest := 0
	for i, s := range e.seen {
		if s.credential == id {
			oldest = i
			break
		}
		if s.at.Before(e.seen[oldest].at) {
			oldest = i
		}
	}
	e.seen[oldest] = sighting{id, at}
	return e.Wide(at)
}

// Wide reports whether the provider as a whole is overloaded at now.
func (e *Evidence) Wide(now time.Time) bool {
	for _, s := range e.seen {
		if s.credential == "" || now.Sub(s.at) > wideWithin {
			return false
		}
	}
	return true
}
