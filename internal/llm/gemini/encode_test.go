package gemini_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/gemini"
)

func encode(t *testing.T, r *llm.Request) (body string, lost []llm.Loss) {
	t.Helper()
	out, lost, err := gemini.Codec{}.EncodeRequest(nil, r, llm.Target{})
	require.NoError(t, err)
	require.True(t, json.Valid(out), string(out))
	return string(out), lost
}

// member returns one of a body's members as it is written.
func member(t *testing.T, body, name string) string {
	t.Helper()
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(body), &all))
	return string(all[name])
}

func said(role llm.Role, parts ...llm.Part) llm.Message { return llm.Message{Role: role, Parts: parts} }

func words(s string) *llm.Text { return &llm.Text{Text: s} }

func TestEncodeRequest_TR31_SaysTheOutput(t *testing.T) {
	t.Parallel()
	for want, out := range map[string]llm.Output{
		`{"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}`: {Kind: llm.OutputSchema, Schema: json.RawMessage(`{"type":"object"}`)},
		`{"responseMimeType":"application/json"}`:                                        {Kind: llm.OutputJSON},
		``: {Kind: llm.OutputText},
	} {
		body, lost := encode(t, &llm.Request{Output: out})
		require.Equal(t, want, member(t, body, "generationConfig"))
		require.Empty(t, lost)
	}
}

func TestEncodeRequest_TR32_TidiesSchemas(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{"title":"A","type":"object","properties":{"a":{"title":"B"}},"required":["a","b"]}`:         `{"type":"object","properties":{"a":{}},"required":["a"]}`,
		`{"required":["a"],"type":"object"}`:                                                          `{"type":"object"}`,
		`{"properties":{"title":{"type":"string"},"required":{"default":{"title":1}}}}`:               `{"properties":{"title":{"type":"string"},"required":{"default":{"title":1}}}}`,
		`{"anyOf":[{"title":"x"},true],"items":[{"title":"y"}],"$defs":{"title":{"title":"z"}}}`:      `{"anyOf":[{},true],"items":[{}],"$defs":{"title":{}}}`,
		`{"type":"object","additionalProperties":{"title":"x","required":["y"]},"enum":["required"]}`: `{"type":"object","additionalProperties":{},"enum":["required"]}`,
		"{\n\"type\": \"object\"\n}": `{"type":"object"}`,
	} {
		body, _ := encode(t, &llm.Request{Tools: []llm.Tool{{Kind: llm.Function, Name: "f", Schema: json.RawMessage(schema)}}})
		require.Equal(t, `[{"functionDeclarations":[{"name":"f","parametersJsonSchema":`+want+`}]}]`, member(t, body, "tools"))
	}
	body, _ := encode(t, &llm.Request{Tools: []llm.Tool{{Kind: llm.Function, Name: "f", Schema: json.RawMessage(`true`)}}})
	require.Equal(t, `[{"functionDeclarations":[{"name":"f"}]}]`, member(t, body, "tools"))
}

func TestEncodeRequest_TR34_SkipsEmptyTexts(t *testing.T) {
	t.Parallel()
	body, _ := encode(t, &llm.Request{Messages: []llm.Message{
		said(llm.User, words("")), said(llm.Assistant, words(""), words("a")), said(llm.Assistant), said(llm.User, words(""), words("b")),
	}})
	require.Equal(t, `[{"role":"model","parts":[{"text":"a"}]},{"role":"user","parts":[{"text":"b"}]}]`, member(t, body, "contents"))
}

func TestEncodeRequest_TR35_LeavesAPrefillOut(t *testing.T) {
	t.Parallel()
	r := &llm.Request{Messages: []llm.Message{said(llm.User, words("a")), said(llm.Assistant, words("b"))}}
	body, lost := encode(t, r)
	require.Equal(t, `[{"role":"user","parts":[{"text":"a"}]}]`, member(t, body, "contents"))
	require.Equal(t, "messages.prefill", lost[0].Path)

	counted, _, err := gemini.Codec{}.EncodeCountRequest(nil, r, llm.Target{})
	require.NoError(t, err)
	require.JSONEq(t, `{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]}]}`, string(counted), "it is counted")
}

func TestEncodeRequest_TR44_ForcesOneTool(t *testing.T) {
	t.Parallel()
	tools := []llm.Tool{{Kind: llm.Function, Name: "f"}, {Kind: llm.Custom, Name: "g"}, {Kind: llm.WebSearch, Name: "web_search"}}
	for want, choice := range map[string]llm.ToolChoice{
		`{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}`:       {Mode: llm.Named, Name: "f"},
		`{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"]}}`:   {Mode: llm.Required, Allowed: []string{"g", "f"}},
		`{"functionCallingConfig":{"mode":"ANY"}}`:                                    {Mode: llm.Required},
		`{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["g"]}}`: {Mode: llm.Auto, Allowed: []string{"g"}},
		`{"functionCallingConfig":{"mode":"AUTO"}}`:                                   {Mode: llm.Auto},
		`{"functionCallingConfig":{"mode":"NONE"}}`:                                   {Mode: llm.None},
		``: {},
	} {
		body, lost := encode(t, &llm.Request{Tools: tools, Choice: choice})
		require.Equal(t, want, member(t, body, "toolConfig"))
		require.Empty(t, lost)
	}
	body, lost := encode(t, &llm.Request{Tools: tools, Choice: llm.ToolChoice{Mode: llm.Named, Name: "web_search"}})
	require.Empty(t, member(t, body, "toolConfig"))
	require.Equal(t, "choice", lost[0].Path)
	body, _ = encode(t, &llm.Request{Choice: llm.ToolChoice{Mode: llm.Required}})
	require.Empty(t, member(t, body, "toolConfig"), "without tools there is nothing to choose")
}

