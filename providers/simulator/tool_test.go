package simulator

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers"
)

// toolDialog is how a format declares, forces and calls a tool named f.
type toolDialog struct {
	declare          string
	forced, required string
	none             string
	called           string // path to the name
}

func toolDialogs() map[providers.Format]toolDialog {
	return map[providers.Format]toolDialog{
		providers.OpenAIChat: {
			declare:  `"tools":[{"type":"function","function":{"name":"e"}},{"type":"function","function":{"name":"f"}}]`,
			forced:   `"tool_choice":{"type":"function","function":{"name":"f"}}`,
			required: `"tool_choice":"required"`,
			none:     `"tool_choice":"none"`,
			called:   "choices.0.message.tool_calls.0.function.name",
		},
		providers.OpenAIResponses: {
			declare:  `"tools":[{"type":"function","name":"e"},{"type":"function","name":"f"}]`,
			forced:   `"tool_choice":{"type":"function","name":"f"}`,
			required: `"tool_choice":"required"`,
			none:     `"tool_choice":"none"`,
			called:   "output.0.name",
		},
		providers.Anthropic: {
			declare:  `"tools":[{"name":"e","input_schema":{}},{"name":"f","input_schema":{}}]`,
			forced:   `"tool_choice":{"type":"tool","name":"f"}`,
			required: `"tool_choice":{"type":"any"}`,
			none:     `"tool_choice":{"type":"none"}`,
			called:   "content.0.name",
		},
		providers.Gemini: {
			declare:  `"tools":[{"functionDeclarations":[{"name":"e"},{"name":"f"}]}]`,
			forced:   `"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}`,
			required: `"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`,
			none:     `"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}`,
			called:   "candidates.0.content.parts.0.functionCall.name",
		},
	}
}

func TestUpstream_ObeysToolChoiceInEveryFormat(t *testing.T) {
	t.Parallel()
	for _, d := range dialogs() {
		u, tools := New(options()), toolDialogs()[d.format]
		call := func(text string, members ...string) string {
			body := fmt.Sprintf("{%s,%s", strings.Join(members, ","), d.body("", text)[1:])
			return ask(t, u, d.path, body).Get(tools.called).Str
		}
		require.Equal(t, "f", call("call f", tools.declare), d.format)
		require.Empty(t, call("hi", tools.declare), d.format)
		require.Empty(t, call("call f", tools.declare, tools.none), d.format)
		require.Equal(t, "e", call("hi", tools.declare, tools.required), d.format)
		require.Equal(t, "f", call("hi", tools.declare, tools.forced), d.format)
	}
}

func TestUpstream_StreamsWholeArguments(t *testing.T) {
	t.Parallel()
	const properties = `{"type":"object","properties":{"plâce":{"type":"string"},"many":{"type":"array","items":{"type":"number"}}}}`
	const want = `{"plâce":"sample","many":[1]}`
	tests := map[providers.Format]struct{ declare, piece string }{
		providers.OpenAIChat:      {`"tools":[{"type":"function","function":{"name":"f","parameters":` + properties + `}}]`, "choices.0.delta.tool_calls.0.function.arguments"},
		providers.OpenAIResponses: {`"tools":[{"type":"function","name":"f","parameters":` + properties + `}]`, "delta"},
		providers.Anthropic:       {`"tools":[{"name":"f","input_schema":` + properties + `}]`, "delta.partial_json"},
		providers.Gemini:          {`"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":` + properties + `}]}]`, "candidates.0.content.parts.0.functionCall.args"},
	}
	for _, d := range dialogs() {
		path, body := d.streamRequest("call f")
		var got strings.Builder
		for _, e := range events(t, New(options()), path, "{"+tests[d.format].declare+","+body[1:]) {
			if piece := e.Get(tests[d.format].piece); piece.Type == gjson.JSON {
				got.WriteString(piece.Raw)
			} else {
				got.WriteString(piece.Str)
			}
		}
		require.Equal(t, want, got.String(), d.format)
	}
}
