package e2e

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// Every rig checks that no client key reaches its upstream; this one sends keys everywhere.
func TestMG26_ClientKeysAreTakenFromEveryPlaceAndGoNoFurther(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{kinds: []string{d.kind}})
			query := "?"
			if strings.Contains(d.streamed, "?") {
				query = "&"
			}
			places := map[string]struct{ target, header, value string }{
				"bearer":            {d.streamed, "Authorization", "Bearer " + clientKey},
				"bearer, odd case":  {d.streamed, "Authorization", "bEARER  " + clientKey},
				"x-api-key":         {d.streamed, "X-Api-Key", clientKey},
				"x-goog-api-key":    {d.streamed, "X-Goog-Api-Key", clientKey},
				"query":             {d.streamed + query + "a=1&key=" + clientKey + "&b=2", "X", ""},
				"query, escaped":    {d.streamed + query + "%6bey=" + strings.Replace(clientKey, "-", "%2D", 1), "X", ""},
				"in two, one wrong": {d.streamed + query + "key=" + clientKey, "X-Api-Key", clientMark + "wrong"},
			}
			for name, place := range places {
				req := r.request(http.MethodPost, place.target, d.questionN)
				req.Header.Del("Authorization")
				req.Header.Set(place.header, place.value)
				got := r.send(req)
				require.Equal(t, http.StatusOK, got.status, name)
				require.Equal(t, d.want(true), string(got.body), name)
			}
			for _, request := range r.upstream.Requests() {
				require.Equal(t, secretOf("a"), request.Key)
				require.NotContains(t, request.RawQuery, "key")
			}
			require.Equal(t, http.StatusUnauthorized, r.post(d.streamed, d.questionN, "Authorization", "Bearer "+clientMark+"wrong").status)
		})
	}
}

func TestQuery_PassesWithoutTheKey(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	r.post("/v1/chat/completions?b=%20x&key=none&a=1&&c", dialects()[0].question1)
	require.Equal(t, "b=%20x&a=1&&c", r.upstream.Requests()[0].RawQuery)
}

func TestHeaders_WhatMayPassToTheUpstream(t *testing.T) {
	t.Parallel()
	r := start(t, setup{adjust: func(c *config.Config) {
		c.Providers[0].Headers = map[string]string{"X-Team": "a", "X-Copy": "$X-Source", "X-Not-Copied": "$Cookie", "X-Absent": "$X-Nowhere"}
		c.Providers[0].Credentials[0].Headers = map[string]string{"X-Team": "b"}
	}})
	req := r.request(http.MethodPost, "/v1/chat/completions", dialects()[0].question1,
		"Connection", "X-Named, keep-alive", "X-Named", "1", "Keep-Alive", "1", "Te", "trailers", "Proxy-Authorization", "Basic x",
		"Cookie", "a=b", "X-Forwarded-For", "10.0.0.1", "X-Forwarded-Proto", "https", "Forwarded", "for=10.0.0.1", "X-Real-Ip", "10.0.0.1", "Via", "1.1 x",
		"X-Management-Key", clientMark+"management", "X-Understudy-Debug", clientMark+"management", "Accept-Encoding", "gzip",
		"OpenAI-Organization", "org", "OpenAI-Beta", "x=1", "X-Stainless-Lang", "go", "Idempotency-Key", "i-1", "X-Source", "copied", "User-Agent", "agent/1", "Accept", "*/*")
	require.Equal(t, http.StatusOK, r.send(req).status)
	h := r.upstream.Requests()[0].Header
	for _, name := range []string{
		"X-Named", "Keep-Alive", "Te", "Proxy-Authorization", "Cookie", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip", "Via",
		"X-Management-Key", "X-Understudy-Debug", "X-Not-Copied", "X-Absent", "X-Api-Key", "X-Goog-Api-Key",
	} {
		require.Empty(t, h.Values(name), name)
	}
	for name, want := range map[string]string{
		"OpenAI-Organization": "org", "OpenAI-Beta": "x=1", "X-Stainless-Lang": "go", "Idempotency-Key": "i-1", "X-Source": "copied",
		"X-Team": "b", "X-Copy": "copied", "User-Agent": "agent/1", "Accept": "*/*", "Content-Type": "application/json",
		"Accept-Encoding": "identity", "Authorization": "Bearer " + secretOf("a"),
	} {
		require.Equal(t, []string{want}, h.Values(name), name)
	}
}

func TestHeaders_NothingIsInventedForTheUpstream(t *testing.T) {
	t.Parallel()
	r := start(t, setup{options: []understudy.Option{understudy.WithTracerProvider(nil)}})
	req := r.request(http.MethodPost, "/v1/chat/completions", dialects()[0].question1)
	req.Header.Set("User-Agent", "")
	require.Equal(t, http.StatusOK, r.send(req).status)
	h := r.upstream.Requests()[0].Header
	for name := range h {
		require.Contains(t, []string{"Accept-Encoding", "Authorization", "Content-Length", "Content-Type"}, name)
	}
}

