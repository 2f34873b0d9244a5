// Package metrics counts what the gateway does, for Prometheus. What a request was is counted
// once, when it is over, from its record; what the gateway holds is asked of it when somebody
// scrapes. Nothing global is touched: every gateway has its own.
//
// All labels are bounded: formats, kinds and statuses are closed lists, credentials are the
// configured ones, and models are those that are configured or have served, up to a limit;
// everything else is "other".
package metrics

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/providers"
)

// What stands for names that get no label of their own.
const (
	other = "other" // one of many
	none  = "none"  // there is none
)

// Outcomes of requests that no upstream was asked about. The others are those of attempts.
const (
	rejected = "rejected" // the gateway has refused it
	answered = "answered" // the gateway has answered it, such as with a list of models
)

// Metrics is one gateway's. Make one with New. All methods are safe for concurrent use; the
// ones for requests take no lock and allocate nothing, once a combination of labels is known.
type Metrics struct {
	registry *prometheus.Registry // of the gateway
	runtime  *prometheus.Registry // of the process: a host has its own
	state    atomic.Pointer[func() State]

	requests  *prometheus.CounterVec
	attempts  *prometheus.CounterVec
	tokens    *prometheus.CounterVec
	overhead  *prometheus.HistogramVec
	firstByte *prometheus.HistogramVec
	duration  *prometheus.HistogramVec
	asking    atomic.Int64

	series atomic.Pointer[series]
	mu     sync.Mutex // one change of series at a time
}

// New returns metrics of a gateway of that version, which count nothing yet.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), runtime: prometheus.NewRegistry(),
		requests: counter("requests_total", "Requests that are over, by what came of them.", "format_in", "format_out", "model", "credential", "outcome"),
		attempts: counter("attempts_total", "Calls to upstreams, failovers included, by what they meant for the credential.", "provider", "credential", "outcome"),
		tokens:   counter("tokens_total", "Tokens of answers as upstreams report them; cached and cache_write are parts of input.", "model", "credential", "kind"),
		overhead: histogram("gateway_overhead_seconds", "Time that requests spent in the gateway, neither waiting for a credential nor with an upstream.", "format_in"),
		firstByte: histogram("first_byte_seconds", "Time from a request's arrival to the first payload byte of its answer.",
			"format_in", "model"),
		duration: histogram("request_duration_seconds", "Time from a request's arrival to the end of its answer.", "format_in", "model"),
	}
	m.series.Store(newSeries())
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(build, m.requests, m.attempts, m.tokens, m.overhead, m.firstByte, m.duration, engine{m})
	m.runtime.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const namespace = "understudy"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// histogram is a native one: buckets grow by a tenth and are there only where there is
// something in them.
func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
	}, labels)
}

// Register adds the gateway's metrics to a host's registerer as well; unregister takes them out
// again. Two gateways in one registerer need something that tells them apart: see
// prometheus.WrapRegistererWith.
func (m *Metrics) Register(r prometheus.Registerer) (unregister func(), err error) {
	if err := r.Register(m.registry); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return func() { r.Unregister(m.registry) }, nil
}

// Handler serves the gateway's metrics, and those of the process it is in, to whoever asks.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{m.registry, m.runtime}, promhttp.HandlerOpts{})
}

// Watch makes state what is asked for what the gateway holds. It must be fast and safe for
// concurrent use.
func (m *Metrics) Watch(state func() State) { m.state.Store(&state) }

// Asking notes that a request begins (1) or ends (-1) to ask for a credential. Unless it has
// to wait, that takes microseconds.
func (m *Metrics) Asking(n int64) { m.asking.Add(n) }

// Served counts a request that named a model.
func (m *Metrics) Served(r *actors.Record) {
	s := m.series.Load()
	k := routeKey{in: r.FormatIn, out: r.FormatOut, outcome: r.Outcome}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		m.attempt(s, a).Inc()
		k.credential = a.Credential
	}
	k.model = s.model(r)
	rt, ok := s.routes[k]
	if !ok {
		rt = m.addRoute(k, r)
	}
	rt.requests.Inc()
	rt.overhead.Observe(r.Overhead.Seconds())
	rt.duration.Observe(r.Total.Seconds())
	if r.FirstByte > 0 {
		rt.firstByte.Observe(r.FirstByte.Seconds())
	}
	if r.Usage != (providers.Usage{}) {
		m.spent(rt, r.Usage)
	}
}

func (m *Metrics) spent(rt *route, u providers.Usage) {
	t := rt.tokens.Load()
	if t == nil { // most routes of failures never get here
		t = m.newTokens(rt)
		rt.tokens.Store(t)
	}
	t.input.Add(float64(u.InputTokens))
	t.output.Add(float64(u.OutputTokens))
	t.cached.Add(float64(u.CachedTokens))
	t.cacheWrite.Add(float64(u.CacheWriteTokens))
}

// Refused counts a request that named no model, or was not read so far.
func (m *Metrics) Refused(format providers.Format, status int) {
	what := answered
	if status >= http.StatusBadRequest {
		what = rejected
	}
	m.requests.WithLabelValues(string(format), none, none, none, what).Inc()
}

func (m *Metrics) attempt(s *series, a *actors.AttemptRecord) prometheus.Counter {
	if c, ok := s.attempts[attemptKey{a.Credential, a.Outcome}]; ok {
		return c
	}
	return m.addAttempt(a)
}

// Configured tells which credentials and models there are. Those that are gone take their
// numbers with them.
func (m *Metrics) Configured(credentials []*providers.Credential) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, next := m.series.Load(), newSeries()
	next.met = old.met
	for _, c := range credentials {
		next.configure(c)
	}
	for id := range old.credentials {
		if !next.credentials[id] {
			gone := prometheus.Labels{"credential": string(id)}
			m.requests.DeletePartialMatch(gone)
			m.attempts.DeletePartialMatch(gone)
			m.tokens.DeletePartialMatch(gone)
		}
	}
	m.series.Store(next)
}
