package actors

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

func TestSystem_RoundRobinServesInTurn_ST3(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, nil, func(t *testing.T, e *engine) {
		var got []string
		for range 6 {
			got = append(got, e.serve(chat("m")))
		}
		require.ElementsMatch(t, []string{"c1", "c2", "c3"}, got[:3])
		require.Equal(t, got[:3], got[3:])
	})
}

func TestSystem_EachModelHasItsOwnCursor_ST6(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		a1, b1 := e.serve(chat("m")), e.serve(chat("m2"))
		a2, b2 := e.serve(chat("m")), e.serve(chat("m2"))
		require.NotEqual(t, a1, a2)
		require.NotEqual(t, b1, b2)
	})
}

func TestSystem_FillFirstLeavesTheFirstOnlyWhileItRests_ST2(t *testing.T) {
	t.Parallel()
	fillFirst := func(p *Plan) { p.Settings.Routing.Strategy = config.FillFirst }
	inEngine(t, 3, fillFirst, func(t *testing.T, e *engine) {
		require.Equal(t, "c1", e.serve(chat("m")))
		require.Equal(t, "c1", e.fail(chat("m"), providers.Outcome{Kind: providers.RateLimited, RetryAfter: 10 * time.Second}))
		require.Equal(t, "c2", e.serve(chat("m")))
		time.Sleep(12 * time.Second)
		require.Equal(t, "c1", e.serve(chat("m")))
	})
}

func TestSystem_ASessionStaysWhereItWasServed_AF1_AF2(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, nil, func(t *testing.T, e *engine) {
		seen := map[string]bool{}
		for _, name := range []string{"s1", "s2", "s3"} {
			first := e.serve(inSession(chat("m"), name))
			seen[first] = true
			for range 5 {
				require.Equal(t, first, e.serve(inSession(chat("m"), name)))
			}
		}
		require.Len(t, seen, 3)
	})
}

func TestSystem_WithoutAffinitySessionsDoNotCount(t *testing.T) {
	t.Parallel()
	off := func(p *Plan) { p.Settings.Routing.SessionAffinity = false }
	inEngine(t, 2, off, func(t *testing.T, e *engine) {
		first := e.serve(inSession(chat("m"), "s"))
		require.NotEqual(t, first, e.serve(inSession(chat("m"), "s")))
	})
}

func TestSystem_FailedOverSessionDoesNotBounceBack_AF23(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		a := e.serve(inSession(chat("m"), "s"))
		require.Equal(t, a, e.fail(inSession(chat("m"), "s"), providers.Outcome{Kind: providers.RateLimited, RetryAfter: 5 * time.Second}))
		b := e.serve(inSession(chat("m"), "s"))
		require.NotEqual(t, a, b)
		time.Sleep(10 * time.Second)
		require.Equal(t, b, e.serve(inSession(chat("m"), "s")))
	})
}

func TestSystem_AFailedAttemptMovesNothing_AF33(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, nil, func(t *testing.T, e *engine) {
		a := e.serve(inSession(chat("m"), "s"))
		for _, k := range []providers.Kind{providers.RequestFault, providers.Canceled} {
			require.Equal(t, a, e.fail(inSession(chat("m"), "s"), providers.Outcome{Kind: k}))
			require.Equal(t, a, e.serve(inSession(chat("m"), "s")))
		}
	})
}

func TestSystem_FallbackKeyInheritsTheBinding_AF17(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, nil, func(t *testing.T, e *engine) {
		turn1 := inSession(chat("m"), "short")
		turn2 := inSession(chat("m"), "full")
		turn2.Session.Fallback = turn1.Session.Primary
		a := e.serve(turn1)
		require.Equal(t, a, e.serve(turn2))
		require.Equal(t, a, e.serve(turn2))
	})
}

func TestSystem_FirstBurstOfASessionUsesOneCredential(t *testing.T) {
	t.Parallel()
	inEngine(t, 5, nil, func(t *testing.T, e *engine) {
		leases := make(chan Lease, 200)
		for range 200 {
			go func() {
				l, err := e.Acquire(context.Background(), inSession(chat("m"), "s"))
				if err == nil {
					leases <- l
				}
			}()
		}
		used := map[providers.CredentialID]int{}
		var burst []Lease
		for range 200 {
			l := <-leases
			used[l.Credential.ID]++
			burst = append(burst, l)
		}
		require.Len(t, used, 1)
		for _, l := range burst {
			e.Report(l, providers.Outcome{Kind: providers.Canceled})
		}
	})
}

