package simulator

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers"
)

// twoAccounts has a and b of one account, c of another, and d of none.
func twoAccounts() Options {
	return Options{Credentials: []Credential{
		{ID: "a", Account: "acme"}, {ID: "b", Account: "acme"}, {ID: "c", Account: "other"}, {ID: "d"},
	}}
}

// as makes a request with the key of a credential.
func as(t *testing.T, u *Upstream, key, method, path, body string) answer {
	t.Helper()
	r := request(path, body)
	r.Method = method
	r.Header.Set("Authorization", "Bearer "+key)
	return do(t, u, r)
}

func respond(t *testing.T, u *Upstream, key, members string) gjson.Result {
	t.Helper()
	a := as(t, u, key, http.MethodPost, "/v1/responses", `{"model":"m",`+members+`}`)
	require.Equal(t, http.StatusOK, a.status, a.body)
	return gjson.Parse(a.body)
}

func TestResponses_GoOnFromAnEarlierOne(t *testing.T) {
	t.Parallel()
	u := New(twoAccounts())
	first := respond(t, u, "a", `"input":"a question","instructions":"Be brief."`)
	id := first.Get("id").Str
	next := respond(t, u, "a", `"input":"another","instructions":"Be brief.","previous_response_id":"`+id+`"`)
	require.Equal(t, id, next.Get("previous_response_id").Str)
	require.Equal(t, first.Get("usage.input_tokens").Int(), next.Get("usage.input_tokens_details.cached_tokens").Int())
	require.Contains(t, next.Get("output.0.content.0.text").Str, "Simulated answer 2 of m")

	resent := New(twoAccounts())
	respond(t, resent, "a", `"input":"a question","instructions":"Be brief."`)
	same := respond(t, resent, "a", `"instructions":"Be brief.","input":[{"role":"user","content":"a question"},`+
		first.Get("output.0").Raw+`,{"role":"user","content":"another"}]`)
	require.Equal(t, same.Get("usage").Raw, next.Get("usage").Raw, "as if the client had sent all of it")
	require.Equal(t, same.Get("output.0.content").Raw, next.Get("output.0.content").Raw)

	b := respond(t, u, "b", `"input":"another","instructions":"Be brief.","previous_response_id":"`+id+`"`)
	require.Zero(t, b.Get("usage.input_tokens_details.cached_tokens").Int(), "of the account, but not in this cache")
	require.Equal(t, next.Get("usage.input_tokens").Int(), b.Get("usage.input_tokens").Int())
}

func TestResponses_AreKnownToTheirAccountOnly(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"c", "d"} {
		u := New(twoAccounts())
		id := respond(t, u, "a", `"input":"hi"`).Get("id").Str
		a := as(t, u, key, http.MethodPost, "/v1/responses", `{"model":"m","input":"x","previous_response_id":"`+id+`"}`)
		require.Equal(t, http.StatusBadRequest, a.status)
		require.Equal(t, "previous_response_not_found", gjson.Get(a.body, "error.code").Str)
		require.Equal(t, http.StatusNotFound, as(t, u, key, http.MethodGet, "/v1/responses/"+id, "").status)

		require.Equal(t, id, respond(t, u, key, `"input":"hi"`).Get("id").Str, "ids are hashes: both accounts make this one")
		require.Equal(t, http.StatusOK, as(t, u, key, http.MethodDelete, "/v1/responses/"+id, "").status)
		require.Equal(t, http.StatusOK, as(t, u, "b", http.MethodGet, "/v1/responses/"+id, "").status)
	}
}

func TestResponses_CanBeAskedForByID(t *testing.T) {
	t.Parallel()
	u := New(twoAccounts())
	for name, members := range map[string]string{
		"whole":    `"input":"hi"`,
		"streamed": `"input":"hi","stream":true`,
	} {
		a := as(t, u, "a", http.MethodPost, "/v1/responses", `{"model":"m",`+members+`}`)
		want := gjson.Parse(a.body)
		if name == "streamed" {
			all := parseEvents(t, a.body)
			want = all[len(all)-1].Get("response")
		}
		path := "/v1/responses/" + want.Get("id").Str
		require.JSONEq(t, want.Raw, as(t, u, "b", http.MethodGet, path, "").body, name)
		require.Equal(t, http.StatusBadRequest, as(t, u, "b", http.MethodPost, path+"/cancel", "").status, "not in the background")
		require.JSONEq(t, `{"id":"`+want.Get("id").Str+`","object":"response","deleted":true}`, as(t, u, "b", http.MethodDelete, path, "").body)
		require.Equal(t, http.StatusNotFound, as(t, u, "a", http.MethodGet, path, "").status)
	}
	background := respond(t, u, "a", `"input":"hi","background":true`)
	canceled := as(t, u, "a", http.MethodPost, "/v1/responses/"+background.Get("id").Str+"/cancel", "")
	require.JSONEq(t, background.Raw, canceled.body)
}

