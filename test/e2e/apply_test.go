package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// TestApply_UnderLoadFailsNoRequest changes about everything that can change while
// requests run.
func TestApply_UnderLoadFailsNoRequest(t *testing.T) {
	t.Parallel()
	r := start(t, setup{kinds: []string{config.KindOpenAI, config.KindAnthropic, config.KindGemini}, adjust: sticky})
	var stop atomic.Bool
	var load sync.WaitGroup
	var served atomic.Int64
	for i, d := range append(dialects(), dialects()...) {
		d = d.native()
		load.Go(func() {
			for n := 0; !stop.Load(); n++ {
				stream := n%2 == 0
				req := r.request(http.MethodPost, d.target(stream), d.question(stream), "X-Session-ID", fmt.Sprint(i, n%5))
				resp, err := r.client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				got := read(t, resp)
				if got.err != nil || got.status != http.StatusOK || string(got.body) != d.want(stream) {
					t.Errorf("%s: %d %v %s", d.name, got.status, got.err, got.body)
					return
				}
				served.Add(1)
			}
		})
	}
	next := *r.config()
	apply := func(what string, change func(p *config.Provider)) {
		before := served.Load()
		c := next // what New and Apply were given is not to be changed
		c.Providers = nil
		for _, p := range next.Providers {
			p.Credentials = append([]config.Credential(nil), p.Credentials...)
			change(&p)
			c.Providers = append(c.Providers, p)
		}
		next = c
		changes, err := r.gateway.Apply(&c)
		if err != nil || len(changes) == 0 {
			t.Errorf("%s: %v %v", what, changes, err)
		}
		for served.Load() < before+50 && !t.Failed() {
			r.ask(dialects()[0], false) // let the load go on for a while
		}
	}
	for round := range 3 {
		id := func(p *config.Provider, name string) string { return fmt.Sprint(p.Kind, "-", name, round) }
		apply("add", func(p *config.Provider) {
			p.Credentials = append(p.Credentials, config.Credential{ID: id(p, "d"), APIKey: secretOf(id(p, "d"))})
		})
		apply("rotate", func(p *config.Provider) { p.Credentials[1].APIKey = secretOf(id(p, "rotated")) })
		apply("remove", func(p *config.Provider) { p.Credentials = p.Credentials[1:] })
		apply("disable", func(p *config.Provider) { p.Credentials[0].Disabled = true })
		apply("enable", func(p *config.Provider) { p.Credentials[0].Disabled = false })
		apply("reorder", func(p *config.Provider) { p.Credentials = append(p.Credentials[1:], p.Credentials[0]) })
		apply("models", func(p *config.Provider) {
			p.Models = append(p.Models[:1:1], config.Model{Name: fmt.Sprint("n", round)})
		})
		apply("headers", func(p *config.Provider) { p.Headers = map[string]string{"X-Round": fmt.Sprint(round)} })
		next.Routing.Strategy = [...]config.Strategy{config.FillFirst, config.RoundRobin, config.FillFirst}[round]
		apply("strategy", func(*config.Provider) {})
		next.Timeouts.Connect = time.Duration(round+1) * time.Minute // a new transport
		apply("transport", func(*config.Provider) {})
	}
	stop.Store(true)
	load.Wait()
	snapshot, err := r.gateway.Snapshot(t.Context())
	require.NoError(t, err)
	require.Zero(t, snapshot.Failures)
	require.Zero(t, snapshot.Overdue)
	require.Len(t, snapshot.Credentials, 9)
	t.Log(served.Load(), "requests")
}

func TestApply_KeepsRestsAndBindings(t *testing.T) {
	t.Parallel()
	reply := fake.Error("openai-chat", 429)
	reply.Header.Set("Retry-After", "600")
	inBubble(t, setup{script: first(reply), adjust: sticky}, func(t *testing.T, r *rig) {
		var turns []turn
		for i := range 6 {
			turns = append(turns, headerTurn("X-Session-ID", fmt.Sprint("s", i)))
		}
		r.play(turns...)
		resting := r.view("a")
		require.Equal(t, "resting", resting.Status)
		bound := r.play(turns...)
		require.NotContains(t, bound, "a")

		next := r.config()
		next.Providers[0].Credentials = append(next.Providers[0].Credentials, config.Credential{ID: "d", APIKey: secretOf("d")})
		next.Providers[0].Models = append(next.Providers[0].Models, config.Model{Name: "n"})
		next.Cooldown.Max = time.Hour
		changes, err := r.gateway.Apply(next)
		require.NoError(t, err)
		require.Len(t, changes, 3)
		require.Equal(t, resting, r.view("a"))
		require.Equal(t, bound, r.play(turns...))

		edited := r.config()
		*edited = *next
		edited.Providers = append([]config.Provider(nil), next.Providers...)
		edited.Providers[0].Credentials = append([]config.Credential(nil), next.Providers[0].Credentials...)
		edited.Providers[0].Credentials[0].MaxConcurrency = 5
		_, err = r.gateway.Apply(edited)
		require.NoError(t, err)
		require.Equal(t, resting.Until, r.view("a").Until, "an edited credential rests on")

		time.Sleep(11 * time.Minute)
		require.Equal(t, "active", r.view("a").Status)
		require.Equal(t, bound, r.play(turns...), "and takes no session back")
	})
}

