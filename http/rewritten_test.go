package httpapi

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers"
)

// asked returns what the upstream of one model was asked for, and what the client was told.
func asked(t *testing.T, levels []string, upstream providers.Format, path, body string) (outbound string, status int, told string) {
	t.Helper()
	pool := newPool(func(r *http.Request) (*http.Response, error) {
		b, err := io.ReadAll(r.Body)
		outbound = string(b)
		return newResponse(http.StatusTeapot, "application/json", io.NopCloser(strings.NewReader(`{}`))), err
	})
	pool.model = "m"
	u := *pool.credentials[0].Upstream
	u.Formats, u.Models = []providers.Format{upstream}, []providers.Model{{Name: "other"}, {Name: "m", Reasoning: levels}}
	pool.credentials[0].Upstream = &u
	w := send(newTestServer(pool, live()), http.MethodPost, path, body)
	return outbound, w.Code, w.Body.String()
}

func TestReasoning_TR68RefusesByNameWhatTheModelDoesNotHave(t *testing.T) {
	t.Parallel()
	const (
		chat      = `{"model":"x(xhigh)","messages":[{"role":"user","content":"a"}]}`
		responses = `{"model":"x(xhigh)","input":"a"}`
		messages  = `{"model":"x(xhigh)","max_tokens":9,"messages":[{"role":"user","content":"a"}]}`
	)
	levels := []string{"none", "low", "medium", "high"}
	tests := map[string]struct {
		path, body string
		upstream   providers.Format
	}{
		"relayed":               {"/v1/chat/completions", chat, providers.OpenAIChat},
		"relayed, Anthropic":    {"/v1/messages", messages, providers.Anthropic},
		"relayed, Gemini":       {"/v1beta/models/x(xhigh):generateContent", `{"contents":[{"parts":[{"text":"a"}]}]}`, providers.Gemini},
		"within OpenAI's words": {"/v1/responses", responses, providers.OpenAIChat},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outbound, status, told := asked(t, levels, tt.upstream, tt.path, tt.body)
			require.Empty(t, outbound, "nobody is asked")
			require.Equal(t, http.StatusBadRequest, status)
			require.Contains(t, gjson.Get(told, "error.message").Str, `The model m does not have the level of reasoning "xhigh". It has none, low, medium, high.`)
		})
	}
	outbound, _, _ := asked(t, levels, providers.OpenAIChat, "/v1/messages", messages)
	require.Equal(t, "high", gjson.Get(outbound, "reasoning_effort").Str, "between vendors the nearest lower one")
	outbound, _, _ = asked(t, levels, providers.OpenAIChat, "/v1/responses", `{"model":"x","input":"a","reasoning":{"effort":"xhigh"}}`)
	require.Equal(t, "high", gjson.Get(outbound, "reasoning_effort").Str, "and of what the body asks")
	outbound, _, _ = asked(t, levels, providers.OpenAIChat, "/v1/chat/completions", strings.Replace(chat, "xhigh", "99000", 1))
	require.Equal(t, "high", gjson.Get(outbound, "reasoning_effort").Str, "and of a number")
	body := strings.Replace(chat, "x(xhigh)", "m", 1)
	body = strings.Replace(body, `"messages"`, `"reasoning_effort":"xhigh","messages"`, 1)
	outbound, _, _ = asked(t, levels, providers.OpenAIChat, "/v1/chat/completions", body)
	require.Equal(t, body, outbound, "the body of a relay is the client's own")
}

func TestReasoning_TR70AsksNothingOfAModelThatDoesNotThink(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ path, sent, want string }{
		"chat":       {"/v1/chat/completions", `{"model":"m","reasoning_effort":"high","thinking":{},"reasoning":{},"x":1}`, `{"model":"m","x":1}`},
		"responses":  {"/v1/responses", `{"model":"m","reasoning":{"effort":"high"},"input":"a"}`, `{"model":"m","input":"a"}`},
		"messages":   {"/v1/messages", `{"model":"m","thinking":{"type":"enabled"},"output_config":{"effort":"low","format":1}}`, `{"model":"m","output_config":{"format":1}}`},
		"gemini":     {"/v1beta/models/m:generateContent", `{"generationConfig":{"seed":1,"thinkingConfig":{"thinkingBudget":9}}}`, `{"generationConfig":{"seed":1}}`},
		"a suffix":   {"/v1/chat/completions", `{"model":"m(high)","x":1}`, `{"model":"m","x":1}`},
		"both":       {"/v1/chat/completions", `{"model":"m(9000)","reasoning_effort":"low"}`, `{"model":"m"}`},
		"no setting": {"/v1/chat/completions", "{ \"model\":\"m\" ,\n\"x\": 1 }", "{ \"model\":\"m\" ,\n\"x\": 1 }"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			format := map[string]providers.Format{
				"/v1/chat/completions": providers.OpenAIChat, "/v1/responses": providers.OpenAIResponses, "/v1/messages": providers.Anthropic,
			}[tt.path]
			if format == "" {
				format = providers.Gemini
			}
			outbound, status, _ := asked(t, []string{"none"}, format, tt.path, tt.sent)
			require.Equal(t, http.StatusTeapot, status)
			require.Equal(t, tt.want, outbound)
		})
	}
	outbound, _, _ := asked(t, []string{"none"}, providers.Anthropic, "/v1/responses",
		`{"model":"m(high)","reasoning":{"effort":"high","summary":"auto"},"input":"a"}`)
	require.NotEmpty(t, outbound)
	require.NotContains(t, outbound, "thinking")
	require.NotContains(t, outbound, "effort")
}

// Row TR71: of a model whose levels are not configured the upstream decides.
func TestReasoning_TR71LeavesUnknownModelsToTheUpstream(t *testing.T) {
	t.Parallel()
	outbound, _, _ := asked(t, nil, providers.OpenAIChat, "/v1/chat/completions", `{"model":"m(xhigh)"}`)
	require.Equal(t, "xhigh", gjson.Get(outbound, "reasoning_effort").Str)
	outbound, _, _ = asked(t, nil, providers.Anthropic, "/v1/responses", `{"model":"m(xhigh)","input":"a"}`)
	require.Equal(t, int64(32768), gjson.Get(outbound, "thinking.budget_tokens").Int())
}