// TestEncodeRequest_SaysReasoning holds rows TR67 (levels as budgets), TR70 and TR71: what a
// model can do is not judged here; a request stripped of its reasoning says nothing of it.
func TestEncodeRequest_SaysReasoning(t *testing.T) {
	t.Parallel()
	budget := func(n int64) llm.Reasoning { return llm.Reasoning{Budget: &n} }
	level := func(l llm.Level) llm.Reasoning { return llm.Reasoning{Level: l} }
	for _, tt := range []struct {
		model     string
		reasoning llm.Reasoning
		want      string
		lost      bool
	}{
		{"gemini-2.5-pro", level(llm.LevelMinimal), `{"thinkingBudget":512}`, false}, // TR67
		{"gemini-2.5-pro", level(llm.LevelLow), `{"thinkingBudget":1024}`, false},
		{"gemini-2.5-pro", level(llm.LevelMedium), `{"thinkingBudget":8192}`, false},
		{"gemini-2.5-pro", level(llm.LevelHigh), `{"thinkingBudget":24576}`, false},
		{"gemini-2.5-pro", level(llm.LevelXHigh), `{"thinkingBudget":32768}`, false},
		{"gemini-2.5-pro", level(llm.LevelMax), `{"thinkingBudget":128000}`, false},
		{"gemini-2.5-pro", level(llm.LevelNone), `{"thinkingBudget":0}`, false},
		{"gemini-2.5-pro", level(llm.LevelAuto), `{"thinkingBudget":-1}`, false},
		{"models/gemini-3-pro", level(llm.LevelMinimal), `{"thinkingLevel":"MINIMAL"}`, false},
		{"models/gemini-3-pro", level(llm.LevelLow), `{"thinkingLevel":"LOW"}`, false},
		{"models/gemini-3-pro", level(llm.LevelMedium), `{"thinkingLevel":"MEDIUM"}`, false},
		{"models/gemini-3-pro", level(llm.LevelHigh), `{"thinkingLevel":"HIGH"}`, false},
		{"gemini-3-pro", level(llm.LevelXHigh), `{"thinkingLevel":"HIGH"}`, true}, // TR68: of another family, so the nearest
		{"gemini-3-pro", level(llm.LevelMax), `{"thinkingLevel":"HIGH"}`, true},
		{"gemini-3-pro", level("galactic"), `{"thinkingLevel":"MEDIUM"}`, true},
		{"gemini-3-pro", level(llm.LevelAuto), `{"thinkingBudget":-1}`, false},
		{"gemini-3-pro", level(llm.LevelNone), `{"thinkingLevel":"LOW"}`, true},
		{"gemini-3-pro", budget(0), `{"thinkingLevel":"LOW"}`, true},
		{"gemini-3-pro", budget(777), `{"thinkingBudget":777}`, false},
		{"unheard-of", budget(777), `{"thinkingBudget":777}`, false}, // TR71
		{"unheard-of", level(llm.LevelHigh), `{"thinkingLevel":"HIGH"}`, false},
		{"unheard-of", level(llm.LevelNone), `{"thinkingBudget":0}`, false},
		{"unheard-of", llm.Reasoning{Show: ptr(true)}, `{"includeThoughts":true}`, false},
		{"unheard-of", llm.Reasoning{Show: ptr(false)}, `{"includeThoughts":false}`, false},
		{"unheard-of", llm.Reasoning{}, ``, false}, // TR70
	} {
		body, lost := encode(t, &llm.Request{Model: tt.model, Reasoning: tt.reasoning})
		config := member(t, body, "generationConfig")
		got := ""
		if config != "" {
			got = member(t, config, "thinkingConfig")
		}
		require.Equal(t, tt.want, got, tt.model)
		require.Equal(t, tt.lost, len(lost) > 0, tt)
	}
}

