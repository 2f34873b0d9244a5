package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"

	"github.com/understudyhq/understudy/actors/ledger"
	"github.com/understudyhq/understudy/actors/memory"
	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Options say where an engine lives.
type Options struct {
	// Logger takes the engine's own lines. Required.
	Logger *slog.Logger
	// Host is an actor system to live in; nil = one of its own.
	Host *actor.ActorSystem
}

// System is the engine: an actor tree behind plain functions. All methods are safe for
// concurrent use. No PID leaves this package.
type System struct {
	w         *wiring
	own       bool // the actor system is ours to shut down
	asker     *stage.Asker
	leases    atomic.Uint64 // numbers handed out
	stopping  atomic.Bool
	affinity  atomic.Bool   // sessions count
	stopped   chan struct{} // closed when the guardian has stopped
	err       error         // why, if by itself; read after stopped
	cleaned   sync.Once
	mu        sync.Mutex
	listeners map[*stage.Feed[Event]]struct{}
	unread    *eventstream.Subscription // to messages that found nobody
}

// Start starts an engine and waits until it serves plan.
func Start(ctx context.Context, o Options, plan Plan) (*System, error) {
	host := o.Host
	if host == nil {
		host = newActorSystem(o.Logger)
	}
	s := &System{
		w:         newWiring(host, o.Logger),
		own:       o.Host == nil,
		stopped:   make(chan struct{}),
		listeners: map[*stage.Feed[Event]]struct{}{},
	}
	s.asker = stage.NewAsker(host.Root, s.late)
	if _, err := host.Root.SpawnNamed(guardianProps(s.w, s.ended), s.w.guardian.Id); err != nil {
		return nil, fmt.Errorf("start the engine: %w", err)
	}
	s.unread = host.EventStream.Subscribe(s.deadLetter)
	if err := s.Apply(ctx, plan); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// newActorSystem makes an actor system that logs its own troubles through logger and opens
// nothing global.
func newActorSystem(logger *slog.Logger) *actor.ActorSystem {
	return actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(quiet{logger.Handler()}) }),
		actor.WithDeadLetterThrottleInterval(time.Millisecond),
		actor.WithDeadLetterRequestLogging(false),
	)
}

// Acquire asks for leave to use a credential once. Every lease must be reported.
// Errors: *UnknownModelError, *FormatError, *NoCredentialError, *PinError, ErrOverloaded,
// ErrStopped, or the cause of ctx.
func (s *System) Acquire(ctx context.Context, a Acquire) (Lease, error) {
	if !s.affinity.Load() {
		a.Session = session.Keys{}
	}
	for try := 1; !s.stopping.Load(); try++ {
		question, id := a, s.leases.Add(1)
		answer, err := s.asker.Ask(ctx, s.w.router, acquire{Acquire: &question, id: id}, id)
		if err != nil {
			s.w.root.Send(s.w.router, forsaken{id})
			return Lease{}, err
		}
		switch answer := answer.(type) {
		case Lease:
			return answer, nil
		case denied:
			return Lease{}, answer.err
		case stage.Shed:
			return Lease{}, ErrOverloaded
		case stage.Bounced: // by an actor that was idle and is gone; the next try spawns it anew
			a = s.again(a, answer.Message, try > maxUnheard/2)
			runtime.Gosched() // let it go
		case stage.Crashed:
			a = s.again(a, answer.Message, true)
		default: // a dead letter, for the same reason as a bounce
			if try >= maxUnheard {
				return Lease{}, &NoCredentialError{Model: a.Model, Reasons: map[string]int{"restarting": 1}}
			}
		}
	}
	return Lease{}, ErrStopped
}

// maxUnheard is how often a question may be addressed to an actor that is not there.
const maxUnheard = 10

// again takes note that an actor did not handle msg, and returns the next question: if
// exclude, one without that actor's credential. A crash of the router itself excludes nobody:
// it is back for the next try, or the engine ends.
func (s *System) again(a Acquire, msg any, exclude bool) Acquire {
	var g grant
	switch msg := msg.(type) {
	case acquire:
		g.acquire = msg
	case grant:
		g = msg
	case refused:
		g = msg.grant
	}
	s.lost(msg)
	if since := g.acquire.since; !since.IsZero() { // it has waited already
		a.Wait = max(0, a.Wait-time.Since(since))
	}
	if exclude && g.credential != "" {
		a.Tried = append(slices.Clip(a.Tried), Tried{Credential: g.credential})
	}
	return a
}

