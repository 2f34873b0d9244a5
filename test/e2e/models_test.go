package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

func TestModels_AreListedInThreeDialects(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: func(c *config.Config) {
		c.Providers[0].Prefix = "team"
		c.Providers[0].Models = append(c.Providers[0].Models, config.Model{Name: "vendor/n"}, config.Model{Name: "hidden-preview"}, config.Model{Name: "unserved"})
		c.Providers[0].ExcludeModels = []string{"*-preview"}
		for i := range c.Providers[0].Credentials {
			c.Providers[0].Credentials[i].ExcludeModels = []string{"unserved"}
		}
	}})
	names := []string{"alias-of-m", "m", "team/alias-of-m", "team/m", "team/vendor/n", "vendor/n"}
	tests := map[string]struct {
		target, header, value string
		list, name, prefix    string
		one                   string // a target of one model
	}{
		"OpenAI":       {"/v1/models", "X", "", "data", "id", "", "/v1/models/team/vendor/n"},
		"Anthropic":    {"/v1/models", "Anthropic-Version", "2023-06-01", "data", "id", "", "/v1/models/team/vendor/n"},
		"Gemini":       {"/v1beta/models", "X", "", "models", "name", "models/", "/v1beta/models/team/vendor/n"},
		"Gemini, v1":   {"/v1/models", "X-Goog-Api-Key", clientKey, "models", "name", "models/", "/v1/models/team/vendor/n"},
		"Gemini, ?key": {"/v1/models?key=" + clientKey, "X", "", "models", "name", "models/", "/v1/models/team/vendor/n?key=" + clientKey},
	}
	for name, tt := range tests {
		got := r.get(tt.target, tt.header, tt.value)
		require.Equal(t, http.StatusOK, got.status, name)
		var listed []string
		for _, model := range gjson.GetBytes(got.body, tt.list+".#."+tt.name).Array() {
			listed = append(listed, strings.TrimPrefix(model.Str, tt.prefix))
			require.True(t, strings.HasPrefix(model.Str, tt.prefix), name)
		}
		require.Equal(t, names, listed, name)
		one := r.get(tt.one, tt.header, tt.value)
		require.Equal(t, http.StatusOK, one.status, name)
		require.Equal(t, tt.prefix+"team/vendor/n", gjson.GetBytes(one.body, tt.name).Str, name)
	}
	require.Equal(t, "list", gjson.GetBytes(r.get("/v1/models").body, "object").Str)
	require.Equal(t, `"alias-of-m"`, gjson.GetBytes(r.get("/v1/models", "Anthropic-Version", "x").body, "first_id").Raw)
	require.Empty(t, r.upstream.Requests())
}

func TestModels_ComePageByPage(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: func(c *config.Config) {
		c.Providers[0].Models = nil
		for i := range 7 {
			c.Providers[0].Models = append(c.Providers[0].Models, config.Model{Name: fmt.Sprint("m", i)})
		}
	}})
	var ids []string
	for after, more := "", true; more; {
		got := gjson.ParseBytes(r.get("/v1/models?limit=3&after_id="+after, "Anthropic-Version", "x").body)
		for _, id := range got.Get("data.#.id").Array() {
			ids = append(ids, id.Str)
		}
		after, more = got.Get("last_id").Str, got.Get("has_more").Bool()
	}
	require.Equal(t, []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6"}, ids)
	var names []string
	for token := "first"; token != ""; {
		got := gjson.ParseBytes(r.get("/v1beta/models?pageSize=3&pageToken=" + strings.TrimPrefix(token, "first")).body)
		for _, name := range got.Get("models.#.name").Array() {
			names = append(names, strings.TrimPrefix(name.Str, "models/"))
		}
		token = got.Get("nextPageToken").Str
	}
	require.Equal(t, ids, names)
}

func TestModels_UnknownOnesAndMissingKeysAreToldInTheDialect(t *testing.T) {
	t.Parallel()
	all := formats()
	for _, tt := range []struct {
		d                     dialect
		target, header, value string
	}{
		{all[0], "/v1/models", "X", ""},
		{all[2], "/v1/models", "Anthropic-Version", "2023-06-01"},
		{all[3], "/v1/models", "X-Goog-Api-Key", "wrong"},
		{all[3], "/v1beta/models", "X", ""},
	} {
		t.Run(tt.d.name+tt.target, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{})
			r.requireRefused(t, tt.d, r.get(tt.target+"/nope", tt.header, tt.value), http.StatusNotFound, "model_not_found")
			noKey := []string{tt.header, tt.value, "Authorization", "Bearer wrong"}
			r.requireRefused(t, tt.d, r.get(tt.target, noKey...), http.StatusUnauthorized, "invalid_api_key")
			r.requireRefused(t, tt.d, r.get(tt.target+"/m", noKey...), http.StatusUnauthorized, "invalid_api_key")
		})
	}
}

