package actors

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

// patient makes a request wait for as long as d.
func patient(a Acquire, d time.Duration) Acquire {
	a.Wait = d
	return a
}

// queueUp lets one request after the other begin to wait, and returns what says in which
// order they are served: their numbers, in a channel. Each lease is reported at once.
func (e *engine) queueUp(requests ...Acquire) <-chan int {
	served := make(chan int, len(requests))
	for i, a := range requests {
		go func() {
			l, err := e.Acquire(e.t.Context(), a)
			if err != nil {
				return
			}
			served <- i
			e.Report(l, providers.Outcome{Kind: providers.Canceled})
		}()
		synctest.Wait()
	}
	return served
}

func order(served <-chan int) string {
	synctest.Wait()
	s := ""
	for len(served) > 0 {
		s += strconv.Itoa(<-served)
	}
	return s
}

func TestWaitRoom_FirstComeFirstServed(t *testing.T) {
	t.Parallel()
	both := func(p *Plan) {
		limited(1)(p)
		p.Credentials[0].Upstream.Formats = []providers.Format{providers.OpenAIChat, providers.OpenAIResponses, providers.Anthropic}
	}
	in := func(f providers.Format) Acquire { return patient(Acquire{Model: "m", Format: f}, time.Minute) }
	withSuffix := patient(chat("m"), time.Minute)
	withSuffix.Suffix = "(high)"
	for name, tt := range map[string]struct {
		requests []Acquire
		want     string
	}{
		"one format":        {[]Acquire{in(providers.OpenAIChat), in(providers.OpenAIChat), in(providers.OpenAIChat)}, "012"},
		"in other formats":  {[]Acquire{in(providers.OpenAIChat), in(providers.Anthropic), in(providers.OpenAIResponses), in(providers.OpenAIChat), in(providers.Anthropic)}, "01234"},
		"of sessions":       {[]Acquire{inSession(in(providers.OpenAIChat), "a"), in(providers.OpenAIChat), inSession(in(providers.OpenAIChat), "b")}, "012"},
		"with a suffix":     {[]Acquire{in(providers.OpenAIChat), withSuffix, in(providers.OpenAIChat)}, "012"},
		"who can be served": {[]Acquire{patient(Acquire{Model: "m", Format: providers.OpenAIChat, Tried: []Tried{{Credential: "c1"}}}, time.Minute), in(providers.OpenAIChat)}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 5 { // an order by chance would show
				inEngine(t, 1, both, func(t *testing.T, e *engine) {
					l := e.acquire(chat("m"))
					served := e.queueUp(tt.requests...)
					time.Sleep(30 * time.Second)
					require.Empty(t, order(served))
					e.report(l, success)
					require.Equal(t, tt.want, order(served))
					time.Sleep(time.Minute)
				})
			}
		})
	}
}

func TestWaitRoom_WhoWaitsForAnotherLetsTheNextPass(t *testing.T) {
	t.Parallel()
	inEngine(t, 2, limited(1), func(t *testing.T, e *engine) {
		a, b := e.acquire(e.on("c1", chat("m"))), e.acquire(e.on("c2", chat("m")))
		pinned := patient(chat("m"), time.Minute)
		pinned.Pin = Origin{Credential: "c1", Upstream: "up", Model: "m"}
		only := patient(chat("m"), time.Minute)
		only.Stay, only.StayOnly = "c1", true
		later := patient(chat("m"), time.Minute)
		later.NotBefore = time.Now().Add(20 * time.Second)
		served := e.queueUp(pinned, only, later, patient(chat("m"), time.Minute))
		e.report(b, success)
		require.Equal(t, "3", order(served), "c2 serves whom it can")
		e.report(a, success)
		require.Equal(t, "01", order(served))
		time.Sleep(20 * time.Second)
		require.Equal(t, "2", order(served))
	})
}

func TestWaitRoom_HoldsTenThousandAndForgetsWhoLeaves(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, limited(1), func(t *testing.T, e *engine) {
		l := e.acquire(chat("m"))
		for range 2 {
			ctx, cancel := context.WithCancel(context.Background())
			left := make(chan error, maxWaiters)
			for range maxWaiters {
				go func() {
					_, err := e.Acquire(ctx, patient(chat("m"), time.Hour))
					left <- err
				}()
			}
			synctest.Wait()
			_, err := e.Acquire(context.Background(), patient(chat("m2"), time.Hour))
			require.ErrorIs(t, err, ErrOverloaded)
			cancel()
			for range maxWaiters {
				require.ErrorIs(t, <-left, context.Canceled)
			}
		}
		served := e.queueUp(patient(chat("m2"), time.Hour))
		e.report(l, success)
		require.Equal(t, "0", order(served), "those who have left are in nobody's way")
	})
}

func TestWaitRoom_NobodyWaitsWhoLeftBeforeTheRouterKnewAll(t *testing.T) {
	t.Parallel()
	inEngine(t, 1, limited(1), func(t *testing.T, e *engine) {
		l := e.acquire(chat("m"))
		e.tellSystem(e.w.credentials, &actor.SuspendMailbox{})
		e.w.root.Send(e.w.router, boom{}) // its next incarnation does not settle for a while
		synctest.Wait()
		ctx, cancel := context.WithCancel(context.Background())
		left := make(chan error, maxWaiters)
		for range maxWaiters {
			go func() {
				_, err := e.Acquire(ctx, patient(chat("m"), time.Hour))
				left <- err
			}()
		}
		synctest.Wait()
		cancel()
		for range maxWaiters {
			require.ErrorIs(t, <-left, context.Canceled)
		}
		e.tellSystem(e.w.credentials, &actor.ResumeMailbox{})
		time.Sleep(2 * settleWithin)
		synctest.Wait()
		served := e.queueUp(patient(chat("m"), time.Hour))
		e.report(l, success)
		require.Equal(t, "0", order(served))
	})
}
