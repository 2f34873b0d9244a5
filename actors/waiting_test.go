package actors

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/providers"
)

// guest is one request that waits, or has.
type guest struct {
	order    int
	model    string
	deadline time.Time
	cancel   context.CancelFunc
	canceled bool
	answers  chan answer
	answer
	done bool // answer is there
}

type answer struct {
	lease Lease
	err   error
	at    time.Time
}

// look takes the answer, if it has come.
func (g *guest) look() {
	select {
	case g.answer = <-g.answers:
		g.done = true
	default:
	}
}

// errLeft is why a guest leaves by itself.
var errLeft = errors.New("left")

// lobby is a run in which credentials rest for exact times and have few places, and what it
// takes to foresee who is served when.
type lobby struct {
	*engine
	rests   map[[2]string]time.Time // by credential and model
	open    map[string][]Lease      // by credential
	guests  []*guest                // who wait, in order
	arrived int
}

func newLobby(e *engine) *lobby {
	return &lobby{engine: e, rests: map[[2]string]time.Time{}, open: map[string][]Lease{}}
}

func (y *lobby) rested(id, model string) bool {
	return !time.Now().Before(y.rests[[2]string{id, model}])
}

func (y *lobby) busy(id string) bool {
	return len(y.open[id]) >= y.plan.Credentials[id[1]-'1'].MaxConcurrency
}

// outlook says how it stands with a model: whether somebody is ready, whether somebody is
// only busy, and else when the first one has rested.
func (y *lobby) outlook(model string) (ready, busy bool, due time.Time) {
	for _, c := range y.plan.Credentials {
		id := string(c.ID)
		switch until := y.rests[[2]string{id, model}]; {
		case y.rested(id, model) && !y.busy(id):
			ready = true
		case y.rested(id, model):
			busy = true
		case due.IsZero() || until.Before(due):
			due = until
		}
	}
	return ready, busy, due
}

// arrive asks for a lease in a goroutine of its own.
func (y *lobby) arrive(model string, wait time.Duration) *guest {
	y.arrived++
	ctx, cancel := context.WithCancelCause(context.Background())
	g := &guest{order: y.arrived, model: model, deadline: time.Now().Add(wait), cancel: func() { cancel(errLeft) }, answers: make(chan answer, 1)}
	go func() {
		a := chat(model)
		a.Wait = wait
		l, err := y.Acquire(ctx, a)
		g.answers <- answer{l, err, time.Now()}
	}()
	synctest.Wait()
	g.look()
	return g
}

// settle takes the answers in and checks them, and that nobody waits who need not.
func (y *lobby) settle(t require.TestingT) {
	synctest.Wait()
	var waiting []*guest
	for _, g := range y.guests {
		g.look()
		switch {
		case !g.done:
			waiting = append(waiting, g)
		case g.err == nil:
			id := string(g.lease.Credential.ID)
			require.False(t, g.canceled, "somebody who has left is served")
			require.True(t, y.rested(id, g.model), "%s rests", id)
			require.False(t, y.busy(id), "%s has no place", id)
			require.False(t, g.at.After(g.deadline), "it has waited for too long")
			y.open[id] = append(y.open[id], g.lease)
		case g.canceled:
			require.ErrorIs(t, g.err, errLeft)
		default:
			_, busy, due := y.outlook(g.model)
			late := g.at.Equal(g.deadline)
			require.True(t, late || !busy && due.After(g.deadline), "denied before its time: %v", g.err)
		}
	}
	for i, g := range waiting {
		require.False(t, g.canceled, "it waits though it has left")
		require.True(t, time.Now().Before(g.deadline), "it waits beyond its time")
		ready, _, _ := y.outlook(g.model)
		require.False(t, ready, "somebody is ready for it")
		for _, later := range y.guests[i:] {
			served := later.done && later.err == nil && later.at.Equal(time.Now())
			require.False(t, served && later.model == g.model && later.order > g.order, "who came later is served first")
		}
	}
	y.guests = waiting
}

// pass lets d pass, and looks at every instant at which something is due.
func (y *lobby) pass(t require.TestingT, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		next := end
		consider := func(at time.Time) {
			if at.After(time.Now()) && at.Before(next) {
				next = at
			}
		}
		for _, until := range y.rests {
			consider(until)
		}
		for _, g := range y.guests {
			consider(g.deadline)
		}
		time.Sleep(time.Until(next))
		y.settle(t)
	}
}

func (y *lobby) actions() map[string]func(*rapid.T) {
	durations := rapid.SampledFrom([]time.Duration{time.Second, 3 * time.Second, 10 * time.Second, 45 * time.Second, 5 * time.Minute})
	return map[string]func(*rapid.T){
		"arrive": func(t *rapid.T) {
			model := rapid.SampledFrom([]string{"m", "m2"}).Draw(t, "model")
			var wait time.Duration
			if rapid.IntRange(0, 4).Draw(t, "patient") > 0 {
				wait = durations.Draw(t, "wait") + 7*time.Millisecond // at no instant at which a rest ends
			}
			ready, busy, due := y.outlook(model)
			g := y.arrive(model, wait)
			stays := wait > 0 && (busy || !due.IsZero() && !due.After(g.deadline))
			require.Equal(t, !ready && stays, !g.done, "ready %v, busy %v, due in %v, waits %v: %v", ready, busy, time.Until(due), wait, g.err)
			if ready {
				require.NoError(t, g.err)
			}
			if g.done && g.err != nil {
				return
			}
			y.guests = append(y.guests, g)
		},
		"leave": func(t *rapid.T) {
			if len(y.guests) == 0 {
				return
			}
			g := y.guests[rapid.IntRange(0, len(y.guests)-1).Draw(t, "who")]
			g.canceled = true
			g.cancel()
		},
		"report": func(t *rapid.T) {
			id := y.anyID(t)
			if len(y.open[id]) == 0 {
				return
			}
			l := y.open[id][0]
			y.open[id] = y.open[id][1:]
			o := providers.Outcome{Kind: providers.Canceled}
			if rapid.Bool().Draw(t, "rests") {
				o.Rest = durations.Draw(t, "rest")
				at := [2]string{id, l.Model}
				if until := time.Now().Add(o.Rest); until.After(y.rests[at]) {
					y.rests[at] = until
				}
			}
			y.Report(l, o)
		},
		"pass": func(t *rapid.T) { y.pass(t, durations.Draw(t, "time")) },
		"the router crashes": func(t *rapid.T) {
			for _, g := range y.guests { // they have to ask again, all at once
				g.order = 0
			}
			y.w.root.Send(y.w.router, boom{})
			y.pass(t, time.Minute)
		},
		"": func(t *rapid.T) { y.settle(t) },
	}
}

// finish reports what is open and lets everybody go.
func (y *lobby) finish(t require.TestingT) {
	for range 100 {
		for id, leases := range y.open {
			for _, l := range leases {
				y.Report(l, providers.Outcome{Kind: providers.Canceled})
			}
			delete(y.open, id)
		}
		y.pass(t, 10*time.Minute)
		if len(y.guests) == 0 && len(y.open) == 0 {
			break
		}
	}
	require.Empty(t, y.guests)
	for range y.plan.Credentials {
		y.acquire(chat("m"))
		y.acquire(chat("m"))
	}
	y.denied(chat("m"))
}

func TestWaiting_IsExactFairAndInVainOnlyIfNobodyIsReady(t *testing.T) {
	t.Parallel()
	checkEngines(t, 2, limited(2), func(t *rapid.T, e *engine) {
		y := newLobby(e)
		t.Repeat(y.actions())
		y.finish(t)
	})
}
