package quality

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/understudyhq/understudy/providers/simulator"
)

// scenario is what goes wrong in a run.
type scenario struct {
	name string
	// parallel is how many requests the first turn of a session is sent as; 0 = 1.
	parallel int
	limits   map[string]simulator.Limit
	// trouble returns what happens to a credential's nth request, so long after the start.
	// It is made anew for each run.
	trouble func() func(credential string, n int, at time.Duration) (simulator.Fault, bool)
	// rest is how long a credential must at least be left alone after a failure with that
	// status; 0 stands for no answer.
	rest func(status int) time.Duration

	// What is asked of a run.
	cuts     bool    // answers may break off, if clients are told
	minCache float64 // of the best possible; 0 = nothing
	minJain  float64 // 0 = nothing
}

// sick is the credential that the trouble is with, where it is with one.
const sick = "acme-2"

// credentials are two accounts with three credentials each, by id.
func credentials() map[string]string {
	return map[string]string{
		"acme-1": "acme", "acme-2": "acme", "acme-3": "acme",
		"zeta-1": "zeta", "zeta-2": "zeta", "zeta-3": "zeta",
	}
}

func shortRest(int) time.Duration { return baseRest }

// only makes the sick credential fail with f from troubleAt on, for a time; 0 = for good.
func only(f simulator.Fault, lasts time.Duration) func() func(string, int, time.Duration) (simulator.Fault, bool) {
	return func() func(string, int, time.Duration) (simulator.Fault, bool) {
		return func(credential string, _ int, at time.Duration) (simulator.Fault, bool) {
			return f, credential == sick && at >= troubleAt && (lasts == 0 || at < troubleAt+lasts)
		}
	}
}

func scenarios() []scenario {
	const forever = 0
	hint := map[string]string{"Retry-After": "3"}
	return []scenario{
		{name: "steady", rest: shortRest, minCache: 0.99, minJain: 0.98},
		{name: "503 for 3 s", rest: shortRest, minCache: 0.98, trouble: only(simulator.Fault{Status: 503}, troubleFor)},
		{
			name: "429 with a hint", minCache: 0.98,
			trouble: only(simulator.Fault{Status: 429, Headers: hint}, troubleFor),
			rest:    func(int) time.Duration { return troubleFor },
		},
		{name: "forty 529", rest: shortRest, trouble: scattered(40)},
		{
			name: "revoked", minCache: 0.98, trouble: only(simulator.Fault{Status: 401}, forever),
			rest: func(status int) time.Duration {
				if status == http.StatusUnauthorized {
					return longestRest
				}
				return baseRest
			},
		},
		{name: "cut streams", rest: shortRest, trouble: cutting, cuts: true},
		{name: "hanging", rest: shortRest, minCache: 0.98, trouble: only(simulator.Fault{Delay: 24 * time.Hour}, forever)},
		{name: "burst", rest: shortRest, minCache: 0.99, parallel: 5},
		{
			// The hint is what is left of a window: a second at least.
			name: "shared limit", rest: shortRest,
			limits: map[string]simulator.Limit{"acme": {Requests: 20, Window: 5 * time.Second}},
		},
	}
}

// scattered answers so many requests with 529, one in nine, whoever makes them.
func scattered(failures int64) func() func(string, int, time.Duration) (simulator.Fault, bool) {
	return func() func(string, int, time.Duration) (simulator.Fault, bool) {
		var asked, failed atomic.Int64
		return func(string, int, time.Duration) (simulator.Fault, bool) {
			if asked.Add(1)%9 != 0 || failed.Add(1) > failures {
				return simulator.Fault{}, false
			}
			return simulator.Fault{Status: 529}, true
		}
	}
}

// cutting breaks every third stream of the sick credential off, after some of the answer.
func cutting() func(string, int, time.Duration) (simulator.Fault, bool) {
	return func(credential string, n int, _ time.Duration) (simulator.Fault, bool) {
		return simulator.Fault{CutAfter: 8}, credential == sick && n%3 == 0
	}
}
