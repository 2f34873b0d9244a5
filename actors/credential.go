package actors

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/scheduler"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

// Messages a credential takes, besides configure and announce. It answers
// rotate. A grant, for a model that the router has not met yet, is handed on to that model.
type (
	// rotate brings a changed description: another secret, other lists.
	rotate struct{ credential *providers.Credential }
	// retire asks for the end, once the open leases are done.
	retire struct{}
	// modelChanged tells a model's state, so that the router hears of it.
	modelChanged struct {
		model string
		state cooldown.State
	}
	// wideOutcome hands up an outcome that reaches beyond the model it was seen on, or that a
	// probe of the credential's rest has brought. used is what it was seen with; nil = nothing
	// of this credential.
	wideOutcome struct {
		attempt cooldown.Attempt
		used    *providers.Credential
	}
	// freed says that a lease that the credential counts has ended or, unless it was granted,
	// did not come about.
	freed struct {
		lease   uint64
		granted bool
		tracked bool // the router counts it
	}
	// counted tells which leases a model has granted without having them counted.
	counted struct {
		model  string
		leases []uint64
	}
	// wideRested tells a model the rest of its credential as a whole.
	wideRested struct{ state cooldown.State }
	// revive is the alarm for a model's actor that was given up.
	revive struct{ model string }
	// wake is the alarm for the end of a rest. Handlers check their state.
	wake struct{}
)

// credentialMemory is what survives a credential's actor. Only the living incarnation
// touches it.
type credentialMemory struct {
	credential *providers.Credential
	settings   Settings
	rest       cooldown.State
	probe      uint64              // the lease that finds out whether rest must go on; 0 = none does
	open       map[uint64]struct{} // leases, if their number has a limit
	inFlight   atomic.Int64        // all leases; its models count, the ledger reads
	models     map[string]*modelMemory
	retiring   bool
}

func newCredentialMemory() *credentialMemory {
	return &credentialMemory{open: map[uint64]struct{}{}, models: map[string]*modelMemory{}}
}

// credentialActor owns one credential: what it is, its rest as a whole, and its models,
// which it tells of both, so that they can grant by themselves.
type credentialActor struct {
	*credentialMemory
	w          *wiring
	children   map[string]*actor.PID // by model
	counting   map[string]struct{}   // models that are to tell of leases that were not counted
	revivals   map[string]scheduler.CancelFunc
	ending     bool // this incarnation
	alarm      stage.Alarm
	refresh    refreshing
	supervisor *stage.Backoff
}

// modelRestarts says how often a model's actor may fail before its credential drops it;
// the next use spawns it anew.
var modelRestarts = stage.Limits{Max: 3, Within: time.Minute, Base: 50 * time.Millisecond, Cap: 5 * time.Second}

// reviveAfter is how long a model that was given up is left alone.
const reviveAfter = 10 * time.Second

func credentialProps(w *wiring, memory *credentialMemory) *actor.Props {
	supervisor := stage.NewBackoff(modelRestarts, func(f stage.Failure) {
		model := modelOf(w, f.Child)
		w.supervised(fmt.Sprintf("credential %s model %s", memory.credential.ID, model), f)
		w.root.Send(w.router, modelDown{memory.credential.ID, model, true})
	})
	return w.props(func() actor.Actor {
		return &credentialActor{credentialMemory: memory, w: w, children: map[string]*actor.PID{}, counting: map[string]struct{}{}, revivals: map[string]scheduler.CancelFunc{}, supervisor: supervisor}
	}, actor.WithSupervisor(supervisor))
}

// Receive is part of actor.Actor.
func (a *credentialActor) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		a.w.census.credentials.Add(1)
		a.started(c)
	case grant:
		a.grant(c, msg)
	case wideOutcome:
		if a.isOutdated(msg) {
			msg.attempt.Outcome = providers.Outcome{Kind: providers.Canceled}
		}
		a.judge(c, msg.attempt)
	case freed:
		a.freed(c, msg)
	case counted:
		a.counted(c, msg)
	case renew:
		a.renew(c, msg)
	case refreshed:
		a.refreshed(c, msg)
	case refreshOverdue:
		a.refreshOverdue(c, msg.run)
	case refreshDue:
		a.scheduleRefresh(c)
	case modelChanged:
		a.tell(Rested{Credential: a.credential.ID, Model: msg.model, State: msg.state})
	case revive:
		a.revive(c, msg.model)
	case wake:
		a.wake(c)
	case rotate:
		a.rotate(c, msg.credential)
		c.Respond(rotated{})
	case configure:
		a.configure(c, msg)
	case announce:
		a.announce(c)
	case resetRests:
		a.resetRests(c, msg.model)
	case restEnded:
		msg.run.ended(c)
	case retire:
		a.retire(c)
	case *actor.Terminated:
		a.terminated(c, msg.Who)
	case *actor.Stopping:
		a.end(c, ErrStopped)
	case *actor.Restarting:
		a.end(c, errRestarting)
	default:
		stage.Unhandled(c)
	}
}