func TestResponses_ByIDMeetFaultsToo(t *testing.T) {
	t.Parallel()
	o := twoAccounts()
	o.Credentials[0].Faults = []Fault{{Status: 503, Every: 2}}
	u := New(o)
	path := "/v1/responses/" + respond(t, u, "a", `"input":"hi"`).Get("id").Str
	require.Equal(t, http.StatusServiceUnavailable, as(t, u, "a", http.MethodGet, path, "").status)
	require.Equal(t, http.StatusOK, as(t, u, "a", http.MethodGet, path, "").status)
	require.Equal(t, 3, u.Requests("a"))
	require.Equal(t, "Response with id 'a/b' not found.",
		gjson.Get(as(t, u, "b", http.MethodGet, "/v1/responses/a%2Fb", "").body, "error.message").Str)
}

func TestResponses_NotStoredCanOnlyBeGoneOnFrom(t *testing.T) {
	t.Parallel()
	u := New(twoAccounts())
	id := respond(t, u, "a", `"input":"hi","store":false`).Get("id").Str
	require.Equal(t, http.StatusNotFound, as(t, u, "a", http.MethodGet, "/v1/responses/"+id, "").status)
	require.Equal(t, http.StatusNotFound, as(t, u, "a", http.MethodDelete, "/v1/responses/"+id, "").status)
	respond(t, u, "a", `"input":"x","previous_response_id":"`+id+`"`)
}

func TestResponses_ListTheirInput(t *testing.T) {
	t.Parallel()
	u := New(twoAccounts())
	r := respond(t, u, "a", `"input":[{"role":"user","content":"one"},{"id":"x","role":"user","content":[{"type":"input_text","text":"two"}]},{"type":"message","role":"user","content":"three"}]`)
	path := "/v1/responses/" + r.Get("id").Str + "/input_items"
	name := "item_" + r.Get("id").Str[len("resp_"):]
	tests := map[string]struct {
		ids  []string
		more bool
	}{
		"":                              {[]string{name + "_2", "x", name + "_0"}, false},
		"?order=asc":                    {[]string{name + "_0", "x", name + "_2"}, false},
		"?order=asc&limit=2":            {[]string{name + "_0", "x"}, true},
		"?order=asc&after=x":            {[]string{name + "_2"}, false},
		"?after=" + name + "_0":         {nil, false},
		"?after=" + name + "_2&limit=1": {[]string{"x"}, true},
	}
	for query, tt := range tests {
		page := gjson.Parse(as(t, u, "b", http.MethodGet, path+query, "").body)
		var ids []string
		for _, item := range page.Get("data").Array() {
			ids = append(ids, item.Get("id").Str)
			require.Equal(t, "input_text", item.Get("content.0.type").Str)
		}
		require.Equal(t, tt.ids, ids, query)
		require.Equal(t, tt.more, page.Get("has_more").Bool(), query)
		if len(ids) > 0 {
			require.Equal(t, ids[0], page.Get("first_id").Str, query)
			require.Equal(t, ids[len(ids)-1], page.Get("last_id").Str, query)
		}
	}
}

