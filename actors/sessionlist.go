package actors

import (
	"context"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/ledger"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// SessionView is one bound session at one instant.
type SessionView struct {
	Key        session.Key // hashed
	Source     session.Source
	Model      string // the name the client used first
	Credential providers.CredentialID
	Since      time.Time // when it was bound first
	UsedAt     time.Time // when it was served last
	ExpiresAt  time.Time // when it ends, unless it is served again
	Turns      uint32    // requests that were served
	Usage      providers.Usage
}

// Sessions returns sessions in the order of their keys: up to limit of those after a key (the
// zero Key = from the first), of one credential or, if that is empty, of all. more tells
// whether others follow.
func (s *System) Sessions(ctx context.Context, after session.Key, limit int, credential providers.CredentialID) (views []SessionView, more bool, err error) {
	bound, err := ask[ledger.Sessions](ctx, s, s.w.ledger, ledger.ListSessions{After: after, Limit: limit, Credential: credential})
	if err != nil {
		return nil, false, err
	}
	views, err = ask[[]SessionView](ctx, s, s.w.sessions, describeSessions{keysOf(bound)})
	at := 0
	for i := range views {
		for bound.List[at].Key != views[i].Key { // it has ended meanwhile
			at++
		}
		views[i].Credential, views[i].Usage = bound.List[at].Credential, bound.List[at].Usage
	}
	return views, bound.More, err
}

// EndSession ends one session: whoever goes on with it is a stranger. It reports whether there
// was one.
func (s *System) EndSession(ctx context.Context, key session.Key) (bool, error) {
	n, err := ask[int](ctx, s, s.w.sessions, endSessions{[]session.Key{key}})
	return n > 0, err
}

// EndSessions ends all sessions that are bound to a credential and returns how many there were.
func (s *System) EndSessions(ctx context.Context, credential providers.CredentialID) (int, error) {
	bound, err := ask[ledger.Sessions](ctx, s, s.w.ledger, ledger.ListSessions{Credential: credential})
	if err != nil {
		return 0, err
	}
	return ask[int](ctx, s, s.w.sessions, endSessions{keysOf(bound)})
}

func keysOf(bound ledger.Sessions) []session.Key {
	keys := make([]session.Key, len(bound.List))
	for i, b := range bound.List {
		keys[i] = b.Key
	}
	return keys
}

func (s *sessionsActor) describe(keys []session.Key) []SessionView {
	views := make([]SessionView, 0, len(keys))
	for _, key := range keys {
		row, ok := s.rows[key]
		if !ok {
			continue
		}
		origin := s.origins.known[row.origin]
		views = append(views, SessionView{
			Key: key, Source: origin.source, Model: origin.model, Turns: row.binds,
			Since: time.Unix(0, row.since), UsedAt: time.Unix(0, row.usedAt),
			ExpiresAt: time.Unix(0, row.usedAt).Add(s.ttl.get()),
		})
	}
	return views
}

// end lets sessions go, whatever is on its way to them: the next answer makes them anew.
func (s *sessionsActor) end(c actor.Context, keys []session.Key) (n int) {
	for _, key := range keys {
		if row, ok := s.rows[key]; ok {
			s.forget(key)
			c.Stop(row.pid)
			n++
		}
	}
	return n
}

// origin is what many sessions have in common. Each keeps a number in its place.
type origin struct {
	source session.Source
	model  string
}

type originRef uint32

// maxOrigins bounds the origins that are told apart: clients can make model names up for an
// upstream that takes any.
const maxOrigins = 4096

// origins numbers the origins that there are. The zero value is ready for use.
type origins struct {
	known   []origin
	numbers map[origin]originRef
}

// ref returns the number of an origin; beyond the bound, that of its source without a model.
func (o *origins) ref(source session.Source, model string) originRef {
	one := origin{source, model}
	if n, ok := o.numbers[one]; ok {
		return n
	}
	if len(o.known) >= maxOrigins && model != "" {
		return o.ref(source, "")
	}
	if o.numbers == nil {
		o.numbers = map[origin]originRef{}
	}
	one.model = strings.Clone(model) // without the body it is part of
	n := originRef(len(o.known))
	o.known = append(o.known, one)
	o.numbers[one] = n
	return n
}
