package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
)

const (
	changesStreams = 50 // at any time, each of changesChunks seconds
	changesChunks  = 10
	changesKept    = 20 // credentials that stay, whatever is done to them
	// changesWarmup is load without a change. Records of requests fill their memory meanwhile.
	changesWarmup = 20 * time.Second
	// changesSettle is how long a gateway is left alone before it is looked at, changesWithin how
	// long until it must be as before: kept connections that nobody uses last for 90 seconds.
	changesSettle = 3 * time.Second
	changesWithin = 100 * time.Second
	// What may be more afterwards: kept connections come and go, and so does garbage that is
	// pooled.
	changesGoroutines = 100
	changesHeapBytes  = 8 << 20
)

// changesRow is a gateway whose files are edited while it serves.
type changesRow struct {
	For      time.Duration `json:"for"`
	Edits    int           `json:"edits"`   // files written or removed
	Applied  int           `json:"applied"` // changes that the gateway saw in them: later ones may hide earlier ones
	Requests int           `json:"requests"`
	Streams  int           `json:"streams"`
	Failed   int           `json:"failed"`
	P50      float64       `json:"p50"` // milliseconds of a request
	P99      float64       `json:"p99"`
	CalmP99  float64       `json:"calm_p99"` // before the first edit
	Before   memory        `json:"before"`
	After    memory        `json:"after"`
}

// benchChanges edits the configuration file and the credential files of a gateway a thousand
// times in a minute, under load. A request that fails, a stream that breaks, or something that
// grows fails the bench.
func benchChanges(ctx context.Context, s settings, out *report) (err error) {
	folder, err := os.MkdirTemp("", "understudy-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	upstream, err := startRole(ctx, roleUpstream, "-chunks", strconv.Itoa(changesChunks+1), "-pause", chunkEvery.String())
	if err != nil {
		return err
	}
	defer stopping(upstream, &err)
	files := editedFiles{folder: folder, upstream: upstream.address}
	if err := files.write(); err != nil {
		return err
	}
	gateway, err := startRole(ctx, roleWatching, "-file", files.main())
	if err != nil {
		return err
	}
	defer stopping(gateway, &err)
	row := changesRow{For: s.streamFor}
	calm, failures := loadWithStreams(ctx, gateway.address, s.rate, changesWarmup, nil)
	row.CalmP99 = percentile(calm.took, 0.99)
	if err := errors.Join(first(failures), pause(ctx, changesSettle)); err != nil {
		return err
	}
	if row.Before, err = gateway.memory(ctx); err != nil {
		return err
	}
	edits := func(ctx context.Context) error { return files.edit(ctx, s.edits, s.streamFor, &row.Edits) }
	busy, failures := loadWithStreams(ctx, gateway.address, s.rate, s.streamFor, edits)
	row.Requests, row.Streams, row.Failed = len(busy.took), busy.streams, len(failures)
	row.P50, row.P99 = percentile(busy.took, 0.5), percentile(busy.took, 0.99)
	if err := files.write(); err != nil { // as before
		return err
	}
	if err := row.settle(ctx, gateway); err != nil {
		return err
	}
	if row.Applied, err = gateway.begun(ctx); err != nil {
		return err
	}
	out.Changes = &row
	switch {
	case len(failures) > 0:
		return fmt.Errorf("%d requests failed, the first one: %w", len(failures), failures[0])
	case row.hasGrown():
		return fmt.Errorf("it has grown: from %+v to %+v", row.Before, row.After)
	}
	return nil
}

// settle looks at the gateway until it is as before, or has had its time.
func (r *changesRow) settle(ctx context.Context, gateway *process) (err error) {
	for began := time.Now(); time.Since(began) < changesWithin; {
		if err := pause(ctx, changesSettle); err != nil {
			return err
		}
		if r.After, err = gateway.memory(ctx); err != nil || !r.hasGrown() {
			return err
		}
	}
	return nil
}

func (r *changesRow) hasGrown() bool {
	return r.After.Goroutines > r.Before.Goroutines+changesGoroutines || r.After.HeapBytes > r.Before.HeapBytes+changesHeapBytes
}

func first(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	return errs[0]
}

// served is what came of a load.
type served struct {
	took    []float64 // milliseconds
	streams int
}

// loadWithStreams sends so many requests a second for d, beside streams one after the other,
// and runs edits meanwhile, if there are any.
func loadWithStreams(ctx context.Context, address string, perSecond int, d time.Duration, edits func(context.Context) error) (served, []error) {
	var result served
	var mu sync.Mutex
	var failures []error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, err)
	}
	var beside sync.WaitGroup
	if edits != nil {
		beside.Go(func() {
			if err := edits(ctx); err != nil {
				fail(err)
			}
		})
	}
	ends := time.Now().Add(d)
	var streams atomic.Int64
	requests, want := requestsOf(modelStream, 300), slices.Concat(streamEvents(changesChunks+1)...)
	for i := range changesStreams {
		beside.Go(func() {
			// Evenly over the time that one takes, so that there is always one about to end.
			if pause(ctx, chunkEvery*changesChunks*time.Duration(i)/changesStreams) != nil {
				return
			}
			for time.Now().Before(ends) {
				c, err := dial(ctx, address)
				if err == nil {
					err = c.do(requests[i%len(requests)], want, exchangeTimeout)
					c.close()
				}
				if err != nil {
					fail(fmt.Errorf("stream: %w", err))
					return
				}
				streams.Add(1)
			}
		})
	}
	took, failed := pacedLoad(ctx, address, perSecond, d)
	beside.Wait()
	result.took, result.streams = took, int(streams.Load())
	return result, append(failures, failed...)
}

