package simulator

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers"
)

func TestUpstream_TakesKeysWhereSDKsPutThem(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header, value, query string
		want                 int
	}{
		"bearer":         {"Authorization", "Bearer second-key", "", 200},
		"x-api-key":      {"X-Api-Key", "second-key", "", 200},
		"x-goog-api-key": {"X-Goog-Api-Key", "second-key", "", 200},
		"query":          {"", "", "?key=second-key", 200},
		"id is no key":   {"X-Api-Key", "two", "", 401},
		"basic":          {"Authorization", "Basic second-key", "", 401},
		"none":           {"", "", "", 401},
	}
	for name, tt := range tests {
		u := New(options())
		r := request("/v1/chat/completions"+tt.query, dialogs()[0].body("", "hi"))
		r.Header.Del("Authorization")
		if tt.header != "" {
			r.Header.Set(tt.header, tt.value)
		}
		require.Equal(t, tt.want, do(t, u, r).status, name)
		require.Equal(t, tt.want == 200, u.Requests("second-key") == 1, name)
	}
}

func TestUpstream_CountsRequestsOfACredential(t *testing.T) {
	t.Parallel()
	u := New(options())
	d := dialogs()[0]
	post(t, u, d.path, d.body("", "hi"))
	post(t, u, d.path, `{`)
	post(t, u, "/v1/nowhere", `{}`)
	r := request("/v1/models", "")
	r.Method = http.MethodGet
	do(t, u, r)
	require.Equal(t, 2, u.Requests("one"), "neither unknown routes nor model lists count")
	require.Zero(t, u.Requests("second-key"))
	require.Zero(t, u.Requests("unknown"))
}

func TestUpstream_ServesEveryModelIfNoneIsListed(t *testing.T) {
	t.Parallel()
	o := options()
	o.Models = nil
	require.Equal(t, "whatever", ask(t, New(o), "/v1/chat/completions",
		`{"model":"whatever","messages":[{"role":"user","content":"hi"}]}`).Get("model").Str)
}

func TestUpstream_NamesTheAccount(t *testing.T) {
	t.Parallel()
	u := New(options())
	want := map[providers.Format]string{
		providers.OpenAIChat: "Openai-Organization", providers.OpenAIResponses: "Openai-Organization",
		providers.Anthropic: "Anthropic-Organization-Id",
	}
	for _, d := range dialogs() {
		if name := want[d.format]; name != "" {
			require.Equal(t, "acme", post(t, u, d.path, d.body("", "hi")).header.Get(name), d.format)
		}
	}
}

func TestUpstream_AnswersTheSameWhoeverAsks(t *testing.T) {
	t.Parallel()
	for _, d := range dialogs() {
		first := do(t, New(options()), request(d.path, d.body("", "Hello")))
		r := request(d.path, d.body("", "Hello"))
		r.Header.Set("Authorization", "Bearer second-key")
		second := do(t, New(options()), r)
		require.Equal(t, first.body, second.body, d.format)
	}
}

func TestUpstream_StreamsWhatItWouldSayAtOnce(t *testing.T) {
	t.Parallel()
	prompts := []string{
		"Hello", "echo:  two  spaces, ünïcödé \"quotes\" <tags> \\ and\nlines ", "echo: x", "echo:", "[[words=200]]",
	}
	for _, d := range dialogs() {
		for _, prompt := range prompts {
			text, usage := d.say(t, New(options()), prompt)
			pieces, streamed := d.hear(t, New(options()), prompt)
			require.Equal(t, text, strings.Join(pieces, ""), "%s %q", d.format, prompt)
			require.Equal(t, usage, streamed, "%s %q", d.format, prompt)
		}
	}
}

func TestUpstream_SaysWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, d := range dialogs() {
		u := New(options())
		text, _ := d.say(t, u, "first", "answer", "second")
		require.Contains(t, text, "Simulated answer 2 of big: ", d.format)
		text, _ = d.say(t, u, "echo: a", "a", "please echo: one two")
		require.Equal(t, "one two", text, d.format)
		pieces, _ := d.hear(t, u, "[[words=200]]")
		require.Len(t, pieces, 200, d.format)
	}
}

func TestUpstream_CountsATokenPerStartedFourBytes(t *testing.T) {
	t.Parallel()
	for _, d := range dialogs() {
		_, usage := d.say(t, New(options()), "12345", "1234", "echo: 123")
		require.EqualValues(t, 2+1+3, usage.InputTokens, d.format)
		require.EqualValues(t, 1, usage.OutputTokens, d.format)
	}
}

func TestUpstream_CachesPrefixesPerCredential(t *testing.T) {
	t.Parallel()
	for _, d := range dialogs() {
		u := New(options())
		one, two, three := strings.Repeat("a", 400), strings.Repeat("b", 40), strings.Repeat("c", 80)
		cached := func(key string, turns ...string) int64 {
			r := request(d.path, d.body("", turns...))
			r.Header.Set("Authorization", "Bearer "+key)
			usage, ok := providers.ReadUsage(d.format, []byte(do(t, u, r).body))
			require.True(t, ok)
			return usage.CachedTokens
		}
		require.EqualValues(t, 0, cached("one", one), d.format)
		require.EqualValues(t, 100, cached("one", one, two, three), d.format)
		require.EqualValues(t, 130, cached("one", one, two, three, two, one), d.format)
		require.EqualValues(t, 110, cached("one", one, two, one), "%s: a fork of the conversation", d.format)
		require.EqualValues(t, 0, cached("one", two, one), "%s: the prefix changed", d.format)
		require.EqualValues(t, 0, cached("second-key", one, two, three), "%s: another credential", d.format)
	}
}

