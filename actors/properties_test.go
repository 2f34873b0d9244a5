package actors

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

// spot is a credential or, with a model, one of its models.
type spot struct{ id, model string }

// quarantine is what is known for sure of the rest of a spot.
type quarantine struct {
	since   time.Time // it began
	until   time.Time // nobody but a probe is let through before
	probeAt time.Time // nor a probe
	held    bool      // only a probe that succeeds ends it
	secret  bool      // another secret may end it
}

// ward is a run with all outcomes there are, and the least that must be respected of the
// rests they lead to. What it knows, it knows from the rules and not from the engine.
type ward struct {
	*engine
	rests    map[spot]quarantine
	open     []Lease
	granted  map[uint64]time.Time
	ended    uint64
	heard    map[spot]cooldown.State // what the engine says of its rests
	facts    chan Rested
	ruled    map[spot]time.Time // until an error rule lets it rest, whatever else is said
	excluded bool               // something just happened that may end rests
}

func newWard(e *engine) *ward {
	w := &ward{engine: e, rests: map[spot]quarantine{}, granted: map[uint64]time.Time{}, heard: map[spot]cooldown.State{}, ruled: map[spot]time.Time{}, facts: make(chan Rested, 1000)}
	e.Subscribe(func(ev Event) {
		if rested, ok := ev.Fact.(Rested); ok {
			w.facts <- rested
		}
	})
	return w
}

// resting says what keeps a credential from serving a model now.
func (w *ward) resting(id, model string) (rests []spot, probeAt time.Time) {
	if w.cooldownsOff(id) {
		return nil, time.Time{}
	}
	for _, at := range []spot{{id, ""}, {id, model}} {
		q, ok := w.rests[at]
		if at.model != "" && q.held && !time.Now().Before(q.until) && time.Since(q.probeAt) >= modelIdleAfter {
			continue // nobody has probed it for long: it may be forgotten
		}
		if ok && (q.held || time.Now().Before(q.until)) {
			rests = append(rests, at)
			if q.probeAt.After(probeAt) {
				probeAt = q.probeAt
			}
		}
	}
	return rests, probeAt
}

func (w *ward) cooldownsOff(id string) bool {
	own := w.plan.Credentials[id[1]-'1'].DisableCooldown
	return own != nil && *own
}

func (w *ward) acquire(t *rapid.T, id string) {
	a := chat(rapid.SampledFrom([]string{"m", "m2"}).Draw(t, "model"))
	time.Sleep(time.Millisecond) // nothing happens at the same time as something else
	l, err := w.Acquire(context.Background(), w.on(id, a))
	if w.cooldownsOff(id) && !time.Now().Before(w.ruled[spot{id, a.Model}]) {
		require.NoError(t, err, "it never rests")
	}
	if err != nil {
		return
	}
	require.Equal(t, id, string(l.Credential.ID))
	require.False(t, l.Credential.Disabled)
	if rests, probeAt := w.resting(id, a.Model); len(rests) > 0 {
		require.Equal(t, WhyProbe, l.Why, "%v rest", rests)
		require.False(t, time.Now().Before(probeAt), "probed too early")
		for _, other := range w.open {
			for _, at := range rests {
				same := string(other.Credential.ID) == id && (at.model == "" || other.Model == at.model)
				began := !w.granted[other.ID].Before(w.rests[at].since)
				require.False(t, same && began && other.Why == WhyProbe, "two probes of %v at a time", at)
			}
		}
	}
	w.open = append(w.open, l)
	w.granted[l.ID] = time.Now()
}

// rest takes note that a spot rests for at least d.
func (w *ward) rest(at spot, d time.Duration, held, probed, secret bool) {
	now := time.Now()
	q, ok := w.rests[at]
	running := ok && (q.held || now.Before(q.until))
	if !running {
		q = quarantine{since: now}
	}
	if end := now.Add(d); end.After(q.until) {
		q.until = end
	}
	q.held, q.secret = q.held || held, q.secret || secret
	switch {
	case probed || !running:
		q.probeAt = now.Add(probedAfter)
	case q.probeAt.IsZero():
		q.probeAt = now
	}
	w.rests[at] = q
}

