package actors

import (
	"fmt"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/scheduler"

	"github.com/understudyhq/understudy/actors/ledger"
	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

// Messages the parent of the credentials takes, besides modelsListed. It answers apply.
type (
	// apply makes plan the truth. It is answered with applied once the router knows.
	apply struct{ plan Plan }
	// announce asks an actor to tell the router all that the router should know of it. router
	// is the incarnation that asks; 0 = somebody else does.
	announce struct{ router uint64 }
	// respawn is the alarm for a credential whose actor was given up.
	respawn struct{ id providers.CredentialID }
	// rotated says that a credential and its models follow a changed description.
	rotated struct{}
	// applyDue is the alarm after which apply is answered without having heard of all.
	applyDue struct{}
	// retired says that a removed credential has no open lease any more.
	retired struct{ pid *actor.PID }
	// accountOutcome hands up an outcome that concerns all credentials of an account.
	accountOutcome struct {
		from    *providers.Credential
		attempt cooldown.Attempt
	}
)

// applied answers apply.
type applied struct{}

// credentialRestarts says how often a credential's actor may fail before it is given up.
var credentialRestarts = stage.Limits{Max: 3, Within: time.Minute, Base: 50 * time.Millisecond, Cap: 5 * time.Second}

// How long a credential that was given up is left alone; it doubles each time.
const (
	respawnBase = 10 * time.Second
	respawnCap  = 5 * time.Minute
)

// credentialRow is one credential as its parent keeps it. Its memory outlives the actor.
type credentialRow struct {
	planned    *providers.Credential // as the plan has it
	credential *providers.Credential // as it is used: planned, or a copy that drains
	draining   bool
	order      int
	name       string // of its actor, and of all that follow it: leases know it by that
	memory     *credentialMemory
	pid        *actor.PID // nil while it is given up
	givenUp    int        // times in a row
	cancel     scheduler.CancelFunc
}

// credentialsMemory is what survives a restart of the parent itself. It is used in the
// parent's turns only, its supervisor's decisions included.
type credentialsMemory struct {
	rows  map[providers.CredentialID]*credentialRow
	names int                               // given so far
	byPID map[string]providers.CredentialID // living actors
	// listed are the models of upstreams without configured ones.
	listed map[string][]string
	// upstreams are those of the present plan, by name.
	upstreams map[string]*providers.Upstream
	applier   *actor.PID // waits for applied; nil = nobody does
}

// credentialsActor is the parent of all credentials: it spawns, removes and respawns them,
// and does nothing else, because its restart restarts them all.
type credentialsActor struct {
	*credentialsMemory
	w          *wiring
	settings   Settings
	supervisor *stage.Backoff
	rotating   int // credentials that have not confirmed their change
	alarm      stage.Alarm
}

// applyWithin bounds how long apply waits for credentials, some of which may be restarting.
const applyWithin = time.Second

// credentialsProps describes the one parent of an engine's credentials.
func credentialsProps(w *wiring) *actor.Props {
	memory := &credentialsMemory{
		rows:   map[providers.CredentialID]*credentialRow{},
		byPID:  map[string]providers.CredentialID{},
		listed: map[string][]string{},
	}
	supervisor := stage.NewBackoff(credentialRestarts, func(f stage.Failure) {
		id := memory.byPID[f.Child.Id]
		w.supervised("credential "+string(id), f)
		w.tell(CredentialDown{Credential: id, Reason: f.Why.String(), Failed: f.Stop})
	})
	return w.props(func() actor.Actor {
		return &credentialsActor{credentialsMemory: memory, w: w, supervisor: supervisor}
	}, actor.WithSupervisor(supervisor), w.measured("credentials", 0))
}

// Receive is part of actor.Actor.
func (a *credentialsActor) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		c.Request(c.Parent(), planWanted{})
	case apply:
		if c.Sender() != nil { // else it is the plan again, after a restart
			a.finishApply(c) // of an earlier plan
			a.applier = c.Sender()
		}
		a.apply(c, msg.plan)
	case rotated:
		if a.rotating--; a.rotating == 0 {
			a.finishApply(c)
		}
	case applyDue:
		a.finishApply(c)
	case announce:
		a.announce(c, msg)
	case modelsListed:
		a.listed[msg.upstream] = msg.models
		c.Send(a.w.router, msg)
	case respawn:
		a.respawn(c, msg.id)
	case retired:
		c.Stop(msg.pid)
	case accountOutcome:
		a.spread(c, msg)
	case drain:
		a.drain(c, msg)
	case reset:
		a.reset(c, msg)
	case *actor.Terminated:
		a.terminated(c, msg.Who)
	case *actor.Stopping, *actor.Restarting:
		a.cancelAlarms()
	default:
		stage.Unhandled(c)
	}
}

func (a *credentialsActor) apply(c actor.Context, plan Plan) {
	a.settings = plan.Settings
	c.Send(a.w.router, configure{plan.Settings})
	c.Send(a.w.sessions, configure{plan.Settings})
	a.forgetLists(c, plan)
	wanted := make(map[providers.CredentialID]bool, len(plan.Credentials))
	for order, credential := range plan.Credentials {
		wanted[credential.ID] = true
		a.put(c, credential, order)
	}
	for id, row := range a.rows {
		if !wanted[id] {
			a.remove(c, row)
		}
	}
	for _, row := range a.rows {
		if row.pid != nil {
			c.Send(row.pid, configure{plan.Settings})
		}
	}
	if a.rotating == 0 {
		a.finishApply(c)
		return
	}
	a.alarm.At(c, time.Now().Add(applyWithin), applyDue{})
}

