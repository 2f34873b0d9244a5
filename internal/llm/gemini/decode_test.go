package gemini_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/gemini"
)

func decode(t *testing.T, body string) *llm.Request {
	t.Helper()
	r, err := gemini.Codec{}.DecodeRequest([]byte(body))
	require.NoError(t, err)
	return r
}

// ids returns those of the calls and of the results, in order.
func ids(r *llm.Request) (calls, results []string) {
	for _, m := range r.Messages {
		for _, p := range m.Parts {
			switch p := p.(type) {
			case *llm.ToolCall:
				calls = append(calls, p.ID)
			case *llm.ToolResult:
				results = append(results, p.ID)
			}
		}
	}
	return calls, results
}

func TestDecodeRequest_TR40_KeepsExplicitIDs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"id", "call_id", "callId"} {
		r := decode(t, strings.ReplaceAll(`{"contents":[
			{"role":"model","parts":[{"functionCall":{"NAME":"a","name":"f"}},{"functionCall":{"NAME":"b","name":"f"}},{"functionCall":{"name":"f"}}]},
			{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}},{"functionResponse":{"NAME":"a","name":"f","response":{}}},{"functionResponse":{"name":"f","response":{}}}]}]}`,
			"NAME", name))
		calls, results := ids(r)
		require.Equal(t, []string{"a", "b", "call_1"}, calls)
		require.Equal(t, []string{"b", "a", "call_1"}, results, "implicit responses take the ids that remain")
	}
}

func TestDecodeRequest_TR41_TakesBothSpellingsOfInlineData(t *testing.T) {
	t.Parallel()
	camel := decode(t, `{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"UklGRg=="}},{"inlineData":{"mimeType":"application/pdf","data":"JVBERg=="}}]}]}`)
	snake := decode(t, `{"contents":[{"parts":[{"inline_data":{"mime_type":"audio/wav","data":"UklGRg=="}},{"inline_data":{"mime_type":"application/pdf","data":"JVBERg=="}}]}]}`)
	require.Equal(t, camel, snake)
	require.Equal(t, []llm.Part{
		&llm.Media{Kind: llm.Audio, MIME: "audio/wav", Data: "UklGRg=="}, &llm.Media{Kind: llm.File, MIME: "application/pdf", Data: "JVBERg=="},
	}, camel.Messages[0].Parts)
}

func TestDecodeRequest_TR43_GroupsTheModelsTurnsAndCountsIDs(t *testing.T) {
	t.Parallel()
	const body = `{"contents":[{"role":"user","parts":[{"text":"x"}]},
		{"role":"model","parts":[{"functionCall":{"name":"f","args":{"n":1}}}]},{"role":"model","parts":[{"functionCall":{"name":"g","args":{}}}]},
		{"role":"user","parts":[{"functionResponse":{"name":"g","response":{"output":"G"}}},{"functionResponse":{"name":"f","response":{"output":"F"}}}]},
		{"role":"model","parts":[{"functionCall":{"name":"f","args":{"n":2}}}]},
		{"role":"function","parts":[{"functionResponse":{"name":"f","response":{"output":"F2"}}}]}]}`
	r := decode(t, body)
	require.Len(t, r.Messages, 5)
	calls, results := ids(r)
	require.Equal(t, []string{"call_1", "call_2", "call_3"}, calls)
	require.Equal(t, []string{"call_2", "call_1", "call_3"}, results)
	require.Equal(t, r, decode(t, body), "the same again")
}

func TestDecodeRequest_PairsAResultWithItsTurn(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"contents":[
		{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"text":"never mind"}]},
		{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"name":"f"}},{"functionResponse":{"name":"stranger"}},{"functionResponse":{"id":"unknown","name":"f"}},{"functionResponse":{"id":"other","name":"f"}}]}]}`)
	_, results := ids(r)
	require.Equal(t, []string{"call_2", "call_3", "call_1", "other"}, results)
}

func TestDecodeRequest_ReadsResultsByGooglesConvention(t *testing.T) {
	t.Parallel()
	tests := map[string]llm.ToolResult{
		`{"output":"said \u00e9\n\ud83d\ude00"}`: {Content: []llm.Part{&llm.Text{Text: "said é\n😀"}}},
		` { "output" : "a" } `:                   {Content: []llm.Part{&llm.Text{Text: "a"}}},
		`{"output":""}`:                          {},
		`{}`:                                     {},
		`null`:                                   {},
		`"bare"`:                                 {Content: []llm.Part{&llm.Text{Text: "bare"}}},
		`{"output":{"a":1}}`:                     {Structured: true, Content: []llm.Part{&llm.Text{Text: `{"a":1}`}}},
		`{"output":[1]}`:                         {Structured: true, Content: []llm.Part{&llm.Text{Text: `[1]`}}},
		`{"error":"no"}`:                         {Failed: true, Content: []llm.Part{&llm.Text{Text: "no"}}},
		`{"error":{"code":1}}`:                   {Failed: true, Structured: true, Content: []llm.Part{&llm.Text{Text: `{"code":1}`}}},
		`{"error":null}`:                         {Structured: true, Content: []llm.Part{&llm.Text{Text: `{"error":null}`}}},
		`{"output":"a","error":"b"}`:             {Failed: true, Structured: true, Content: []llm.Part{&llm.Text{Text: `{"output":"a","error":"b"}`}}},
		`{"files":["a"],"more":false}`:           {Structured: true, Content: []llm.Part{&llm.Text{Text: `{"files":["a"],"more":false}`}}},
	}
	for raw, want := range tests {
		r := decode(t, `{"contents":[{"parts":[{"functionResponse":{"id":"x","name":"f","response":`+raw+`}}]}]}`)
		want.ID, want.Name = "x", "f"
		require.Equal(t, &want, r.Messages[0].Parts[0], raw)
	}
}

func TestDecodeRequest_TellsZeroFromNotSaid(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"contents":[],"generationConfig":{"temperature":0,"thinkingConfig":{"thinkingBudget":0,"includeThoughts":false,"thinkingLevel":"THINKING_LEVEL_UNSPECIFIED"}}}`)
	require.Equal(t, &llm.Request{
		Sampling:  llm.Sampling{Temperature: ptr(0.0)},
		Reasoning: llm.Reasoning{Budget: ptr(int64(0)), Show: ptr(false)},
	}, &llm.Request{Sampling: r.Sampling, Reasoning: r.Reasoning})
}