func TestEncodeRequest_PutsResultsRightAfterTheirCalls(t *testing.T) {
	t.Parallel()
	body, _ := encode(t, &llm.Request{Model: "gemini-2.5-pro", Messages: []llm.Message{
		said(llm.Assistant, &llm.ToolCall{ID: "1", Name: "f"}), said(llm.Assistant, &llm.ToolCall{ID: "2", Name: "g"}),
		said(llm.User, words("meanwhile")),
		said(llm.User, &llm.ToolResult{ID: "2", Content: []llm.Part{words("two")}}), said(llm.User, &llm.ToolResult{ID: "1", Content: []llm.Part{words("one")}}),
		said(llm.Assistant, &llm.ToolCall{ID: "1", Name: "h"}), said(llm.User, &llm.ToolResult{ID: "1", Content: []llm.Part{words("again")}}),
	}})
	require.Equal(t, `[{"role":"model","parts":[{"functionCall":{"id":"1","name":"f"}},{"functionCall":{"id":"2","name":"g"}}]},`+
		`{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"output":"one"}}},{"functionResponse":{"id":"2","name":"g","response":{"output":"two"}}},{"text":"meanwhile"}]},`+
		`{"role":"model","parts":[{"functionCall":{"id":"1","name":"h"}}]},{"role":"user","parts":[{"functionResponse":{"id":"1","name":"h","response":{"output":"again"}}}]}]`,
		member(t, body, "contents"))
}

func TestEncodeRequest_SignsOnlyTheFirstCallOfAStep(t *testing.T) {
	t.Parallel()
	call := func(id string) *llm.ToolCall { return &llm.ToolCall{ID: id, Name: "f"} }
	messages := []llm.Message{
		said(llm.Assistant, &llm.Thinking{Signature: "b3du", Origin: llm.Gemini}), said(llm.Assistant, call("1"), call("2")),
		said(llm.User, &llm.ToolResult{ID: "1"}, &llm.ToolResult{ID: "2"}),
		said(llm.Assistant, call("3"), call("4")), said(llm.User, &llm.ToolResult{ID: "3"}, &llm.ToolResult{ID: "4"}),
	}
	for model, placeholder := range map[string]string{"gemini-3-pro": `,"thoughtSignature":"skip_thought_signature_validator"`, "gemini-2.5-pro": ""} {
		body, _ := encode(t, &llm.Request{Model: model, Messages: messages})
		require.Contains(t, body, `{"functionCall":{"id":"1","name":"f"},"thoughtSignature":"b3du"},{"functionCall":{"id":"2","name":"f"}}]`)
		require.Contains(t, body, `{"functionCall":{"id":"3","name":"f"}`+placeholder+`},{"functionCall":{"id":"4","name":"f"}}]`)
	}
}

