package actors

import (
	"cmp"
	"math/rand/v2"
	"sync"
	"sync/atomic"
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
		suffix     string
		why        Why
		field      *Field
		fallbacks  []string
		waited     time.Duration
		session    session.Key // the lead of its session
		tentative  bool        // the session is not bound to the credential yet
		pooled     bool        // the credential has other models under the same name
		probe      bool        // the router takes it for one
		tracked    bool        // the router counts it
		handed     bool        // by the credential, which counts it
		wideProbe  bool        // it finds out whether the credential's own rest must go on
	}
	// reported says that there is a report, which ends a lease.
	reported struct{}
	// spare says that nobody else is left, or that everybody is overloaded: a rest for
	// overload or transient trouble must not exceed the base step.
	spare struct{}
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

// report is what came of a lease.
type report struct {
	lease   uint64
	outcome providers.Outcome
	used    *providers.Credential // as it was; nil = as it was granted
}

// reportBox takes the reports of one model's leases from whoever has used them. They wait
// there for the next actor if there is none just now. It is safe for concurrent use.
type reportBox struct {
	mu      sync.Mutex
	reports []report
}

func (b *reportBox) put(r report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reports = append(b.reports, r)
}

// take returns the oldest report and takes it out.
func (b *reportBox) take() (r report, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.reports) == 0 {
		return report{}, false
	}
	r = b.reports[0]
	if b.reports = b.reports[1:]; len(b.reports) == 0 {
		b.reports = nil
	}
	return r, true
}

// modelMemory is what survives a model's actor: its state and its open leases. What every
// lease needs comes first: with many credentials, the rest is in no cache.
type modelMemory struct {
	credential *providers.Credential
	id         providers.CredentialID
	out        bool // the credential is disabled or drains
	retiring   bool
	calm       bool   // neither state nor wide says anything
	probe      uint64 // the lease that finds out whether state must go on; 0 = none does
	limited    bool   // the credential counts leases
	leases     openLeases
	inFlight   *atomic.Int64 // of the credential
	box        *reportBox
	state      cooldown.State
	wide       cooldown.State // the rest of the credential as a whole, as it told
	policy     cooldown.Policy
}

// newModelMemory returns the memory of a model that was never used.
func newModelMemory() *modelMemory { return &modelMemory{box: &reportBox{}} }

// uncounted returns the open leases that the credential does not count, and notes that it
// does from now on.
func (m *modelMemory) uncounted() (ids []uint64) {
	m.leases.change(func(l *openLease) {
		if !l.handed {
			l.handed = true
			ids = append(ids, l.id)
		}
	})
	return ids
}

// blank reports whether nothing would be lost with m.
func (m *modelMemory) blank() bool { return m.leases.len() == 0 && m.state == cooldown.State{} }

// settleDown takes note of whether there is a state at all.
func (m *modelMemory) settleDown() {
	m.calm = m.state == cooldown.State{} && m.wide.Until.IsZero()
}

// describe takes over what the credential is now.
func (m *modelMemory) describe(c *providers.Credential) {
	m.credential, m.id, m.out, m.limited = c, c.ID, c.Disabled || c.Draining, c.MaxConcurrency > 0
}

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
		m.w.census.models.Add(1)
		m.usedAt = time.Now()
		m.announce(c)
		m.setAlarm(c)
		m.read(c) // what came while there was nobody
	case grant:
		m.grant(c, msg)
	case reported:
		m.read(c)
	case wake:
		m.wake(c)
	case rotate:
		m.rotate(c, msg.credential)
	case wideRested:
		m.wide = msg.state
		m.settleDown()
	case configure:
		m.configure(c, msg.settings)
	case spare:
		m.change(c, m.policy.Spare(m.state))
	case announce:
		m.announce(c)
	case endRest:
		m.probe = 0
		m.change(c, cooldown.State{})
		c.Send(c.Parent(), restEnded(msg))
	case retire:
		m.retiring = true
		m.leaveIfRetired(c)
	case *actor.Stopping:
		m.w.census.models.Add(-1)
		m.alarm.Cancel()
		if !m.retiring {
			c.Send(m.w.router, modelDown{m.id, m.name, false})
			c.Send(m.w.ledger, ModelLeft{Credential: m.id, Model: m.name})
		}
	case *actor.Restarting:
		m.w.census.models.Add(-1)
		m.alarm.Cancel()
	default:
		stage.Unhandled(c)
	}
}

