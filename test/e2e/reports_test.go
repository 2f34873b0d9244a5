package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/openai"
)

// faulty is a provider that panics at one point, once.
type faulty struct {
	openai.Provider
	at   string
	done *bool
}

func (f faulty) boom(at string) {
	if f.at == at && !*f.done {
		*f.done = true
		panic("boom")
	}
}

func (f faulty) URL(base *url.URL, call providers.Call) (*url.URL, error) {
	f.boom("URL")
	if f.at == "unsupported" {
		return nil, providers.ErrUnsupported
	}
	return f.Provider.URL(base, call)
}

func (f faulty) Authorize(h http.Header, s providers.Secret) {
	f.boom("Authorize")
	f.Provider.Authorize(h, s)
}

func (f faulty) Classify(a providers.Answer) providers.Outcome {
	switch {
	case len(a.Body) > 0 && a.Status == http.StatusOK:
		f.boom("an error event")
	case a.Err != nil:
		f.boom("a broken answer")
	case a.Status == http.StatusOK:
		f.boom("a good head")
	default:
		f.boom("a refusal")
	}
	return f.Provider.Classify(a)
}

// requireAttempts checks that so many leases have ended, each reported by whoever had it,
// and that no actor had trouble.
func (r *rig) requireAttempts(n int) {
	r.t.Helper()
	synctest.Wait()
	snapshot, err := r.gateway.Snapshot(r.t.Context())
	require.NoError(r.t, err)
	require.EqualValues(r.t, n, snapshot.Attempts)
	require.Zero(r.t, snapshot.Overdue)
	require.Zero(r.t, snapshot.Failures)
}

// A panic in a provider is the gateway's fault: the client hears so, its credential is none
// the worse, and what it held is free again.
func TestReports_APanicIsReportedOnce(t *testing.T) {
	t.Parallel()
	d := dialects()[0]
	_, after, sent := d.opening()
	broken, _, _ := d.opening()
	broken.CutAfter = after
	failing, _, _ := d.opening()
	failing.Chunks = append(failing.Chunks[:after], d.overloaded())
	for name, tt := range map[string]struct {
		reply fake.Reply
		begun bool
	}{
		"URL": {reply: d.good(true)}, "Authorize": {reply: d.good(true)}, "a good head": {reply: d.good(true)},
		"a refusal": {reply: refusal(500)}, "a broken answer": {reply: broken, begun: true}, "an error event": {reply: failing, begun: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			provider := faulty{at: name, done: new(bool)}
			inBubble(t, setup{
				kinds: []string{config.KindOpenAI}, ids: []string{"a"}, script: func(q fake.Request) fake.Reply {
					if *provider.done || q.N > 1 {
						return answerTo(q)
					}
					return tt.reply
				},
				options: []understudy.Option{understudy.WithProvider(config.KindOpenAI, provider)}, adjust: oneAtATime(0),
			}, func(t *testing.T, r *rig) {
				got := r.ask(d, true)
				if tt.begun {
					require.Error(t, got.err, "the cut shows")
					require.True(t, strings.HasPrefix(string(got.body), sent), "%s", got.body)
				} else {
					require.Equal(t, http.StatusInternalServerError, got.status)
					d.requireError(t, string(got.body), "internal_error")
				}
				r.requireAttempts(1)
				require.Equal(t, providers.GatewayBug, r.attempted("a", 1).Outcome.Kind)
				view := r.view("a")
				require.Equal(t, "active", view.Status)
				require.Zero(t, view.Failed)
				require.Equal(t, providers.GatewayBug, r.lastRecord().Outcome)
				got = r.ask(d, true)
				require.Equal(t, http.StatusOK, got.status, "its place is free: %s", got.body)
			})
		})
	}
}

// What no credential's provider can do is not tried again and again, and nobody rests for it.
func TestRT21_RT23_WhatFailsInsideTheGatewayIsNotRepeated(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{
		options: []understudy.Option{understudy.WithProvider(config.KindOpenAI, faulty{at: "unsupported"})},
		adjust:  func(c *config.Config) { c.Retry = config.Retry{Rounds: 5, MaxWait: time.Minute} },
	}, func(t *testing.T, r *rig) {
		asked := time.Now()
		got := r.chatFor("m")
		require.Equal(t, http.StatusNotImplemented, got.status)
		dialects()[0].requireError(t, string(got.body), "operation_not_supported")
		require.Equal(t, "false", got.header.Get("X-Should-Retry"))
		require.Zero(t, time.Since(asked))
		require.Empty(t, r.upstream.Requests())
		r.requireAttempts(3)
		for _, id := range []string{"a", "b", "c"} {
			require.Equal(t, "active", r.view(id).Status)
		}
	})
}

