package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/internal/roster"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// usage is what every answer of three words costs.
func usage() providers.Usage {
	return providers.Usage{InputTokens: 11, OutputTokens: 3, CachedTokens: 4}
}

// slow lets an answer's head come after a second and each further piece after another.
func slow(reply fake.Reply) fake.Reply {
	reply.FirstDelay, reply.ChunkDelay = time.Second, time.Second
	return reply
}

// field is what a pick is made from under fill-first.
func field(ready int, rejected ...string) *actors.Field {
	f := &actors.Field{Strategy: config.FillFirst, Ready: ready}
	for i := 0; i < len(rejected); i += 2 {
		f.Rejected = append(f.Rejected, roster.Rejection{Credential: providers.CredentialID(rejected[i]), Reason: roster.Reason(rejected[i+1])})
	}
	return f
}

func TestRecord_TellsAllOfASuccess(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{script: func(q fake.Request) fake.Reply { return slow(answerTo(q)) }, adjust: func(c *config.Config) {
		c.Routing.SessionAffinity = true
	}}, func(t *testing.T, r *rig) {
		began := time.Now()
		body := `{"model":"alias-of-m(high)","stream":true,"messages":[{"role":"user","content":"words of the client's"}]}`
		got := r.post("/v1/chat/completions", body, "X-Request-Id", "one", "X-Session-ID", "session in clear")
		require.Equal(t, http.StatusOK, got.status)
		total := time.Duration(len(dialects()[0].good(true).Chunks)) * time.Second
		record := *r.record("one")
		require.NotEqual(t, session.Key{}, record.Session)
		record.Session = session.Key{}
		require.Equal(t, actors.Record{
			RequestID: "one", At: began, Client: "one", FormatIn: providers.OpenAIChat, FormatOut: providers.OpenAIChat,
			Operation: providers.Generate, Asked: "alias-of-m(high)", Used: "alias-of-m", Source: "header", Strategy: config.FillFirst,
			Attempts: []actors.AttemptRecord{{
				Credential: "a", Provider: "openai", Model: "m(high)", Route: "alias-of-m", Why: actors.WhyStrategy, Field: field(3),
				Outcome: providers.Success, Status: 200, FirstByte: time.Second, Total: total,
				Reason: record.Attempts[0].Reason,
			}},
			Status: 200, Outcome: providers.Success, FirstByte: time.Second, Total: total, Usage: usage(),
		}, record)
		text := fmt.Sprintf("%+v %#v", record, record)
		for _, secret := range []string{"words of", "in clear", "word1"} {
			require.NotContains(t, text, secret)
		}
	})
}

func TestRecord_TellsAWholeAnswer(t *testing.T) {
	t.Parallel()
	for _, d := range formats() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{kinds: []string{d.kind}, script: func(q fake.Request) fake.Reply { return slow(answerTo(q)) }}, func(t *testing.T, r *rig) {
				require.Equal(t, http.StatusOK, r.ask(d, false, "X-Request-Id", "one").status)
				record := r.record("one")
				require.Equal(t, d.format, record.FormatIn)
				require.Equal(t, d.format, record.FormatOut)
				require.Equal(t, "m", record.Asked)
				require.Equal(t, "m", record.Used)
				require.Equal(t, time.Second, record.FirstByte)
				require.Equal(t, time.Second, record.Total)
				require.Equal(t, usage(), record.Usage)
				require.Empty(t, record.Err)
			})
		})
	}
}