// end is for an actor that stops, or restarts. What is terminated from here on is not revived.
func (a *credentialActor) end(c actor.Context, why error) {
	a.w.census.credentials.Add(-1)
	a.ending = true
	a.alarm.Cancel()
	a.stopRefresh(c, why)
	a.supervisor.Cancel()
	for _, cancel := range a.revivals {
		cancel()
	}
}

// started brings back the models that have a rest or open leases, after a restart too.
func (a *credentialActor) started(c actor.Context) {
	a.recount()
	a.credential, a.refresh.spread = withToken(a.credential), rand.Float64()
	for name, memory := range a.models {
		if !memory.blank() {
			a.model(c, name)
		}
	}
	if !a.rest.Until.IsZero() && !a.rest.Held {
		a.alarm.At(c, a.rest.Until, wake{})
	}
	a.tell(CredentialUp{Credential: a.credential.ID})
	a.announce(c)
	a.tellToken()
	a.scheduleRefresh(c)
	a.endIfRetired(c)
}

// recount finds out which leases are open: a restart may have lost word of some. No model's
// actor runs at that time.
func (a *credentialActor) recount() {
	clear(a.open)
	probing := false
	for _, m := range a.models {
		a.count(m)
		m.leases.each(func(l openLease) {
			if l.handed {
				a.open[l.id] = struct{}{}
			}
			probing = probing || l.id == a.probe
		})
	}
	if !probing {
		a.probe = 0
	}
}

// count counts the leases of a model whose actor does not run.
func (a *credentialActor) count(m *modelMemory) {
	if a.credential.MaxConcurrency > 0 {
		for _, id := range m.uncounted() {
			a.open[id] = struct{}{}
		}
	}
}

// tell passes a fact on, unless another credential of the same id may have come since.
func (a *credentialActor) tell(f Fact) {
	if !a.retiring {
		a.w.tell(f)
	}
}

// grant hands a request on to its model, unless the credential as a whole is out or has as
// many leases as it may.
func (a *credentialActor) grant(c actor.Context, g grant) {
	now := time.Now()
	resting := a.rest.Resting(now)
	no := refused{grant: g, wide: a.rest, probing: resting && a.probe != 0}
	if limit := a.credential.MaxConcurrency; limit > 0 && (len(a.open) >= limit || len(a.counting) > 0) {
		no.open = max(len(a.open), limit)
	}
	if a.retiring || no.probing || no.open > 0 || resting && !a.rest.ProbeDue(now) {
		c.RequestWithCustomSender(a.w.router, no, c.Sender())
		return
	}
	if resting {
		g.wideProbe, a.probe = true, g.acquire.id
	}
	if a.credential.MaxConcurrency > 0 || resting {
		g.handed = true
		a.open[g.acquire.id] = struct{}{}
	}
	c.RequestWithCustomSender(a.model(c, g.model), g, c.Sender())
}

// freed forgets a lease that has ended, or that its model did not grant. The router hears of
// the end from here, in order with what it hears of the number of leases.
func (a *credentialActor) freed(c actor.Context, msg freed) {
	delete(a.open, msg.lease)
	if a.probe == msg.lease {
		a.probe = 0
	}
	switch {
	case !msg.granted: // somebody may have been refused for its sake
		a.tellLoad(c)
	case (msg.tracked || a.credential.MaxConcurrency > 0) && !a.retiring:
		c.Send(a.w.router, released{a.credential.ID})
	}
}

// counted takes over leases that were granted while their number had no limit.
func (a *credentialActor) counted(c actor.Context, msg counted) {
	for _, id := range msg.leases {
		a.open[id] = struct{}{}
	}
	a.heard(c, msg.model)
}

// heard notes that all leases of a model are counted.
func (a *credentialActor) heard(c actor.Context, model string) {
	if _, ok := a.counting[model]; !ok {
		return
	}
	delete(a.counting, model)
	if len(a.counting) == 0 {
		a.tellLoad(c)
	}
}

// model returns a model's actor, which is spawned on first use. It has a name, so that
// reports find the next actor of that name when there was a restart in between.
func (a *credentialActor) model(c actor.Context, name string) *actor.PID {
	if pid, ok := a.children[name]; ok {
		return pid
	}
	memory, ok := a.models[name]
	if !ok {
		memory = newModelMemory()
		a.models[name] = memory
	}
	memory.describe(a.credential)
	memory.inFlight = &a.inFlight
	memory.policy, memory.wide = a.settings.policy(a.credential), a.rest
	memory.settleDown()
	pid, err := c.SpawnNamed(modelProps(a.w, name, memory), name)
	if err != nil {
		panic(fmt.Errorf("spawn model %s: %w", name, err))
	}
	a.children[name] = pid
	return pid
}

// modelOf returns the model that an actor below a credential is named after.
func modelOf(w *wiring, pid *actor.PID) string {
	_, model, _ := strings.Cut(strings.TrimPrefix(pid.Id, w.credentials.Id+"/"), "/")
	return model
}

