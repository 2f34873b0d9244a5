package metrics

import (
	"cmp"
	"maps"
	"sync/atomic"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/providers"
)

const (
	// maxModels bounds the models with labels of their own that are not configured but have
	// served: clients may call an upstream's model as they like if the upstream takes any name.
	maxModels = 200
	// maxCredentials bounds the credentials with labels of their own.
	maxCredentials = 1000
	// maxRoutes bounds the combinations of labels of requests.
	maxRoutes = 5000
)

// series are the combinations of labels that have been met, with what counts them. It is not
// changed: a new combination makes a new one, so that looking one up takes no lock.
type series struct {
	credentials map[providers.CredentialID]bool // with a label of their own
	configured  map[string]bool                 // names of models
	met         map[string]bool                 // further ones that have served
	routes      map[routeKey]*route
	attempts    map[attemptKey]prometheus.Counter
}

type (
	routeKey struct {
		in, out    providers.Format
		model      string
		credential providers.CredentialID // of the last attempt
		outcome    providers.Kind
	}
	attemptKey struct {
		credential providers.CredentialID
		outcome    providers.Kind
	}
)

// route is what counts requests of one combination.
type route struct {
	model, credential             string // labels
	requests                      prometheus.Counter
	overhead, firstByte, duration prometheus.Observer
	tokens                        atomic.Pointer[tokens] // nil until there are any
}

type tokens struct{ input, output, cached, cacheWrite prometheus.Counter }

func newSeries() *series {
	return &series{
		credentials: map[providers.CredentialID]bool{}, configured: map[string]bool{}, met: map[string]bool{},
		routes: map[routeKey]*route{}, attempts: map[attemptKey]prometheus.Counter{},
	}
}

// configure gives a credential and the models of its upstream their labels.
func (s *series) configure(c *providers.Credential) {
	if len(s.credentials) < maxCredentials {
		s.credentials[c.ID] = true
	}
	for _, m := range c.Upstream.Models {
		s.configured[m.Name] = true
		for _, alias := range m.Aliases {
			s.configured[alias] = true
		}
	}
}

// model returns the label of the model that a request was served under, or else asked for.
func (s *series) model(r *actors.Record) string {
	name := cmp.Or(r.Used, r.Asked)
	if s.configured[name] || s.met[name] || isNews(s, r) {
		return name
	}
	return other
}

// isNews reports whether the model of a request gets a label of its own from now on. That it
// has served is proof that there is such a model.
func isNews(s *series, r *actors.Record) bool {
	return r.Used != "" && r.Outcome == providers.Success && len(s.met) < maxModels && utf8.ValidString(r.Used)
}

func (s *series) credential(id providers.CredentialID) string {
	switch {
	case id == "":
		return none
	case s.credentials[id]:
		return string(id)
	default:
		return other
	}
}

// addRoute adds what counts requests like r.
func (m *Metrics) addRoute(k routeKey, r *actors.Record) *route {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.series.Load()
	if rt, ok := s.routes[k]; ok {
		return rt
	}
	if len(s.routes) >= maxRoutes {
		k.model, k.credential = other, other
		if rt, ok := s.routes[k]; ok {
			return rt
		}
	}
	next := *s
	if name := r.Used; k.model == name && !s.configured[name] && isNews(s, r) {
		next.met = maps.Clone(s.met)
		next.met[name] = true
	}
	rt := m.newRoute(s, k)
	next.routes = maps.Clone(s.routes)
	next.routes[k] = rt
	m.series.Store(&next)
	return rt
}

func (m *Metrics) newRoute(s *series, k routeKey) *route {
	in, outcome := string(k.in), string(cmp.Or(k.outcome, rejected))
	credential := s.credential(k.credential)
	return &route{
		model: k.model, credential: credential,
		requests:  m.requests.WithLabelValues(in, cmp.Or(string(k.out), none), k.model, credential, outcome),
		overhead:  m.overhead.WithLabelValues(in),
		firstByte: m.firstByte.WithLabelValues(in, k.model),
		duration:  m.duration.WithLabelValues(in, k.model),
	}
}

func (m *Metrics) newTokens(rt *route) *tokens {
	of := func(kind string) prometheus.Counter { return m.tokens.WithLabelValues(rt.model, rt.credential, kind) }
	return &tokens{input: of("input"), output: of("output"), cached: of("cached"), cacheWrite: of("cache_write")}
}

// addAttempt adds what counts attempts like a.
func (m *Metrics) addAttempt(a *actors.AttemptRecord) prometheus.Counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.series.Load()
	credential := s.credential(a.Credential)
	c := m.attempts.WithLabelValues(a.Provider, credential, string(a.Outcome))
	if credential == other { // how many of these there are is not bounded
		return c
	}
	next := *s
	next.attempts = maps.Clone(s.attempts)
	next.attempts[attemptKey{a.Credential, a.Outcome}] = c
	m.series.Store(&next)
	return c
}