func TestSystem_AnAbandonedFirstPickFreesTheSession(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		a := e.fail(inSession(chat("m"), "s"), providers.Outcome{Kind: providers.Canceled})
		require.NotEqual(t, a, e.serve(inSession(chat("m"), "s")))
	})
}

func TestSystem_TTLSlidesAndEnds_AF28(t *testing.T) {
	t.Parallel()
	inEngine(t, 5, nil, func(t *testing.T, e *engine) {
		a := e.serve(inSession(chat("m"), "s"))
		for range 4 {
			time.Sleep(50 * time.Minute)
			require.Equal(t, a, e.serve(inSession(chat("m"), "s")))
		}
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		snapshot, err := e.Snapshot(t.Context())
		require.NoError(t, err)
		require.Zero(t, snapshot.Sessions)
		require.NotEqual(t, a, e.serve(inSession(chat("m"), "s")), "a new session begins with the next in turn")
	})
}

func TestSystem_ALateResultMovesNothing(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		early := e.acquire(inSession(chat("m"), "s"))
		again := inSession(chat("m"), "s")
		again.Tried = []Tried{{Credential: early.Credential.ID}}
		b := e.serve(again)
		e.FirstByte(early)
		e.Report(early, providers.Outcome{Kind: providers.Success})
		synctest.Wait()
		require.Equal(t, b, e.serve(inSession(chat("m"), "s")))
	})
}

func TestSystem_RemovedCredentialFreesItsSessions_AF43(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		a := e.serve(inSession(chat("m"), "s"))
		next := e.plan
		next.Credentials = nil
		for _, c := range e.plan.Credentials {
			if string(c.ID) != a {
				next.Credentials = append(next.Credentials, c)
			}
		}
		require.NoError(t, e.Apply(t.Context(), next))
		require.NotEqual(t, a, e.serve(inSession(chat("m"), "s")))
		require.NoError(t, e.Apply(t.Context(), e.plan))
		require.NotEqual(t, a, e.serve(inSession(chat("m"), "s")), "the session has moved for good")
	})
}

func TestSystem_EveryoneRestingSaysWhenSomebodyIsBack_CD1_CD2(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, nil, func(t *testing.T, e *engine) {
		a := e.fail(chat("m"), providers.Outcome{Kind: providers.RateLimited, RetryAfter: 20 * time.Second})
		b := e.fail(chat("m"), providers.Outcome{Kind: providers.RateLimited, RetryAfter: 10 * time.Second})
		require.NotEqual(t, a, b)
		_, err := e.Acquire(t.Context(), chat("m"))
		var none *NoCredentialError
		require.ErrorAs(t, err, &none)
		require.InDelta(t, 10.5, none.RetryAfter.Seconds(), 0.5)
		require.Equal(t, map[string]int{"resting:rate-limited": 2}, none.Reasons)
		require.Equal(t, "up", none.Provider)
		time.Sleep(none.RetryAfter)
		require.Equal(t, b, e.serve(chat("m")))
	})
}

func TestSystem_ModelsRestByThemselves_CD23(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		e.fail(chat("m"), providers.Outcome{Kind: providers.Transient})
		_, err := e.Acquire(t.Context(), chat("m"))
		require.Error(t, err)
		require.Equal(t, "c1", e.serve(chat("m2")))
	})
}

func TestSystem_UnauthorizedTakesTheWholeCredentialOutWithoutATime(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		e.fail(chat("m"), providers.Outcome{Kind: providers.Unauthorized, Scope: providers.ScopeCredential})
		_, err := e.Acquire(t.Context(), chat("m2"))
		var none *NoCredentialError
		require.ErrorAs(t, err, &none)
		require.Zero(t, none.RetryAfter)
		require.Equal(t, map[string]int{"unauthorized": 1}, none.Reasons)
		snapshot, err := e.Snapshot(t.Context())
		require.NoError(t, err)
		require.Equal(t, "unauthorized", snapshot.Credentials[0].Status)
		time.Sleep(31 * time.Minute)
		require.Equal(t, "c1", e.serve(chat("m2")), "probed after the longest rest")
	})
}

