package stage

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// leanActor describes an actor with the engine's mailbox and guard.
func leanActor(sys *actor.ActorSystem, limit int32, receive func(actor.Context)) *actor.Props {
	quietly := func(actor.Context, Crash) {}
	return Props(sys.Root, func() actor.Actor { return actor.ReceiveFunc(receive) }, quietly, actor.WithMailbox(Lean(sys.Root, limit)))
}

func TestMailbox_KeepsOrderAndLetsSystemMessagesPass(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, sys *actor.ActorSystem) {
		out, got := probe(sys)
		pid := sys.Root.Spawn(leanActor(sys, 0, func(c actor.Context) {
			if n, ok := c.Message().(int); ok {
				c.Send(out, n)
			}
		}))
		for i := range 50 {
			sys.Root.Send(pid, i)
		}
		for i := range 50 {
			require.Equal(t, i, <-got)
		}
		sys.Root.Stop(pid)
	})
}

func TestMailbox_IgnoresNil(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, sys *actor.ActorSystem) {
		var handled atomic.Int32
		pid := sys.Root.Spawn(leanActor(sys, 0, func(c actor.Context) {
			if _, ok := c.Message().(string); ok {
				handled.Add(1)
			}
		}))
		sys.Root.Send(pid, nil)
		sys.Root.Send(pid, "x")
		synctest.Wait()
		require.EqualValues(t, 1, handled.Load())
		sys.Root.Stop(pid)
	})
}

func TestMailbox_TakesMessagesBeforeItsHandlersAreRegistered(t *testing.T) {
	t.Parallel()
	m := &mailbox{}
	m.PostUserMessage("early")
	m.PostSystemMessage(&actor.Started{})
	in := &recordingInvoker{}
	m.RegisterHandlers(in, actor.NewSynchronizedDispatcher(10))
	require.Equal(t, []any{&actor.Started{}, "early"}, in.seen)
	require.Zero(t, m.UserMessageCount())
}

// recordingInvoker stands in for an actor; a message that is a func is called.
type recordingInvoker struct {
	seen      []any
	escalated []any
}

func (r *recordingInvoker) InvokeSystemMessage(m any) { r.seen = append(r.seen, m) }
func (r *recordingInvoker) InvokeUserMessage(m any) {
	if f, ok := m.(func()); ok {
		f()
	}
	r.seen = append(r.seen, m)
}

func (r *recordingInvoker) EscalateFailure(reason, _ any) { r.escalated = append(r.escalated, reason) }

func TestMailbox_GoesOnAfterAPanic(t *testing.T) {
	t.Parallel()
	in := &recordingInvoker{}
	m := &mailbox{}
	m.PostUserMessage(func() { panic("bug") })
	m.PostUserMessage("next")
	m.RegisterHandlers(in, actor.NewSynchronizedDispatcher(10))
	require.Equal(t, []any{"bug"}, in.escalated)
	require.Equal(t, []any{"next"}, in.seen)
}

func TestMailbox_SurvivesGoexit(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, sys *actor.ActorSystem) {
		out, got := probe(sys)
		pid := sys.Root.Spawn(leanActor(sys, 0, func(c actor.Context) {
			switch c.Message().(type) {
			case boom:
				runtime.Goexit()
			case string:
				c.Send(out, c.Message())
			}
		}))
		sys.Root.Send(pid, boom{})
		sys.Root.Send(pid, "alive")
		require.Equal(t, "alive", <-got)
		sys.Root.Stop(pid)
	})
}

func TestMailbox_ShedsAsksBeyondItsLimitButNoTells(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, sys *actor.ActorSystem) {
		Asker, answers := probe(sys)
		gate := make(chan struct{})
		var handled atomic.Int32
		pid := sys.Root.Spawn(leanActor(sys, 2, func(c actor.Context) {
			if _, ok := c.Message().(int); ok {
				<-gate
				handled.Add(1)
			}
		}))
		sys.Root.Send(pid, 0)
		synctest.Wait() // 0 is being handled
		for i := 1; i <= 4; i++ {
			sys.Root.RequestWithCustomSender(pid, i, Asker)
		}
		sys.Root.Send(pid, 5)
		require.Equal(t, Shed{3}, <-answers)
		require.Equal(t, Shed{4}, <-answers)
		close(gate)
		synctest.Wait()
		require.EqualValues(t, 4, handled.Load())
		sys.Root.Stop(pid)
	})
}

func TestMailbox_BouncesAsksThatAStoppedActorWillNotRead(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, sys *actor.ActorSystem) {
		Asker, answers := probe(sys)
		gate := make(chan struct{})
		pid := sys.Root.Spawn(leanActor(sys, 0, func(c actor.Context) {
			if _, ok := c.Message().(int); ok {
				<-gate
			}
		}))
		sys.Root.Send(pid, 0)
		synctest.Wait()
		sys.Root.RequestWithCustomSender(pid, "question", Asker)
		sys.Root.Stop(pid)
		close(gate)
		require.Equal(t, Bounced{"question"}, <-answers)
	})
}