// What was tried and failed is told, and why nobody else came before.
func TestRecord_TellsAFailover(t *testing.T) {
	t.Parallel()
	script := func(q fake.Request) fake.Reply {
		switch q.Key {
		case secretOf("a"):
			reply := slow(fake.Error("openai-chat", http.StatusTooManyRequests))
			reply.Header.Set("Retry-After", "100")
			return reply
		case secretOf("b"):
			return slow(fake.Error("openai-chat", http.StatusUnauthorized))
		default:
			return slow(answerTo(q))
		}
	}
	inBubble(t, setup{script: script}, func(t *testing.T, r *rig) {
		require.Equal(t, http.StatusOK, r.ask(dialects()[0], false, "X-Request-Id", "one").status)
		record := r.record("one")
		require.Equal(t, []actors.AttemptRecord{
			{
				Credential: "a", Provider: "openai", Model: "m", Route: "m", Why: actors.WhyStrategy, Field: field(3),
				Outcome: providers.RateLimited, Status: 429, Reason: "429 rate_limit_exceeded", Total: time.Second,
			}, {
				Credential: "b", Provider: "openai", Model: "m", Route: "m", Why: actors.WhyStrategy, Field: field(2, "a", "tried"),
				Outcome: providers.Unauthorized, Status: 401, Reason: "401 invalid_api_key", BeganAt: time.Second, Total: time.Second,
			}, {
				Credential: "c", Provider: "openai", Model: "m", Route: "m", Why: actors.WhyOnly, Field: field(1, "a", "tried", "b", "tried"),
				Outcome: providers.Success, Status: 200, Reason: record.Attempts[2].Reason, BeganAt: 2 * time.Second, FirstByte: time.Second, Total: time.Second,
			},
		}, record.Attempts)
		require.Equal(t, 3*time.Second, record.FirstByte)
		require.Equal(t, providers.Success, record.Outcome)
		require.Equal(t, usage(), record.Usage)
		require.Nil(t, record.Rejected)

		require.Equal(t, http.StatusOK, r.ask(dialects()[0], false, "X-Request-Id", "two").status)
		require.Equal(t, field(1, "a", "resting:rate-limited", "b", "unauthorized"), r.record("two").Attempts[0].Field)
	})
}

// Credentials that stay ready in spite of a failure were tried all the same.
func TestRecord_WhatWasTriedIsNotReady(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{script: first(fake.Error("openai-chat", 500)), adjust: func(c *config.Config) { c.Cooldown.Disabled = true }}, func(t *testing.T, r *rig) {
		r.ask(dialects()[0], false, "X-Request-Id", "one")
		record := r.record("one")
		require.Len(t, record.Attempts, 2)
		require.Equal(t, field(3), record.Attempts[0].Field, "what was true then")
		require.Equal(t, field(2, "a", "tried"), record.Attempts[1].Field)
	})
}

func TestRecord_TellsWhyOthersWereNotPicked(t *testing.T) {
	t.Parallel()
	refusal := map[string]fake.Reply{
		"resting:rate-limited": fake.Error("openai-chat", 429), "resting:transient": fake.Error("openai-chat", 500),
		"resting:overloaded": fake.Error("openai-chat", 503), "resting:out-of-funds": fake.Error("openai-chat", 402),
		"resting:forbidden": fake.Error("openai-chat", 403), "unauthorized": fake.Error("openai-chat", 401),
		"resting:model-unsupported": fake.Error("openai-chat", 404),
		"resting:window-exhausted":  {Status: 429, Body: []byte(`{"error":{"type":"usage_limit_reached","message":"x","resets_in_seconds":100}}`)},
	}
	for reason, reply := range refusal {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{script: first(reply)}, func(t *testing.T, r *rig) {
				require.Equal(t, http.StatusOK, r.ask(dialects()[0], false).status)
				require.Equal(t, http.StatusOK, r.ask(dialects()[0], false, "X-Request-Id", "two").status)
				require.Equal(t, field(2, "a", reason), r.record("two").Attempts[0].Field)
			})
		})
	}
	settings := map[string]func(*config.Credential){
		"disabled":       func(c *config.Credential) { c.Disabled = true },
		"excluded-model": func(c *config.Credential) { c.ExcludeModels = []string{"m"} },
		"lower-tier":     func(c *config.Credential) { c.Priority = -1 },
	}
	for reason, change := range settings {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{adjust: func(c *config.Config) { change(&c.Providers[0].Credentials[0]) }}, func(t *testing.T, r *rig) {
				require.Equal(t, http.StatusOK, r.ask(dialects()[0], false, "X-Request-Id", "one").status)
				want := field(2, "a", reason)
				if reason == "lower-tier" {
					want.Ready = 3
				}
				require.Equal(t, want, r.record("one").Attempts[0].Field)
			})
		})
	}
}

