package actors

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/ledger"
	"github.com/understudyhq/understudy/actors/memory"
	"github.com/understudyhq/understudy/actors/stage"
)

// Messages the guardian takes, besides apply, which it hands on.
type (
	// shutDown asks the engine to end: first those who tell facts, then those who hear them.
	shutDown struct{}
	// planWanted asks for the present plan, after a restart. It is answered with apply.
	planWanted struct{}
)

// engineRestarts says how often the actors every request needs may fail before the whole
// engine is given up.
var engineRestarts = stage.Limits{Max: 10, Within: 10 * time.Second, Base: 10 * time.Millisecond, Cap: time.Second}

// guardian is the root of the engine's tree. It keeps the plan, so that a child that
// restarts finds it again, and ends the engine when a child cannot be kept alive.
type guardian struct {
	w          *wiring
	plan       Plan
	planned    bool
	leaving    int // children that shutDown waits for
	supervisor *stage.Backoff
	ended      func(error) // called once, when the guardian has stopped
	why        *error
}

func guardianProps(w *wiring, ended func(error)) *actor.Props {
	var why error
	supervisor := stage.NewBackoff(engineRestarts, func(f stage.Failure) {
		w.supervised("engine", f)
		if f.Stop {
			why = fmt.Errorf("engine actor %s failed too often: %s", f.Child.Id, f.Why)
			w.root.Stop(w.guardian)
		}
	})
	return w.props(func() actor.Actor {
		return &guardian{w: w, supervisor: supervisor, ended: ended, why: &why}
	}, actor.WithSupervisor(supervisor))
}

// Receive is part of actor.Actor.
func (g *guardian) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		g.spawn(c)
	case apply:
		g.plan, g.planned = msg.plan, true
		c.Forward(g.w.credentials)
	case planWanted:
		if g.planned {
			c.Respond(apply{g.plan})
		}
	case shutDown:
		g.leaving = 2
		c.Stop(g.w.credentials)
		c.Stop(g.w.sessions)
	case *actor.Stopping:
		g.supervisor.Cancel()
	case *actor.Stopped:
		g.ended(*g.why)
	case *actor.Terminated:
		if g.leaving--; g.leaving == 0 {
			c.Stop(c.Self())
		}
	default:
		stage.Unhandled(c)
	}
}

func (g *guardian) spawn(c actor.Context) {
	w := g.w
	// One of each for all its incarnations: what was counted stays counted.
	books, pins, transcripts := ledger.New(), memory.NewPins(), memory.NewTranscripts()
	for _, child := range []struct {
		pid   *actor.PID
		props *actor.Props
	}{
		{w.ledger, w.props(func() actor.Actor { return books }, w.measured("ledger", 0))},
		{w.pins, w.props(func() actor.Actor { return pins }, w.measured("pins", 0))},
		{w.transcripts, w.props(func() actor.Actor { return transcripts }, w.measured("transcripts", 0))},
		{w.sessions, sessionsProps(w)},
		{w.sockets, socketsProps(w)},
		{w.credentials, credentialsProps(w)},
		{w.router, w.props(func() actor.Actor { return newRouter(w) }, w.measured("router", routerLimit))}, // last: it asks the others
	} {
		name := child.pid.Id[len(c.Self().Id)+1:]
		if _, err := c.SpawnNamed(child.props, name); err != nil {
			panic(fmt.Errorf("spawn %s: %w", name, err))
		}
	}
}

// routerLimit bounds the requests that wait for the router; more are told to come later.
const routerLimit = 100_000

// wiring is what all actors of one engine share: where the others are, and how an actor is
// made. It is complete before the first actor starts and never changes.
type wiring struct {
	system      *actor.ActorSystem
	root        *actor.RootContext
	logger      *slog.Logger
	guardian    *actor.PID
	router      *actor.PID
	credentials *actor.PID
	sessions    *actor.PID
	ledger      *actor.PID
	pins        *actor.PID
	transcripts *actor.PID
	sockets     *actor.PID
	blocking    sync.WaitGroup // what is outside of mailboxes because it blocks
	census      census
	depths      map[string]*stage.Gauge // of the mailboxes of the actors above
}

// newWiring lays the names of one engine's actors below a name of its own.
func newWiring(system *actor.ActorSystem, logger *slog.Logger) *wiring {
	name := "understudy" + system.ProcessRegistry.NextId()
	at := func(child string) *actor.PID { return system.NewLocalPID(name + "/" + child) }
	w := &wiring{
		system:      system,
		root:        system.Root,
		logger:      logger,
		guardian:    system.NewLocalPID(name),
		router:      at("router"),
		credentials: at("credentials"),
		sessions:    at("sessions"),
		ledger:      at("ledger"),
		pins:        at("pins"),
		transcripts: at("transcripts"),
		sockets:     at("sockets"),
		depths:      map[string]*stage.Gauge{},
	}
	for _, kind := range []string{"router", "credentials", "sessions", "ledger", "pins", "transcripts"} {
		w.depths[kind] = &stage.Gauge{}
	}
	return w
}

// props describes an actor of this engine.
func (w *wiring) props(producer func() actor.Actor, options ...actor.PropsOption) *actor.Props {
	return stage.Props(w.root, producer, w.trouble, options...)
}

// measured gives the one actor of a kind a mailbox that sheds asks beyond limit (0 = never)
// and tells how many messages wait in it.
func (w *wiring) measured(kind string, limit int32) actor.PropsOption {
	return actor.WithMailbox(w.depths[kind].Lean(w.root, limit))
}

// tell sends a fact to the two actors that keep a picture of the whole.
func (w *wiring) tell(f Fact) {
	var msg any = f
	w.root.Send(w.router, msg)
	w.root.Send(w.ledger, msg)
}

func (w *wiring) tellRouter(f Fact) { w.root.Send(w.router, f) }

// trouble logs a panic that no supervisor sees.
func (w *wiring) trouble(c actor.Context, why stage.Crash) {
	w.logger.Error("actor failed while stopping", slog.String("actor", c.Self().Id), slog.Any("err", why), slog.String("stack", string(why.Stack)))
}

// supervised logs what a supervisor decided and tells the ledger.
func (w *wiring) supervised(what string, f stage.Failure) {
	w.logger.Error("actor failed", slog.String("actor", what), slog.Any("err", f.Why), slog.Bool("stopped", f.Stop), slog.String("stack", string(f.Why.Stack)))
	w.root.Send(w.ledger, Supervised{Actor: what, Reason: f.Why.String(), Stopped: f.Stop})
}
