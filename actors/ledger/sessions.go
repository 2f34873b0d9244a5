package ledger

import (
	"bytes"
	"slices"

	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// ListSessions asks for Sessions, in the order of their keys.
type ListSessions struct {
	After      session.Key            // they begin behind it; zero = from the first
	Limit      int                    // how many; 0 = all
	Credential providers.CredentialID // bound to it; empty = to any
}

// Sessions answers ListSessions.
type Sessions struct {
	List []BoundSession
	More bool // others follow
}

// BoundSession is what the ledger knows of a session.
type BoundSession struct {
	Key        session.Key
	Credential providers.CredentialID
	Usage      providers.Usage // of all its requests: input and cached tokens
}

// boundSession is one session as it is kept. There may be a million.
type boundSession struct {
	credential    providers.CredentialID
	input, cached int64 // tokens
}

// sessionBook knows which credential each session is bound to.
type sessionBook struct {
	byKey map[session.Key]boundSession
	count map[providers.CredentialID]int
}

func newSessionBook() sessionBook {
	return sessionBook{byKey: map[session.Key]boundSession{}, count: map[providers.CredentialID]int{}}
}

func (b *sessionBook) bound(key session.Key, to providers.CredentialID) {
	s, known := b.byKey[key]
	if known {
		b.uncount(s.credential)
	}
	s.credential = to
	b.byKey[key] = s
	b.count[to]++
}

func (b *sessionBook) expired(key session.Key) {
	if s, known := b.byKey[key]; known {
		b.uncount(s.credential)
		delete(b.byKey, key)
	}
}

func (b *sessionBook) uncount(id providers.CredentialID) {
	if b.count[id]--; b.count[id] <= 0 {
		delete(b.count, id)
	}
}

// used counts the tokens of a session that is bound.
func (b *sessionBook) used(key session.Key, u providers.Usage) {
	if s, known := b.byKey[key]; known {
		s.input += u.InputTokens
		s.cached += u.CachedTokens
		b.byKey[key] = s
	}
}

// list keeps the smallest keys while it goes through all: sorting a million takes longer.
func (b *sessionBook) list(msg ListSessions) Sessions {
	var found Sessions
	var keys []session.Key
	for key, s := range b.byKey {
		if msg.Credential != "" && s.credential != msg.Credential || compareKeys(key, msg.After) <= 0 {
			continue
		}
		if msg.Limit == 0 {
			keys = append(keys, key)
			continue
		}
		at, _ := slices.BinarySearchFunc(keys, key, compareKeys)
		if at == msg.Limit {
			found.More = true
			continue
		}
		if keys = slices.Insert(keys, at, key); len(keys) > msg.Limit {
			keys, found.More = keys[:msg.Limit], true
		}
	}
	slices.SortFunc(keys, compareKeys)
	for _, key := range keys {
		s := b.byKey[key]
		usage := providers.Usage{InputTokens: s.input, CachedTokens: s.cached}
		found.List = append(found.List, BoundSession{Key: key, Credential: s.credential, Usage: usage})
	}
	return found
}

func compareKeys(a, b session.Key) int { return bytes.Compare(a[:], b[:]) }