func TestConversation_BelongsToTheAccountThatNamedItFirst(t *testing.T) {
	t.Parallel()
	u := New(twoAccounts())
	first := respond(t, u, "a", `"input":"one","conversation":"conv_1"`)
	require.Equal(t, "conv_1", first.Get("conversation.id").Str)
	second := respond(t, u, "a", `"input":"two","conversation":{"id":"conv_1"}`)
	require.Equal(t, first.Get("usage.input_tokens").Int(), second.Get("usage.input_tokens_details.cached_tokens").Int())
	require.Contains(t, respond(t, u, "b", `"input":"three","conversation":"conv_1"`).Get("output.0.content.0.text").Str, "Simulated answer 3")
	a := as(t, u, "c", http.MethodPost, "/v1/responses", `{"model":"m","input":"x","conversation":"conv_1"}`)
	require.Equal(t, http.StatusNotFound, a.status)
	require.Equal(t, "Conversation with id 'conv_1' not found.", gjson.Get(a.body, "error.message").Str)
	both := as(t, u, "a", http.MethodPost, "/v1/responses",
		`{"model":"m","input":"x","conversation":"conv_1","previous_response_id":"`+first.Get("id").Str+`"}`)
	require.Equal(t, http.StatusBadRequest, both.status)
}

func TestReasoning_IsReadByTheAccountThatMadeIt(t *testing.T) {
	t.Parallel()
	u := New(twoAccounts())
	const include = `"include":["reasoning.encrypted_content"],"store":false,`
	first := respond(t, u, "a", include+`"input":"hi"`)
	require.Equal(t, "reasoning", first.Get("output.0.type").Str)
	require.Equal(t, "message", first.Get("output.1.type").Str)
	next := `"input":[{"role":"user","content":"hi"},` + first.Get("output.0").Raw + "," + first.Get("output.1").Raw + `,{"role":"user","content":"x"}]`
	for key, status := range map[string]int{"a": 200, "b": 200, "c": 400, "d": 400} {
		a := as(t, u, key, http.MethodPost, "/v1/responses", `{"model":"m",`+include+next+`}`)
		require.Equal(t, status, a.status, key)
		if status == http.StatusBadRequest {
			require.Equal(t, "invalid_encrypted_content", gjson.Get(a.body, "error.code").Str)
		}
	}
	require.NotContains(t, first.Get("output.0.encrypted_content").Str, "acme")
	respond(t, u, "a", include+`"input":"x","previous_response_id":"`+first.Get("id").Str+`"`)
}

func TestMessages_GoOnWithAThread(t *testing.T) {
	t.Parallel()
	u := New(twoAccounts())
	say := func(key, members string) answer {
		return as(t, u, key, http.MethodPost, "/v1/messages", `{"model":"m","max_tokens":100,`+members+`}`)
	}
	create := say("a", `"system":"Be brief.","tools":[{"name":"f","input_schema":{}}],"thread":{"type":"create"},"messages":[{"role":"user","content":"one"}]`)
	require.Equal(t, http.StatusOK, create.status, create.body)
	first := gjson.Parse(create.body)
	on := fmt.Sprintf(`"thread":{"type":"continue","previous_message_id":%q},"messages":[{"role":"user","content":"call f"}]`, first.Get("id").Str)
	second := gjson.Parse(say("a", on).body)
	require.Equal(t, first.Get("usage.input_tokens").Int(), second.Get("usage.cache_read_input_tokens").Int())
	require.Equal(t, "f", second.Get("content.0.name").Str, "the thread's tools")
	require.Equal(t, http.StatusOK, say("b", on).status)
	foreign := say("c", on)
	require.Equal(t, http.StatusNotFound, foreign.status)
	require.Equal(t, "thread_not_found", gjson.Get(foreign.body, "error.details.error_code").Str)

	plain := gjson.Parse(say("a", `"messages":[{"role":"user","content":"no thread"}]`).body)
	gone := say("a", `"thread":{"type":"continue","previous_message_id":"`+plain.Get("id").Str+`"},"messages":[{"role":"user","content":"x"}]`)
	require.Equal(t, http.StatusNotFound, gone.status, "only threads are kept")
}

func TestProvider_ClassifiesWhatOtherAccountsMade(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"model":"m","input":"x","previous_response_id":"resp_1"}`,
		`{"model":"m","input":[{"type":"reasoning","encrypted_content":"x"}]}`,
	} {
		a := as(t, New(twoAccounts()), "a", http.MethodPost, "/v1/responses", body)
		o := Provider{}.Classify(providers.Answer{Status: a.status, Header: a.header, Body: []byte(a.body)})
		require.Equal(t, providers.RequestFault, o.Kind)
		require.Equal(t, "400 "+gjson.Get(a.body, "error.code").Str, o.Reason)
	}
}
