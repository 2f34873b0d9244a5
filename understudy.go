package understudy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	httpapi "github.com/understudyhq/understudy/http"
	"github.com/understudyhq/understudy/http/admin"
	"github.com/understudyhq/understudy/http/capture"
	"github.com/understudyhq/understudy/http/metrics"
)

// startTimeout bounds how long New waits for the engine, which opens no connection and
// needs milliseconds.
const startTimeout = 30 * time.Second

// abortGrace is how long Shutdown waits for requests that it has cut off to end.
const abortGrace = 2 * time.Second

// Gateway is a running gateway without a listener: an engine that chooses credentials and
// an http.Handler in front of it. Make one with New; end it with Shutdown. All methods are
// safe for concurrent use. Several may live in one process.
type Gateway struct {
	options  options
	engine   *actors.System
	server   *httpapi.Server
	builder  *builder
	listings *listings
	admin    *admin.Server

	configError atomic.Pointer[ConfigError] // never nil
	metrics     *metrics.Metrics            // nil = nothing is counted
	unregister  func()
	captures    *capture.Store
	applied     atomic.Pointer[applied]

	mu  sync.Mutex // guards cfg, and one Apply or Shutdown at a time
	cfg *config.Config
}

// New validates cfg, fills its defaults in place, and starts a gateway. It touches nothing
// global: no listener, signal, flag, default logger or metrics registry. cfg must not be
// changed afterwards.
func New(cfg *config.Config, opts ...Option) (*Gateway, error) {
	o := newOptions(opts)
	if err := prepare(cfg, o); err != nil {
		return nil, err
	}
	g := &Gateway{options: o, builder: newBuilder(o), cfg: cfg}
	g.NoteConfigError(nil)
	built, err := g.builder.build(cfg)
	if err != nil {
		return nil, err
	}
	if err := g.observe(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	plan := built.plan(cfg)
	g.engine, err = actors.Start(ctx, actors.Options{Logger: o.logger, Host: o.system}, plan)
	if err != nil {
		g.unregister()
		return nil, fmt.Errorf("start the gateway: %w", err)
	}
	g.builder.adopt(built)
	g.took(plan)
	g.server = httpapi.New(g.serverOptions())
	if g.metrics != nil {
		g.metrics.Watch(g.state)
	}
	g.listings = newListings(g.engine, o.logger)
	g.manage()
	g.listings.watch(built.unlisted())
	return g, nil
}

func prepare(cfg *config.Config, o options) error {
	if cfg == nil {
		return errors.New("understudy: no configuration")
	}
	config.Complete(cfg)
	if err := cfg.Validate(o.hostKinds()...); err != nil {
		return fmt.Errorf("invalid configuration: %w", err)
	}
	return nil
}

// Check tells what is wrong with cfg, as New would, and fills its defaults in place. It
// starts nothing and contacts nobody.
func Check(cfg *config.Config, opts ...Option) error {
	o := newOptions(opts)
	if err := prepare(cfg, o); err != nil {
		return err
	}
	_, err := newBuilder(o).build(cfg)
	return err
}

// Handler returns the handler of the client-facing routes. It can be mounted anywhere.
func (g *Gateway) Handler() http.Handler { return g.server.Handler() }

// RestartError says that a new configuration changes settings that need a restart. The
// rest of it has been applied.
type RestartError struct{ Paths []string }

func (e *RestartError) Error() string { return fmt.Sprintf("needs a restart: %v", e.Paths) }

// Apply makes cfg the configuration, whole or not at all, and returns what changed. Requests
// that have begun keep the settings they began with; rests, cursors and bindings of what
// did not change are kept. Changes that need a restart are not applied and come back in a
// *RestartError. cfg must not be changed afterwards.
func (g *Gateway) Apply(cfg *config.Config) ([]config.Change, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	changes, err := g.apply(cfg)
	g.NoteConfigError(err)
	return changes, err
}

func (g *Gateway) apply(cfg *config.Config) ([]config.Change, error) {
	if err := prepare(cfg, g.options); err != nil {
		return nil, err
	}
	// What needs a restart stays as it is, and the rest must be valid with that: client keys
	// must not go while the listener that does go on is open to the world.
	running := *cfg
	running.Boot = g.cfg.Boot
	if err := running.Validate(g.options.hostKinds()...); err != nil {
		return nil, fmt.Errorf("invalid configuration with what needs a restart unchanged: %w", err)
	}
	built, err := g.builder.build(cfg)
	if err != nil {
		return nil, err
	}
	changes := g.builder.withoutOwnTokens(config.Diff(g.cfg, cfg), built)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	plan := built.plan(cfg)
	if err := g.engine.Apply(ctx, plan); err != nil {
		return nil, ours(err)
	}
	g.builder.adopt(built)
	g.took(plan)
	g.captures.Apply(cfg.Logging)
	g.server.Apply(cfg.Live)
	g.listings.watch(built.unlisted())
	if len(changes) > 0 {
		g.engine.Configured(texts(changes))
	}
	return g.adopt(&running, changes)
}

// adopt notes cfg as the running configuration and sorts out which changes are part of it.
func (g *Gateway) adopt(cfg *config.Config, changes []config.Change) ([]config.Change, error) {
	g.cfg = cfg
	var refused RestartError
	var applied []config.Change
	for _, c := range changes {
		if c.Boot {
			refused.Paths = append(refused.Paths, c.Path)
		} else {
			applied = append(applied, c)
		}
	}
	if len(refused.Paths) > 0 {
		return applied, &refused
	}
	return applied, nil
}

// Record tells of one request what was asked, what was decided and why, and what came of it.
type Record = actors.Record

// Records returns the records of the latest requests, up to limit, latest first. The last
// 10,000 are remembered.
func (g *Gateway) Records(ctx context.Context, limit int) ([]*Record, error) {
	r, err := g.engine.Records(ctx, limit)
	return r, ours(err)
}

// RecordOf returns the latest record of a request, by its X-Request-Id; nil if there is none.
func (g *Gateway) RecordOf(ctx context.Context, requestID string) (*Record, error) {
	r, err := g.engine.RecordOf(ctx, requestID)
	return r, ours(err)
}

// Event is one fact about credentials, models, sessions, attempts or supervision.
type Event = actors.Event

// Subscribe calls fn for every fact from now on, in order, in a goroutine of its own. A
// slow fn misses events and is told how many. cancel ends it; fn may be running then.
func (g *Gateway) Subscribe(fn func(Event)) (cancel func()) { return g.engine.Subscribe(fn) }

// Done is closed when the gateway's engine has ended, by Shutdown or because it could not
// be kept alive; Err then tells which.
func (g *Gateway) Done() <-chan struct{} { return g.engine.Done() }

// Err returns why the engine ended by itself; nil while it runs and after Shutdown.
func (g *Gateway) Err() error { return g.engine.Err() }

// Drain makes new requests answer 503 with Retry-After, and /readyz too, while those that
// have begun go on.
func (g *Gateway) Drain() { g.server.Drain() }

// Shutdown refuses new requests, waits for the open ones until ctx ends, cuts off those
// that are left with an error in their format, and stops the engine. Nothing of the
// gateway is left afterwards, in a host's actor system either. The error says how many
// requests were cut off.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.server.Drain()
	open := g.server.Wait(ctx)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortGrace)
	defer cancel()
	if open > 0 || ctx.Err() != nil {
		g.server.Abort()
		g.server.Wait(ending)
	}
	g.listings.stop()
	g.unregister()
	err := g.engine.Stop(ending)
	g.captures.Close()
	g.builder.close()
	if open > 0 {
		err = errors.Join(fmt.Errorf("%d requests were cut off", open), err)
	}
	return err
}

// same reports whether two parts of a configuration are equal.
func same[T any](a, b T) bool { return reflect.DeepEqual(a, b) }
