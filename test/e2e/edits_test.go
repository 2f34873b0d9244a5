package e2e

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// edit is what an operator does to the credential a while it rests.
type edit struct {
	steps []func(*config.Provider) // applied one after the other
	ends  []string                 // the rests that it ends
}

func edits() map[string]edit {
	of := func(change func(*config.Credential)) func(*config.Provider) {
		return func(p *config.Provider) { change(&p.Credentials[0]) }
	}
	toggle := func(disabled bool) func(*config.Provider) {
		return of(func(c *config.Credential) { c.Disabled = disabled })
	}
	all := []string{"429", "500", "401", "402", "403", "404"}
	return map[string]edit{
		"weight and priority":       {steps: []func(*config.Provider){of(func(c *config.Credential) { c.Weight, c.Priority = new(int), 1; *c.Weight = 7 })}},
		"max-concurrency":           {steps: []func(*config.Provider){of(func(c *config.Credential) { c.MaxConcurrency = 5 })}},
		"its headers":               {steps: []func(*config.Provider){of(func(c *config.Credential) { c.Headers = map[string]string{"X-A": "1"} })}},
		"its account":               {steps: []func(*config.Provider){of(func(c *config.Credential) { c.Account = "new" })}},
		"the provider":              {steps: []func(*config.Provider){func(p *config.Provider) { p.Prefix = "team" }}},
		"its secret":                {steps: []func(*config.Provider){of(func(c *config.Credential) { c.APIKey = secretOf("a-new") })}, ends: []string{"401", "402"}},
		"disable and enable (CD35)": {steps: []func(*config.Provider){toggle(true), toggle(false)}, ends: all},
		"remove and add": {steps: []func(*config.Provider){
			func(p *config.Provider) { p.Credentials = p.Credentials[1:] },
			func(p *config.Provider) {
				p.Credentials = append([]config.Credential{{ID: "a", APIKey: secretOf("a")}}, p.Credentials...)
			},
		}, ends: all},
	}
}

// A credential that is edited rests on, unless the edit does away with the reason.
func TestCD34_CD35_WhatEditsDoToRests(t *testing.T) {
	t.Parallel()
	rests := map[string]fake.Reply{
		"429": refusal(429, "Retry-After", "600"), "500": refusal(500, "Retry-After", "50"), "401": refusal(401), "402": refusal(402),
		"403": refusal(403), "404": saysNo(404, `{"error":{"message":"The model 'm' does not exist","code":"model_not_found"}}`),
	}
	for name, tt := range edits() {
		for rest, reply := range rests {
			ended := false
			for _, one := range tt.ends {
				ended = ended || one == rest
			}
			t.Run(name+"/"+rest, func(t *testing.T) {
				t.Parallel()
				script := plan{"a": {reply, well}}.script
				inBubble(t, setup{ids: []string{"a", "b"}, script: script}, func(t *testing.T, r *rig) {
					require.Equal(t, http.StatusOK, r.chatFor("m").status)
					synctest.Wait()
					before := r.view("a")
					require.NotEqual(t, "active", before.Status)
					time.Sleep(time.Second)
					c := r.config()
					for _, step := range tt.steps {
						c.Providers[0].Credentials = append([]config.Credential(nil), c.Providers[0].Credentials...)
						step(&c.Providers[0])
						next := *c
						next.Providers = append([]config.Provider(nil), c.Providers...)
						_, err := r.gateway.Apply(&next)
						require.NoError(t, err)
					}
					require.Equal(t, http.StatusOK, r.chatFor("m").status)
					served := r.served()
					if ended {
						require.Equal(t, "active", r.view("a").Status)
						require.Contains(t, []string{"a", "a-new"}, served[len(served)-1])
						return
					}
					require.Equal(t, "b", served[len(served)-1])
					after := r.view("a")
					require.Equal(t, before.Status, after.Status)
					require.Equal(t, before.Until, after.Until)
				})
			})
		}
	}
}

// A credential that is disabled all the time keeps what is known of it, and is asked by nobody.
func TestCD34_AnEditOfADisabledCredential(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{ids: []string{"a", "b"}, script: first(refusal(403))}, func(t *testing.T, r *rig) {
		require.Equal(t, http.StatusOK, r.chatFor("m").status)
		next := func(c config.Credential) {
			all := r.config()
			c.ID, c.APIKey, c.Disabled = "a", secretOf("a"), true
			all.Providers[0].Credentials[0] = c
			_, err := r.gateway.Apply(all)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, r.chatFor("m").status)
			require.Equal(t, "disabled", r.view("a").Status)
		}
		next(config.Credential{})
		next(config.Credential{Priority: 9})
		require.Equal(t, []string{"a", "b", "b", "b"}, r.served())
	})
}

// What can be served only where it was made is asked there again, and nowhere else.
func TestRT22_APinnedRequestStaysWhereItIs(t *testing.T) {
	t.Parallel()
	d := dialects()[1]
	script := plan{"a": {well, refusalOf(d, 500), refusalOf(d, 500), well}}.script
	inBubble(t, setup{script: script, adjust: func(c *config.Config) {
		c.Retry = config.Retry{Rounds: 1, MaxWait: 5 * time.Second}
	}}, func(t *testing.T, r *rig) {
		require.Equal(t, http.StatusOK, r.ask(d, false).status)
		synctest.Wait()
		const next = `{"model":"m","input":"hi","previous_response_id":"resp_fake"}`
		require.Equal(t, 500, r.post(d.plain, next).status)
		require.Equal(t, []string{"a", "a", "a"}, r.served())
		require.Equal(t, http.StatusOK, r.post(d.plain, next).status)
		require.Equal(t, []string{"a", "a", "a", "a"}, r.served())
	})
}

// What the request itself is to blame for goes back as it is, whatever the upstream calls it.
func TestCD14_CD31_WhoIsToBlame(t *testing.T) {
	t.Parallel()
	body := func(code, message string) string {
		return `{"error":{"message":"` + message + `","type":"invalid_request_error","param":null,"code":"` + code + `"}}`
	}
	for name, tt := range map[string]struct {
		reply  fake.Reply
		served []string
	}{
		"the context is too long (CD31)": {saysNo(400, body("context_length_exceeded", "This model's maximum context length is 8192 tokens.")), []string{"a"}},
		"an unsupported value":           {saysNo(400, body("unsupported_value", "temperature does not support 0.2")), []string{"a"}},
		"a policy":                       {saysNo(400, body("content_policy_violation", "Rejected by the safety system.")), []string{"a"}},
		"an old response is unknown":     {saysNo(400, body("previous_response_not_found", "Not found.")), []string{"a"}},
		"a limit, called a fault (CD14)": {saysNo(429, body("invalid_request_error", "Slow down.")), []string{"a", "b"}},
		"the model is not for everybody": {saysNo(400, body("model_not_found", "No.")), []string{"a", "b"}},
		"trouble, called a fault":        {saysNo(500, body("context_length_exceeded", "Oops.")), []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{script: first(tt.reply), adjust: func(c *config.Config) { c.Retry.Rounds = 3 }}, func(t *testing.T, r *rig) {
				got := r.chatFor("m")
				require.Equal(t, tt.served, r.served())
				if len(tt.served) > 1 {
					require.Equal(t, http.StatusOK, got.status)
					require.NotZero(t, r.state("a", "m").Until)
					return
				}
				require.Equal(t, tt.reply.Status, got.status)
				require.Equal(t, string(tt.reply.Body), string(got.body))
				require.Equal(t, "false", got.header.Get("X-Should-Retry"))
				require.Zero(t, r.state("a", "m"))
			})
		})
	}
}