func TestGuard_AnswersTheAskerOfAMessageThatPanics(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, sys *actor.ActorSystem) {
		Asker, answers := probe(sys)
		pid := sys.Root.Spawn(leanActor(sys, 0, func(c actor.Context) {
			if _, ok := c.Message().(boom); ok {
				panic("a bug")
			}
		}))
		sys.Root.RequestWithCustomSender(pid, boom{}, Asker)
		require.Equal(t, Crashed{Message: boom{}, Reason: "a bug"}, <-answers)
		sys.Root.Stop(pid)
	})
}

func TestGuard_APanicWhileStoppingNeitherResurrectsNorHangs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, sys *actor.ActorSystem) {
		before := processes(sys)
		for _, stage := range []any{&actor.Stopping{}, &actor.Stopped{}} {
			parent := sys.Root.Spawn(leanActor(sys, 0, func(c actor.Context) {
				if _, ok := c.Message().(*actor.Started); ok {
					c.Spawn(leanActor(sys, 0, func(c actor.Context) {
						if c.Message() != nil && sameType(c.Message(), stage) {
							panic("while stopping")
						}
					}))
				}
			}))
			synctest.Wait()
			sys.Root.Stop(parent)
			synctest.Wait()
		}
		require.ElementsMatch(t, before, processes(sys))
	})
}

func sameType(a, b any) bool {
	_, stopping := a.(*actor.Stopping)
	_, wanted := b.(*actor.Stopping)
	_, stopped := a.(*actor.Stopped)
	return (stopping && wanted) || (stopped && !wanted)
}

// alarmed is the message of an alarm.
type alarmed struct{}

// ping is a numbered question.
type ping struct{ n uint64 }

func (p ping) Question() uint64 { return p.n }

func TestAsk_GivesAnAnswerThatComesTooLateToLate(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, sys *actor.ActorSystem) {
		late := make(chan any, 1)
		a := NewAsker(sys.Root, func(answer any) { late <- answer })
		slow := sys.Root.Spawn(leanActor(sys, 0, func(c actor.Context) {
			if p, ok := c.Message().(ping); ok {
				time.Sleep(time.Minute)
				c.Respond(p)
			}
		}))
		gone := errors.New("gone")
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Second, gone)
		defer cancel()
		_, err := a.Ask(ctx, slow, ping{1}, 1)
		require.ErrorIs(t, err, gone)
		require.Equal(t, ping{1}, <-late)
		sys.Root.Stop(slow)
		a.Close()
	})
}

func TestAsk_IgnoresAnswersToEarlierQuestions(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, sys *actor.ActorSystem) {
		late := make(chan any, 1)
		a := NewAsker(sys.Root, func(answer any) { late <- answer })
		twice := sys.Root.Spawn(leanActor(sys, 0, func(c actor.Context) {
			if p, ok := c.Message().(ping); ok {
				c.Respond(ping{p.n - 1})
				c.Respond(p)
			}
		}))
		answer, err := a.Ask(context.Background(), twice, ping{7}, 7)
		require.NoError(t, err)
		require.Equal(t, ping{7}, answer)
		require.Equal(t, ping{6}, <-late)
		sys.Root.Stop(twice)
		a.Close()
	})
}

func TestAsk_LeavesNoProcessBehind(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, sys *actor.ActorSystem) {
		before := processes(sys)
		a := NewAsker(sys.Root, func(any) {})
		dead := sys.NewLocalPID("nobody")
		for range 10 {
			answer, err := a.Ask(context.Background(), dead, ping{1}, 1)
			require.NoError(t, err)
			require.IsType(t, &actor.DeadLetterResponse{}, answer)
		}
		a.Close()
		require.ElementsMatch(t, before, processes(sys))
	})
}

func TestRestartLimits_Delay(t *testing.T) {
	t.Parallel()
	l := Limits{Base: 100 * time.Millisecond, Cap: time.Second}
	for n, want := range map[int]time.Duration{
		1: 0, 2: 100 * time.Millisecond, 3: 200 * time.Millisecond, 5: 800 * time.Millisecond, 6: time.Second, 90: time.Second,
	} {
		require.Equal(t, want, l.delay(n, 0), n)
		require.LessOrEqual(t, l.delay(n, 1), want+want/5, n)
	}
}

func TestAlarm_KeepsTheEarliest(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, sys *actor.ActorSystem) {
		out, got := probe(sys)
		var a Alarm
		began := time.Now()
		pid := sys.Root.Spawn(leanActor(sys, 0, func(c actor.Context) {
			switch c.Message().(type) {
			case *actor.Started:
				a.At(c, began.Add(time.Hour), alarmed{})
				a.At(c, began.Add(time.Minute), alarmed{})
				a.At(c, began.Add(2*time.Hour), alarmed{})
			case alarmed:
				c.Send(out, time.Since(began))
				if time.Since(began) < time.Hour {
					a.At(c, began.Add(3*time.Hour), alarmed{})
				}
			}
		}))
		require.Equal(t, time.Minute, <-got)
		require.Equal(t, 3*time.Hour, <-got)
		sys.Root.Stop(pid)
		synctest.Wait()
		a.Cancel()
	})
}