func TestDecodeRequest_UnmarksSignaturesOfEveryAlphabet(t *testing.T) {
	t.Parallel()
	marked := llm.Mark("?>?>~~sig", llm.Messages, llm.Gemini)
	for _, sent := range []string{marked, strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(marked)} {
		r := decode(t, `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"},"thought_signature":`+strconv.Quote(sent)+`}]}]}`)
		require.Equal(t, &llm.Thinking{Signature: "?>?>~~sig", Origin: llm.Messages}, r.Messages[0].Parts[0])
	}
}

// Google's SDK for Go leaves an empty text out.
func TestDecodeRequest_TakesSignaturesWithoutText(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"contents":[{"role":"model","parts":[{"thought":true,"thoughtSignature":"cmVk"},{"thoughtSignature":"c2ln"},{"thought":true}]}]}`)
	require.Equal(t, []llm.Part{
		&llm.Thinking{Signature: "cmVk", Origin: llm.Gemini, Redacted: true}, &llm.Thinking{Signature: "c2ln", Origin: llm.Gemini},
	}, r.Messages[0].Parts)
}

func TestDecodeRequest_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``:   "not valid JSON",
		`[]`: "a value of this type is not expected here: an array",
		`{"contents":[{"parts":[{"functionCall":"f"}]}]}`:    "contents[0].parts[0].functionCall: a value of this type is not expected here: a string",
		`{"contents":[{"parts":[{"text":{}}]}]}`:             "contents[0].parts[0].text: a value of this type is not expected here: an object",
		`{"generationConfig":{"maxOutputTokens":1.5}}`:       "generationConfig.maxOutputTokens: a value of this type is not expected here: a number",
		`{"generationConfig":{"seed":1e400}}`:                "generationConfig.seed: a value of this type is not expected here: a number",
		`{"generationConfig":{"temperature":"hot"}}`:         "generationConfig.temperature: a value of this type is not expected here: a string",
		`{"contents":[],"continuationToken":"x"}`:            "continuationToken: it is held by Google, and this request goes to an upstream of another format",
		`{"contents":[` + strings.Repeat(`[`, 20_000) + `]}`: "contents[0]: a value of this type is not expected here: an array",
	} {
		_, err := gemini.Codec{}.DecodeRequest([]byte(body))
		var wrong *llm.DecodeError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, want, err.Error())
	}
}

func TestDecodeRequest_StandsHostileInput(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat(`{"items":`, 9_000) + `{"title":"x","required":["a"]}` + strings.Repeat(`}`, 9_000)
	r := decode(t, `{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f","parameters":`+nested+`}]}]}`)
	body, _, err := gemini.Codec{}.EncodeRequest(nil, r, llm.Target{})
	require.NoError(t, err)
	require.Less(t, len(body), 2*len(nested))
	for _, body := range []string{
		`{"contents":null,"tools":null,"toolConfig":null,"generationConfig":null,"systemInstruction":null,"safetySettings":null,"labels":null}`,
		`{"contents":[null,{"role":null,"parts":null},{"parts":[null,{"text":null,"functionCall":null,"functionResponse":null,"inlineData":null,"thought":null,"thoughtSignature":null}]}]}`,
		`{"contents":[{"parts":[{"text":"a","text":"b"}]}],"contents":[{"parts":[{"text":"c"}]}],"generationConfig":{"topK":4e1,"topK":null}}`,
		"{\"contents\":[{\"parts\":[{\"text\":\"\xff\\ud800\"},{\"functionCall\":{\"name\":\"\xff\",\"args\":{\"\xff\":\"\xff\"}}}]}]}",
	} {
		r := decode(t, body)
		out, _, err := gemini.Codec{}.EncodeRequest(nil, r, llm.Target{})
		require.NoError(t, err)
		require.True(t, json.Valid(out), string(out))
	}
}

func TestDecodeCountRequest_TakesBothForms(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"contents":[{"parts":[{"text":"x"}]}]}`,
		`{"generateContentRequest":{"contents":[{"parts":[{"text":"x"}]}]}}`,
		`{"generate_content_request":{"contents":[{"parts":[{"text":"x"}]}]}}`,
	} {
		r, err := gemini.Codec{}.DecodeCountRequest([]byte(body))
		require.NoError(t, err)
		require.Equal(t, decode(t, `{"contents":[{"parts":[{"text":"x"}]}]}`), r)
	}
	_, err := gemini.Codec{}.DecodeCountRequest([]byte(`{`))
	require.Error(t, err)
}
