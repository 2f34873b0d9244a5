package understudy

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/understudyhq/understudy/providers"
)

// Option changes how New builds a gateway.
type Option func(*options)

type options struct {
	logger    *slog.Logger
	kinds     map[string]providers.Provider
	transport http.RoundTripper
	system    *actor.ActorSystem
	version   string

	registerer prometheus.Registerer // nil = none
	tracers    trace.TracerProvider  // nil = no spans are made
	unmeasured bool
	unrecorded bool
	file       string // of the configuration; empty = none
	getenv     func(string) (string, bool)
}

// newOptions applies opts. Without WithLogger a gateway says nothing.
func newOptions(opts []Option) options {
	o := options{logger: slog.New(slog.DiscardHandler), kinds: map[string]providers.Provider{}}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// hostKinds lists the provider kinds that the host registered.
func (o options) hostKinds() []string { return slices.Sorted(maps.Keys(o.kinds)) }

// WithLogger makes the gateway log to l. Secrets, prompts and answers never reach it.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.logger = l } }

// WithProvider adds a provider kind for configurations to name, or replaces a built-in one.
func WithProvider(kind string, p providers.Provider) Option {
	return func(o *options) { o.kinds[kind] = p }
}

// WithTransport makes every upstream call through rt, the simulator's excepted. The host
// then sees to proxies, connect timeouts and connection reuse.
func WithTransport(rt http.RoundTripper) Option {
	return func(o *options) { o.transport = &lentTransport{rt} }
}

// lentTransport gives a host's transport an identity: it may be of a type that cannot be
// compared.
type lentTransport struct{ http.RoundTripper }

// WithActorSystem puts the gateway's actors under one guardian in the host's own actor
// system. Shutdown leaves that system as New found it.
func WithActorSystem(s *actor.ActorSystem) Option { return func(o *options) { o.system = s } }

// WithRegisterer adds the gateway's metrics to r as well, until Shutdown. It shows them at
// /metrics without it. Two gateways with one registry need labels that tell them apart: see
// prometheus.WrapRegistererWith.
func WithRegisterer(r prometheus.Registerer) Option { return func(o *options) { o.registerer = r } }

// WithTracerProvider makes spans with p for requests, for the questions they ask the engine and
// for their attempts at upstreams, below the span that the client tells of (W3C trace context);
// upstreams are told of the attempt's. Spans hold neither secrets nor contents. Without it no
// span is made, and a client's trace context goes on to the upstream as it came.
func WithTracerProvider(p trace.TracerProvider) Option { return func(o *options) { o.tracers = p } }

// WithoutMetrics counts nothing; /metrics is not there.
func WithoutMetrics() Option { return func(o *options) { o.unmeasured = true } }

// WithoutRecords keeps no records of requests: Records and RecordOf find none, and metrics of
// requests count only those that named no model.
func WithoutRecords() Option { return func(o *options) { o.unrecorded = true } }

// WithVersion names the version that the root route tells.
func WithVersion(v string) Option { return func(o *options) { o.version = v } }