var outcomes = []providers.Outcome{
	{Kind: providers.RateLimited, RetryAfter: 20 * time.Second},
	{Kind: providers.RateLimited, RetryAfter: 10 * time.Minute},
	{Kind: providers.RateLimited, RetryAfter: 3 * time.Hour},
	{Kind: providers.RateLimited},
	{Kind: providers.Success, RetryAfter: 5 * time.Minute},
	{Kind: providers.Success, RetryAfter: 5 * time.Minute, Scope: providers.ScopeCredential},
	{Kind: providers.WindowExhausted, RetryAfter: 2 * time.Hour, Scope: providers.ScopeCredential},
	{Kind: providers.WindowExhausted, Scope: providers.ScopeCredential},
	{Kind: providers.WindowExhausted, RetryAfter: time.Minute, Scope: providers.ScopeAccount},
	{Kind: providers.Unauthorized, Scope: providers.ScopeCredential},
	{Kind: providers.OutOfFunds, Scope: providers.ScopeCredential},
	{Kind: providers.Forbidden, Scope: providers.ScopeCredential},
	{Kind: providers.Forbidden},
	{Kind: providers.Forbidden, RetryAfter: 10 * time.Second},
	{Kind: providers.ModelUnsupported},
	{Kind: providers.Overloaded},
	{Kind: providers.Overloaded, RetryAfter: 30 * time.Second},
	{Kind: providers.Transient},
	{Kind: providers.Transient, Neutral: true},
	{Kind: providers.RequestFault, Rest: 15 * time.Minute},
	{Kind: providers.RequestFault},
	{Kind: providers.Canceled},
	{Kind: providers.GatewayBug},
	{Kind: providers.Success},
	{Kind: providers.Success},
}

// judge draws the conclusions from an outcome that the rules demand.
func (w *ward) judge(l Lease, o providers.Outcome) {
	id := string(l.Credential.ID)
	probe, granted := l.Why == WhyProbe, w.granted[l.ID]
	if o.Kind == providers.Success {
		for _, at := range []spot{{id, ""}, {id, l.Model}} {
			if q, ok := w.rests[at]; ok && (probe || at.model != "" && !granted.Before(q.since)) {
				delete(w.rests, at) // of a probe, one of both is certain and the other possible
			}
		}
	}
	targets := []spot{{id, l.Model}}
	if o.Scope != providers.ScopeModel {
		targets = []spot{{id, ""}}
		if o.Scope == providers.ScopeAccount && !probe {
			for _, c := range w.plan.Credentials {
				if string(c.ID) != id && c.Account != "" && c.Account == l.Credential.Account {
					targets = append(targets, spot{string(c.ID), ""})
				}
			}
		}
	}
	secret := w.plan.Credentials[id[1]-'1'].Secret
	if aboutSecret(o.Kind) && !secret.Equal(l.Credential.Secret) {
		return // it is about another one
	}
	for _, at := range targets {
		if w.cooldownsOff(at.id) && o.Rest == 0 {
			continue
		}
		switch {
		case o.Neutral:
		case o.Rest > 0:
			w.rest(at, o.Rest, false, false, false)
			w.ruled[at] = time.Now().Add(o.Rest)
		case o.Kind == providers.Overloaded, o.Kind == providers.Transient, o.Kind == providers.Forbidden && o.RetryAfter > 0:
			// short, and may be spared: nothing is certain
		case o.Kind == providers.Canceled, o.Kind == providers.RequestFault, o.Kind == providers.GatewayBug:
		case o.RetryAfter > 0:
			w.rest(at, o.RetryAfter, false, probe && at.id == id, false)
		case o.Kind == providers.Unauthorized, o.Kind == providers.OutOfFunds, o.Kind == providers.Forbidden, o.Kind == providers.ModelUnsupported, o.Kind == providers.WindowExhausted:
			w.rest(at, probedAfter, true, probe && at.id == id, aboutSecret(o.Kind))
		}
	}
}

func (w *ward) reportOne(t *rapid.T) {
	if len(w.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.open)-1).Draw(t, "lease")
	l := w.open[i]
	w.open = slices.Delete(slices.Clone(w.open), i, i+1)
	time.Sleep(time.Millisecond)
	k := rapid.IntRange(0, len(outcomes)-1).Draw(t, "outcome")
	w.judge(l, outcomes[k])
	w.ended++
	w.report(l, outcomes[k])
	w.excluded = outcomes[k].Kind == providers.Success
	for range rapid.IntRange(0, 1).Draw(t, "again") { // counts for nothing
		w.report(l, outcomes[rapid.IntRange(0, len(outcomes)-1).Draw(t, "outcome")])
	}
}

// forget forgets the rests of a credential.
func (w *ward) forget(id string) {
	for at := range w.rests {
		if at.id == id {
			delete(w.rests, at)
		}
	}
}

