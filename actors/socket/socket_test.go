package socket

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/providers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is one socket's actor on the fake clock. What its turns come to is in started and
// refused, by their names.
type rig struct {
	t        *testing.T
	root     *actor.RootContext
	parent   *actor.PID
	socket   *actor.PID
	line     *testLine
	started  []string
	refused  map[string]Refusal
	failures int
}

func inRig(t *testing.T, limits Limits, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		system := actor.NewActorSystem(
			actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }),
			actor.WithDeadLetterThrottleInterval(time.Millisecond),
			actor.WithDeadLetterRequestLogging(false),
		)
		r := &rig{t: t, root: system.Root, line: new(testLine).hear(), refused: map[string]Refusal{}}
		describe := func(producer func() actor.Actor, options ...actor.PropsOption) *actor.Props {
			return stage.Props(system.Root, producer, func(actor.Context, stage.Crash) {}, options...)
		}
		r.parent = system.Root.Spawn(Props(describe, func(stage.Failure) { r.failures++ }))
		r.socket = ask[Opened](r, r.parent, Open{Line: r.line, Limits: limits}).Socket
		f(r)
		system.Root.Stop(r.parent)
		synctest.Wait()
		system.Shutdown()
		time.Sleep(2 * time.Second)
	})
}

func ask[T any](r *rig, pid *actor.PID, msg any) T {
	r.t.Helper()
	answer, err := stage.NewAsker(r.root, func(any) {}).Ask(r.t.Context(), pid, msg, 0)
	require.NoError(r.t, err)
	typed, ok := answer.(T)
	require.True(r.t, ok, "%T", answer)
	return typed
}

func (r *rig) tell(msg any) {
	r.root.Send(r.socket, msg)
	synctest.Wait()
}

// pass lets time pass, and what is due then be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) ask(lane, name string, size int) *testTurn {
	turn := &testTurn{rig: r, lane: lane, name: name, size: size}
	r.tell(Asked{turn})
	return turn
}

type testTurn struct {
	rig        *rig
	lane, name string
	size       int
}

func (u *testTurn) Lane() string { return u.lane }
func (u *testTurn) Size() int    { return u.size }
func (u *testTurn) Start() {
	if u.name == "crash" {
		panic("a turn that cannot be started")
	}
	u.rig.started = append(u.rig.started, u.name)
}
func (u *testTurn) Refuse(why Refusal) { u.rig.refused[u.name] = why }

type testLine struct {
	heardAt atomic.Pointer[time.Time]
	pings   atomic.Int32
	mu      sync.Mutex
	ended   []End
	endedAt time.Time
}

func (l *testLine) HeardAt() time.Time { return *l.heardAt.Load() }

func (l *testLine) hear() *testLine {
	now := time.Now()
	l.heardAt.Store(&now)
	return l
}

func (l *testLine) Ping() { l.pings.Add(1) }
func (l *testLine) Close(why End) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended, l.endedAt = append(l.ended, why), time.Now()
}

