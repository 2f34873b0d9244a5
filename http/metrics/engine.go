package metrics

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/providers"
)

// State is what a gateway holds when somebody scrapes.
type State struct {
	Engine     actors.Snapshot
	Vitals     actors.Vitals
	InFlight   int       // requests that have begun and are not over
	Generation uint64    // counts the configurations that have applied, the first included
	AppliedAt  time.Time // when the last one did
	Captures   map[string]uint64
}

// maxWindows bounds the quota windows of one credential that are shown: upstreams name them.
const maxWindows = 16

// engine collects the state of a gateway.
type engine struct{ m *Metrics }

// gauge describes one number.
type gauge struct {
	*prometheus.Desc
	kind prometheus.ValueType
}

func described(kind prometheus.ValueType, name, help string, labels ...string) gauge {
	return gauge{prometheus.NewDesc(namespace+"_"+name, help, labels, nil), kind}
}

// gauges are all that engine collects.
type gauges struct {
	inFlight, waiting, sessions, actors, mailbox, failures, leases, overdue    gauge
	status, resting, rests, cache, quota, reset, generation, applied, captures gauge
}

func newGauges() gauges {
	const value, count = prometheus.GaugeValue, prometheus.CounterValue
	return gauges{
		inFlight:   described(value, "in_flight_requests", "Requests that have begun and are not over."),
		waiting:    described(value, "waiting_requests", "Requests that are asking for a credential; they wait unless it is there at once."),
		sessions:   described(value, "sessions", "Conversations that are bound to a credential."),
		actors:     described(value, "actors", "Actors that live, by kind.", "kind"),
		mailbox:    described(value, "mailbox_messages", "Messages that wait for the actors that every request needs.", "actor"),
		failures:   described(count, "actor_failures_total", "Failures of actors, each of which restarted or stopped it."),
		leases:     described(count, "leases_total", "Uses of credentials that are over, those of the host included."),
		overdue:    described(count, "leases_overdue_total", "Uses of credentials that nobody has reported, and that were taken back."),
		status:     described(value, "credential_status", "1 for the status that a credential has: active, resting, unauthorized, disabled, draining, restarting, failed.", "provider", "credential", "status"),
		resting:    described(value, "credential_resting_models", "Models of a credential that rest.", "provider", "credential"),
		rests:      described(count, "rests_total", "Rests of a credential or of its models, by what began them.", "provider", "credential", "kind"),
		cache:      described(value, "cache_share", "Part of a credential's input tokens that came from the upstream's cache, since the start.", "provider", "credential"),
		quota:      described(value, "quota_left_ratio", "Part of a limit that is left, as the upstream told it last.", "provider", "credential", "window"),
		reset:      described(value, "quota_reset_timestamp_seconds", "When a limit is whole again.", "provider", "credential", "window"),
		generation: described(value, "config_generation", "Configurations that have applied, the first included."),
		applied:    described(value, "config_applied_timestamp_seconds", "When the last configuration applied."),
		captures:   described(count, "captures_total", "Requests that were to be captured, by what came of it.", "result"),
	}
}

func (g gauges) all() []gauge {
	return []gauge{
		g.inFlight, g.waiting, g.sessions, g.actors, g.mailbox, g.failures, g.leases, g.overdue,
		g.status, g.resting, g.rests, g.cache, g.quota, g.reset, g.generation, g.applied, g.captures,
	}
}

// Describe is part of prometheus.Collector.
func (engine) Describe(to chan<- *prometheus.Desc) {
	for _, g := range newGauges().all() {
		to <- g.Desc
	}
}

// Collect is part of prometheus.Collector.
func (e engine) Collect(to chan<- prometheus.Metric) {
	read := e.m.state.Load()
	if read == nil {
		return
	}
	state, g := (*read)(), newGauges()
	c := collection{to}
	c.put(g.waiting, float64(e.m.asking.Load()))
	c.put(g.inFlight, float64(state.InFlight))
	c.put(g.generation, float64(state.Generation))
	c.put(g.applied, seconds(state.AppliedAt))
	c.each(g.actors, state.Vitals.Actors)
	c.each(g.mailbox, state.Vitals.Mailboxes)
	for result, n := range state.Captures {
		c.put(g.captures, float64(n), result)
	}
	s := state.Engine
	if s.At.IsZero() { // the engine has ended, or is too busy to say
		return
	}
	c.put(g.sessions, float64(s.Sessions))
	c.put(g.failures, float64(s.Failures))
	c.put(g.leases, float64(s.Attempts))
	c.put(g.overdue, float64(s.Overdue))
	for i, v := range s.Credentials {
		if i == maxCredentials {
			return
		}
		c.credential(g, v, s.At)
	}
}

// collection puts numbers where they are collected.
type collection struct{ to chan<- prometheus.Metric }

func (c collection) put(g gauge, value float64, labels ...string) {
	c.to <- prometheus.MustNewConstMetric(g.Desc, g.kind, value, labels...)
}

func (c collection) each(g gauge, values map[string]int) {
	for label, n := range values {
		c.put(g, float64(n), label)
	}
}

func (c collection) credential(g gauges, v actors.CredentialView, now time.Time) {
	provider, id := v.Provider, string(v.ID)
	c.put(g.status, 1, provider, id, v.Status)
	resting := 0
	for _, m := range v.Models {
		if m.State.Resting(now) {
			resting++
		}
	}
	c.put(g.resting, float64(resting), provider, id)
	for kind, n := range v.Rests {
		c.put(g.rests, float64(n), provider, id, string(kind))
	}
	if in := v.Usage.InputTokens; in > 0 {
		c.put(g.cache, float64(v.Usage.CachedTokens)/float64(in), provider, id)
	}
	for i, q := range v.Windows {
		if i == maxWindows {
			return
		}
		c.window(g, q, provider, id)
	}
}

// window puts what is known of a limit.
func (c collection) window(g gauges, q providers.Quota, provider, id string) {
	name := strings.ToValidUTF8(q.Name, "?")
	switch {
	case q.Exhausted():
		c.put(g.quota, 0, provider, id, name)
	case q.Utilization >= 0:
		c.put(g.quota, max(0, 1-q.Utilization), provider, id, name)
	}
	if !q.ResetAt.IsZero() {
		c.put(g.reset, seconds(q.ResetAt), provider, id, name)
	}
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