// A new secret is another chance: what was wrong with the old one is forgotten.
func TestApply_ANewSecretEndsTheRestOfTheOldOne(t *testing.T) {
	t.Parallel()
	for refusal, nobody := range map[int]struct {
		status int
		code   string
	}{
		http.StatusUnauthorized:    {http.StatusServiceUnavailable, "no_credential_available"},
		http.StatusPaymentRequired: {http.StatusTooManyRequests, "model_cooldown"},
	} {
		t.Run(fmt.Sprint(refusal), func(t *testing.T) {
			t.Parallel()
			script := first(fake.Error("openai-chat", refusal))
			inBubble(t, setup{ids: []string{"a"}, script: script}, func(t *testing.T, r *rig) {
				d := dialects()[0]
				require.Equal(t, refusal, r.ask(d, false).status)
				synctest.Wait()
				got := r.ask(d, false)
				require.Equal(t, nobody.status, got.status)
				d.requireError(t, string(got.body), nobody.code)
				next := r.config()
				next.Providers[0].Credentials[0].APIKey = secretOf("a-rotated")
				_, err := r.gateway.Apply(next)
				require.NoError(t, err)
				synctest.Wait()
				require.Equal(t, http.StatusOK, r.ask(d, false).status)
				require.Equal(t, []string{"a", "a-rotated"}, r.served())
				require.Equal(t, "active", r.view("a").Status)
			})
		})
	}
}

func TestApply_ARemovedCredentialEndsWhatItServes(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r, paused, goOn := startPausing(t, d, 2)
			open := r.sendLater(r.request(http.MethodPost, d.streamed, d.questionN))
			<-paused
			next := r.config()
			next.Providers[0].Credentials = next.Providers[0].Credentials[1:]
			_, err := r.gateway.Apply(next)
			require.NoError(t, err)
			goOn()
			got := <-open
			require.NoError(t, got.err)
			require.Equal(t, d.want(true), string(got.body))
			require.Equal(t, d.want(true), string(r.ask(d, true).body))
			require.Equal(t, []string{"a", "b"}, r.served())
		})
	}
}

func TestApply_WhatNeedsARestartIsRefusedAndTheRestApplies(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	next := r.config()
	next.Listen = "127.0.0.1:1"
	next.TLS = config.TLS{CertFile: "cert.pem", KeyFile: "key.pem"}
	next.Providers[0].Models[0].Alias = []string{"new-alias"}
	for range 2 { // the second time it is still not applied
		changes, err := r.gateway.Apply(next)
		var restart *understudy.RestartError
		require.ErrorAs(t, err, &restart)
		require.Equal(t, "listen", restart.Paths[0])
		require.True(t, strings.HasPrefix(restart.Paths[1], "tls"), restart.Paths)
		for _, change := range changes {
			require.False(t, change.Boot, change.Path)
		}
	}
	require.Equal(t, http.StatusOK, r.post("/v1/chat/completions", `{"model":"new-alias"}`).status)
	require.Equal(t, http.StatusNotFound, r.post("/v1/chat/completions", `{"model":"alias-of-m"}`).status)
	changes, err := r.gateway.Apply(r.config())
	require.NoError(t, err, "back again")
	require.NotEmpty(t, changes)
}

func TestHR12_AnInvalidConfigurationChangesNothing(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	for name, spoil := range map[string]func(*config.Config){
		"two credentials of one id": func(c *config.Config) { c.Providers[0].Credentials[1].ID = "a" },
		"unknown strategy (ST27)":   func(c *config.Config) { c.Routing.Strategy = "best" },
		"unknown kind":              func(c *config.Config) { c.Providers[0].Kind = "martian" },
		"no provider":               func(c *config.Config) { c.Providers = nil },
		"open to the world":         func(c *config.Config) { c.Listen, c.APIKeys = ":8317", nil },
	} {
		bad := r.config()
		bad.Providers[0].Models[0].Alias = []string{"new-alias"}
		spoil(bad)
		_, err := r.gateway.Apply(bad)
		require.Error(t, err, name)
		require.Equal(t, http.StatusOK, r.post("/v1/chat/completions", `{"model":"alias-of-m"}`).status)
		require.Equal(t, http.StatusNotFound, r.post("/v1/chat/completions", `{"model":"new-alias"}`).status)
	}
}

func TestApply_ChangesClientKeysAndLimitsAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	d := dialects()[0]
	next := r.config()
	next.APIKeys = []config.APIKey{{Key: clientMark + "new", Name: "new"}}
	next.MaxBodyBytes = 1 << 10
	_, err := r.gateway.Apply(next)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, r.ask(d, false).status)
	mine := []string{"Authorization", "Bearer " + clientMark + "new"}
	require.Equal(t, http.StatusOK, r.ask(d, false, mine...).status)
	long := strings.Replace(d.question1, "hi", strings.Repeat("hi", 1<<10), 1)
	require.Equal(t, http.StatusRequestEntityTooLarge, r.post(d.plain, long, mine...).status)
}
