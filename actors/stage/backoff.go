package stage

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Limits says how often an actor may fail before it is given up.
type Limits struct {
	Max    int           // failures within Within that are answered by a restart
	Within time.Duration // a quiet period of this length forgets earlier failures
	Base   time.Duration // delay before the second restart; the first is at once
	Cap    time.Duration // longest delay
}

// delay returns how long to wait before restarting an actor that has now failed n times
// within the period: nothing, then Base doubling up to Cap, each spread by up to a fifth.
func (l Limits) delay(n int, spread float64) time.Duration {
	if n <= 1 {
		return 0
	}
	d := l.Base
	for i := 2; i < n && d < l.Cap; i++ {
		d *= 2
	}
	return time.Duration(float64(min(d, l.Cap)) * (1 + spread/5))
}

// Failure is what a supervisor decided about a failed child.
type Failure struct {
	Child *actor.PID
	Why   Crash
	Stop  bool          // given up; else restarted
	After time.Duration // the delay before the restart
}

// Backoff is a one-for-one supervisor strategy with a true exponential delay and an end.
// One value belongs to one parent actor. told is called in that parent's turn, before the
// decision is carried out, and must not block.
type Backoff struct {
	limits Limits
	told   func(Failure)

	mu      sync.Mutex
	pending map[*time.Timer]struct{} // restarts that wait
}

// NewBackoff returns a strategy for one parent. told hears of every decision.
func NewBackoff(limits Limits, told func(Failure)) *Backoff {
	return &Backoff{limits: limits, told: told, pending: map[*time.Timer]struct{}{}}
}

// HandleFailure restarts child, at once or later, or stops it.
func (b *Backoff) HandleFailure(_ *actor.ActorSystem, s actor.Supervisor, child *actor.PID, rs *actor.RestartStatistics, reason, _ any) {
	if rs.NumberOfFailures(b.limits.Within) == 0 {
		rs.Reset() // the library never forgets by itself
	}
	rs.Fail()
	n := rs.NumberOfFailures(b.limits.Within)
	f := Failure{Child: child, Why: asCrash(reason), Stop: n > b.limits.Max}
	if !f.Stop {
		f.After = b.limits.delay(n, rand.Float64())
	}
	b.told(f)
	switch {
	case f.Stop:
		s.StopChildren(child)
	case f.After == 0:
		s.RestartChildren(child)
	default:
		b.later(f.After, func() { s.RestartChildren(child) })
	}
}

func (b *Backoff) later(d time.Duration, restart func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		b.mu.Lock()
		_, due := b.pending[t]
		delete(b.pending, t)
		b.mu.Unlock()
		if due {
			restart()
		}
	})
	b.pending[t] = struct{}{}
}

// Cancel forgets the restarts that wait. The parent calls it when it stops or restarts.
func (b *Backoff) Cancel() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for t := range b.pending {
		t.Stop()
	}
	clear(b.pending)
}

func asCrash(reason any) Crash {
	if c, ok := reason.(Crash); ok {
		return c
	}
	return Crash{Reason: reason}
}
