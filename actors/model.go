package actors

import (
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/actors/stage"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// Messages a model takes, besides rotate, wideRested, configure, announce, retire and wake.
// It answers grant, to the original asker, with a Lease, or sends it back to the router.
type (
	// grant asks for a lease on behalf of the asker of acquire.
	grant struct {
		acquire    acquire
		credential providers.CredentialID
		model      string
		why        Why
		tentative  bool // the session is not bound to the credential yet
	}
	// report ends a lease.
	report struct {
		lease   uint64
		outcome providers.Outcome
	}
)

func (g grant) Question() uint64 { return g.acquire.id }

// Question says which acquire l answers.
func (l Lease) Question() uint64 { return l.ID }

const (
	// leaseOverdueAfter is how long a lease may go unreported before it is taken back.
	leaseOverdueAfter = time.Hour
	// modelIdleAfter is how long a model without leases and rest keeps its actor.
	modelIdleAfter = 10 * time.Minute
)

// openLease is a lease that was not reported yet.
type openLease struct {
	granted   time.Time
	route     string
	session   session.Key
	tentative bool // the router counts it as a pick that has not served
	secret    providers.Secret
}

// modelMemory is what survives a model's actor: its state and its open leases.
type modelMemory struct {
	credential *providers.Credential
	policy     cooldown.Policy
	wide       cooldown.State // the rest of the credential as a whole, as it told
	state      cooldown.State
	leases     map[uint64]openLease
	retiring   bool
}

func newModelMemory() *modelMemory { return &modelMemory{leases: map[uint64]openLease{}} }

// blank reports whether nothing would be lost with m.
func (m *modelMemory) blank() bool { return len(m.leases) == 0 && m.state == cooldown.State{} }

// modelActor owns one (credential, model): its cooldown and its leases. It alone grants.
type modelActor struct {
	*modelMemory
	w      *wiring
	name   string
	usedAt time.Time
	alarm  stage.Alarm
}

func modelProps(w *wiring, name string, memory *modelMemory) *actor.Props {
	return w.props(func() actor.Actor { return &modelActor{modelMemory: memory, w: w, name: name} }, stage.InCallersTurn())
}

// Receive is part of actor.Actor.
func (m *modelActor) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		m.usedAt = time.Now()
		m.announce(c)
		m.setAlarm(c)
	case grant:
		m.grant(c, msg)
	case report:
		m.settle(c, msg, false)
	case wake:
		m.wake(c)
	case rotate:
		m.rotate(c, msg.credential)
	case wideRested:
		m.wide = msg.state
	case configure:
		m.policy = msg.settings.policy()
	case announce:
		m.announce(c)
	case retire:
		m.retiring = true
		m.leaveIfRetired(c)
	case *actor.Stopping:
		m.alarm.Cancel()
		if !m.retiring {
			c.Send(m.w.router, modelDown{m.credential.ID, m.name, false})
			c.Send(m.w.ledger, ModelLeft{m.credential.ID, m.name})
		}
	case *actor.Restarting:
		m.alarm.Cancel()
	default:
		stage.Unhandled(c)
	}
}

// grant answers the asker with a lease, unless the model or its credential is out: then the
// router tries the next candidate.
func (m *modelActor) grant(c actor.Context, g grant) {
	now := time.Now()
	if m.credential.Disabled || m.retiring || m.state.Resting(now) || m.wide.Resting(now) {
		c.RequestWithCustomSender(m.w.router, refused{g, m.state, m.wide}, c.Sender())
		return
	}
	m.usedAt = now
	m.leases[g.acquire.id] = openLease{
		granted: now, route: g.acquire.Model, session: g.acquire.Session.Primary,
		tentative: g.tentative, secret: m.credential.Secret,
	}
	if len(m.leases) == 1 {
		m.setAlarm(c)
	}
	c.Respond(Lease{
		ID:         g.acquire.id,
		Credential: m.credential,
		Model:      g.model,
		Why:        g.why,
		session:    g.acquire.Session.Primary,
		owner:      c.Self(),
	})
}

