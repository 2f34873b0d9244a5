package e2e

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// Half an event is none, however the stream ends: it must not pass for the answer's end.
func TestSE12_HalfAnEventAtTheEndIsDropped(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply, after, sent := d.opening()
			reply.Chunks[after] = reply.Chunks[after][:len(reply.Chunks[after])*3/4]
			reply.EndAfter = after + 1
			r := start(t, setup{kinds: []string{d.kind}, script: first(reply)})
			d.requireBroken(t, r.ask(d, true), sent, "upstream_error")
			r.requireFailed(providers.Transient)
		})
	}
}

// The reason of an attempt that timed out says so.
func TestGateway_ATimeoutIsCalledOne(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{script: first(fake.Reply{Hang: true})}, func(t *testing.T, r *rig) {
		require.Equal(t, http.StatusOK, r.ask(dialects()[0], true).status)
		require.Equal(t, "timeout", r.attempted("a", 1).Outcome.Reason)
	})
}

// Configured headers may hold secrets too.
func TestGateway_ConfiguredHeadersAreNotPrinted(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: func(c *config.Config) {
		c.Providers[0].Credentials[0].Headers = map[string]string{"X-Credential": upstreamMark + "header"}
	}})
	lease, err := r.gateway.Acquire(t.Context(), understudy.Request{Model: "m", Format: providers.OpenAIChat})
	require.NoError(t, err)
	inspect(t, "lease", fmt.Appendf(nil, "%+v", lease))
	next := r.config()
	next.Providers[0].Credentials[0].Weight = new(int)
	_, err = r.gateway.Apply(next)
	require.NoError(t, err)
	lease.Done(providers.Outcome{Kind: providers.Success})
	r.attempted("a", 1)
}

// After Shutdown nothing can be applied, and asking leaves nothing in the host's system.
func TestGateway_AfterShutdownNothingIsApplied(t *testing.T) {
	t.Parallel()
	host := newHost()
	t.Cleanup(host.Shutdown)
	before := registered(host)
	r := start(t, setup{options: []understudy.Option{understudy.WithActorSystem(host)}})
	require.NoError(t, r.gateway.Shutdown(t.Context()))
	_, err := r.gateway.Snapshot(t.Context())
	require.ErrorIs(t, err, understudy.ErrStopped)
	require.Equal(t, before, registered(host))
	_, err = r.gateway.Apply(r.config())
	require.ErrorIs(t, err, understudy.ErrStopped)
	require.Equal(t, before, registered(host))
}

// The next request after Apply uses a new secret.
func TestGateway_ANewSecretCountsWhenApplyReturns(t *testing.T) {
	t.Parallel()
	for range 50 {
		inBubble(t, setup{ids: []string{"a"}, script: first(fake.Error("openai-chat", 401))}, func(t *testing.T, r *rig) {
			d := dialects()[0]
			require.Equal(t, 401, r.ask(d, false).status)
			synctest.Wait()
			next := r.config()
			next.Providers[0].Credentials[0].APIKey = secretOf("a-rotated")
			_, err := r.gateway.Apply(next)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, r.ask(d, false).status)
		})
	}
}

// Without affinity there is nothing to be kept of a session.
func TestGateway_WithoutAffinityNoSessionIsKept(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{}, func(t *testing.T, r *rig) {
		r.ask(dialects()[0], false)
		synctest.Wait()
		snapshot, err := r.gateway.Snapshot(t.Context())
		require.NoError(t, err)
		require.Zero(t, snapshot.Sessions)
	})
}

// Who is cut off by a second signal is told so.
func TestGateway_ASecondSignalsErrorReachesTheClient(t *testing.T) {
	t.Parallel()
	p := build(t)
	for range 20 {
		url, arrived, goOn := holding(t)
		process := p.start(t, simulated(url), "serve")
		r := process.rig()
		d := dialects()[0]
		open := r.sendLater(r.request(http.MethodPost, d.plain, d.question1))
		<-arrived
		process.signal(syscall.SIGINT)
		process.output.await(`stopping`)
		process.signal(syscall.SIGINT)
		got := <-open
		goOn()
		require.NoError(t, got.err)
		require.Equal(t, http.StatusServiceUnavailable, got.status)
		process.exit()
	}
}
