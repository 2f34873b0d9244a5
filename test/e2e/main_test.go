// Package e2e tests whole gateways from outside: through the public HTTP API and the root
// package, against a scripted upstream. Tests use real sockets; those about time run in a
// synctest bubble instead, where the same rig works without any.
//
// Whatever a gateway shows in any of these tests is looked at for every secret that any of
// them was given: answers, log lines, events, records, snapshots, what programs print (see
// collector). And no client key may reach the upstream.
package e2e

import (
	"fmt"
	"log"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childConfig); path != "" {
		fmt.Fprintln(os.Stderr, refreshUntilKilled(path))
		os.Exit(1)
	}
	log.SetOutput(defaultLog{})
	goleak.VerifyTestMain(suite{m})
}