// lost takes back what was noted about a grant, if msg is one that nobody has handled.
func (s *System) lost(msg any) {
	switch msg := msg.(type) {
	case grant:
		s.w.root.Send(s.w.router, lostGrant{msg})
	case refused:
		s.w.root.Send(s.w.router, lostGrant{msg.grant})
	}
}

// deadLetter hears of messages that found nobody. Who asked is answered, but not with what.
func (s *System) deadLetter(event any) {
	if letter, ok := event.(*actor.DeadLetterEvent); ok && strings.HasPrefix(letter.PID.Id, s.w.guardian.Id+"/") {
		s.lost(letter.Message)
	}
}

// FirstByte says that the lease has served: its session is bound to its credential.
func (s *System) FirstByte(l Lease) {
	if l.asked != nil && !l.asked.Session.Primary.IsZero() {
		s.w.root.Send(s.w.sessions, Bind{Asked: l.asked, Credential: l.Credential.ID, Lease: l.ID})
	}
}

// Report ends a lease. A second report of one lease is ignored.
func (s *System) Report(l Lease, o providers.Outcome) {
	if l.owner != nil {
		l.box.put(report{lease: l.ID, outcome: o, used: l.Credential})
		s.w.root.Send(l.owner, reported{})
	}
}

// Renew returns l with another secret, when the one it has was refused or has expired. All
// who ask at the same time wait for one refresh. An error means that there is no other one:
// providers.ErrGrantEnded if there never will be.
func (s *System) Renew(ctx context.Context, l Lease) (Lease, error) {
	for {
		answer, err := ask[renewed](ctx, s, l.parent, renew{l.Credential})
		switch {
		case err != nil:
			return l, err
		case errors.Is(answer.err, errRestarting): // it is back for the next try, or it is no more
			continue
		case answer.err != nil:
			return l, answer.err
		}
		l.Credential = answer.credential
		return l, nil
	}
}

// Made notes that things were made with a lease, for a client: only it may use them, and only
// at that credential's account.
func (s *System) Made(l Lease, client string, keys []pin.Key) {
	c := l.Credential
	origin := Origin{Credential: c.ID, Upstream: c.Upstream.Name, Account: c.Account}
	if l.asked != nil {
		origin.Model = l.asked.Model + l.asked.Suffix // some names are configured with theirs
	}
	s.w.root.Send(s.w.pins, memory.Made{Keys: keys, Origin: origin, Client: client})
}

// Origins returns where things were made, in order; the zero Origin for what is not known.
func (s *System) Origins(ctx context.Context, client string, keys []pin.Key) ([]Origin, error) {
	return ask[[]Origin](ctx, s, s.w.pins, memory.Whose{Keys: keys, Client: client})
}

// Turned notes what an answer has added to a conversation that no upstream remembers.
func (s *System) Turned(t Turned) { s.w.root.Send(s.w.transcripts, t) }

// Transcript returns the conversation of a client up to an answer as comma-separated items,
// not to be changed; nil if it is not known.
func (s *System) Transcript(ctx context.Context, client, answer string) ([]byte, error) {
	return ask[[]byte](ctx, s, s.w.transcripts, memory.TranscriptOf{Client: client, Answer: answer})
}

// Record keeps the record of one request, which must not be changed any more.
func (s *System) Record(r *Record) { s.w.root.Send(s.w.ledger, ledger.Keep{Record: r}) }

// Records returns the latest records, up to limit, latest first.
func (s *System) Records(ctx context.Context, limit int) ([]*Record, error) {
	return ask[[]*Record](ctx, s, s.w.ledger, ledger.ListRecords{Limit: limit})
}

// RecordOf returns the latest record of a request; nil if there is none any more.
func (s *System) RecordOf(ctx context.Context, requestID string) (*Record, error) {
	return ask[*Record](ctx, s, s.w.ledger, ledger.FindRecord{RequestID: requestID})
}

// Apply makes plan the truth and returns when the next Acquire will follow it. Rests,
// cursors and bindings of credentials that did not change are kept.
func (s *System) Apply(ctx context.Context, plan Plan) error {
	if _, err := ask[applied](ctx, s, s.w.guardian, apply{plan}); err != nil {
		return err
	}
	s.affinity.Store(plan.Settings.Routing.SessionAffinity)
	return nil
}

