package understudy

import (
	"context"
	"io"
	"time"

	"github.com/understudyhq/understudy/actors"
	httpapi "github.com/understudyhq/understudy/http"
	"github.com/understudyhq/understudy/http/capture"
	"github.com/understudyhq/understudy/http/metrics"
	"github.com/understudyhq/understudy/http/tracing"
)

// Capture is one request that was written down with its answer: see config.Logging.
type Capture = capture.Info

// Captures lists the captured requests that failed, latest first, up to limit.
func (g *Gateway) Captures(limit int) ([]Capture, error) { return g.captures.Failures(limit) }

// OpenCapture returns the text of a captured request by the name of its file. The error of a name
// that Captures would not list is fs.ErrNotExist; no name leads out of the folder.
func (g *Gateway) OpenCapture(file string) (io.ReadCloser, error) { return g.captures.Open(file) }

// watchedPool is the engine with somebody who counts beside it.
type watchedPool struct {
	*actors.System
	metrics *metrics.Metrics
}

// Acquire is part of httpapi.Pool.
func (p watchedPool) Acquire(ctx context.Context, a actors.Acquire) (actors.Lease, error) {
	p.metrics.Asking(1)
	defer p.metrics.Asking(-1)
	return p.System.Acquire(ctx, a)
}

// Record is part of httpapi.Pool.
func (p watchedPool) Record(r *actors.Record) {
	p.metrics.Served(r)
	p.System.Record(r)
}

// snapshotTimeout bounds how long a scrape waits for the engine.
const snapshotTimeout = 2 * time.Second

// state is what a scrape finds.
func (g *Gateway) state() metrics.State {
	captured := g.captures.Stats()
	applied := g.applied.Load()
	s := metrics.State{
		InFlight:   g.server.Open(),
		Generation: applied.generation, AppliedAt: applied.at,
		Captures: map[string]uint64{"written": captured.Written, "left_out": captured.LeftOut, "failed": captured.Failed},
	}
	ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
	defer cancel()
	if snapshot, err := g.engine.Snapshot(ctx); err == nil {
		s.Engine, s.Vitals = snapshot, g.engine.Vitals(snapshot)
	}
	return s
}

// applied is which configuration runs, counted from 1, and since when.
type applied struct {
	generation uint64
	at         time.Time
}

// took notes that a configuration has applied.
func (g *Gateway) took(p actors.Plan) {
	next := &applied{generation: 1, at: time.Now()}
	if last := g.applied.Load(); last != nil {
		next.generation += last.generation
	}
	g.applied.Store(next)
	if g.metrics != nil {
		g.metrics.Configured(p.Credentials)
	}
}

// observe makes what looks on while the gateway serves, as far as it is wanted.
func (g *Gateway) observe() error {
	g.captures = capture.NewStore(g.options.logger)
	g.captures.Apply(g.cfg.Logging)
	g.unregister = func() {}
	if g.options.unmeasured {
		return nil
	}
	g.metrics = metrics.New(g.options.version)
	if g.options.registerer == nil {
		return nil
	}
	unregister, err := g.metrics.Register(g.options.registerer)
	if err != nil {
		return err
	}
	g.unregister = unregister
	return nil
}

// serverOptions is what the data plane is made of.
func (g *Gateway) serverOptions() httpapi.Options {
	o := httpapi.Options{
		Pool: g.engine, Sockets: g.engine, Logger: g.options.logger, Live: g.cfg.Live, Version: g.options.version,
		Captures: g.captures, Unrecorded: g.options.unrecorded, Tracer: tracing.New(g.options.tracers, g.options.version),
	}
	if g.metrics != nil {
		o.Pool = watchedPool{g.engine, g.metrics}
		o.Metrics, o.Refused = g.metrics.Handler(), g.metrics.Refused
	}
	return o
}
