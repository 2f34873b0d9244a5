package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers/simulator/inprocess"
)

// stored answers requests about one response: the maker has it, everybody else knows nothing.
func stored(q fake.Request) fake.Reply {
	rest, ok := strings.CutPrefix(q.Path, "/v1/responses/")
	if !ok {
		return made(q)
	}
	who := strings.TrimPrefix(q.Key, upstreamMark)
	if !strings.HasPrefix(rest, "resp_"+who+"_") {
		return fake.Reply{Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"error":{"message":"Response with id not found.","type":"invalid_request_error","param":null,"code":null}}`)}
	}
	if strings.Contains(q.RawQuery, "stream=true") {
		return fake.Answer("openai-responses", true, 3)
	}
	return fake.Answer("openai-responses", false, 3)
}

// respond makes a response and returns who has it.
func (r *rig) respond(model string) string {
	r.t.Helper()
	before := len(r.upstream.Requests())
	got := r.post("/v1/responses", `{"model":"`+model+`","input":"hi"}`)
	require.Equal(r.t, http.StatusOK, got.status, "%s", got.body)
	return r.served()[before]
}

func TestByID_GoesToTheMaker(t *testing.T) {
	t.Parallel()
	calls := map[string]struct{ method, action, query, body, wantQuery string }{
		"retrieve":              {method: "GET"},
		"retrieve with query":   {method: "GET", query: "?include=a&include=b&starting_after=3", wantQuery: "include=a&include=b&starting_after=3"},
		"query key":             {method: "GET", query: "?x=1&key=" + clientKey, wantQuery: "x=1"},
		"streamed":              {method: "GET", query: "?stream=true", wantQuery: "stream=true"},
		"delete":                {method: "DELETE"},
		"cancel":                {method: "POST", action: "/cancel"},
		"cancel with a body":    {method: "POST", action: "/cancel", body: `{"why": "because"}`},
		"input items":           {method: "GET", action: "/input_items"},
		"a page of input items": {method: "GET", action: "/input_items", query: "?limit=2&after=item%201&order=asc", wantQuery: "limit=2&after=item%201&order=asc"},
	}
	check := func(t *testing.T, r *rig) {
		t.Helper()
		for name, call := range calls {
			for range 3 {
				maker := r.respond("m")
				id := fmt.Sprintf("resp_%s_%d", maker, r.upstream.Calls(secretOf(maker)))
				got := r.send(r.request(call.method, "/v1/responses/"+id+call.action+call.query, call.body))
				require.Equal(t, http.StatusOK, got.status, "%s: %s", name, got.body)
				asked := r.lastRequest()
				require.Equal(t, secretOf(maker), asked.Key, name)
				require.Equal(t, call.method, asked.Method)
				require.Equal(t, "/v1/responses/"+id+call.action, asked.Path)
				require.Equal(t, call.wantQuery, asked.RawQuery)
				require.Equal(t, call.body, string(asked.Body))
				want := fake.Answer("openai-responses", call.wantQuery == "stream=true", 3)
				require.Equal(t, string(want.Body)+join(want.Chunks), string(got.body))
			}
		}
	}
	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		inBubble(t, setup{script: stored, adjust: inTurn}, check)
	})
	t.Run("over sockets", func(t *testing.T) {
		t.Parallel()
		check(t, start(t, setup{script: stored, adjust: inTurn}))
	})
}

func join(chunks [][]byte) string {
	var all strings.Builder
	for _, chunk := range chunks {
		all.Write(chunk)
	}
	return all.String()
}

// byIDCalls are one call on each route.
func byIDCalls(id string) [][2]string {
	return [][2]string{
		{"GET", "/v1/responses/" + id},
		{"DELETE", "/v1/responses/" + id},
		{"POST", "/v1/responses/" + id + "/cancel"},
		{"GET", "/v1/responses/" + id + "/input_items"},
	}
}

// requireNoResponse checks that got is what OpenAI says of a response that it does not have.
func requireNoResponse(t *testing.T, got answer) {
	t.Helper()
	require.Equal(t, http.StatusNotFound, got.status, "%s", got.body)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "response_not_found", gjson.GetBytes(got.body, "error.code").String(), "%s", got.body)
	require.Equal(t, "invalid_request_error", gjson.GetBytes(got.body, "error.type").String())
	require.Equal(t, "false", got.header.Get("X-Should-Retry"))
}

func TestByID_WhatIsNotTheClientsIsNotThere(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{script: stored, adjust: func(c *config.Config) {
		twoKeys(c)
		c.APIKeys = append(c.APIKeys, config.APIKey{Key: clientMark + "three", Name: "three", Models: []string{"n*"}})
	}}, func(t *testing.T, r *rig) {
		id := "resp_" + r.respond("m") + "_1"
		for _, call := range byIDCalls("resp_nobody_1") {
			requireNoResponse(t, r.send(r.request(call[0], call[1], "")))
		}
		for _, key := range []string{"two", "three"} {
			for _, call := range byIDCalls(id) {
				requireNoResponse(t, r.send(r.request(call[0], call[1], "", "Authorization", "Bearer "+clientMark+key)))
			}
		}
		for _, call := range byIDCalls(id) {
			got := r.send(r.request(call[0], call[1], "", "Authorization", "Bearer "+clientMark+"wrong"))
			require.Equal(t, http.StatusUnauthorized, got.status)
		}
		require.Len(t, r.served(), 1, "nobody was asked")
		r.reconfigure(func(c *config.Config) { c.APIKeys[0].Models = []string{"n*"} })
		for _, call := range byIDCalls(id) {
			requireNoResponse(t, r.send(r.request(call[0], call[1], "")))
		}
		require.Len(t, r.served(), 1, "the model is not the client's any more")
	})
}

func TestByID_OtherMethodsAreNotAllowed(t *testing.T) {
	t.Parallel()
	r := start(t, setup{script: stored, adjust: inTurn})
	id := "resp_" + r.respond("m") + "_1"
	for target, allowed := range map[string]string{
		"/v1/responses/" + id: "DELETE, GET", "/v1/responses/" + id + "/cancel": "POST", "/v1/responses/" + id + "/input_items": "GET",
	} {
		for _, method := range []string{"PUT", "PATCH", "POST", "GET", "DELETE"} {
			if strings.Contains(allowed, method) {
				continue
			}
			got := r.send(r.request(method, target, ""))
			require.Equal(t, http.StatusMethodNotAllowed, got.status, "%s %s", method, target)
			require.Equal(t, allowed, got.header.Get("Allow"))
			require.Equal(t, "method_not_allowed", gjson.GetBytes(got.body, "error.code").String())
		}
	}
	require.Equal(t, http.StatusNotFound, r.get("/v1/responses/"+id+"/unheard-of").status)
	require.Len(t, r.served(), 1)
}

// An id is one piece of a path, whatever it holds. Those that an upstream has never made do
// not leave the gateway; those that one did make do no harm there either.
func TestByID_HostileIDsLeadNowhere(t *testing.T) {
	t.Parallel()
	ids := []string{
		"..", ".", "../../v1/files", "a/../b", "a/b", `a\b`, "a?b=c", "a#b", "a%2Fb", "a%00b", "a\x00b", "a\r\nX-Evil: 1", "a b", "ä", "\xff",
		strings.Repeat("x", 1024), strings.Repeat("x", 1025), strings.Repeat("../", 2000), strings.Repeat("x", 100_000),
	}
	for _, known := range []bool{false, true} {
		t.Run(fmt.Sprintf("known %t", known), func(t *testing.T) {
			t.Parallel()
			var hostile string // what the upstream calls its responses
			r := start(t, setup{script: func(q fake.Request) fake.Reply {
				if q.Method != http.MethodPost || q.Path != "/v1/responses" {
					return fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"object":"response"}`)}
				}
				text, _ := json.Marshal(hostile)
				return fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"object":"response","id":` + string(text) + `}`)}
			}, adjust: inTurn})
			for _, id := range ids {
				if hostile = id; known {
					r.respond("m")
				}
				before := len(r.served())
				for _, call := range byIDCalls(url.PathEscape(id)) {
					if id == "." || id == ".." {
						call[1] = strings.ReplaceAll(call[1], id, strings.ReplaceAll(id, ".", "%2E"))
					}
					got := r.send(r.request(call[0], call[1], ""))
					if len(r.served()) == before {
						requireNoResponse(t, got)
						require.Empty(t, got.header.Get("X-Evil"))
						continue
					}
					require.True(t, known, "%q went out", id)
					before++
					require.Equal(t, http.StatusOK, got.status)
					asked := r.lastRequest()
					require.Equal(t, call[0], asked.Method)
					require.True(t, strings.HasPrefix(asked.Path, "/v1/responses/"+id), "%q", asked.Path)
					require.Empty(t, asked.RawQuery)
					require.Empty(t, asked.Header.Get("X-Evil"))
				}
			}
		})
	}
}

// Whether streamed or not, what was made is paid for once.
func TestByID_UsageIsNotCountedTwice(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{ids: []string{"a"}, script: stored}, func(t *testing.T, r *rig) {
		r.respond("m")
		want := r.view("a").Usage
		require.Positive(t, want.InputTokens)
		for _, call := range append(byIDCalls("resp_a_1"), [2]string{"GET", "/v1/responses/resp_a_1?stream=true"}) {
			require.Equal(t, http.StatusOK, r.send(r.request(call[0], call[1], "", "X-Request-Id", "again")).status)
			require.Equal(t, want, r.view("a").Usage, "%v", call)
			require.Zero(t, r.record("again").Usage, "%v", call)
		}
		require.EqualValues(t, 6, r.view("a").Attempts)
	})
}

func TestByID_IsFoundUnderWhateverNameItWasMade(t *testing.T) {
	t.Parallel()
	inBubble(t, setup{script: stored, adjust: func(c *config.Config) {
		inTurn(c)
		c.Providers[0].Prefix = "team"
		c.Providers[0].Models = append(c.Providers[0].Models, config.Model{Name: "n(high)", Alias: []string{"deep(high)"}})
	}}, func(t *testing.T, r *rig) {
		for _, model := range []string{"m", "m(high)", "m(8192)", "alias-of-m", "alias-of-m(low)", "openai/m", "team/m", "deep(high)", "n(high)"} {
			maker := r.respond(model)
			id := fmt.Sprintf("resp_%s_%d", maker, r.upstream.Calls(secretOf(maker)))
			got := r.get("/v1/responses/"+id, "X-Request-Id", "found")
			require.Equal(t, http.StatusOK, got.status, "%s: %s", model, got.body)
			require.Equal(t, secretOf(maker), r.lastRequest().Key)
		}
		maker := r.respond("alias-of-m")
		id := fmt.Sprintf("resp_%s_%d", maker, r.upstream.Calls(secretOf(maker)))
		r.reconfigure(func(c *config.Config) { c.Providers[0].Models = []config.Model{{Name: "other"}} })
		requireNoResponse(t, r.get("/v1/responses/"+id)) // nothing says any more who may see it
	})
}

func TestByID_AMakerThatCannotServeIsNotReplaced(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config.Config){
		"disabled": func(c *config.Config) { c.Providers[0].Credentials[0].Disabled = true },
		"removed":  func(c *config.Config) { c.Providers[0].Credentials = c.Providers[0].Credentials[1:] },
		"provider removed": func(c *config.Config) {
			p := c.Providers[0]
			p.Name, p.Models = "another", []config.Model{{Name: "x"}}
			p.Credentials = []config.Credential{{ID: "x", APIKey: secretOf("x")}}
			c.Providers = []config.Provider{p}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{script: stored}, func(t *testing.T, r *rig) {
				require.Equal(t, "a", r.respond("m"))
				r.reconfigure(change)
				for _, call := range byIDCalls("resp_a_1") {
					requireNoResponse(t, r.send(r.request(call[0], call[1], "")))
				}
				require.Len(t, r.served(), 1)
			})
		})
	}
}

func TestByID_AMakerThatRestsSaysHowLong(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{0, time.Minute} {
		t.Run(wait.String(), func(t *testing.T) {
			t.Parallel()
			p := &pinRig{}
			adjust := func(c *config.Config) { c.Retry.MaxWait = wait }
			inBubble(t, setup{script: p.script(stored), adjust: adjust}, func(t *testing.T, r *rig) {
				p.rig = r
				require.Equal(t, "a", r.respond("m"))
				p.fail("a", http.StatusTooManyRequests, "Retry-After", "20")
				require.Equal(t, http.StatusTooManyRequests, r.get("/v1/responses/resp_a_1").status)
				p.fail("a", 0)
				began := time.Now()
				got := r.get("/v1/responses/resp_a_1")
				if wait > 0 {
					require.Equal(t, http.StatusOK, got.status)
					require.InDelta(t, 21, time.Since(began).Seconds(), 1.1)
					return
				}
				require.Equal(t, http.StatusTooManyRequests, got.status)
				require.Equal(t, "model_cooldown", gjson.GetBytes(got.body, "error.code").String())
				require.NotEmpty(t, got.header.Get("Retry-After"))
				require.Len(t, r.served(), 2)
			})
		})
	}
}

func TestByID_AnAnswerOfTheMakersIsPassedOn(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 404, 409, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{script: func(q fake.Request) fake.Reply {
				if q.Path == "/v1/responses" {
					return made(q)
				}
				return fake.Reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"error":{"message":"Response with id 'm' not found.","type":"invalid_request_error","param":null,"code":null}}`)}
			}}, func(t *testing.T, r *rig) {
				require.Equal(t, "a", r.respond("m"))
				got := r.get("/v1/responses/resp_a_1")
				require.Equal(t, status, got.status)
				require.Contains(t, string(got.body), "Response with id 'm' not found.")
				require.Equal(t, []string{"a", "a"}, r.served())
				if status < 500 {
					require.Equal(t, "active", r.view("a").Status)
				}
			})
		})
	}
}

