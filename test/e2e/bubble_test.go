package e2e

import (
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs f with a rig on the fake clock, without sockets. The bubble fails if
// anything of the gateway is left running afterwards.
func inBubble(t *testing.T, s setup, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(2 * time.Second) }) // last of all, the actor library's own timers run out
		s.bubble = true
		f(t, start(t, s))
	})
}