func TestAL5_ModelsAreAddressedByProviderPrefixAndAlias(t *testing.T) {
	t.Parallel()
	r := start(t, setup{ids: []string{"a"}, adjust: func(c *config.Config) {
		c.Providers[0].Prefix = "team"
		other := c.Providers[0]
		other.Name, other.Prefix = "other", ""
		other.Models = []config.Model{{Name: "m"}, {Name: "n", Alias: []string{"alias-of-m"}}}
		other.Credentials = []config.Credential{{ID: "b", APIKey: secretOf("b")}}
		c.Providers = append(c.Providers, other)
	}})
	for _, tt := range []struct{ ask, model, served string }{
		{"openai/m", "m", "a"},
		{"team/m", "m", "a"},
		{"team/alias-of-m", "m", "a"},
		{"other/m", "m", "b"},
		{"other/alias-of-m", "n", "b"},
		{"n", "n", "b"},
		{"m", "m", "a"},
	} {
		got := r.post("/v1/chat/completions", `{"model":"`+tt.ask+`"}`)
		require.Equal(t, http.StatusOK, got.status, tt.ask)
		requests := r.upstream.Requests()
		last := requests[len(requests)-1]
		require.Equal(t, `{"model":"`+tt.model+`"}`, string(last.Body), tt.ask)
		require.Equal(t, secretOf(tt.served), last.Key, tt.ask)
	}
	for _, unknown := range []string{"other/x", "team/n", "openai/n", "nowhere/m", "team/", "/m", "openai/team/m"} {
		require.Equal(t, http.StatusNotFound, r.post("/v1/chat/completions", `{"model":"`+unknown+`"}`).status, unknown)
	}
}

func TestModels_OnlyCredentialsThatServeOneAreAsked(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: func(c *config.Config) {
		c.Providers[0].Models = []config.Model{{Name: "m"}, {Name: "n"}}
		c.Providers[0].Credentials[0].Models = []string{"n*"}
		c.Providers[0].Credentials[1].ExcludeModels = []string{"m"}
	}})
	require.Equal(t, http.StatusOK, r.post("/v1/chat/completions", `{"model":"m"}`).status)
	require.Equal(t, http.StatusOK, r.post("/v1/chat/completions", `{"model":"n"}`).status)
	require.Equal(t, []string{"c", "a"}, r.served())
}

// lists makes an upstream answer its model list in the form of one vendor.
func lists(path, body string) func(fake.Request) fake.Reply {
	return func(r fake.Request) fake.Reply {
		if r.Method == http.MethodGet && r.Path == path {
			return fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
		}
		return answerTo(r)
	}
}

// undeclared leaves it to the upstream to say which models there are.
func undeclared(c *config.Config) { c.Providers[0].Models = nil }

func TestDiscovery_TheUpstreamsListIsWhatThereIs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		d    dialect
		list func(fake.Request) fake.Reply
	}{
		"openai":    {formats()[0], lists("/v1/models", `{"object":"list","data":[{"id":"m"},{"id":"x-preview"},{"id":"n-20260101"}]}`)},
		"anthropic": {formats()[2], lists("/v1/models", `{"data":[{"type":"model","id":"m"},{"type":"model","id":"x-preview"},{"type":"model","id":"n-20260101"}],"has_more":false}`)},
		"gemini":    {formats()[3], lists("/v1beta/models", `{"models":[{"name":"models/m"},{"name":"models/x-preview"},{"name":"models/n-20260101"}]}`)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, setup{kinds: []string{tt.d.kind}, script: tt.list, adjust: func(c *config.Config) {
				undeclared(c)
				c.Providers[0].ExcludeModels = []string{"*-preview"}
			}}, func(t *testing.T, r *rig) {
				synctest.Wait()
				require.Equal(t, []string{"a"}, r.served(), "one credential asks for all")
				require.Equal(t, `["m","n-20260101"]`, gjson.GetBytes(r.get("/v1/models").body, "data.#.id").Raw)
				ask := func(model string) int {
					as := strings.NewReplacer(`"m"`, `"`+model+`"`, "/m:", "/"+model+":")
					return r.post(as.Replace(tt.d.plain), as.Replace(tt.d.question1)).status
				}
				require.Equal(t, http.StatusOK, ask("m"))
				require.Equal(t, http.StatusOK, ask("n"), "a dated model by its name without date")
				require.Equal(t, http.StatusNotFound, ask("x-preview"))
				require.Equal(t, http.StatusNotFound, ask("nope"))
			})
		})
	}
}