func TestRecord_TellsWhoIsSaturated(t *testing.T) {
	t.Parallel()
	busy := func(c *config.Config) { c.Providers[0].Credentials[0].MaxConcurrency = 1 }
	inBubble(t, setup{script: func(q fake.Request) fake.Reply { return slow(answerTo(q)) }, adjust: busy}, func(t *testing.T, r *rig) {
		done := make(chan answer)
		go func() { done <- r.ask(dialects()[0], false) }()
		time.Sleep(time.Millisecond)
		require.Equal(t, http.StatusOK, r.ask(dialects()[0], false, "X-Request-Id", "two").status)
		<-done
		require.Equal(t, field(2, "a", "saturated"), r.record("two").Attempts[0].Field)
	})
}

func TestRecord_CountsMoreThanItLists(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprintf("c%02d", i))
	}
	inBubble(t, setup{ids: ids, adjust: func(c *config.Config) {
		for i := range 30 {
			c.Providers[0].Credentials[i].Disabled = true
		}
	}}, func(t *testing.T, r *rig) {
		require.Equal(t, http.StatusOK, r.ask(dialects()[0], false, "X-Request-Id", "one").status)
		got := r.record("one").Attempts[0].Field
		require.Len(t, got.Rejected, 16)
		require.Equal(t, 14, got.More)
		require.Equal(t, 10, got.Ready)
		require.Equal(t, roster.Rejection{Credential: "c00", Reason: roster.Disabled}, got.Rejected[0])
	})
	inBubble(t, setup{ids: ids, adjust: func(c *config.Config) { c.Cooldown.Disabled = true }, script: func(q fake.Request) fake.Reply {
		if q.Key != secretOf("c39") {
			return fake.Error("openai-chat", 500)
		}
		return answerTo(q)
	}}, func(t *testing.T, r *rig) {
		require.Equal(t, http.StatusOK, r.ask(dialects()[0], false, "X-Request-Id", "one").status)
		attempts := r.record("one").Attempts
		got := attempts[39].Field
		require.Equal(t, 1, got.Ready)
		require.Len(t, got.Rejected, 16)
		require.Equal(t, 23, got.More)
	})
}

func TestRecord_TellsWhyOneWasPicked(t *testing.T) {
	t.Parallel()
	why := func(r *rig, id string, header ...string) (string, actors.Why) {
		r.t.Helper()
		got := r.post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, append(header, "X-Request-Id", id)...)
		require.Equal(r.t, http.StatusOK, got.status)
		attempts := r.record(id).Attempts
		last := attempts[len(attempts)-1]
		return string(last.Credential), last.Why
	}
	check := func(r *rig, want string, wantWhy actors.Why, id string, header ...string) {
		r.t.Helper()
		got, gotWhy := why(r, id, header...)
		require.Equal(r.t, want, got)
		require.Equal(r.t, wantWhy, gotWhy)
	}
	affine := func(c *config.Config) { c.Routing.SessionAffinity = true }
	p := &pinRig{}
	inBubble(t, setup{adjust: affine, script: p.script(answerTo)}, func(t *testing.T, r *rig) {
		p.rig = r
		s := []string{"X-Session-ID", "s"}
		check(r, "a", actors.WhyStrategy, "new", s...)
		check(r, "a", actors.WhyBound, "known", s...)
		p.fail("a", http.StatusInternalServerError)
		check(r, "b", actors.WhyStrategy, "moved", s...)
		check(r, "b", actors.WhyBound, "moved-on", s...)
		p.fail("a", 0)
		p.fail("b", http.StatusUnauthorized)
		time.Sleep(time.Minute)
		check(r, "a", actors.WhyWarm, "warm", s...)
	})
	q := &pinRig{}
	inBubble(t, setup{ids: []string{"a"}, script: q.script(answerTo)}, func(t *testing.T, r *rig) {
		q.rig = r
		q.fail("a", http.StatusUnauthorized)
		require.Equal(t, http.StatusUnauthorized, r.ask(dialects()[0], false).status)
		q.fail("a", 0)
		time.Sleep(31 * time.Minute)
		check(r, "a", actors.WhyProbe, "probe")
	})
	inBubble(t, setup{ids: []string{"a"}}, func(t *testing.T, r *rig) {
		check(r, "a", actors.WhyOnly, "alone")
	})
	inBubble(t, setup{script: made}, func(t *testing.T, r *rig) {
		require.Equal(t, "a", r.respond("m"))
		require.Equal(t, http.StatusOK, r.post("/v1/responses", `{"model":"m","input":"hi","previous_response_id":"resp_a_1"}`, "X-Request-Id", "pin").status)
		require.Equal(t, actors.WhyPin, r.record("pin").Attempts[0].Why)
		require.Equal(t, http.StatusOK, r.get("/v1/responses/resp_a_1", "X-Request-Id", "by-id").status)
		record := r.record("by-id")
		require.Equal(t, actors.WhyPin, record.Attempts[0].Why)
		require.Equal(t, providers.Retrieve, record.Operation)
		require.Equal(t, "m", record.Asked)
	})
}

