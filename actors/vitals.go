package actors

import (
	"context"
	"sync/atomic"

	"github.com/understudyhq/understudy/actors/ledger"
	"github.com/understudyhq/understudy/internal/catalog"
)

// census counts the actors of which there are many. Sessions are counted by the ledger.
type census struct{ credentials, models atomic.Int64 }

// Vitals say how the engine itself does.
type Vitals struct {
	Actors    map[string]int // that live, by kind
	Mailboxes map[string]int // messages that wait, by the kind of actor that there is one of
	Failures  uint64         // of actors, since the start
	Restarts  uint64         // of those, followed by a restart
}

// Vitals returns how the engine does, given what it knows at the same time.
func (s *System) Vitals(known Snapshot) Vitals {
	v := Vitals{
		Actors: map[string]int{
			"guardian": 1, "credential": int(s.w.census.credentials.Load()),
			"model": int(s.w.census.models.Load()), "session": known.Sessions,
		},
		Mailboxes: map[string]int{},
		Failures:  known.Failures,
		Restarts:  known.Restarts,
	}
	for kind, depth := range s.w.depths {
		v.Actors[kind], v.Mailboxes[kind] = 1, depth.Depth()
	}
	return v
}

// Configured tells subscribers that a configuration with changes to the last one runs. They are
// paths, without values.
func (s *System) Configured(changes []string) {
	s.w.root.Send(s.w.ledger, ConfigChanged{Changes: changes})
}

// Usage returns what was served, by day, model, credential and client, latest day first. Some
// three months are remembered, and as long as the engine runs.
func (s *System) Usage(ctx context.Context) ([]UsageRow, error) {
	return ask[[]UsageRow](ctx, s, s.w.ledger, ledger.ListUsage{})
}

// catalogWanted asks the router for the names that there are.
type catalogWanted struct{}

// Served returns every name that clients find in lists, in order, with who could serve it. The
// router only hands over the names: the rest is put together here.
func (s *System) Served(ctx context.Context) ([]Served, error) {
	names, err := ask[catalog.Catalog](ctx, s, s.w.router, catalogWanted{})
	if err != nil {
		return nil, err
	}
	known, err := ask[[]ledger.Member](ctx, s, s.w.ledger, ledger.ListMembers{})
	if err != nil {
		return nil, err
	}
	return ledger.ServedBy(names, known), nil
}