// forgetLists forgets what upstreams list that are not the same any more.
func (a *credentialsActor) forgetLists(c actor.Context, plan Plan) {
	next := map[string]*providers.Upstream{}
	for _, credential := range plan.Credentials {
		next[credential.Upstream.Name] = credential.Upstream
	}
	for name := range a.listed {
		if next[name] != a.upstreams[name] {
			delete(a.listed, name)
			c.Send(a.w.router, modelsListed{name, nil})
		}
	}
	a.upstreams = next
}

// finishApply answers whoever applied the present plan: whoever asks next is served by it.
func (a *credentialsActor) finishApply(c actor.Context) {
	a.alarm.Cancel()
	a.rotating = 0
	if a.applier != nil {
		c.Send(a.applier, applied{})
		a.applier = nil
	}
}

// put adds a credential, or changes the one of that id.
func (a *credentialsActor) put(c actor.Context, credential *providers.Credential, order int) {
	row, ok := a.rows[credential.ID]
	if !ok {
		a.names++
		row = &credentialRow{name: strconv.Itoa(a.names), memory: newCredentialMemory()}
		a.rows[credential.ID] = row
	}
	changed := row.planned != credential || row.order != order
	if ok && credential.Disabled != row.planned.Disabled {
		row.draining = false
		if credential.Disabled {
			c.Send(a.w.sessions, unbind{credential.ID})
		}
	}
	if row.order = order; changed {
		row.describe(credential)
	}
	if row.pid == nil && row.cancel == nil {
		a.spawn(c, row)
		return
	}
	if changed && row.pid != nil {
		a.tellChange(c, row)
	}
}

// tellChange tells everybody concerned what a credential is now.
func (a *credentialsActor) tellChange(c actor.Context, row *credentialRow) {
	c.Request(row.pid, rotate{row.credential})
	a.rotating++
	a.tellJoined(c, row)
}

func (a *credentialsActor) spawn(c actor.Context, row *credentialRow) {
	row.memory.credential, row.memory.settings = row.credential, a.settings
	pid, err := c.SpawnNamed(credentialProps(a.w, row.memory), row.name)
	if err != nil {
		panic(fmt.Errorf("spawn credential %s: %w", row.credential.ID, err))
	}
	row.pid = pid
	a.byPID[row.pid.Id] = row.credential.ID
	a.tellJoined(c, row)
	c.Send(a.w.ledger, ledger.Watch{Credential: row.credential.ID, InFlight: &row.memory.inFlight})
}

func (a *credentialsActor) tellJoined(c actor.Context, row *credentialRow) {
	c.Send(a.w.router, joined{row.credential, row.pid, row.order})
	c.Send(a.w.ledger, CredentialJoined{Credential: row.credential})
}

// spread tells an outcome to the other credentials of its account. A success that used up a
// window ends no rest of theirs.
func (a *credentialsActor) spread(c actor.Context, msg accountOutcome) {
	if o := &msg.attempt.Outcome; o.Kind == providers.Success {
		if o.RetryAfter <= 0 {
			return
		}
		o.Kind = providers.WindowExhausted
	}
	for id, row := range a.rows {
		same := row.credential.Account == msg.from.Account && row.credential.Upstream.Name == msg.from.Upstream.Name
		if same && id != msg.from.ID && row.pid != nil {
			attempt := msg.attempt
			attempt.Outcome.Scope = providers.ScopeCredential // it goes no further
			if attempt.Outcome.Kind == providers.Success {    // of somebody else: it ends no rest here
				attempt.Outcome.Kind = providers.WindowExhausted
			}
			c.Send(row.pid, wideOutcome{attempt: attempt})
		}
	}
}

// remove takes a credential out. Its actor stays until the requests it serves have ended.
func (a *credentialsActor) remove(c actor.Context, row *credentialRow) {
	id := row.credential.ID
	delete(a.rows, id)
	a.w.tell(CredentialLeft{Credential: id})
	c.Send(a.w.sessions, unbind{id})
	if row.cancel != nil {
		row.cancel()
	}
	if row.pid != nil {
		delete(a.byPID, row.pid.Id)
		c.Send(row.pid, retire{})
	}
}

func (a *credentialsActor) announce(c actor.Context, msg announce) {
	c.Send(a.w.router, configure{a.settings})
	for _, row := range a.rows {
		if row.pid == nil {
			continue
		}
		c.Send(a.w.router, joined{row.credential, row.pid, row.order})
		c.Send(row.pid, announce{})
	}
	for upstream, models := range a.listed {
		c.Send(a.w.router, modelsListed{upstream, models})
	}
	c.Send(a.w.router, announced(msg))
}

// terminated respawns, after a while, a credential whose actor was given up.
func (a *credentialsActor) terminated(c actor.Context, pid *actor.PID) {
	id, ok := a.byPID[pid.Id]
	if !ok {
		return // removed
	}
	delete(a.byPID, pid.Id)
	row := a.rows[id]
	row.pid = nil
	d := respawnCap
	if row.givenUp < 6 {
		d = min(respawnBase<<row.givenUp, respawnCap)
	}
	row.givenUp++
	row.cancel = stage.After(c, d, respawn{id})
}

func (a *credentialsActor) respawn(c actor.Context, id providers.CredentialID) {
	row, ok := a.rows[id]
	if !ok || row.pid != nil {
		return
	}
	row.cancel = nil
	a.spawn(c, row)
}

// cancelAlarms readies the memory for another incarnation, which spawns everything anew.
func (a *credentialsActor) cancelAlarms() {
	a.supervisor.Cancel()
	a.alarm.Cancel()
	a.rotating = 0
	clear(a.byPID)
	for _, row := range a.rows {
		if row.cancel != nil {
			row.cancel()
			row.cancel = nil
		}
		row.pid = nil
	}
}
