package stage

import "github.com/asynkron/protoactor-go/actor"

// throughput is how many messages an actor handles before it lets others run. Ten instead of
// the library's 300 takes two thirds off the waiting time at a contended actor.
const throughput = 10

// ownTurn lets an actor handle its messages in a goroutine that is started when the first of
// them comes and ends after the last.
type ownTurn struct{}

// Schedule is part of actor.Dispatcher.
func (ownTurn) Schedule(turn func()) { go turn() }

// Throughput is part of actor.Dispatcher.
func (ownTurn) Throughput() int { return throughput }

// Props describes an actor: guarded, with a lean mailbox without limit and short turns.
// trouble is told of panics that no supervisor sees.
func Props(root *actor.RootContext, producer func() actor.Actor, trouble func(actor.Context, Crash), options ...actor.PropsOption) *actor.Props {
	all := append([]actor.PropsOption{
		actor.WithMailbox(Lean(root, 0)),
		actor.WithDispatcher(ownTurn{}),
	}, options...)
	return actor.PropsFromProducer(Guard(producer, trouble), all...)
}

// InCallersTurn lets an actor handle a message in the turn of whoever sends it, if it is
// idle. It saves starting a goroutine, and is only for leaves that touch nothing but memory:
// their sender waits for them.
func InCallersTurn() actor.PropsOption {
	return actor.WithDispatcher(actor.NewSynchronizedDispatcher(throughput))
}