// editedFiles are a configuration and its credentials-dir.
type editedFiles struct{ folder, upstream string }

func (f editedFiles) main() string { return filepath.Join(f.folder, "config.yaml") }

// write writes everything as it is at first.
func (f editedFiles) write() error {
	if err := os.MkdirAll(filepath.Join(f.folder, "credentials"), 0o700); err != nil {
		return err
	}
	for i := range changesKept {
		if err := f.put(i, "secret-0", 1, false); err != nil {
			return err
		}
	}
	return f.route(config.RoundRobin)
}

// put writes the i-th credential.
func (f editedFiles) put(i int, secret string, weight int, disabled bool) error {
	return config.WriteFileAtomic(f.credential(i), fmt.Appendf(nil, "provider: upstream\napi-key: sk-%d-%s\nweight: %d\ndisabled: %t\n", i, secret, weight, disabled))
}

func (f editedFiles) credential(i int) string {
	return filepath.Join(f.folder, "credentials", fmt.Sprintf("c%03d.yaml", i))
}

// route writes the configuration file.
func (f editedFiles) route(s config.Strategy) error {
	return config.WriteFileAtomic(f.main(), []byte(strings.Join([]string{
		"listen: 127.0.0.1:0", "api-keys: [" + clientKey + "]", "credentials-dir: credentials",
		"routing: {session-affinity: true, strategy: " + string(s) + "}", "providers:",
		"  - {name: upstream, kind: openai-compatible, base-url: \"http://" + f.upstream + "/v1\", models: [" + modelChat + ", " + modelStream + "]}", "",
	}, "\n")))
}

// edit makes n edits, evenly over d, of every kind in turn, and counts them. Half of the
// credentials are disabled at most.
func (f editedFiles) edit(ctx context.Context, n int, d time.Duration, edits *int) error {
	strategies := []config.Strategy{config.FillFirst, config.Weighted, config.LeastLoaded, config.RoundRobin}
	began := time.Now()
	for i := range n {
		if err := pause(ctx, time.Until(began.Add(d*time.Duration(i)/time.Duration(n)))); err != nil {
			return err
		}
		round := i / 7
		at := round % changesKept
		other := (at + changesKept/2) % changesKept
		var err error
		switch i % 7 {
		case 0:
			err = f.put(changesKept+round, "added", 1, false)
		case 1:
			err = f.put(at, "secret-0", 1+round%9, false) // its weight
		case 2:
			err = f.put(at, fmt.Sprintf("secret-%d", round), 1+round%9, false) // its secret
		case 3:
			err = f.put(other, "secret-0", 1, true) // disabled
		case 4:
			err = f.route(strategies[round%len(strategies)])
		case 5:
			err = f.put((other+changesKept-3)%changesKept, "secret-0", 1, false) // enabled
		case 6:
			err = os.Remove(f.credential(changesKept + round))
		}
		if err != nil {
			return err
		}
		*edits++
	}
	return nil
}

// watchingGateway is a gateway that follows its files, as the command does.
func watchingGateway(ctx context.Context, file string) (role, error) {
	source := config.NewSource(file, os.LookupEnv)
	loaded, err := source.Load()
	if err != nil {
		return role{}, err
	}
	gateway, err := understudy.New(loaded.Config, understudy.WithLogger(discardingLogger()))
	if err != nil {
		return role{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var applied atomic.Int64
	var watching sync.WaitGroup
	var wrong error // of the goroutine until it has ended
	watching.Go(func() {
		source.Watch(ctx, nil, func(loaded *config.Loaded, err error) {
			if err == nil && len(loaded.Bad) > 0 {
				err = loaded.Bad
			}
			if err == nil {
				var changes []config.Change
				changes, err = gateway.Apply(loaded.Config)
				applied.Add(int64(len(changes)))
			}
			wrong = errors.Join(wrong, err)
		})
	})
	return role{
		handler: gateway.Handler(),
		begun:   func() int { return int(applied.Load()) },
		end: func(ctx context.Context) error {
			cancel()
			watching.Wait()
			return errors.Join(wrong, gateway.Shutdown(ctx))
		},
	}, nil
}