// grant answers the asker with a lease, unless the model or its credential is out: then the
// router tries the next candidate.
func (m *modelActor) grant(c actor.Context, g grant) {
	if m.limited && !g.handed { // the router does not know of the limit yet
		c.RequestWithCustomSender(c.Parent(), g, c.Sender())
		return
	}
	now := time.Now()
	var own, wide bool
	if !m.calm {
		own, wide = m.state.Resting(now), m.wide.Resting(now)
	}
	probing := own && m.probe != 0
	if m.out || m.retiring || probing || own && !m.state.ProbeDue(now) || wide && !g.wideProbe {
		if g.handed {
			c.Send(c.Parent(), freed{lease: g.acquire.id})
		}
		c.RequestWithCustomSender(m.w.router, refused{grant: g, state: m.state, wide: m.wide, probing: probing}, c.Sender())
		return
	}
	if own {
		m.probe = g.acquire.id
	}
	m.usedAt = now
	m.inFlight.Add(1)
	m.leases.add(openLease{
		id: g.acquire.id, granted: now, asked: g.acquire.Acquire, session: g.session, credential: m.credential,
		tentative: g.tentative, tracked: g.tracked, handed: g.handed, probe: own, wideProbe: g.wideProbe,
	})
	if own || g.wideProbe {
		g.why = WhyProbe
	}
	c.Respond(Lease{
		ID:         g.acquire.id,
		Credential: m.credential,
		Model:      g.model + g.suffix,
		Suffix:     g.suffix,
		Why:        g.why,
		Field:      g.field,
		Waited:     g.waited,
		Fallbacks:  g.fallbacks,
		Pooled:     g.pooled,
		asked:      g.acquire.Acquire,
		owner:      c.Self(),
		parent:     c.Parent(),
		box:        m.box,
	})
}

// read settles what was reported.
func (m *modelActor) read(c actor.Context) {
	for {
		r, ok := m.box.take()
		if !ok {
			return
		}
		m.settle(c, r, false)
	}
}

// settle ends a lease and draws the conclusions. A second report of one lease is ignored.
func (m *modelActor) settle(c actor.Context, r report, overdue bool) {
	lease, ok := m.leases.take(r.lease)
	if !ok {
		return
	}
	m.inFlight.Add(-1)
	now := time.Now()
	if !m.calm || lease.probe || lease.wideProbe || !r.outcome.Plain() {
		m.judge(c, lease, r, cooldown.Attempt{Outcome: r.outcome, Granted: lease.granted, Now: now, Spread: rand.Float64(), Probe: lease.probe})
	}
	if lease.tentative && r.outcome.Kind != providers.Success { // a success is told by the session
		c.Send(m.w.router, abandoned{lease.session, m.id})
	}
	if lease.handed {
		c.Send(c.Parent(), freed{lease: r.lease, granted: true, tracked: lease.tracked})
	} else if lease.tracked && !m.retiring {
		c.Send(m.w.router, released{m.id})
	}
	c.Send(m.w.ledger, Attempted{
		Lease:      r.lease,
		Credential: m.id,
		Model:      m.name,
		Route:      lease.asked.Model,
		Outcome:    r.outcome,
		Duration:   now.Sub(lease.granted),
		Overdue:    overdue,
		Session:    lease.session,
	})
	m.leaveIfRetired(c)
}

// judge applies an outcome here and, if it reaches further, hands it up.
func (m *modelActor) judge(c actor.Context, lease openLease, r report, a cooldown.Attempt) {
	used := cmp.Or(r.used, lease.credential)
	if aboutSecret(a.Outcome.Kind) && !used.Secret.Equal(m.credential.Secret) {
		a.Outcome = providers.Outcome{Kind: providers.Canceled} // it is about another one
	}
	wide := a.Outcome.Scope != providers.ScopeModel && !a.Outcome.Neutral && a.Outcome.Rest == 0
	if wide || lease.wideProbe {
		up := a
		up.Probe = lease.wideProbe
		up.Outcome.Rest = 0 // an error rule lets the model rest, whatever was probed
		c.Send(c.Parent(), wideOutcome{up, used})
	}
	if wide { // of it, only a success says something of the model
		a.Outcome.RetryAfter = 0
		if a.Outcome.Kind != providers.Success {
			a.Outcome = providers.Outcome{Kind: providers.Canceled}
		}
	}
	next := m.policy.Next(m.state, a)
	if lease.probe {
		m.probe = 0
		if next == m.state {
			c.Send(m.w.router, unprobed{m.id, m.name})
		}
	}
	m.change(c, next)
}

