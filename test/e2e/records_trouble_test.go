package e2e

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

func TestRecord_TellsADenial(t *testing.T) {
	t.Parallel()
	all429 := func(fake.Request) fake.Reply {
		reply := fake.Error("openai-chat", http.StatusTooManyRequests)
		reply.Header.Set("Retry-After", "100")
		return reply
	}
	resting := field(0, "a", "resting:rate-limited", "b", "resting:rate-limited", "c", "resting:rate-limited")
	inBubble(t, setup{script: all429}, func(t *testing.T, r *rig) {
		require.Equal(t, http.StatusTooManyRequests, r.ask(dialects()[0], true, "X-Request-Id", "one").status)
		record := r.record("one")
		require.Len(t, record.Attempts, 3)
		require.Equal(t, 429, record.Status)
		require.Equal(t, providers.RateLimited, record.Outcome)
		require.Empty(t, record.Err, "the client was told what the upstream said")
		require.NotNil(t, record.Rejected, "nobody was left")
		require.Equal(t, field(0, "a", "tried", "b", "tried", "c", "tried"), record.Rejected)

		began := time.Now()
		require.Equal(t, http.StatusTooManyRequests, r.ask(dialects()[0], true, "X-Request-Id", "two").status)
		require.Equal(t, &actors.Record{
			RequestID: "two", At: began, Client: "one", FormatIn: providers.OpenAIChat, Operation: providers.Generate, Asked: "m",
			Rejected: resting, Status: 429, Err: "model_cooldown", Source: record.Source, Session: record.Session,
		}, r.record("two"))

		require.Equal(t, http.StatusNotFound, r.post("/v1/chat/completions", `{"model":"x"}`, "X-Request-Id", "three").status)
		require.Equal(t, "model_not_found", r.record("three").Err)
		require.Equal(t, "x", r.record("three").Asked)
	})
	inBubble(t, setup{adjust: func(c *config.Config) {
		for i := range c.Providers[0].Credentials {
			c.Providers[0].Credentials[i].Disabled = true
		}
	}}, func(t *testing.T, r *rig) {
		r.ask(dialects()[0], true, "X-Request-Id", "one")
		record := r.record("one")
		require.Equal(t, 503, record.Status)
		require.Equal(t, "no_credential_available", record.Err)
		require.Equal(t, field(0, "a", "disabled", "b", "disabled", "c", "disabled"), record.Rejected)
	})
}

func TestRecord_TellsWaits(t *testing.T) {
	t.Parallel()
	patient := func(wait time.Duration) func(*config.Config) {
		return func(c *config.Config) {
			c.Retry.MaxWait = wait
			c.Providers[0].Credentials[0].MaxConcurrency = 1
		}
	}
	script := func(q fake.Request) fake.Reply {
		reply := answerTo(q)
		reply.FirstDelay = 10 * time.Second
		return reply
	}
	for wait, want := range map[time.Duration]time.Duration{20 * time.Second: 8 * time.Second, 5 * time.Second: 5 * time.Second} {
		inBubble(t, setup{ids: []string{"a"}, script: script, adjust: patient(wait)}, func(t *testing.T, r *rig) {
			done := make(chan answer)
			go func() { done <- r.ask(dialects()[0], false) }()
			time.Sleep(2 * time.Second)
			got := r.ask(dialects()[0], false, "X-Request-Id", "waiting")
			<-done
			record := r.record("waiting")
			require.Equal(t, want, record.Waited)
			require.Equal(t, got.status, record.Status)
			if got.status != http.StatusOK {
				require.Equal(t, want, record.Total)
				require.Equal(t, "overloaded", record.Err)
				require.Equal(t, field(0, "a", "saturated"), record.Rejected)
				return
			}
			require.Equal(t, want, record.Attempts[0].Waited)
			require.Equal(t, want, record.Attempts[0].BeganAt)
			require.Equal(t, want+10*time.Second, record.FirstByte)
			require.Zero(t, record.Queued)
		})
	}
}

