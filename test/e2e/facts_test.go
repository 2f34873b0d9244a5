package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/providers"
)

// facts keeps what a gateway tells its subscribers, so that tests can wait for it: an
// answer reaches its client before the engine has drawn its conclusions.
type facts struct {
	t *testing.T

	mu    sync.Mutex
	all   []actors.Fact
	grown chan struct{} // closed by the next fact
}

func newFacts(t *testing.T) *facts { return &facts{t: t, grown: make(chan struct{})} }

func (f *facts) add(e understudy.Event) {
	inspect(f.t, "event", fmt.Appendf(nil, "%+v %#v", e, e))
	if joined, ok := e.Fact.(actors.CredentialJoined); ok {
		inspect(f.t, "credential", fmt.Appendf(nil, "%+v %#v", *joined.Credential, *joined.Credential))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, e.Fact)
	close(f.grown)
	f.grown = make(chan struct{})
}

// await returns the first fact so far, or else the next one, that is a T and matches.
func await[T actors.Fact](f *facts, match func(T) bool) T {
	f.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for seen := 0; ; {
		f.mu.Lock()
		all, grown := f.all, f.grown
		f.mu.Unlock()
		for ; seen < len(all); seen++ {
			if fact, ok := all[seen].(T); ok && match(fact) {
				return fact
			}
		}
		select {
		case <-grown:
		case <-late.C:
			require.FailNow(f.t, "a fact did not come", "%T; there are %+v", *new(T), all)
		}
	}
}

// attempted waits until so many attempts of a credential have ended, and returns the last.
func (r *rig) attempted(id string, n int) actors.Attempted {
	r.t.Helper()
	return await(r.facts, func(a actors.Attempted) bool {
		if a.Credential == providers.CredentialID(id) {
			n--
		}
		return a.Credential == providers.CredentialID(id) && n == 0
	})
}

// rested waits until a credential, or one of its models, has begun to rest.
func (r *rig) rested(id string) actors.Rested {
	r.t.Helper()
	return await(r.facts, func(f actors.Rested) bool {
		return f.Credential == providers.CredentialID(id) && !f.State.Until.IsZero()
	})
}

// bound waits until a session is bound to a credential.
func (r *rig) bound(id string) {
	r.t.Helper()
	await(r.facts, func(f actors.SessionBound) bool { return f.Credential == providers.CredentialID(id) })
}