// change makes next the state and tells those who must know.
func (m *modelActor) change(c actor.Context, next cooldown.State) {
	if next != m.state {
		m.state = next
		m.settleDown()
		c.Send(c.Parent(), modelChanged{m.name, next})
		m.setAlarm(c)
	}
}

// configure takes new settings; switching cooldowns off or on concerns the present rest too.
func (m *modelActor) configure(c actor.Context, s Settings) {
	before := m.policy.Disabled
	m.policy = s.policy(m.credential)
	if m.policy.Disabled != before && !m.state.Until.IsZero() {
		next := m.state
		next.Ignored = m.policy.Disabled
		m.change(c, next)
	}
}

// wake looks what is due: the end of the rest, leases that nobody reported, idleness.
func (m *modelActor) wake(c actor.Context) {
	now := time.Now()
	if next := m.state.Over(now); next != m.state {
		m.usedAt = now // it could not be used before: its streak is not old yet
		m.change(c, next)
	}
	var overdue []uint64
	m.leases.each(func(l openLease) {
		if now.Sub(l.granted) >= leaseOverdueAfter {
			overdue = append(overdue, l.id)
		}
	})
	for _, id := range overdue {
		m.settle(c, report{lease: id, outcome: providers.Outcome{Kind: providers.Canceled, Reason: "lease overdue"}}, true)
	}
	if idle := m.leases.len() == 0 && now.Sub(m.usedAt) >= modelIdleAfter; idle && m.forgettable(now) {
		m.change(c, cooldown.State{}) // a streak that long ago says nothing
		c.Stop(c.Self())              // a grant that is on its way bounces, and its asker asks again
		return
	}
	m.setAlarm(c)
}

// forgettable reports whether nothing is lost with the state: there is no rest, or nobody has
// come for a while to probe it. Whoever comes next is as good as a probe.
func (m *modelActor) forgettable(now time.Time) bool {
	return m.state.Until.IsZero() || m.state.Held && !now.Before(m.state.Until) && m.state.ProbeDue(now.Add(-modelIdleAfter))
}

// setAlarm sets the one alarm to what is due first.
func (m *modelActor) setAlarm(c actor.Context) {
	due := m.usedAt.Add(modelIdleAfter)
	if now := time.Now(); !due.After(now) {
		due = now.Add(modelIdleAfter)
	}
	if until := m.state.Until; !until.IsZero() && until.Before(due) && !m.state.Held {
		due = until
	}
	m.alarm.At(c, due, wake{})
}

func (m *modelActor) announce(c actor.Context) {
	if m.retiring {
		return
	}
	c.Send(m.w.router, modelUp{m.id, m.name, c.Self()})
	if !m.state.Until.IsZero() {
		c.Send(c.Parent(), modelChanged{m.name, m.state})
	}
}

func (m *modelActor) leaveIfRetired(c actor.Context) {
	if m.retiring && m.leases.len() == 0 {
		c.Stop(c.Self())
	}
}

// rotate takes a new description. One that was disabled starts clean.
func (m *modelActor) rotate(c actor.Context, next *providers.Credential) {
	enabled := m.credential.Disabled && !next.Disabled
	limited := m.credential.MaxConcurrency == 0 && next.MaxConcurrency > 0
	m.describe(next)
	if limited {
		c.Send(c.Parent(), counted{m.name, m.uncounted()})
	}
	if enabled {
		m.probe = 0
		m.change(c, cooldown.State{})
	}
}

// aboutSecret reports whether an outcome says something of the secret that was used.
func aboutSecret(k providers.Kind) bool {
	return k == providers.Unauthorized || k == providers.OutOfFunds
}
