package actors

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

// What an operator does by hand. The parent of the credentials takes drain and reset and
// answers with operated; the rest goes on below it.
type (
	// drain takes a credential out for new requests, or ends that.
	drain struct {
		id providers.CredentialID
		on bool
	}
	// reset ends the rests of a credential, or of one model of it, and a drain.
	reset struct {
		id    providers.CredentialID
		model string // empty = all
	}
	// resetRests is reset, for a credential.
	resetRests struct{ model string }
	// endRest ends a model's rest.
	endRest struct{ run *resetRun }
	// restEnded says that a model has done so, behind its word of it.
	restEnded struct{ run *resetRun }
)

// operated says whether there was a credential of that id.
type operated struct{ found bool }

// resetRun is one reset under way. The credential alone touches it.
type resetRun struct {
	asker *actor.PID
	left  int // models that have not done it yet
}

// Drain takes a credential out for new requests while those it serves go on, and frees its
// sessions; on=false ends that. It ends too when the credential is reset, or disabled or
// enabled by a plan; other changes leave it, a restart of the engine does not. It reports
// whether there is such a credential. Requests that ask from now on see the change.
func (s *System) Drain(ctx context.Context, id providers.CredentialID, on bool) (found bool, err error) {
	done, err := ask[operated](ctx, s, s.w.credentials, drain{id, on})
	return done.found, err
}

// Reset ends what keeps a credential out, as far as that is not its configuration: rests, its
// models' too, a drain, a login that has failed, an actor that was given up. With a model it
// ends the rest of that one only. It reports whether there is such a credential. Requests that
// ask from now on see the change.
func (s *System) Reset(ctx context.Context, id providers.CredentialID, model string) (found bool, err error) {
	done, err := ask[operated](ctx, s, s.w.credentials, reset{id, model})
	return done.found, err
}

// describe makes credential what the row is about. A drain goes on.
func (r *credentialRow) describe(credential *providers.Credential) {
	r.planned, r.credential = credential, credential
	if r.draining {
		draining := *credential
		draining.Draining = true
		r.credential = &draining
	}
}

func (a *credentialsActor) drain(c actor.Context, msg drain) {
	row, ok := a.rows[msg.id]
	if ok && row.draining != msg.on {
		a.setDraining(c, row, msg.on)
	}
	c.Respond(operated{ok})
}

func (a *credentialsActor) setDraining(c actor.Context, row *credentialRow, on bool) {
	row.draining = on
	row.describe(row.planned)
	if on {
		c.Send(a.w.sessions, unbind{row.planned.ID})
	}
	if row.pid != nil { // else it is told when it is back
		a.tellChange(c, row)
	}
}

func (a *credentialsActor) reset(c actor.Context, msg reset) {
	row, ok := a.rows[msg.id]
	if !ok {
		c.Respond(operated{})
		return
	}
	if row.draining && msg.model == "" {
		a.setDraining(c, row, false)
	}
	if row.pid != nil {
		c.RequestWithCustomSender(row.pid, resetRests{msg.model}, c.Sender())
		return
	}
	row.memory.forgive(msg.model)
	if row.cancel != nil {
		row.cancel()
	}
	a.respawn(c, msg.id)
	c.Respond(operated{true})
}

// forgive ends the rests of a credential whose actor does not run.
func (m *credentialMemory) forgive(model string) {
	if model == "" {
		m.rest, m.probe = cooldown.State{}, 0
	}
	for name, memory := range m.models {
		if model == "" || model == name {
			memory.state, memory.probe = cooldown.State{}, 0
		}
	}
}

// resetRests ends rests and answers when all who must know have been told.
func (a *credentialActor) resetRests(c actor.Context, model string) {
	if model == "" {
		a.probe = 0
		a.setRest(c, cooldown.State{})
		if a.refresh.err != nil {
			a.refresh.err, a.refresh.failed, a.refresh.notBefore = nil, 0, time.Time{}
			a.scheduleRefresh(c)
		}
	}
	run := &resetRun{asker: c.Sender(), left: 1}
	for name, memory := range a.models {
		if model != "" && model != name {
			continue
		}
		if pid, runs := a.children[name]; runs {
			run.left++
			c.Send(pid, endRest{run})
		} else {
			memory.state, memory.probe = cooldown.State{}, 0
			a.tell(Rested{Credential: a.credential.ID, Model: name})
		}
	}
	run.ended(c)
}

// ended takes note that one of those that must have ended their rest has.
func (r *resetRun) ended(c actor.Context) {
	if r.left--; r.left == 0 {
		c.Send(r.asker, operated{true})
	}
}