func (l *testLine) ends() []End {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

type testLink struct{ closes atomic.Int32 }

func (l *testLink) Close()      { l.closes.Add(1) }
func (l *testLink) closed() int { return int(l.closes.Load()) }

// forever is Standard without the alarms that most tests are not about.
func forever() Limits {
	limits := Standard()
	limits.Life, limits.Silence, limits.Deadline = 1000*time.Hour, 1000*time.Hour, 2000*time.Hour
	return limits
}

func TestSocket_KeepsTheOrderInsideALaneOnly(t *testing.T) {
	inRig(t, forever(), func(r *rig) {
		one := r.ask("", "one", 1)
		two := r.ask("", "two", 1)
		r.ask("b", "three", 1)
		require.Equal(t, []string{"one", "three"}, r.started)
		r.tell(Ended{one})
		require.Equal(t, []string{"one", "three", "two"}, r.started)
		r.tell(Ended{one}) // told twice, it changes nothing
		r.ask("", "four", 1)
		require.Len(t, r.started, 3)
		r.tell(Ended{two})
		require.Equal(t, []string{"one", "three", "two", "four"}, r.started)
	})
}

func TestSocket_RefusesWhatIsBeyondItsLimits(t *testing.T) {
	limits := forever()
	limits.Turns, limits.Lanes, limits.TurnBytes = 3, 2, 100
	inRig(t, limits, func(r *rig) {
		one := r.ask("", "one", 1000) // one alone may be larger
		r.ask("a", "heavy", 1)
		r.tell(Ended{one})
		a, b := r.ask("a", "a", 1), r.ask("b", "b", 1)
		r.ask("c", "lane", 1)
		r.ask("", "in flight", 1)
		r.ask("a", "turn", 1)
		require.Equal(t, map[string]Refusal{"heavy": TooManyBytes, "lane": TooManyLanes, "turn": TooManyTurns}, r.refused)
		r.tell(Ended{a})
		r.tell(Ended{b})
		r.ask("a", "again", 1)
		require.Equal(t, []string{"one", "a", "b", "in flight", "again"}, r.started)
	})
}

func TestSocket_ExpiresWhenNothingRuns(t *testing.T) {
	limits := forever()
	limits.Life = time.Hour
	inRig(t, limits, func(r *rig) {
		bornAt := time.Now()
		one := r.ask("", "one", 1)
		r.ask("", "waits", 1)
		pass(time.Hour + time.Minute)
		require.Empty(t, r.line.ends())
		r.ask("", "late", 1)
		require.Equal(t, map[string]Refusal{"waits": Refusal(Expired), "late": Refusal(Expired)}, r.refused)
		r.tell(Ended{one})
		require.Equal(t, []End{Expired}, r.line.ends())
		require.Equal(t, time.Hour+time.Minute, r.line.endedAt.Sub(bornAt))
	})
	inRig(t, limits, func(r *rig) {
		bornAt := time.Now()
		pass(2 * time.Hour)
		require.Equal(t, []End{Expired}, r.line.ends(), "once")
		require.Equal(t, time.Hour, r.line.endedAt.Sub(bornAt))
	})
}

func TestSocket_LeavesWhenNothingRuns(t *testing.T) {
	inRig(t, forever(), func(r *rig) {
		one := r.ask("", "one", 1)
		r.tell(Leave{})
		r.ask("b", "late", 1)
		require.Empty(t, r.line.ends())
		require.Equal(t, Refusal(Leaving), r.refused["late"])
		r.tell(Ended{one})
		require.Equal(t, []End{Leaving}, r.line.ends())
	})
}

func TestSocket_AsksSilentClientsAndLetsThemGo(t *testing.T) {
	limits := forever()
	limits.Silence, limits.Deadline = 30*time.Second, 90*time.Second
	inRig(t, limits, func(r *rig) {
		for range 10 { // a client that answers is asked again and again
			pass(31 * time.Second)
			r.line.hear()
		}
		require.InDelta(t, 10, r.line.pings.Load(), 1)
		require.Empty(t, r.line.ends())
		before, silentAt := r.line.pings.Load(), time.Now()
		pass(10 * time.Minute)
		require.Equal(t, []End{Silent}, r.line.ends())
		require.InDelta(t, 3, r.line.pings.Load()-before, 1)
		require.Equal(t, 90*time.Second, r.line.endedAt.Sub(silentAt))
	})
}

func TestSocket_LendsItsLinks(t *testing.T) {
	inRig(t, forever(), func(r *rig) {
		key, other := LinkKey{"", "up"}, LinkKey{"", "elsewhere"}
		require.Nil(t, ask[Borrowed](r, r.socket, Borrow{key}).Link)
		early := &testLink{}
		r.tell(Return{Key: key, Link: early, BornAt: time.Now()})
		require.Equal(t, 1, early.closed(), "the lane has had no turn: nobody can have used it")

		one, bornAt := r.ask("", "one", 1), time.Now()
		first := &testLink{}
		r.tell(Return{Key: key, Link: first, BornAt: bornAt})
		r.tell(Ended{one})
		require.Equal(t, Borrowed{first, bornAt}, ask[Borrowed](r, r.socket, Borrow{key}))
		require.Nil(t, ask[Borrowed](r, r.socket, Borrow{key}).Link, "it is lent")
		r.tell(Return{Key: key, Link: first, BornAt: bornAt})
		require.Zero(t, first.closed())
		require.Nil(t, ask[Borrowed](r, r.socket, Borrow{other}).Link)
		require.Equal(t, 1, first.closed(), "it is of no more use")
	})
}

func TestSocket_ClosesLinksThatAreIdleOrOld(t *testing.T) {
	inRig(t, forever(), func(r *rig) {
		key, bornAt := LinkKey{"", "up"}, time.Now()
		r.ask("", "one", 1)
		idle := &testLink{}
		r.tell(Return{Key: key, Link: idle, BornAt: bornAt})
		pass(10*time.Minute - time.Second)
		require.Zero(t, idle.closed())
		pass(2 * time.Second)
		require.Equal(t, 1, idle.closed())

		old, bornAt := &testLink{}, time.Now()
		for range 11 { // it is used every five minutes, for 55
			require.Zero(t, old.closed())
			r.tell(Return{Key: key, Link: old, BornAt: bornAt})
			pass(5 * time.Minute)
			if time.Since(bornAt) < 55*time.Minute {
				require.Equal(t, Link(old), ask[Borrowed](r, r.socket, Borrow{key}).Link)
			}
		}
		require.Nil(t, ask[Borrowed](r, r.socket, Borrow{key}).Link)
		require.Equal(t, 1, old.closed())
	})
}

func TestSocket_ClosesItsLineWhenItCrashes(t *testing.T) {
	inRig(t, forever(), func(r *rig) {
		other := new(testLine).hear()
		ask[Opened](r, r.parent, Open{Line: other, Limits: forever()})
		held := &testLink{}
		r.ask("b", "fine", 1)
		r.tell(Return{Key: LinkKey{"b", "up"}, Link: held, BornAt: time.Now()})
		r.ask("", "crash", 1)
		require.Equal(t, []End{Failed}, r.line.ends())
		require.Equal(t, 1, held.closed())
		require.Equal(t, 1, r.failures)
		require.Empty(t, other.ends())
	})
}

func TestSocket_OfAClientThatIsGoneIsNotClosed(t *testing.T) {
	inRig(t, forever(), func(r *rig) {
		r.tell(Gone{})
		pass(time.Minute)
		require.Empty(t, r.line.ends())
	})
}

func TestSockets_RememberRefusalsForTenMinutes(t *testing.T) {
	inRig(t, forever(), func(r *rig) {
		linkable := func(id providers.CredentialID) bool { return ask[bool](r, r.parent, Linkable{id}) }
		require.True(t, linkable("a"))
		r.root.Send(r.parent, LinkRefused{"a"})
		require.False(t, linkable("a"))
		require.True(t, linkable("b"))
		pass(10*time.Minute - time.Second)
		require.False(t, linkable("a"))
		pass(time.Second)
		require.True(t, linkable("a"))
	})
}