// listen compares what the engine says of its rests with what it said before: a failure
// makes none shorter.
func (w *ward) listen(t *rapid.T) {
	synctest.Wait()
	for len(w.facts) > 0 {
		f := <-w.facts
		at, now := spot{string(f.Credential), f.Model}, time.Now()
		old, known := w.heard[at]
		w.heard[at] = f.State
		passing := old.Kind == providers.Overloaded || old.Kind == providers.Transient || f.State.Kind == providers.Overloaded || f.State.Kind == providers.Transient
		if !known || w.excluded || passing || old.Ignored || !old.Held && !now.Before(old.Until) {
			continue
		}
		require.False(t, f.State.Until.Before(old.Until), "%v: %v became %v", at, old, f.State)
	}
	w.excluded = false
}

func (w *ward) actions() map[string]func(*rapid.T) {
	edit := func(change func(t *rapid.T, c *providers.Credential, id string)) func(t *rapid.T) {
		return func(t *rapid.T) {
			id := w.anyID(t)
			w.excluded = true
			w.edit(id, func(c *providers.Credential) { change(t, c, id) })
		}
	}
	secrets := 0
	return map[string]func(*rapid.T){
		"acquire":       func(t *rapid.T) { w.acquire(t, w.anyID(t)) },
		"acquire again": func(t *rapid.T) { w.acquire(t, w.anyID(t)) },
		"report":        w.reportOne,
		"report again":  w.reportOne,
		"pass": func(t *rapid.T) {
			d := rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 15 * time.Second, 2 * time.Minute, 11 * time.Minute, 31 * time.Minute}).Draw(t, "time")
			w.excluded = true
			time.Sleep(d)
		},
		"edit": edit(func(t *rapid.T, c *providers.Credential, _ string) {
			c.Priority = rapid.IntRange(0, 2).Draw(t, "priority")
			c.Weight = rapid.IntRange(0, 2).Draw(t, "weight")
		}),
		"replace the secret": edit(func(_ *rapid.T, c *providers.Credential, id string) {
			secrets++
			c.Secret = providers.NewSecret(fmt.Sprint("sk", secrets))
			if w.rests[spot{id, ""}].secret {
				delete(w.rests, spot{id, ""})
			}
		}),
		"switch cooldowns off, or on with a clean start": func(t *rapid.T) {
			id := w.anyID(t)
			off := !w.cooldownsOff(id)
			w.excluded = true
			w.edit(id, func(c *providers.Credential) { c.DisableCooldown, c.Disabled = &off, !off })
			if !off {
				w.edit(id, func(c *providers.Credential) { c.Disabled = false })
				w.forget(id)
			}
		},
		"disable and enable": func(t *rapid.T) {
			id := w.anyID(t)
			w.excluded = true
			w.edit(id, func(c *providers.Credential) { c.Disabled = true })
			w.listen(t)
			_, err := w.Acquire(context.Background(), w.on(id, chat("m")))
			require.Error(t, err)
			w.excluded = true
			w.edit(id, func(c *providers.Credential) { c.Disabled = false })
			w.forget(id)
		},
		"crash": func(t *rapid.T) {
			if len(w.open) == 0 {
				return
			}
			l := w.open[rapid.IntRange(0, len(w.open)-1).Draw(t, "lease")]
			victims := map[string]func(){
				"model":       func() { w.w.root.Send(l.owner, boom{}) },
				"credential":  func() { w.w.root.Send(w.parentOf(l.owner), boom{}) },
				"credentials": func() { w.w.root.Send(w.w.credentials, boom{}) },
				"router":      func() { w.w.root.Send(w.w.router, boom{}) },
			}
			victims[rapid.SampledFrom([]string{"model", "credential", "credentials", "router"}).Draw(t, "whose")]()
			w.excluded = true
			time.Sleep(time.Minute + time.Second)
		},
		"": func(t *rapid.T) {
			w.listen(t)
			s, err := w.Snapshot(context.Background())
			require.NoError(t, err)
			require.Equal(t, w.ended, s.Attempts-s.Overdue)
			w.open = slices.DeleteFunc(w.open, func(l Lease) bool { return time.Since(w.granted[l.ID]) >= leaseOverdueAfter })
		},
	}
}

// What rests is granted to one probe at a time, and to nobody else; no failure makes a rest
// shorter; every lease is counted once.
func TestEngine_RespectsRests(t *testing.T) {
	t.Parallel()
	checkEngines(t, 3, inAccounts("x", "x", "y"), func(t *rapid.T, e *engine) {
		t.Repeat(newWard(e).actions())
	})
}