func TestUpstream_CachesPerModel(t *testing.T) {
	t.Parallel()
	u := New(options())
	body := dialogs()[0].body("", "Hello")
	ask(t, u, "/v1/chat/completions", body)
	other := ask(t, u, "/v1/chat/completions", strings.Replace(body, "big", "small", 1))
	require.Zero(t, other.Get("usage.prompt_tokens_details.cached_tokens").Int())
}

// The mark for the cache moves to the newest message in each turn.
func TestUpstream_FindsAPrefixWhoseCacheControlMoved(t *testing.T) {
	t.Parallel()
	u := New(options())
	const (
		head   = `{"model":"big","max_tokens":9,"system":[{"type":"text","text":"Be brief."}],"messages":[`
		marked = `{"role":"user","content":[{"type":"text","text":"Hello","cache_control":{"type":"ephemeral"}}]}`
		plain  = `{"role":"user","content":[{"type":"text","text":"Hello"}]}`
		reply  = `{"role":"assistant","content":"Hi"}`
	)
	first := ask(t, u, "/v1/messages", head+marked+`]}`).Get("usage")
	require.EqualValues(t, 5, first.Get("cache_creation_input_tokens").Int(), "3 of system, 2 of the message")
	require.Zero(t, first.Get("input_tokens").Int())
	second := ask(t, u, "/v1/messages", head+plain+","+reply+","+marked+`]}`).Get("usage")
	require.EqualValues(t, 5, second.Get("cache_read_input_tokens").Int())
	require.EqualValues(t, 3, second.Get("cache_creation_input_tokens").Int())
}

func TestUpstream_TellsImagesApart(t *testing.T) {
	t.Parallel()
	image := func(data string) string {
		return `{"model":"big","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"Look"},` +
			`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + data + `"}}]}]}`
	}
	u := New(options())
	ask(t, u, "/v1/messages", image("AAAA"))
	require.Zero(t, ask(t, u, "/v1/messages", image("BBBB")).Get("usage.cache_read_input_tokens").Int())
	require.EqualValues(t, 1, ask(t, u, "/v1/messages", image("AAAA")).Get("usage.cache_read_input_tokens").Int())
}

func TestUpstream_FramesAJSONArrayStream(t *testing.T) {
	t.Parallel()
	a := post(t, New(options()), "/v1beta/models/big:streamGenerateContent", dialogs()[3].body("", "echo: one two"))
	require.True(t, strings.HasPrefix(a.body, `[{"`))
	require.True(t, strings.HasSuffix(a.body, "}]\n"))
	require.Equal(t, 2, strings.Count(a.body, "},\r\n{\"candidates\""))
	require.Len(t, gjson.Parse(a.body).Array(), 3)
}

func TestUpstream_ServesManyAtOnce(t *testing.T) {
	t.Parallel()
	u := New(withFaults(Fault{Status: 500, Every: 10}))
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed int
	)
	for range 10 {
		wg.Go(func() {
			for _, d := range dialogs() {
				for range 5 {
					path, body := d.streamRequest("[[words=50]]")
					if post(t, u, path, body).status == http.StatusInternalServerError {
						mu.Lock()
						failed++
						mu.Unlock()
					}
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 200, u.Requests("one"))
	require.Equal(t, 20, failed)
}

func TestUpstream_RefusesBrokenBodies(t *testing.T) {
	t.Parallel()
	u := New(options())
	for _, body := range []string{"", "null", "[]", `"text"`, `{"model":"big"`, `{"model":1}`, `{"model":""}`, `{}`, strings.Repeat("[", 5000)} {
		for _, d := range dialogs() {
			a := post(t, u, d.path, body)
			require.Equal(t, http.StatusBadRequest, a.status, "%s %q", d.format, body)
			require.NotEmpty(t, gjson.Get(a.body, "error.message").Str, "%s %q", d.format, body)
		}
	}
}

// No body may make the simulator panic, whatever its members are.
func FuzzUpstream(f *testing.F) {
	for i, d := range dialogs() {
		f.Add(i, d.body(d.stream, "Hello", "Hi", "[[words=3]] call x"))
	}
	f.Add(0, `{"model":"big","messages":[{}],"tools":[1,{"function":{"name":{}}}],"tool_choice":{"function":{"name":1}}}`)
	f.Add(1, `{"model":"big","input":[1,null,{"type":"function_call_output","output":[{}]}],"tools":{},"text":[],"stream":true}`)
	f.Add(2, `{"model":"big","max_tokens":1,"messages":[{"content":[[],{"type":"tool_result"}]}],"system":{}}`)
	f.Add(3, `{"contents":[{"parts":[{"functionResponse":1}]}],"tools":[{"functionDeclarations":{"a":1}}]}`)
	u := New(options())
	paths := []string{
		"/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/big:generateContent",
		"/v1/completions", "/v1/embeddings", "/v1/responses/compact", "/v1beta/models/big:batchEmbedContents",
	}
	f.Fuzz(func(t *testing.T, route int, body string) {
		if strings.Contains(body, "delay=") || strings.Contains(body, "chunk=") {
			t.Skip("would take its time")
		}
		a := do(t, u, request(paths[uint(route)%uint(len(paths))], body))
		require.NoError(t, a.err)
		require.Contains(t, []int{200, 400, 404}, a.status)
	})
}