// settle ends a lease and draws the conclusions. A second report of one lease is ignored.
func (m *modelActor) settle(c actor.Context, r report, overdue bool) {
	lease, ok := m.leases[r.lease]
	if !ok {
		return
	}
	delete(m.leases, r.lease)
	now := time.Now()
	if !aboutSecret(r.outcome.Kind) || lease.secret.Equal(m.credential.Secret) { // else it is about another one
		m.judge(c, cooldown.Attempt{Outcome: r.outcome, Granted: lease.granted, Now: now, Spread: rand.Float64()})
	}
	if lease.tentative && r.outcome.Kind != providers.Success { // a success is told by the session
		c.Send(m.w.router, abandoned{lease.session, m.credential.ID})
	}
	c.Send(m.w.ledger, Attempted{
		Lease:      r.lease,
		Credential: m.credential.ID,
		Model:      m.name,
		Route:      lease.route,
		Outcome:    r.outcome,
		Duration:   now.Sub(lease.granted),
		Overdue:    overdue,
	})
	m.leaveIfRetired(c)
}

// judge applies an outcome here or, if it reaches further, hands it up.
func (m *modelActor) judge(c actor.Context, a cooldown.Attempt) {
	if a.Outcome.Scope != providers.ScopeModel {
		c.Send(c.Parent(), wideOutcome{a})
		return
	}
	next := m.policy.Next(m.state, a)
	if next == m.state {
		return
	}
	rested := m.state.Until != next.Until
	m.state = next
	if rested {
		c.Send(c.Parent(), modelChanged{m.name, next})
		m.setAlarm(c)
	}
}

// wake looks what is due: the end of the rest, leases that nobody reported, idleness.
func (m *modelActor) wake(c actor.Context) {
	now := time.Now()
	if !m.state.Until.IsZero() && !m.state.Resting(now) {
		m.state.Until = time.Time{}
		c.Send(c.Parent(), modelChanged{m.name, m.state})
	}
	for id, lease := range m.leases {
		if now.Sub(lease.granted) >= leaseOverdueAfter {
			m.settle(c, report{lease: id, outcome: providers.Outcome{Kind: providers.Canceled, Reason: "lease overdue"}}, true)
		}
	}
	if len(m.leases) == 0 && m.state.Until.IsZero() && now.Sub(m.usedAt) >= modelIdleAfter {
		m.state = cooldown.State{} // a streak that long ago says nothing
		c.Stop(c.Self())           // a grant that is on its way bounces, and its asker asks again
	}
	m.setAlarm(c)
}

// setAlarm sets the one alarm to what is due first.
func (m *modelActor) setAlarm(c actor.Context) {
	due := m.usedAt.Add(modelIdleAfter)
	if now := time.Now(); !due.After(now) {
		due = now.Add(modelIdleAfter)
	}
	if !m.state.Until.IsZero() && m.state.Until.Before(due) {
		due = m.state.Until
	}
	m.alarm.At(c, due, wake{})
}

func (m *modelActor) announce(c actor.Context) {
	if m.retiring {
		return
	}
	c.Send(m.w.router, modelUp{m.credential.ID, m.name, c.Self()})
	if !m.state.Until.IsZero() {
		c.Send(c.Parent(), modelChanged{m.name, m.state})
	}
}

func (m *modelActor) leaveIfRetired(c actor.Context) {
	if m.retiring && len(m.leases) == 0 {
		c.Stop(c.Self())
	}
}

// rotate takes a new description. One that was disabled starts clean.
func (m *modelActor) rotate(c actor.Context, next *providers.Credential) {
	enabled := m.credential.Disabled && !next.Disabled
	m.credential = next
	if enabled && m.state != (cooldown.State{}) {
		m.state = cooldown.State{}
		c.Send(c.Parent(), modelChanged{m.name, m.state})
	}
}

// aboutSecret reports whether an outcome says something of the secret that was used.
func aboutSecret(k providers.Kind) bool {
	return k == providers.Unauthorized || k == providers.OutOfFunds
}