func TestEncodeRequest_GivesASignatureToNoOneElse(t *testing.T) {
	t.Parallel()
	body, _ := encode(t, &llm.Request{Messages: []llm.Message{
		said(llm.User, words("a")), said(llm.Assistant, &llm.Thinking{Signature: "b3du", Origin: llm.Gemini}), said(llm.User, words("b")),
	}})
	require.Equal(t, `[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"","thoughtSignature":"b3du"}]},{"role":"user","parts":[{"text":"b"}]}]`,
		member(t, body, "contents"))
}

func TestEncodeRequest_TurnsLonelyInstructionsIntoContents(t *testing.T) {
	t.Parallel()
	body, _ := encode(t, &llm.Request{Messages: []llm.Message{said(llm.System, words("a")), said(llm.Developer, words("b"))}})
	require.JSONEq(t, `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]}]}`, body)
}

func TestEncodeRequest_MapsServiceTiers(t *testing.T) {
	t.Parallel()
	for tier, want := range map[string]string{"flex": `"flex"`, "priority": `"priority"`, "default": `"standard"`, "standard_only": `"standard"`, "auto": "", "": ""} {
		body, lost := encode(t, &llm.Request{ServiceTier: tier})
		require.Equal(t, want, member(t, body, "serviceTier"))
		require.Empty(t, lost)
	}
}

func TestEncodeRequest_RefusesWhatTheAnswerDependsOn(t *testing.T) {
	t.Parallel()
	media := func(m *llm.Media) *llm.Request { return &llm.Request{Messages: []llm.Message{said(llm.User, m)}} }
	inResult := func(m *llm.Media) *llm.Request {
		return &llm.Request{Messages: []llm.Message{
			said(llm.Assistant, &llm.ToolCall{ID: "1", Name: "f"}), said(llm.User, &llm.ToolResult{ID: "1", Content: []llm.Part{m}}),
		}}
	}
	for want, r := range map[string]*llm.Request{
		"the tool computer_use":                                     {Tools: []llm.Tool{{Kind: llm.Builtin, Name: "computer_use", Origin: llm.Messages, Raw: json.RawMessage(`{}`)}}},
		"an image given by its file id":                             media(&llm.Media{Kind: llm.Image, FileID: "file-1", Origin: llm.Responses}),
		"a file given by an address that is not http, https or gs":  media(&llm.Media{Kind: llm.File, URL: "ftp://example.org/a"}),
		"a video given by an address that is not http, https or gs": media(&llm.Media{Kind: llm.Video}),
		"a sound given by its file id":                              inResult(&llm.Media{Kind: llm.Audio, FileID: "file-1", Origin: llm.Chat}),
		"an image in the instructions":                              {Messages: []llm.Message{said(llm.System, &llm.Media{Kind: llm.Image, Data: "aW1n"}), said(llm.User, words("a"))}},
		"a stored response to go on from":                           {PreviousResponseID: "resp_1"},
	} {
		_, _, err := gemini.Codec{}.EncodeRequest(nil, r, llm.Target{})
		require.Equal(t, &llm.UnsupportedError{Format: llm.Gemini, What: want}, err)
	}
}

func TestEncodeCountRequest_AsksAboutAllOfIt(t *testing.T) {
	t.Parallel()
	body, lost, err := gemini.Codec{}.EncodeCountRequest(nil, &llm.Request{
		Model:    "models/gemini-3-pro",
		Messages: []llm.Message{said(llm.System, words("a")), said(llm.User, words("b"))},
		Tools:    []llm.Tool{{Kind: llm.Function, Name: "f", Strict: ptr(true)}},
	}, llm.Target{})
	require.NoError(t, err)
	require.Equal(t, "tools.strict", lost[0].Path)
	require.JSONEq(t, `{"generateContentRequest":{"model":"models/gemini-3-pro","contents":[{"role":"user","parts":[{"text":"b"}]}],
		"systemInstruction":{"parts":[{"text":"a"}]},"tools":[{"functionDeclarations":[{"name":"f"}]}]}}`, string(body))
	_, _, err = gemini.Codec{}.EncodeCountRequest(nil, &llm.Request{Tools: []llm.Tool{{Kind: llm.Builtin, Name: "x"}}}, llm.Target{})
	require.Error(t, err)
}
