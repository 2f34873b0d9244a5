package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

// Messages a credential takes, besides configure and announce. It answers none itself:
// grants and reports are handed on to its models.
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
	// wideOutcome hands up an outcome that reaches beyond the model it was seen on.
	wideOutcome struct{ attempt cooldown.Attempt }
	// modelIdle says that a model has nothing to do; grants counts those it has had.
	modelIdle struct {
		model  string
		grants uint64
	}
	// wake is the alarm for the end of a rest. Handlers check their state.
	wake struct{}
)

// credentialMemory is what survives a credential's actor. Only the living incarnation
// touches it.
type credentialMemory struct {
	credential *providers.Credential
	settings   Settings
	rest       cooldown.State
	models     map[string]*modelMemory
	retiring   bool
}

// modelRow is one model as its credential keeps it.
type modelRow struct {
	pid    *actor.PID
	grants uint64 // handed on to it
}

// credentialActor owns one credential: what it is, its rest as a whole, and its models. It
// refuses what it must not serve and hands the rest on.
type credentialActor struct {
	*credentialMemory
	w          *wiring
	rows       map[string]modelRow
	alarm      stage.Alarm
	supervisor *stage.Backoff
}

// modelRestarts says how often a model's actor may fail before its credential drops it;
// the next use spawns it anew.
var modelRestarts = stage.Limits{Max: 3, Within: time.Minute, Base: 50 * time.Millisecond, Cap: 5 * time.Second}

func credentialProps(w *wiring, memory *credentialMemory) *actor.Props {
	supervisor := stage.NewBackoff(modelRestarts, func(f stage.Failure) { w.supervised("model", f) })
	return w.props(func() actor.Actor {
		return &credentialActor{credentialMemory: memory, w: w, rows: map[string]modelRow{}, supervisor: supervisor}
	}, actor.WithSupervisor(supervisor))
}

// Receive is part of actor.Actor.
func (a *credentialActor) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		a.started(c)
	case grant:
		a.grant(c, msg)
	case report:
		c.Forward(a.model(c, msg.model).pid)
	case wideOutcome:
		a.judge(c, msg.attempt)
	case modelChanged:
		a.w.tell(Rested{a.credential.ID, msg.model, msg.state})
	case modelIdle:
		a.dropIdle(c, msg)
	case wake:
		a.wake(c)
	case rotate:
		a.rotate(c, msg.credential)
	case configure:
		a.settings = msg.settings
		a.broadcast(c, msg)
	case announce:
		a.announce(c)
	case retire:
		a.retire(c)
	case *actor.Terminated:
		a.terminated(msg.Who)
	case *actor.Stopping, *actor.Restarting:
		a.alarm.Cancel()
		a.supervisor.Cancel()
	default:
		stage.Unhandled(c)
	}
}

// started brings back the models that have a rest or open leases, after a restart too.
func (a *credentialActor) started(c actor.Context) {
	for name, memory := range a.models {
		if !memory.blank() {
			a.model(c, name)
		}
	}
	if a.rest.Resting(time.Now()) {
		a.alarm.At(c, a.rest.Until, wake{})
	}
	a.w.tell(CredentialUp{a.credential.ID})
	a.announce(c)
}

// grant hands a request on to its model, unless the credential as a whole is out.
func (a *credentialActor) grant(c actor.Context, g grant) {
	if a.credential.Disabled || a.retiring || a.rest.Resting(time.Now()) {
		c.RequestWithCustomSender(a.w.router, refused{g}, c.Sender())
		return
	}
	row := a.model(c, g.model)
	row.grants++
	a.rows[g.model] = row
	c.Forward(row.pid)
}

// model returns the row of a model, whose actor is spawned on first use.
func (a *credentialActor) model(c actor.Context, name string) modelRow {
	if row, ok := a.rows[name]; ok {
		return row
	}
	memory, ok := a.models[name]
	if !ok {
		memory = newModelMemory()
		a.models[name] = memory
	}
	memory.credential, memory.policy = a.credential, a.settings.policy()
	row := modelRow{pid: c.Spawn(modelProps(a.w, name, memory))}
	a.rows[name] = row
	return row
}

// judge applies an outcome to the credential as a whole.
func (a *credentialActor) judge(c actor.Context, attempt cooldown.Attempt) {
	next := a.settings.policy().Next(a.rest, attempt)
	if next == a.rest {
		return
	}
	a.rest = next
	a.alarm.At(c, next.Until, wake{})
	a.w.tell(Rested{Credential: a.credential.ID, State: next})
}

func (a *credentialActor) wake(c actor.Context) {
	switch {
	case a.rest.Until.IsZero():
	case a.rest.Resting(time.Now()):
		a.alarm.At(c, a.rest.Until, wake{})
	default:
		a.rest.Until = time.Time{}
		a.w.tell(Rested{Credential: a.credential.ID, State: a.rest})
	}
}

// rotate takes a new description. Another secret is as good as another credential, as far
// as the old one was refused.
func (a *credentialActor) rotate(c actor.Context, next *providers.Credential) {
	replaced := !next.Secret.Equal(a.credential.Secret)
	a.credential = next
	if replaced && (a.rest.Kind == providers.Unauthorized || a.rest.Kind == providers.OutOfFunds) {
		a.rest = cooldown.State{}
		a.w.tell(Rested{Credential: next.ID, State: a.rest})
	}
	a.broadcast(c, rotate{next})
}

func (a *credentialActor) announce(c actor.Context) {
	if !a.rest.Until.IsZero() {
		c.Send(a.w.router, Rested{Credential: a.credential.ID, State: a.rest})
	}
	a.broadcast(c, announce{})
}

func (a *credentialActor) retire(c actor.Context) {
	a.retiring = true
	a.broadcast(c, retire{})
	a.endIfRetired(c)
}

func (a *credentialActor) endIfRetired(c actor.Context) {
	if a.retiring && len(a.rows) == 0 {
		c.Send(c.Parent(), retired{c.Self()})
	}
}

// dropIdle stops a model that has nothing to do, unless more was sent to it meanwhile.
func (a *credentialActor) dropIdle(c actor.Context, msg modelIdle) {
	row, ok := a.rows[msg.model]
	if !ok || row.grants != msg.grants {
		return
	}
	delete(a.rows, msg.model)
	delete(a.models, msg.model)
	c.Stop(row.pid)
	a.endIfRetired(c)
}

// terminated forgets a model's actor that was given up; its memory stays.
func (a *credentialActor) terminated(pid *actor.PID) {
	for name, row := range a.rows {
		if row.pid.Equal(pid) {
			delete(a.rows, name)
		}
	}
}

func (a *credentialActor) broadcast(c actor.Context, msg any) {
	for _, row := range a.rows {
		c.Send(row.pid, msg)
	}
}
