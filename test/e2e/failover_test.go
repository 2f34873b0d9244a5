package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// trouble is one way in which an upstream may fail before an answer has begun.
type trouble struct {
	name     string
	reply    func(d dialect, stream bool) fake.Reply
	only     string // plain or stream; empty = both
	ofTime   bool   // it takes a timeout, so the fake clock
	kind     providers.Kind
	rest     time.Duration // of the credential that had it
	hinted   bool          // the upstream has told rest: up to a tenth is added
	whole    bool          // the credential rests as a whole
	statusIs string        // in the snapshot; empty = resting
}

func troubles() []trouble {
	status := func(code int) func(dialect, bool) fake.Reply {
		return func(d dialect, _ bool) fake.Reply { return fake.Error(string(d.format), code) }
	}
	spoiled := func(change func(*fake.Reply)) func(dialect, bool) fake.Reply {
		return func(d dialect, stream bool) fake.Reply {
			reply := d.good(stream)
			change(&reply)
			return reply
		}
	}
	events := func(chunks func(d dialect) [][]byte) func(dialect, bool) fake.Reply {
		return func(d dialect, _ bool) fake.Reply {
			return fake.Reply{Header: d.good(true).Header, Chunks: chunks(d)}
		}
	}
	headAlone := [][]byte{{}}
	return []trouble{
		{name: "500 (CD20)", reply: status(500), kind: providers.Transient, rest: time.Second},
		{name: "502 (CD29)", reply: status(502), kind: providers.Transient, rest: time.Second},
		{name: "429", reply: status(429), kind: providers.RateLimited, rest: time.Second},
		{name: "429 with a hint", reply: func(d dialect, _ bool) fake.Reply {
			reply := fake.Error(string(d.format), 429)
			reply.Header.Set("Retry-After", "30")
			return reply
		}, kind: providers.RateLimited, rest: 30 * time.Second, hinted: true},
		{name: "401", reply: status(401), kind: providers.Unauthorized, rest: 30 * time.Minute, whole: true, statusIs: "unauthorized"},
		{name: "529", reply: status(529), kind: providers.Overloaded, rest: time.Second},
		{name: "reset (CD22)", reply: spoiled(func(r *fake.Reply) { r.Reset = true }), kind: providers.Transient, rest: time.Second},
		{name: "reset inside the body", reply: spoiled(func(r *fake.Reply) { r.Reset, r.ResetAfter = true, 1 }), only: "plain", kind: providers.Transient, rest: time.Second},
		{name: "cut inside the body (CD29)", reply: spoiled(func(r *fake.Reply) { r.CutAfter = 1 }), only: "plain", kind: providers.Transient, rest: time.Second},
		{name: "half a JSON text", reply: spoiled(func(r *fake.Reply) { r.Body = r.Body[:len(r.Body)/2] }), only: "plain", kind: providers.Transient, rest: time.Second},
		{name: "a web page", reply: func(dialect, bool) fake.Reply {
			return fake.Reply{Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte("<html>Sign in.</html>")}
		}, kind: providers.Transient, rest: time.Second},
		{name: "empty body", reply: spoiled(func(r *fake.Reply) { r.Body, r.Chunks = nil, nil }), kind: providers.Transient, rest: time.Second},
		{name: "error as the first event", reply: events(func(d dialect) [][]byte { return [][]byte{d.overloaded()} }), only: "stream", kind: providers.Overloaded, rest: time.Second},
		{name: "error behind the handshake", reply: events(func(d dialect) [][]byte { return append(d.handshake(), d.overloaded()) }), only: "stream", kind: providers.Overloaded, rest: time.Second},
		{name: "empty stream", reply: events(func(dialect) [][]byte { return headAlone }), only: "stream", kind: providers.Transient, rest: time.Second},
		{name: "nothing but the handshake", reply: events(func(d dialect) [][]byte { return append(d.handshake(), []byte{}) }), only: "stream", kind: providers.Transient, rest: time.Second},
		{name: "cut behind the head", reply: func(d dialect, _ bool) fake.Reply {
			return fake.Reply{Header: d.good(true).Header, Chunks: headAlone, CutAfter: 1}
		}, only: "stream", kind: providers.Transient, rest: time.Second},
		{name: "silence", reply: spoiled(func(r *fake.Reply) { r.Hang = true }), ofTime: true, kind: providers.Transient, rest: time.Second},
		{name: "silence behind the head", reply: func(d dialect, stream bool) fake.Reply {
			return fake.Reply{Header: d.good(stream).Header, Chunks: headAlone, Hang: true, HangAfter: 1}
		}, ofTime: true, kind: providers.Transient, rest: time.Second},
		{name: "silence inside the body", reply: spoiled(func(r *fake.Reply) { r.Hang, r.HangAfter = true, 1 }), only: "plain", ofTime: true, kind: providers.Transient, rest: time.Second},
	}
}