// A record is small whatever a client sends.
func TestRecord_KeepsNoLongTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	inBubble(t, setup{adjust: func(c *config.Config) { c.Providers[0].Models = nil }, script: func(q fake.Request) fake.Reply {
		if q.Method == http.MethodGet {
			return fake.Error("openai-chat", 500) // no list: any name passes
		}
		return answerTo(q)
	}}, func(t *testing.T, r *rig) {
		for i, target := range []string{"/v1/chat/completions", "/v1/responses"} {
			id := fmt.Sprint("long-", i)
			require.Equal(t, http.StatusOK, r.post(target, `{"model":"`+long+`","input":"hi"}`, "X-Request-Id", id).status)
			require.Less(t, len(fmt.Sprintf("%+v", *r.record(id))), 3000)
		}
		r.post("/v1/responses", `{"model":"openai/`+long+`","input":"hi","previous_response_id":"`+long+`"}`, "X-Request-Id", "unknown")
		require.Less(t, len(fmt.Sprintf("%+v", *r.record("unknown"))), 3000)
	})
}

func TestRecord_IsNotMadeOfWhatIsAboutNoModel(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{}, func(t *testing.T, r *rig) {
		r.get("/v1/models")
		r.get("/healthz")
		r.post("/v1/chat/completions", `{"model":"m"}`, "Authorization", "Bearer "+clientMark+"wrong")
		r.post("/v1/chat/completions", `{`)
		records, err := r.gateway.Records(t.Context(), 10)
		require.NoError(t, err)
		require.Empty(t, records)
		for i := range 3 {
			r.ask(dialects()[0], false, "X-Request-Id", fmt.Sprint(i))
		}
		records, err = r.gateway.Records(t.Context(), 2)
		require.NoError(t, err)
		require.Len(t, records, 2)
		require.Equal(t, []string{"2", "1"}, []string{records[0].RequestID, records[1].RequestID})
		none, err := r.gateway.RecordOf(t.Context(), "unheard-of")
		require.NoError(t, err)
		require.Nil(t, none)
	})
}

func TestRecord_ManyAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, setup{script: func(q fake.Request) fake.Reply {
		if q.Key == secretOf("a") && q.N%2 == 0 {
			return fake.Error("openai-chat", http.StatusInternalServerError)
		}
		return answerTo(q)
	}, adjust: func(c *config.Config) {
		inTurn(c)
		c.Cooldown.Disabled = true
	}})
	const n = 200
	for range 4 {
		r.storm(t, n/4, func() *http.Request {
			return r.request(http.MethodPost, "/v1/chat/completions", `{"model":"m"}`)
		})
		_, err := r.gateway.Records(t.Context(), n)
		require.NoError(t, err)
	}
	await(r.facts, func() func(actors.Recorded) bool {
		seen := 0
		return func(actors.Recorded) bool { seen++; return seen == n }
	}())
	records, err := r.gateway.Records(t.Context(), 2*n)
	require.NoError(t, err)
	require.Len(t, records, n)
	attempts := 0
	for _, record := range records {
		attempts += len(record.Attempts)
		require.Equal(t, providers.Success, record.Attempts[len(record.Attempts)-1].Outcome)
	}
	require.Len(t, r.served(), attempts)
}