// The simulator keeps what it answered, per account, as the vendor does.
func TestByID_WorksWithTheEmbeddedDefault(t *testing.T) {
	t.Parallel()
	cfg := config.EmbeddedDefault()
	gateway, err := understudy.New(cfg, understudy.WithLogger(logger(t)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, gateway.Shutdown(t.Context())) })
	r := &rig{t: t, gateway: gateway, url: "http://gateway.test", client: watched(t, &http.Client{Transport: inprocess.Transport{Handler: gateway.Handler()}})}
	for i := range 12 { // more than there are credentials
		model := "understudy-large"
		got := r.post("/v1/responses", fmt.Sprintf(`{"model":%q,"input":"hi %d"}`, model, i))
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
		id := gjson.GetBytes(got.body, "id").String()
		again := r.get("/v1/responses/" + id)
		require.Equal(t, http.StatusOK, again.status, "%s", again.body)
		require.Equal(t, id, gjson.GetBytes(again.body, "id").String())
		items := r.get("/v1/responses/" + id + "/input_items?limit=1")
		require.Equal(t, http.StatusOK, items.status)
		require.Equal(t, fmt.Sprint("hi ", i), gjson.GetBytes(items.body, "data.0.content.0.text").String())
		require.Equal(t, http.StatusBadRequest, r.post("/v1/responses/"+id+"/cancel", "").status, "it was not in the background")
		next := r.post("/v1/responses", fmt.Sprintf(`{"model":%q,"input":"more","previous_response_id":%q}`, model, id))
		require.Equal(t, http.StatusOK, next.status, "%s", next.body)
		deleted := r.send(r.request(http.MethodDelete, "/v1/responses/"+id, ""))
		require.True(t, gjson.GetBytes(deleted.body, "deleted").Bool(), "%s", deleted.body)
		require.Equal(t, http.StatusNotFound, r.get("/v1/responses/"+id).status)
	}
}
