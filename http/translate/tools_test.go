package translate_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/providers"
)

// TestTools_EveryCallThatGoesOutHasItsResult draws histories as agents leave them behind: calls
// that were never answered, ids that come again, results of nothing. Vendors refuse a call
// without a result and a result without a call.
func TestTools_EveryCallThatGoesOutHasItsResult(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := &llm.Request{Model: "m", MaxTokens: ptr(int64(64)), Messages: []llm.Message{said(llm.User, words("q"))}}
		id := rapid.SampledFrom([]string{"a", "b", "c"})
		for range rapid.IntRange(1, 6).Draw(t, "turns") {
			m := said(llm.User, words("r"))
			if rapid.Bool().Draw(t, "model's") {
				m = said(llm.Assistant, words("s"))
			}
			for range rapid.IntRange(0, 3).Draw(t, "parts") {
				if m.Role == llm.Assistant {
					m.Parts = append(m.Parts, call(id.Draw(t, "call"), "Rome"))
				} else {
					m.Parts = append(m.Parts, brought(id.Draw(t, "result"), "sun"))
				}
			}
			r.Messages = append(r.Messages, m)
		}
		r.Messages = append(r.Messages, said(llm.User, words("last")))
		for f, codec := range codecs() {
			body, _, err := codec.EncodeRequest(nil, r, llm.Target{})
			require.NoError(t, err)
			requirePaired(t, requestOf(t, f, body).Messages, string(body))
		}
	})
}

// requirePaired fails unless the calls of each turn of the model are answered, all of them and
// nothing else, before the model goes on.
func requirePaired(t require.TestingT, messages []llm.Message, body string) {
	open := map[string]bool{}
	for _, m := range messages {
		for _, p := range m.Parts {
			switch p := p.(type) {
			case *llm.ToolCall:
				require.False(t, open[p.ID], body)
				open[p.ID] = true
			case *llm.ToolResult:
				require.True(t, open[p.ID], "%s: %s", p.ID, body)
				delete(open, p.ID)
			default:
				require.True(t, m.Role == llm.Assistant || len(open) == 0, "results come first: %s", body)
			}
		}
	}
	require.Empty(t, open, body)
}

// TestTools_ClientsGetTheirOwnNamesBack holds for names that a vendor does not take: what it is
// told is what it accepts, and the client never sees that.
func TestTools_ClientsGetTheirOwnNamesBack(t *testing.T) {
	t.Parallel()
	accepted := map[providers.Format]*regexp.Regexp{
		providers.OpenAIChat: regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`), providers.OpenAIResponses: regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`),
		providers.Anthropic: regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`), providers.Gemini: regexp.MustCompile(`^[a-zA-Z0-9_.:-]{1,64}$`),
	}
	names := []string{"mcp__" + strings.Repeat("a_long_server_name_", 5) + "search", "mcp__" + strings.Repeat("a_long_server_name_", 5) + "fetch", "files.read:all", "short"}
	for _, pair := range routes() {
		for _, name := range names {
			asked := asksFor(pair.in, names, name)
			c := pair.decode(t, asked)
			for _, compatible := range []bool{false, true} {
				body, _, err := c.Encode(translate.Upstream{Format: pair.out, Model: "up", Compatible: compatible})
				require.NoError(t, err)
				r := requestOf(t, pair.out, body)
				require.Len(t, r.Tools, len(names))
				seen := map[string]bool{}
				for _, tool := range r.Tools {
					require.Regexp(t, accepted[pair.out], tool.Name, pair)
					seen[tool.Name] = true
				}
				require.Len(t, seen, len(names), "they stay apart")
				require.Equal(t, llm.Named, r.Choice.Mode, pair)
				require.True(t, seen[r.Choice.Name], "%s: %s", pair, r.Choice.Name)
				answer := &llm.Answer{ID: "a", Model: "up", Reason: llm.ToolCalls, Parts: []llm.Part{&llm.ToolCall{ID: "1", Name: r.Choice.Name, Arguments: "{}"}}}
				got := pair.gets(t, asked, string(upstreamSays(pair.out, answer, false)))
				require.Contains(t, got.Raw, fmt.Sprintf(`"name":%q`, name), pair)
				streamed, _, err := pump(c, pair.out, [][]byte{streamIn(pair.out, answer)})
				require.NoError(t, err)
				require.Contains(t, string(streamed), fmt.Sprintf(`"name":%q`, name), pair)
			}
		}
	}
}

// asksFor is a request of a client that has tools of these names and demands one.
func asksFor(f providers.Format, names []string, demanded string) string {
	tool := map[providers.Format]string{
		providers.OpenAIChat:      `{"type":"function","function":{"name":%q,"parameters":{"type":"object"}}}`,
		providers.OpenAIResponses: `{"type":"function","name":%q,"parameters":{"type":"object"}}`,
		providers.Anthropic:       `{"name":%q,"input_schema":{"type":"object"}}`,
		providers.Gemini:          `{"name":%q}`,
	}[f]
	tools := make([]string, len(names))
	for i, name := range names {
		tools[i] = fmt.Sprintf(tool, name)
	}
	rest := map[providers.Format]string{
		providers.OpenAIChat:      `,"tools":[%s],"tool_choice":{"type":"function","function":{"name":%q}}}`,
		providers.OpenAIResponses: `,"tools":[%s],"tool_choice":{"type":"function","name":%q}}`,
		providers.Anthropic:       `,"tools":[%s],"tool_choice":{"type":"tool","name":%q}}`,
		providers.Gemini:          `,"tools":[{"functionDeclarations":[%s]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":[%q]}}}`,
	}[f]
	return strings.TrimSuffix(smallest(f), "}") + fmt.Sprintf(rest, strings.Join(tools, ","), demanded)
}

// TestTools_ASearchThatTheUpstreamHasNotIsRefusedByName is what Codex meets, which offers one
// unless it is told not to.
func TestTools_ASearchThatTheUpstreamHasNotIsRefusedByName(t *testing.T) {
	t.Parallel()
	c := responsesToChat.decode(t, responsesAsk(`{"role":"user","content":"q"}`, `,"tools":[{"type":"web_search"}]`))
	_, _, err := c.Encode(translate.Upstream{Format: providers.OpenAIChat, Model: "up", Compatible: true})
	message, _ := translate.Message(err)
	require.Equal(t, "The upstream of this model speaks the format openai-chat, which has no way to say the tool web_search.", message)
	for _, out := range []providers.Format{providers.OpenAIChat, providers.Anthropic, providers.Gemini} {
		_, _, err := c.Encode(translate.Upstream{Format: out, Model: "up"})
		require.NoError(t, err, out)
	}
}
