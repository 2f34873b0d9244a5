package affinity

import (
	"time"

	"github.com/understudyhq/understudy/providers"
)

// Warm is a credential that served a session before and may still have its prompts cached.
type Warm struct {
	Credential providers.CredentialID
	UsedAt     int64 // Unix nanoseconds
}

// WarmList is the warm credentials of a session, latest first. It is never changed; nil is
// empty.
type WarmList [2]Warm

// With returns the list with w in front and without a credential, which has become the bound
// one.
func (l *WarmList) With(w Warm, without providers.CredentialID) *WarmList {
	next := &WarmList{w}
	if l == nil {
		return next
	}
	for _, old := range l {
		if old.Credential != "" && old.Credential != w.Credential && old.Credential != without {
			next[1] = old
			break
		}
	}
	return next
}

// Has reports whether a credential is in the list.
func (l *WarmList) Has(id providers.CredentialID) bool {
	return l != nil && (l[0].Credential == id || l[1].Credential == id)
}

// Without returns the list without a credential; nil if that leaves nothing.
func (l *WarmList) Without(id providers.CredentialID) *WarmList {
	if !l.Has(id) {
		return l
	}
	next := WarmList{l[0]}
	if l[0].Credential == id {
		next[0] = l[1]
	}
	if next[0].Credential == "" {
		return nil
	}
	return &next
}

// Within returns those that served within ttl before now, latest first.
func (l *WarmList) Within(ttl time.Duration, now time.Time) []Warm {
	if l == nil {
		return nil
	}
	for i, w := range l {
		if w.Credential == "" || now.UnixNano()-w.UsedAt > int64(ttl) {
			return l[:i]
		}
	}
	return l[:]
}
