package actors

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestCensus_CountsActorsByKind(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		e.serve(inSession(chat("m"), "one"))
		e.serve(inSession(chat("m2"), "two"))
		other, err := Start(t.Context(), Options{Logger: discard(), Host: e.w.system}, testPlan(3))
		require.NoError(t, err)
		got := e.Census()
		require.Equal(t, map[string]int{
			"gateway": 1, "router": 1, "credentials": 1, "sessions": 1, "ledger": 1, "pins": 1, "transcripts": 1,
			"credential": 2, "model": 2, "session": 2,
		}, got.Actors)
		require.Equal(t, map[string]int{"router": 0, "credentials": 0, "sessions": 0, "ledger": 0, "pins": 0, "transcripts": 0}, got.Waiting)
		require.Equal(t, 3, other.Census().Actors["credential"])
		require.NoError(t, other.Stop(t.Context()))
	})
}

func TestCensus_CountsWaitingMessages(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		e.tellSystem(e.w.ledger, &actor.SuspendMailbox{})
		synctest.Wait()
		for range 3 {
			e.w.root.Send(e.w.ledger, Supervised{})
		}
		require.Equal(t, 3, e.Census().Waiting["ledger"])
		e.tellSystem(e.w.ledger, &actor.ResumeMailbox{})
		synctest.Wait()
		require.Zero(t, e.Census().Waiting["ledger"])
	})
}

func TestLedger_CountsRestsByTheirCause(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		limited := providers.Outcome{Kind: providers.RateLimited, RetryAfter: 10 * time.Second}
		e.fail(chat("m"), limited)
		require.Equal(t, map[providers.Kind]uint64{providers.RateLimited: 1}, e.view("c1").Rests)
		time.Sleep(time.Minute) // it ends by itself
		e.serve(chat("m"))
		e.fail(chat("m"), limited)
		e.fail(chat("m2"), providers.Outcome{Kind: providers.OutOfFunds, Scope: providers.ScopeCredential})
		require.Equal(t, map[providers.Kind]uint64{providers.RateLimited: 2, providers.OutOfFunds: 1}, e.view("c1").Rests)
	})
}