// judge applies an outcome to the credential as a whole and, if it reaches even further, has
// it told to the others of its account.
func (a *credentialActor) judge(c actor.Context, attempt cooldown.Attempt) {
	if attempt.Probe {
		a.probe = 0
	}
	if attempt.Outcome.Scope == providers.ScopeAccount && a.credential.Account != "" && !attempt.Probe {
		c.Send(c.Parent(), accountOutcome{a.credential, attempt})
	}
	next := a.settings.policy(a.credential).Next(a.rest, attempt)
	if next == a.rest && !attempt.Probe {
		return
	}
	a.setRest(c, next)
}

// isOutdated reports whether an outcome is about a secret that has been replaced since.
func (a *credentialActor) isOutdated(o wideOutcome) bool {
	return o.used != nil && aboutSecret(o.attempt.Outcome.Kind) && !o.used.Secret.Equal(a.credential.Secret)
}

// setRest tells everybody concerned of the credential's rest as a whole.
func (a *credentialActor) setRest(c actor.Context, state cooldown.State) {
	a.rest = state
	if !state.Until.IsZero() && !state.Held {
		a.alarm.At(c, state.Until, wake{})
	}
	a.broadcast(c, wideRested{state})
	a.tell(Rested{Credential: a.credential.ID, State: state})
}

func (a *credentialActor) wake(c actor.Context) {
	now := time.Now()
	switch next := a.rest.Over(now); {
	case next != a.rest:
		a.setRest(c, next)
	case a.rest.Resting(now) && !a.rest.Held:
		a.alarm.At(c, a.rest.Until, wake{})
	}
}

// configure takes new settings; switching cooldowns off or on concerns the present rest too.
func (a *credentialActor) configure(c actor.Context, msg configure) {
	before := a.settings.policy(a.credential).Disabled
	a.settings = msg.settings
	a.broadcast(c, msg)
	a.ignoreRest(c, before)
}

// ignoreRest carries a change of whether cooldowns count over to the present rest.
func (a *credentialActor) ignoreRest(c actor.Context, before bool) {
	if now := a.settings.policy(a.credential).Disabled; now != before && !a.rest.Until.IsZero() {
		next := a.rest
		next.Ignored = now
		a.setRest(c, next)
	}
}

// rotate takes a new description. Another secret is as good as another credential, as far
// as the old one was refused; one that was disabled starts clean.
func (a *credentialActor) rotate(c actor.Context, next *providers.Credential) {
	next = withToken(next)
	enabled := a.credential.Disabled && !next.Disabled
	replaced := !next.Secret.Equal(a.credential.Secret)
	old, before := a.credential, a.settings.policy(a.credential).Disabled
	if a.credential.MaxConcurrency == 0 && next.MaxConcurrency > 0 {
		for model := range a.children {
			a.counting[model] = struct{}{}
		}
	}
	a.credential = next
	if enabled || (replaced && aboutSecret(a.rest.Kind)) {
		a.probe = 0
		a.setRest(c, cooldown.State{})
	}
	a.broadcast(c, rotate{next})
	if a.settings.policy(next).Disabled != before {
		a.broadcast(c, configure{a.settings})
		a.ignoreRest(c, before)
	}
	a.tellLoad(c)
	a.tellToken()
	a.regrant(c, old)
}

// tellLoad tells the router how many leases are open, if that matters.
func (a *credentialActor) tellLoad(c actor.Context) {
	if a.credential.MaxConcurrency > 0 && len(a.counting) == 0 && !a.retiring {
		c.Send(a.w.router, load{a.credential.ID, len(a.open)})
	}
}

func (a *credentialActor) announce(c actor.Context) {
	if a.retiring {
		return
	}
	if !a.rest.Until.IsZero() {
		c.Send(a.w.router, Rested{Credential: a.credential.ID, State: a.rest})
	}
	a.tellLoad(c)
	a.broadcast(c, announce{})
}

func (a *credentialActor) retire(c actor.Context) {
	a.retiring = true
	a.refresh.alarm.Cancel()
	a.broadcast(c, retire{})
	a.endIfRetired(c)
}

func (a *credentialActor) endIfRetired(c actor.Context) {
	if a.retiring && len(a.children) == 0 {
		c.Send(c.Parent(), retired{c.Self()})
	}
}

// terminated forgets a model that has left because it was idle. One that was given up while
// it knew something comes back.
func (a *credentialActor) terminated(c actor.Context, pid *actor.PID) {
	model := modelOf(a.w, pid)
	delete(a.children, model)
	if memory, ok := a.models[model]; ok {
		a.count(memory)
	}
	a.heard(c, model)
	switch memory, ok := a.models[model]; {
	case a.ending || !ok:
	case memory.blank():
		delete(a.models, model)
	default:
		a.revivals[model] = stage.After(c, reviveAfter, revive{model})
	}
	a.endIfRetired(c)
}

// revive spawns a model that was given up while it rested or had open leases: somebody must
// end its rest.
func (a *credentialActor) revive(c actor.Context, model string) {
	delete(a.revivals, model)
	if _, ok := a.models[model]; ok {
		a.model(c, model)
	}
}

func (a *credentialActor) broadcast(c actor.Context, msg any) {
	for _, pid := range a.children {
		c.Send(pid, msg)
	}
}
