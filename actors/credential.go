package actors

import (
	"fmt"
	"strings"
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
	// wideOutcome hands up an outcome that reaches beyond the model it was seen on.
	wideOutcome struct{ attempt cooldown.Attempt }
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
	models     map[string]*modelMemory
	retiring   bool
}

// credentialActor owns one credential: what it is, its rest as a whole, and its models,
// which it tells of both, so that they can grant by themselves.
type credentialActor struct {
	*credentialMemory
	w          *wiring
	children   map[string]*actor.PID // by model
	revivals   map[string]scheduler.CancelFunc
	ending     bool // this incarnation
	alarm      stage.Alarm
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
		return &credentialActor{credentialMemory: memory, w: w, children: map[string]*actor.PID{}, revivals: map[string]scheduler.CancelFunc{}, supervisor: supervisor}
	}, actor.WithSupervisor(supervisor))
}

// Receive is part of actor.Actor.
func (a *credentialActor) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		a.started(c)
	case grant:
		a.grant(c, msg)
	case wideOutcome:
		a.judge(c, msg.attempt)
	case modelChanged:
		a.tell(Rested{a.credential.ID, msg.model, msg.state})
	case revive:
		a.revive(c, msg.model)
	case wake:
		a.wake(c)
	case rotate:
		a.rotate(c, msg.credential)
		c.Respond(rotated{})
	case configure:
		a.settings = msg.settings
		a.broadcast(c, msg)
	case announce:
		a.announce(c)
	case retire:
		a.retire(c)
	case *actor.Terminated:
		a.terminated(c, msg.Who)
	case *actor.Stopping, *actor.Restarting:
		a.alarm.Cancel()
		a.supervisor.Cancel()
		for _, cancel := range a.revivals {
			cancel()
		}
		a.ending = true // what is terminated from here on is not revived
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
	if !a.rest.Until.IsZero() {
		a.alarm.At(c, a.rest.Until, wake{})
	}
	a.tell(CredentialUp{a.credential.ID})
	a.announce(c)
	a.endIfRetired(c)
}

// tell passes a fact on, unless another credential of the same id may have come since.
func (a *credentialActor) tell(f Fact) {
	if !a.retiring {
		a.w.tell(f)
	}
}

// grant hands a request on to its model.
func (a *credentialActor) grant(c actor.Context, g grant) {
	if a.retiring {
		c.RequestWithCustomSender(a.w.router, refused{grant: g, wide: a.rest}, c.Sender())
		return
	}
	c.Forward(a.model(c, g.model))
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
	memory.credential, memory.policy, memory.wide = a.credential, a.settings.policy(), a.rest
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

// judge applies an outcome to the credential as a whole.
func (a *credentialActor) judge(c actor.Context, attempt cooldown.Attempt) {
	next := a.settings.policy().Next(a.rest, attempt)
	if next == a.rest {
		return
	}
	a.alarm.At(c, next.Until, wake{})
	a.setRest(c, next)
}

// setRest tells everybody concerned of the credential's rest as a whole.
func (a *credentialActor) setRest(c actor.Context, state cooldown.State) {
	a.rest = state
	a.broadcast(c, wideRested{state})
	a.tell(Rested{Credential: a.credential.ID, State: state})
}

func (a *credentialActor) wake(c actor.Context) {
	switch {
	case a.rest.Until.IsZero():
	case a.rest.Resting(time.Now()):
		a.alarm.At(c, a.rest.Until, wake{})
	default:
		over := a.rest
		over.Until = time.Time{}
		a.setRest(c, over)
	}
}

// rotate takes a new description. Another secret is as good as another credential, as far
// as the old one was refused; one that was disabled starts clean.
func (a *credentialActor) rotate(c actor.Context, next *providers.Credential) {
	enabled := a.credential.Disabled && !next.Disabled
	replaced := !next.Secret.Equal(a.credential.Secret)
	a.credential = next
	if enabled || (replaced && aboutSecret(a.rest.Kind)) {
		a.setRest(c, cooldown.State{})
	}
	a.broadcast(c, rotate{next})
}

func (a *credentialActor) announce(c actor.Context) {
	if a.retiring {
		return
	}
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
	if a.retiring && len(a.children) == 0 {
		c.Send(c.Parent(), retired{c.Self()})
	}
}

// terminated forgets a model that has left because it was idle. One that was given up while
// it knew something comes back.
func (a *credentialActor) terminated(c actor.Context, pid *actor.PID) {
	model := modelOf(a.w, pid)
	delete(a.children, model)
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