// A client that leaves changes nothing: not the credential, not its session.
func TestCD28_SE17_WhoLeavesKeepsItsBinding(t *testing.T) {
	t.Parallel()
	script := plan{"a": {well, {Hang: true}, well}}.script
	inBubble(t, setup{script: script, adjust: func(c *config.Config) { c.Routing.SessionAffinity = true }}, func(t *testing.T, r *rig) {
		session := headerTurn("X-Session-ID", "s")
		require.Equal(t, []string{"a"}, r.play(session))
		r.leaveAfter(time.Second, "X-Session-ID", "s")
		record := r.lastRecord()
		require.Equal(t, 499, record.Status)
		require.Equal(t, providers.Canceled, record.Outcome)
		require.Equal(t, "active", r.view("a").Status)
		require.Zero(t, r.state("a", "m"))
		require.Equal(t, []string{"a"}, r.play(session))
		require.Equal(t, actors.WhyBound, r.lastRecord().Attempts[0].Why)
		r.requireAttempts(3)
	})
}

// Whatever happens to requests, each attempt is reported exactly once and the records tell
// of each.
func TestReports_EachAttemptIsReportedOnce(t *testing.T) {
	t.Parallel()
	const requests = 300
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{kinds: []string{d.kind}, script: misfortunes(d), adjust: func(c *config.Config) {
				c.Routing.Strategy = config.LeastLoaded
				c.Retry = config.Retry{Rounds: 2, MaxWait: 20 * time.Second}
				c.Timeouts.FirstByte, c.Timeouts.StreamIdle = 7*time.Second, 5*time.Second
				for i := range c.Providers[0].Credentials {
					c.Providers[0].Credentials[i].MaxConcurrency = 6
				}
			}}, func(t *testing.T, r *rig) {
				var all sync.WaitGroup
				for i := range requests {
					req := r.request(http.MethodPost, d.streamed, d.questionN, "X-Request-Id", fmt.Sprint(i))
					all.Go(func() {
						ctx, leave := context.WithCancel(req.Context())
						defer leave()
						if i%3 == 0 {
							time.AfterFunc(time.Duration(i%11)*300*time.Millisecond+time.Microsecond, leave)
						}
						if resp, err := r.client.Do(req.WithContext(ctx)); err == nil {
							read(t, resp)
						}
					})
					time.Sleep(131 * time.Millisecond)
				}
				all.Wait()
				synctest.Wait()
				records, err := r.gateway.Records(t.Context(), requests+1)
				require.NoError(t, err)
				require.Len(t, records, requests)
				attempts, outcomes := 0, map[providers.Kind]int{}
				for _, record := range records {
					attempts += len(record.Attempts)
					for _, attempt := range record.Attempts {
						outcomes[attempt.Outcome]++
					}
				}
				r.requireAttempts(attempts)
				require.Len(t, r.served(), attempts)
				t.Log(attempts, outcomes)
				for _, kind := range []providers.Kind{providers.Success, providers.Canceled, providers.Transient} {
					require.NotZero(t, outcomes[kind], kind)
				}
				time.Sleep(2 * time.Minute) // all rests are over
				r.requirePlaces(d, 18)
			})
		})
	}
}

// requirePlaces checks that exactly so many requests may be in flight: none was lost or won.
func (r *rig) requirePlaces(d dialect, n int) {
	r.t.Helper()
	ask := understudy.Request{Model: "m", Format: d.format}
	for i := range n {
		lease, err := r.gateway.Acquire(r.t.Context(), ask)
		require.NoError(r.t, err, "place %d", i+1)
		r.t.Cleanup(func() { lease.Done(providers.Outcome{Kind: providers.Canceled}) })
	}
	_, err := r.gateway.Acquire(r.t.Context(), ask)
	var none *understudy.NoCredentialError
	require.ErrorAs(r.t, err, &none)
	require.Equal(r.t, map[string]int{"saturated": 3}, none.Reasons)
}

// misfortunes is an upstream that does everything that an upstream may do, one thing after
// the other.
func misfortunes(d dialect) func(fake.Request) fake.Reply {
	begun, after, _ := d.opening()
	spoil := func(change func(*fake.Reply)) fake.Reply {
		reply := begun
		change(&reply)
		return reply
	}
	replies := []fake.Reply{
		well, later(3*time.Second, well), refusalOf(d, 500), well, refusalOf(d, 429, "Retry-After", "2"),
		{Reset: true},
		well,
		spoil(func(r *fake.Reply) { r.CutAfter = after }),
		{Hang: true},
		well,
		spoil(func(r *fake.Reply) { r.Hang, r.HangAfter = true, after }),
		spoil(func(r *fake.Reply) { r.ChunkDelay = 700 * time.Millisecond }), refusalOf(d, 400),
		{},
		spoil(func(r *fake.Reply) { r.EndAfter = after }), well, well, refusalOf(d, 529),
		spoil(func(r *fake.Reply) { r.Chunks = append(d.handshake(), d.overloaded()) }),
	}
	return func(q fake.Request) fake.Reply {
		return plan{"a": replies, "b": replies, "c": replies}.script(fake.Request{
			Method: q.Method, Path: q.Path, RawQuery: q.RawQuery, Header: q.Header, Body: q.Body,
			Key: q.Key, N: (q.N+int(q.Key[len(q.Key)-1]))%len(replies) + 1,
		})
	}
}
