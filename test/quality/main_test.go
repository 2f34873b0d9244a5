// Package quality measures how well the gateway routes: whole gateways between simulated
// agents and a simulated upstream, in virtual time. docs/quality.md says what each figure
// means and which are targets.
//
// Without flags a part of the matrix runs, as a test. `make quality` runs all of it and
// prints the table.
package quality

import (
	"flag"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Flags of the test binary.
var (
	full   = flag.Bool("full", false, "run all sources and the whole workload")
	format = flag.String("format", "", "print the figures: text or json")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// load is what agents do in one run.
type load struct {
	sessions int
	turns    int
	atOnce   int // sessions
}

// The whole workload, and the part of it that ordinary tests run.
func loadNow() load {
	if *full {
		return load{sessions: 60, turns: 8, atOnce: 12}
	}
	return load{sessions: 24, turns: 5, atOnce: 12}
}

const (
	// latency and chunkDelay are the upstream's.
	latency    = 200 * time.Millisecond
	chunkDelay = 10 * time.Millisecond
	// firstByte is the gateway's timeout, which ends calls that hang.
	firstByte = 2 * time.Second
	// baseRest is the shortest rest after overload and transient trouble.
	baseRest = time.Second
	// longestRest is cooldown.max, after which a rest is probed.
	longestRest = 30 * time.Minute
	// troubleAt is when a credential begins to fail: in the midst of conversations.
	troubleAt = 5 * time.Second
	// troubleFor is how long it fails, and how long its Retry-After is.
	troubleFor = 3 * time.Second
)