func TestSystem_RotatedSecretIsUsedAtOnce(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		e.fail(chat("m"), providers.Outcome{Kind: providers.Unauthorized, Scope: providers.ScopeCredential})
		next := e.plan
		renewed := *e.plan.Credentials[0]
		renewed.Secret = providers.NewSecret("sk-renewed")
		next.Credentials = []*providers.Credential{&renewed}
		require.NoError(t, e.Apply(t.Context(), next))
		synctest.Wait()
		l := e.acquire(chat("m"))
		require.Equal(t, "sk-renewed", l.Credential.Secret.Reveal())
		e.Report(l, providers.Outcome{Kind: providers.Success})
	})
}

func TestSystem_ApplyKeepsRestsCursorsAndBindingsOfTheOthers(t *testing.T) {
	t.Parallel()
	inEngine(t, 3, nil, func(t *testing.T, e *engine) {
		bound := e.serve(inSession(chat("m"), "s"))
		rests := e.fail(chat("m"), providers.Outcome{Kind: providers.RateLimited, RetryAfter: time.Minute})
		next := e.plan
		next.Credentials = append(append([]*providers.Credential{}, e.plan.Credentials...), testCredential(e.plan.Credentials[0].Upstream, "c9"))
		require.NoError(t, e.Apply(t.Context(), next))
		require.Equal(t, bound, e.serve(inSession(chat("m"), "s")))
		seen := map[string]int{}
		for range 6 {
			seen[e.serve(chat("m"))]++
		}
		require.NotContains(t, seen, rests)
		for id, n := range seen {
			require.Equal(t, 2, n, id)
		}
		require.Contains(t, seen, "c9")
	})
}

func TestSystem_Errors(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		_, err := e.Acquire(t.Context(), chat("nobody-has-this"))
		var unknown *UnknownModelError
		require.ErrorAs(t, err, &unknown)

		_, err = e.Acquire(t.Context(), Acquire{Model: "m", Format: providers.Anthropic})
		var format *FormatError
		require.ErrorAs(t, err, &format)
		require.Equal(t, []providers.Format{providers.OpenAIChat}, format.Formats)

		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("client gone")
		cancel(gone)
		_, err = e.Acquire(ctx, chat("m"))
		if err != nil { // the answer may be as fast as the cancellation
			require.ErrorIs(t, err, gone)
		}
	})
}

func TestSystem_StoppedSaysSo(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		require.NoError(t, e.Stop(context.Background()))
		_, err := e.Acquire(t.Context(), chat("m"))
		require.ErrorIs(t, err, ErrStopped)
		require.NoError(t, e.Err())
	})
}

func TestSystem_AnUnreportedLeaseIsTakenBackAndCounted(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		l := e.acquire(chat("m"))
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		s, err := e.Snapshot(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, s.Overdue)
		e.Report(l, providers.Outcome{Kind: providers.RateLimited})
		synctest.Wait()
		s, err = e.Snapshot(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, s.Attempts, "a second report counts for nothing")
		require.Equal(t, "active", s.Credentials[0].Status)
	})
}

func TestSystem_SubscribersHearFactsInOrder(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, nil, func(t *testing.T, e *engine) {
		synctest.Wait() // what the start has to tell
		var events []Event
		done := make(chan struct{})
		cancel := e.Subscribe(func(ev Event) {
			events = append(events, ev)
			if len(events) == 2 {
				close(done)
			}
		})
		e.fail(chat("m"), providers.Outcome{Kind: providers.RateLimited})
		<-done
		cancel()
		require.Equal(t, uint64(1), events[0].Seq)
		require.Equal(t, uint64(2), events[1].Seq)
		kinds := []bool{}
		for _, ev := range events {
			_, isRest := ev.Fact.(Rested)
			_, isAttempt := ev.Fact.(Attempted)
			kinds = append(kinds, isRest || isAttempt)
		}
		require.Equal(t, []bool{true, true}, kinds)
	})
}
