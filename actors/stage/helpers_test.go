package stage

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// boom is a message that makes an actor fail.
type boom struct{}

// inBubble runs f with an actor system of its own on a fake clock. Its closing sleep lets
// the library's dead-letter throttle end.
func inBubble(t *testing.T, f func(t *testing.T, sys *actor.ActorSystem)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
		f(t, sys)
		sys.Shutdown()
		time.Sleep(2 * time.Second)
	})
}

// probe is a process that hands every message it gets to the returned channel.
func probe(sys *actor.ActorSystem) (*actor.PID, <-chan any) {
	p := make(probeProcess, 64)
	pid, _ := sys.ProcessRegistry.Add(p, "probe"+sys.ProcessRegistry.NextId())
	return pid, p
}

type probeProcess chan any

func (p probeProcess) SendUserMessage(_ *actor.PID, m any)   { p <- actor.UnwrapEnvelopeMessage(m) }
func (p probeProcess) SendSystemMessage(_ *actor.PID, m any) {}
func (p probeProcess) Stop(*actor.PID)                       {}

// processes lists the processes of an actor system.
func processes(sys *actor.ActorSystem) []string {
	var ids []string
	for _, bucket := range sys.ProcessRegistry.LocalPIDs.LocalPIDs {
		ids = append(ids, bucket.Keys()...)
	}
	return ids
}