func TestRecord_TellsAFallback(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{script: func(q fake.Request) fake.Reply {
		if bytes.Contains(q.Body, []byte(`"m2"`)) {
			return answerTo(q)
		}
		return fake.Error("openai-chat", 500)
	}, ids: []string{"a"}, adjust: func(c *config.Config) {
		c.Providers[0].Models[0].Fallback = []string{"m2"}
		c.Providers[0].Models = append(c.Providers[0].Models, config.Model{Name: "m2"})
	}}, func(t *testing.T, r *rig) {
		require.Equal(t, http.StatusOK, r.post("/v1/chat/completions", `{"model":"alias-of-m"}`, "X-Request-Id", "one").status)
		record := r.record("one")
		require.Equal(t, "alias-of-m", record.Asked)
		require.Equal(t, "m2", record.Used)
		require.Equal(t, []string{"alias-of-m m", "m2 m2"}, []string{
			record.Attempts[0].Route + " " + record.Attempts[0].Model, record.Attempts[1].Route + " " + record.Attempts[1].Model,
		})
		require.Empty(t, record.Err)
		require.Nil(t, record.Rejected, "somebody has served")
	})
}

func TestRecord_TellsAClientThatLeft(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]fake.Reply{
		"before the first byte": {Hang: true},
		"in a stream": func() fake.Reply {
			reply, pieces, _ := dialects()[0].opening()
			reply.Hang, reply.HangAfter = true, pieces
			return reply
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{script: func(fake.Request) fake.Reply { return reply }}, func(t *testing.T, r *rig) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*time.Second, cancel)
				req := r.request(http.MethodPost, "/v1/chat/completions", dialects()[0].question(true), "X-Request-Id", "one")
				resp, err := r.client.Do(req.WithContext(ctx))
				if err == nil {
					<-ctx.Done()
					_ = resp.Body.Close()
				}
				time.Sleep(time.Second)
				record := r.record("one")
				require.Equal(t, 499, record.Status)
				require.Equal(t, providers.Canceled, record.Outcome)
				require.Equal(t, "client_gone", record.Err)
				require.Equal(t, 3*time.Second, record.Total)
				require.Len(t, record.Attempts, 1)
				require.Equal(t, providers.Canceled, record.Attempts[0].Outcome)
			})
		})
	}
}

func TestRecord_TellsAClientThatLeftWhileItWaited(t *testing.T) {
	t.Parallel()
	script := func(fake.Request) fake.Reply {
		reply := fake.Error("openai-chat", http.StatusTooManyRequests)
		reply.Header.Set("Retry-After", "30")
		return reply
	}
	inBubble(t, setup{ids: []string{"a"}, script: script, adjust: func(c *config.Config) { c.Retry.MaxWait = time.Minute }}, func(t *testing.T, r *rig) {
		r.ask(dialects()[0], false)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		req := r.request(http.MethodPost, "/v1/chat/completions", dialects()[0].question(true), "X-Request-Id", "one")
		_, err := r.client.Do(req.WithContext(ctx))
		require.Error(t, err)
		time.Sleep(time.Second)
		record := r.record("one")
		require.Equal(t, 499, record.Status)
		require.Equal(t, "client_gone", record.Err)
		require.Empty(t, record.Attempts)
		require.Equal(t, 3*time.Second, record.Total)
		require.Equal(t, 3*time.Second, record.Waited)
	})
}

func TestRecord_TellsAStreamThatWasCut(t *testing.T) {
	t.Parallel()
	for _, d := range formats() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply, pieces, _ := d.opening()
			reply.CutAfter = pieces
			inBubble(t, setup{kinds: []string{d.kind}, script: func(fake.Request) fake.Reply { return reply }}, func(t *testing.T, r *rig) {
				require.Equal(t, http.StatusOK, r.ask(d, true, "X-Request-Id", "one").status)
				record := r.record("one")
				require.Equal(t, 200, record.Status, "it had gone out")
				require.Equal(t, providers.Transient, record.Outcome)
				require.Equal(t, "upstream_error", record.Err)
				require.Len(t, record.Attempts, 1)
				require.Equal(t, providers.Transient, record.Attempts[0].Outcome)
				require.NotEmpty(t, record.Attempts[0].Reason)
				require.Nil(t, record.Rejected)
			})
		})
	}
}
