// Package e2e tests whole gateways from outside: through the public HTTP API and the root
// package, against a scripted upstream. Tests use real sockets; those about time run in a
// synctest bubble instead, where the same rig works without any.
//
// Every rig looks for leaks by itself: no secret of a credential may appear in an answer, a
// log line, an event or a snapshot, and no client key may reach the upstream.
package e2e

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