func TestDiscovery_WithoutAListAnyNamePassesUntilThereIsOne(t *testing.T) {
	t.Parallel()
	answers := 0
	script := func(r fake.Request) fake.Reply {
		if r.Method != http.MethodGet {
			return answerTo(r)
		}
		if answers++; answers <= 4 { // three credentials, then the first one again
			return fake.Error("openai-chat", http.StatusForbidden)
		}
		return lists("/v1/models", `{"data":[{"id":"m"}]}`)(r)
	}
	inBubble(t, setup{script: script, adjust: undeclared}, func(t *testing.T, r *rig) {
		synctest.Wait()
		require.Equal(t, []string{"a", "b", "c"}, r.served())
		require.Equal(t, `[]`, gjson.GetBytes(r.get("/v1/models").body, "data").Raw)
		require.Equal(t, http.StatusOK, r.post("/v1/chat/completions", `{"model":"whatever/it-is"}`).status)
		requests := r.upstream.Requests()
		require.Equal(t, `{"model":"whatever/it-is"}`, string(requests[len(requests)-1].Body))

		time.Sleep(31 * time.Second)
		synctest.Wait()
		require.Equal(t, http.StatusNotFound, r.post("/v1/chat/completions", `{"model":"whatever/it-is"}`).status)
		require.Equal(t, http.StatusOK, r.post("/v1/chat/completions", `{"model":"m"}`).status)
	})
}

// Every other operation is relayed to the place where its vendor has it.
func TestOperations_AreRelayedToTheirPlaces(t *testing.T) {
	t.Parallel()
	tests := []struct{ kind, target, upstream string }{
		{config.KindOpenAI, "/v1/completions", "/v1/completions"},
		{config.KindOpenAI, "/v1/embeddings", "/v1/embeddings"},
		{config.KindOpenAI, "/v1/responses/compact", "/v1/responses/compact"},
		{config.KindOpenAI, "/v1/responses/input_tokens", "/v1/responses/input_tokens"},
		{config.KindOpenAICompatible, "/v1/embeddings", "/v1/embeddings"},
		{config.KindAnthropic, "/v1/messages/count_tokens?beta=true", "/v1/messages/count_tokens?beta=true"},
		{config.KindGemini, "/v1beta/models/m:countTokens", "/v1beta/models/m:countTokens"},
		{config.KindGemini, "/v1/models/m:embedContent", "/v1beta/models/m:embedContent"},
		{config.KindGemini, "/v1beta/models/alias-of-m:batchEmbedContents?a=1", "/v1beta/models/m:batchEmbedContents?a=1"},
	}
	for _, tt := range tests {
		t.Run(tt.target, func(t *testing.T) {
			t.Parallel()
			script := func(q fake.Request) fake.Reply {
				if q.Key == secretOf("a") {
					return fake.Error("openai-chat", http.StatusInternalServerError)
				}
				return answerTo(q)
			}
			r := start(t, setup{kinds: []string{tt.kind}, script: script})
			body := `{"model":"m", "input":"x"}`
			got := r.post(tt.target, body)
			path, query, _ := strings.Cut(tt.upstream, "?")
			require.Equal(t, http.StatusOK, got.status)
			require.Equal(t, `{"of":"`+path+`"}`, string(got.body))
			require.Equal(t, []string{"a", "b"}, r.served(), "they fail over like any other")
			request := r.upstream.Requests()[1]
			require.Equal(t, path, request.Path)
			require.Equal(t, query, request.RawQuery)
			require.Equal(t, body, string(request.Body))
		})
	}
}

// What cannot be translated is served by upstreams of the client's own format only.
func TestFormats_WhatCannotBeTranslatedIsNotImplemented(t *testing.T) {
	t.Parallel()
	r := start(t, setup{kinds: []string{config.KindAnthropic}})
	for target, body := range map[string]string{
		"/v1/embeddings":                `{"model":"m","input":"x"}`,
		"/v1/completions":               `{"model":"m","prompt":"x"}`,
		"/v1/responses/compact":         `{"model":"m","input":"x"}`,
		"/v1beta/models/m:embedContent": `{"content":{"parts":[{"text":"x"}]}}`,
	} {
		got := r.post(target, body)
		require.Equal(t, http.StatusNotImplemented, got.status, target)
		require.Contains(t, string(got.body), "format_not_supported", target)
	}
	require.Empty(t, r.upstream.Requests())
}

func TestOpenRoutes_NeedNoKey(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	for _, tt := range []struct{ method, path, body string }{
		{"GET", "/", `{"name":"understudy","version":""}`},
		{"HEAD", "/", ""},
		{"HEAD", "/api/hello", ""},
		{"GET", "/healthz", "ok\n"},
		{"GET", "/readyz", "ready\n"},
	} {
		req := r.request(tt.method, tt.path, "")
		req.Header.Del("Authorization")
		got := r.send(req)
		require.Equal(t, http.StatusOK, got.status, tt.path)
		require.Equal(t, tt.body, string(got.body))
	}
}
