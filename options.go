package understudy

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

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

// WithVersion names the version that the root route tells.
func WithVersion(v string) Option { return func(o *options) { o.version = v } }