func TestSE19_WhatMayPassToTheClient(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(d.name, "/", stream), func(t *testing.T) {
				t.Parallel()
				reply := d.good(stream)
				reply.Header = reply.Header.Clone()
				for name, value := range map[string]string{
					"Connection": "X-Named", "X-Named": "1", "Set-Cookie": "a=b", "Alt-Svc": "h3", "Strict-Transport-Security": "max-age=1", "Proxy-Authenticate": "Basic",
					"Server-Timing": "upstream;dur=1", "X-Request-Id": "theirs", "Openai-Processing-Ms": "7", "Anthropic-Ratelimit-Requests-Limit": "9", "X-Vendor": "v",
				} {
					reply.Header.Set(name, value)
				}
				r := start(t, setup{kinds: []string{d.kind}, script: first(reply)})
				got := r.ask(d, stream, "X-Request-Id", "mine-1")
				require.Equal(t, d.want(stream), string(got.body))
				for _, name := range []string{"X-Named", "Set-Cookie", "Alt-Svc", "Strict-Transport-Security", "Proxy-Authenticate"} {
					require.Empty(t, got.header.Values(name), name)
				}
				require.Equal(t, "mine-1", got.header.Get("X-Request-Id"))
				require.Equal(t, "theirs", got.header.Get("X-Upstream-Request-Id"))
				require.Regexp(t, `^gateway;dur=[0-9.]+$`, got.header.Get("Server-Timing"))
				require.Equal(t, "7", got.header.Get("Openai-Processing-Ms"))
				require.Equal(t, "9", got.header.Get("Anthropic-Ratelimit-Requests-Limit"))
				require.Equal(t, "v", got.header.Get("X-Vendor"))
			})
		}
	}
}

func TestRequestID_OnlyASaneOneIsTaken(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	for _, id := range []string{"", "two words", "a\tb", "<script>", strings.Repeat("x", 129), "é"} {
		got := r.get("/v1/models", "X-Request-Id", id)
		require.Regexp(t, `^[A-Z0-9]{20,}$`, got.header.Get("X-Request-Id"), id)
	}
	require.Equal(t, "a.b_c:d-9", r.get("/v1/models", "X-Request-Id", "a.b_c:d-9").header.Get("X-Request-Id"))
}

func TestAPIKeys_AnAllowListHidesAllOtherModels(t *testing.T) {
	t.Parallel()
	for _, d := range formats() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{kinds: []string{d.kind}, adjust: func(c *config.Config) {
				c.APIKeys = append(c.APIKeys, config.APIKey{Key: clientMark + "two", Name: "two", Models: []string{"alias-*"}})
			}})
			limited := []string{"Authorization", "Bearer " + clientMark + "two"}
			got := r.ask(d, false, limited...)
			r.requireRefused(t, d, got, http.StatusNotFound, "model_not_found")
			require.Equal(t, http.StatusOK, r.ask(d, false).status, "another key may")
			allowed := strings.NewReplacer(`"m"`, `"alias-of-m"`, "/m:", "/alias-of-m:")
			got = r.post(allowed.Replace(d.plain), allowed.Replace(d.question1), limited...)
			require.Equal(t, d.want(false), string(got.body))

			list := r.get("/v1/models", limited...)
			require.Equal(t, `["alias-of-m"]`, gjson.GetBytes(list.body, "data.#.id").Raw)
			require.Equal(t, http.StatusNotFound, r.get("/v1/models/m", limited...).status)
			require.Equal(t, http.StatusOK, r.get("/v1/models/alias-of-m", limited...).status)
		})
	}
}

// An error of the upstream may quote anything. What the gateway itself says, logs and
// keeps of it must not.
func TestSecrets_AreNeverShown(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		for _, status := range []int{400, 401, 403, 404, 429, 500} {
			t.Run(fmt.Sprint(d.name, "/", status), func(t *testing.T) {
				t.Parallel()
				r := start(t, setup{kinds: []string{d.kind}, script: func(fake.Request) fake.Reply { return fake.Error(string(d.format), status) }})
				got := r.ask(d, true)
				require.Equal(t, status, got.status)
				got = r.ask(d, true) // now nobody is left, or the same again
				require.GreaterOrEqual(t, got.status, 400)
			})
		}
	}
}

func TestSecrets_AreNotPrinted(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	lease, err := r.gateway.Acquire(t.Context(), understudy.Request{Model: "m", Format: providers.OpenAIChat, Session: clientMark + "session"})
	require.NoError(t, err)
	snapshot, err := r.gateway.Snapshot(t.Context())
	require.NoError(t, err)
	_, refused := r.gateway.Acquire(t.Context(), understudy.Request{Model: "nope", Format: providers.OpenAIChat})
	require.Error(t, refused)
	cfg := r.config()
	cfg.Providers[0].Credentials[1].ID = "a" // twice the same
	_, invalid := r.gateway.Apply(cfg)
	require.Error(t, invalid)
	changed := r.config()
	changed.Providers[0].Credentials[0].APIKey = secretOf("a2")
	changed.APIKeys[0].Key = clientMark + "changed"
	changed.Providers[0].ProxyURL = "http://user:" + upstreamMark + "proxy@127.0.0.1:1"
	changes, err := r.gateway.Apply(changed)
	require.NoError(t, err)
	require.Len(t, changes, 3)
	for name, value := range map[string]any{
		"lease": lease, "snapshot": snapshot, "credential": snapshot.Credentials[0],
		"changes": changes, "refusal": refused, "invalid": invalid,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			text := fmt.Appendf(nil, verb, value)
			inspect(t, name+" as "+verb, text)
			require.NotContains(t, string(text), hex.EncodeToString([]byte(upstreamMark)))
		}
	}
	text, err := json.Marshal(map[string]any{"snapshot": snapshot, "changes": changes})
	require.NoError(t, err)
	inspect(t, "JSON", text)
	log := logger(t)
	log.Info("held", "lease", lease, "snapshot", snapshot, "changes", changes)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://upstream.test", nil)
	require.NoError(t, err)
	lease.Authorize(req)
	require.Equal(t, "Bearer "+secretOf("a"), req.Header.Get("Authorization"))
	lease.Done(providers.Outcome{Kind: providers.Success})
	lease.Done(providers.Outcome{Kind: providers.Unauthorized, Scope: providers.ScopeCredential})
	require.Equal(t, providers.Success, r.attempted("a", 1).Outcome.Kind)
	require.Equal(t, "active", r.view("a").Status)
}