// eachTrouble runs f for every trouble in every dialect, plain and streamed. Those that
// take a timeout are for a fake clock.
func eachTrouble(t *testing.T, fakeClock bool, f func(t *testing.T, d dialect, stream bool, tr trouble)) {
	t.Helper()
	for _, d := range dialects() {
		for _, tr := range troubles() {
			for _, stream := range []bool{false, true} {
				mode := map[bool]string{false: "plain", true: "stream"}[stream]
				if (tr.ofTime && !fakeClock) || (tr.only != "" && tr.only != mode) || (d.array && !stream) {
					continue
				}
				t.Run(d.name+"/"+mode+"/"+tr.name, func(t *testing.T) { f(t, d, stream, tr) })
			}
		}
	}
}

func TestRT1_AnotherCredentialServesWhenOneFails(t *testing.T) {
	t.Parallel()
	eachTrouble(t, false, func(t *testing.T, d dialect, stream bool, tr trouble) {
		t.Parallel()
		r := start(t, setup{kinds: []string{d.kind}, script: first(tr.reply(d, stream))})
		got := r.ask(d, stream)
		require.NoError(t, got.err)
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, d.want(stream), string(got.body))
		require.Equal(t, []string{"a", "b"}, r.served())
		require.Equal(t, tr.kind, r.attempted("a", 1).Outcome.Kind)
		require.Equal(t, providers.Success, r.attempted("b", 1).Outcome.Kind)
		r.requireRest(tr)
	})
}

// requireRest checks how long the credential a was sent to rest.
func (r *rig) requireRest(tr trouble) {
	r.t.Helper()
	rest := r.rested("a")
	require.Equal(r.t, tr.kind, rest.State.Kind)
	require.Equal(r.t, tr.whole, rest.Model == "")
	length := rest.State.Until.Sub(rest.State.Since)
	if tr.hinted {
		require.GreaterOrEqual(r.t, length, tr.rest)
		require.LessOrEqual(r.t, length, tr.rest+tr.rest/10)
	} else {
		require.Equal(r.t, tr.rest, length)
	}
}

// The same on the fake clock: here rests cannot run out by themselves, so the snapshot is
// certain, and what takes minutes is quick.
func TestRT1_TheSnapshotShowsWhoFailedAndRests(t *testing.T) {
	t.Parallel()
	eachTrouble(t, true, func(t *testing.T, d dialect, stream bool, tr trouble) {
		t.Parallel()
		inBubble(t, setup{kinds: []string{d.kind}, script: first(tr.reply(d, stream))}, func(t *testing.T, r *rig) {
			got := r.ask(d, stream)
			require.NoError(t, got.err)
			require.Equal(t, http.StatusOK, got.status)
			require.Equal(t, d.want(stream), string(got.body))
			r.requireRest(tr)
			r.attempted("b", 1)

			status := tr.statusIs
			if status == "" {
				status = "resting"
			}
			a, b, c := r.view("a"), r.view("b"), r.view("c")
			require.Equal(t, status, a.Status)
			require.Equal(t, string(tr.kind), a.Reason)
			require.Equal(t, [3]uint64{1, 0, 1}, [3]uint64{a.Attempts, a.Served, a.Failed})
			require.Equal(t, "active", b.Status)
			require.Equal(t, [3]uint64{1, 1, 0}, [3]uint64{b.Attempts, b.Served, b.Failed})
			require.Equal(t, int64(3), b.Usage.OutputTokens)
			require.Equal(t, int64(11), b.Usage.InputTokens)
			require.Equal(t, int64(4), b.Usage.CachedTokens)
			require.Zero(t, c.Attempts)

			r.ask(d, stream)
			require.Equal(t, []string{"a", "b", "b"}, r.served(), "who rests is not asked")
			time.Sleep(tr.rest + tr.rest/10)
			r.ask(d, stream)
			require.Equal(t, []string{"a", "b", "b", "a", "b"}, r.served(), "a rest ends")
		})
	})
}

// One that takes real time, so that a real connection's silence is seen too.
func TestRT1_AHangingUpstreamIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{
				kinds: []string{d.kind}, script: first(fake.Reply{Hang: true}),
				adjust: func(c *config.Config) { c.Timeouts.FirstByte = 2 * time.Second },
			})
			got := r.ask(d, true)
			require.NoError(t, got.err)
			require.Equal(t, d.want(true), string(got.body))
			require.Equal(t, providers.Transient, r.attempted("a", 1).Outcome.Kind)
		})
	}
}

func TestRT1_AnotherProviderServesWhenOneCannotBeReached(t *testing.T) {
	t.Parallel()
	for _, d := range formats() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{kinds: []string{d.kind}, adjust: func(c *config.Config) {
				closed := c.Providers[0]
				closed.Name, closed.BaseURL = "closed", "http://127.0.0.1:1"+versionPath(d.kind) // a port nobody listens on
				closed.Credentials = []config.Credential{{ID: "z", APIKey: secretOf("z")}}
				c.Providers = append([]config.Provider{closed}, c.Providers...)
			}})
			require.Equal(t, d.want(false), string(r.ask(d, false).body))
			require.Equal(t, []string{"a"}, r.served())
			require.Equal(t, providers.Transient, r.attempted("z", 1).Outcome.Kind)
		})
	}
}