// ask asks whoever is not part of serving a request. Any other answer than a T comes in place
// of an actor that has stopped.
func ask[T any](ctx context.Context, s *System, pid *actor.PID, msg any) (T, error) {
	var none T
	if s.stopping.Load() {
		return none, ErrStopped
	}
	answer, err := s.asker.Ask(ctx, pid, msg, 0)
	if err != nil {
		return none, err
	}
	if answer, ok := answer.(T); ok {
		return answer, nil
	}
	return none, ErrStopped
}

// ModelsListed tells what an upstream without configured models has. Until it is told, such
// an upstream is taken to serve any name.
func (s *System) ModelsListed(upstream string, models []string) {
	s.w.root.Send(s.w.credentials, modelsListed{upstream, models})
}

// Models lists the names that clients can use now.
func (s *System) Models(ctx context.Context) ([]ModelInfo, error) {
	return ask[[]ModelInfo](ctx, s, s.w.router, listModels{})
}

// Snapshot returns what the engine knows at one instant.
func (s *System) Snapshot(ctx context.Context) (Snapshot, error) {
	return ask[Snapshot](ctx, s, s.w.ledger, ledger.TakeSnapshot{})
}

// Subscribe calls fn for every fact from now on, in order, in a goroutine of its own. A
// slow fn misses events and is told how many. cancel ends it; fn may be running then.
func (s *System) Subscribe(fn func(Event)) (cancel func()) {
	s.mu.Lock()
	if s.stopping.Load() || s.listeners == nil {
		s.mu.Unlock()
		return func() {}
	}
	sub := stage.NewFeed(fn, func(e *Event, dropped uint64) { e.Dropped = dropped })
	s.listeners[sub] = struct{}{}
	s.mu.Unlock()
	s.w.root.Send(s.w.ledger, ledger.Subscribe{Feed: sub})
	return func() {
		s.mu.Lock()
		delete(s.listeners, sub)
		s.mu.Unlock()
		s.w.root.Send(s.w.ledger, ledger.Unsubscribe{Feed: sub})
		sub.Close()
	}
}

// Stop ends the engine: further Acquires fail with ErrStopped, all actors stop, and nothing
// of it is left in a host's actor system. It waits until ctx ends.
func (s *System) Stop(ctx context.Context) error {
	if !s.stopping.Swap(true) {
		s.w.root.Send(s.w.guardian, shutDown{})
	}
	if err := s.wait(ctx); err != nil {
		return err
	}
	s.cleaned.Do(func() { s.clean(ctx) })
	return nil
}

// subscriberGrace is how long Stop waits for callbacks that are running.
const subscriberGrace = time.Second

// clean ends what a stopped engine has left, once.
func (s *System) clean(ctx context.Context) {
	s.mu.Lock()
	left := s.listeners
	s.listeners = nil
	s.mu.Unlock()
	for sub := range left {
		sub.Close()
	}
	s.asker.Close()
	s.awaitBlocking(ctx)
	s.w.system.EventStream.Unsubscribe(s.unread)
	if s.own {
		s.w.system.Shutdown()
	}
	ctx, cancel := context.WithTimeout(ctx, subscriberGrace)
	defer cancel()
	for sub := range left {
		select {
		case <-sub.Ended():
		case <-ctx.Done(): // a callback that stops the engine cannot be waited for
			return
		}
	}
}

// awaitBlocking waits until nothing is left that blocks outside of mailboxes. It has been
// canceled; what does not mind that is not waited for longer than ctx.
func (s *System) awaitBlocking(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		s.w.blocking.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// Done is closed when the engine has stopped; Err then says why, if it was not by Stop.
func (s *System) Done() <-chan struct{} { return s.stopped }

// Err returns why the engine ended by itself; nil while it runs and after Stop.
func (s *System) Err() error {
	select {
	case <-s.stopped:
		return s.err
	default:
		return nil
	}
}

func (s *System) wait(ctx context.Context) error {
	select {
	case <-s.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop the engine: %w", context.Cause(ctx))
	}
}

// ended hears from the guardian that it has stopped.
func (s *System) ended(why error) {
	s.stopping.Store(true)
	s.err = why
	close(s.stopped)
}

// late takes answers that nobody waits for any more. A lease among them is given back.
func (s *System) late(answer any) {
	switch answer := answer.(type) {
	case Lease:
		s.Report(answer, providers.Outcome{Kind: providers.Canceled, Reason: "nobody waited for the lease"})
	case stage.Bounced:
		s.lost(answer.Message)
	case stage.Crashed:
		s.lost(answer.Message)
	}
}

// quiet lets only warnings of the actor library through: its other lines repeat what the
// engine logs itself.
type quiet struct{ slog.Handler }

// Enabled is part of slog.Handler.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}
