package responses

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

func TestDecodeRequest_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]*llm.DecodeError{
		``:                 {Reason: "a JSON object is expected"},
		`null`:             {Reason: "a JSON object is expected"},
		`[]`:               {Reason: "a JSON object is expected"},
		`{"model"`:         {Path: "model", Reason: "not valid JSON"},
		`{"input":5}`:      {Path: "input", Reason: "a value of this type is not expected here: a number"},
		`{"input":[5]}`:    {Path: "input[0]", Reason: "a value of this type is not expected here: a number"},
		`{"input":[null]}`: {Path: "input[0]", Reason: "neither a type nor a role is given"},
		`{"input":[{"role":"user","content":[{"type":"input_text","text":[]}]}]}`: {Path: "input[0].content[0].text", Reason: "a value of this type is not expected here: an array"},
		`{"input":[{"role":"user","content":{}}]}`:                                {Path: "input[0].content", Reason: "neither a string nor an array"},
		`{"input":[{"role":"user","content":[{"text":"a"}]}]}`:                    {Path: "input[0].content[0].type", Reason: "missing"},
		`{"input":[{"role":"critic","content":"a"}]}`:                             {Path: "input[0].role", Reason: "an unknown role: critic"},
		`{"input":[{"role":"user","content":[{"type":"input_image"}]}]}`:          {Path: "input[0].content[0]", Reason: "an image without image_url and file_id"},
		`{"input":[{"role":"user","content":[{"type":"input_file"}]}]}`:           {Path: "input[0].content[0]", Reason: "a file without file_data, file_url and file_id"},
		`{"input":[{"role":"user","content":[{"type":"input_audio"}]}]}`:          {Path: "input[0].content[0].input_audio.data", Reason: "missing"},
		`{"input":[{"type":"function_call","name":"f"}]}`:                         {Path: "input[0].call_id", Reason: "missing"},
		`{"input":[{"type":"function_call","call_id":"c"}]}`:                      {Path: "input[0].name", Reason: "missing"},
		`{"input":[{"type":"function_call_output","output":"x"}]}`:                {Path: "input[0].call_id", Reason: "missing"},
		`{"input":[{"type":"additional_tools","tools":[{"type":"function"}]}]}`:   {Path: "input[0].tools[0].name", Reason: "missing"},
		`{"tools":[{}]}`: {Path: "tools[0].type", Reason: "missing"},
		`{"tools":[{"type":"function","name":"f","parameters":[]}]}`:                {Path: "tools[0].parameters", Reason: "a JSON schema is expected"},
		`{"tools":[{"type":"namespace"}]}`:                                          {Path: "tools[0].name", Reason: "missing"},
		`{"tools":[{"type":"namespace","name":"n","tools":[{"type":"function"}]}]}`: {Path: "tools[0].tools[0].name", Reason: "missing"},
		`{"tool_choice":"maybe"}`:                                                   {Path: "tool_choice", Reason: "neither auto, none, required nor a tool"},
		`{"tool_choice":{"type":"function"}}`:                                       {Path: "tool_choice.name", Reason: "missing"},
		`{"tool_choice":7}`:                                                         {Path: "tool_choice", Reason: "a value of this type is not expected here: a number"},
		`{"tool_choice":{"type":"allowed_tools","tools":[{"type":"function"}]}}`:    {Path: "tool_choice.tools[0].name", Reason: "missing"},
		`{"text":{"format":{"type":"xml"}}}`:                                        {Path: "text.format.type", Reason: "an unknown kind of format: xml"},
		`{"text":{"format":{"type":"json_schema","name":"a"}}}`:                     {Path: "text.format.schema", Reason: "a JSON schema is expected"},
		`{"max_output_tokens":1e400}`:                                               {Path: "max_output_tokens", Reason: "a value of this type is not expected here: a number"},
		`{"max_output_tokens":123456789012345678901234567890}`:                      {Path: "max_output_tokens", Reason: "a value of this type is not expected here: a number"},
		`{"input":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`: {Path: "input[0]", Reason: "a value of this type is not expected here: an array"},
	} {
		_, err := Codec{}.DecodeRequest([]byte(body))
		require.Equal(t, want, err, body[:min(len(body), 200)])
	}
	for _, body := range []string{
		`{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
		`{"metadata":` + strings.Repeat(`{"a":`, 20000) + `1` + strings.Repeat(`}`, 20001),
	} {
		_, err := Codec{}.DecodeRequest([]byte(body))
		require.ErrorAs(t, err, new(*llm.DecodeError), "nested too deep to be read")
	}
}

func TestDecodeRequest_TakesWhatClientsSendInStrangeWays(t *testing.T) {
	t.Parallel()
	r := decodeRequest(t, "{\"model\":\"a\",\"model\":\"b\",\"input\":[{\"role\":\"user\",\"content\":\"\xff\"},"+
		`{"role":"user","content":null},
		{"role":"user","content":[{"type":"text","text":"a"},{"type":"input_image","image_url":{"url":"data:image/svg+xml,%3Csvg%3E"}}]},
		{"type":"function_call","id":"fc_1","name":"f","arguments":{"a":1}},
		{"type":"function_call","call_id":"fc_2","name":"f","arguments": [1] },
		{"type":"function_call_output","call_id":"fc_1","output":null},
		{"type":"reasoning","summary":[],"encrypted_content":null}],
		"instructions":null,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":null}}],
		"tool_choice":{"type":"function","function":{"name":"f"}},"reasoning":null,"text":null,"include":null,"stream":null,"metadata":null,
		"temperature":null,"max_output_tokens":null,"conversation":null,"prompt":null}`)
	require.Equal(t, &llm.Request{
		Model: "b",
		Messages: []llm.Message{
			user(say("�")),
			{Role: llm.User, Parts: []llm.Part{}},
			user(say("a"), &llm.Media{Kind: llm.Image, MIME: "image/svg+xml", Data: "PHN2Zz4="}),
			assistant(toolCall("fc_1", "f", `{"a":1}`), toolCall("fc_2", "f", `[1]`)),
			user(&llm.ToolResult{ID: "fc_1", Content: []llm.Part{}}),
		},
		Tools:  []llm.Tool{{Kind: llm.Function, Name: "f", Description: "d"}},
		Choice: llm.ToolChoice{Mode: llm.Named, Name: "f"},
	}, r)
}

func TestDecodeRequest_KeepsNothingOfTheBody(t *testing.T) {
	t.Parallel()
	body := []byte(`{"model":"m","input":[{"type":"item_reference","id":"x"},{"role":"user","content":"hello"}],"tools":[{"type":"function","name":"f","parameters":{"type":"object"}},{"type":"mcp","server_label":"s"}]}`)
	r, err := Codec{}.DecodeRequest(body)
	require.NoError(t, err)
	want := describe(t, r)
	for i := range body {
		body[i] = 'x'
	}
	require.Equal(t, want, describe(t, r))
}

// TR50: a tool's output that is a list with an image, as a string, is content.
func TestDecodeRequest_TR50FindsImagesInStrings(t *testing.T) {
	t.Parallel()
	output := func(text string) []llm.Part {
		body := append([]byte(`{"input":[{"type":"function_call_output","call_id":"c","output":`), quoted(text)...)
		r := decodeRequest(t, string(body)+`}]}`)
		return r.Messages[0].Parts[0].(*llm.ToolResult).Content
	}
	require.Equal(t, []llm.Part{
		say("Here:"), &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBORw0K", Detail: "original"}, &llm.Media{Kind: llm.Image, URL: "https://x.example/a.png"},
	}, output(` [{"type":"input_text","text":"Here:"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0K","detail":"original"},{"type":"input_image","image_url":"https://x.example/a.png"}]`))
	for _, text := range []string{
		`plain input_image`, `[]`, `[{"type":"input_text","text":"a"}]`,
		`{"type":"input_image","image_url":"https://x.example/a.png"}`,
		`[{"type":"input_image"}]`, `[{"type":"input_image","image_url":""}]`, `[{"type":"input_image","image_url":"a.png"}]`,
		`[{"type":"input_image","image_url":"https://x.example/a.png"}`,
		`[{"type":"input_image","image_url":"https://x.example/a.png"},{"type":"other"}]`,
		`[{"type":"input_image","image_url":"https://x.example/a.png"},5]`,
		`["input_image"]`, `[{"type":"input_image","image_url":5}]`,
	} {
		require.Equal(t, []llm.Part{say(text)}, output(text))
	}
}

// TR52: tools of namespaces, their history and the choice of them have one name.
func TestDecodeRequest_TR52FlattensNamespaces(t *testing.T) {
	t.Parallel()
	const tools = `"tools":[
		{"type":"namespace","name":"a","tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"}]},
		{"type":"namespace","name":"b","tools":[{"type":"function","name":"f"}]},{"type":"function","name":"g"}]`
	for choice, want := range map[string]string{
		`{"type":"function","name":"f","namespace":"b"}`: "b__f",
		`{"type":"custom","name":"c"}`:                   "a__c", // only one has that name
		`{"type":"function","name":"f"}`:                 "f",    // which one is not said
		`{"type":"function","name":"a__f"}`:              "a__f",
		`{"type":"function","name":"g"}`:                 "g",
	} {
		r := decodeRequest(t, `{"input":[{"type":"function_call","call_id":"1","name":"f","namespace":"a","arguments":"{}"},
			{"type":"custom_tool_call","call_id":"2","name":"c","namespace":"a","input":"x"}],`+tools+`,"tool_choice":`+choice+`}`)
		names := []string{}
		for _, tool := range r.Tools {
			names = append(names, tool.Name)
		}
		require.Equal(t, []string{"a__f", "a__c", "b__f", "g"}, names)
		require.Equal(t, []llm.Message{assistant(toolCall("1", "a__f", "{}"), toolCall("2", "a__c", `{"input":"x"}`))}, r.Messages)
		require.Equal(t, llm.ToolChoice{Mode: llm.Named, Name: want}, r.Choice, choice)
	}
}

// TR59: instructions, system and developer items anywhere are messages of their own, in
// order.
func TestDecodeRequest_TR59KeepsInstructionsInOrder(t *testing.T) {
	t.Parallel()
	r := decodeRequest(t, `{"instructions":"1","input":[{"role":"system","content":"2"},{"role":"user","content":"hi"},{"role":"developer","content":[{"type":"input_text","text":"3"}]}]}`)
	require.Equal(t, []llm.Message{
		{Role: llm.System, Parts: []llm.Part{say("1")}},
		{Role: llm.System, Parts: []llm.Part{say("2")}},
		user(say("hi")),
		{Role: llm.Developer, Parts: []llm.Part{say("3")}},
	}, r.Messages)
}

// TR49, TR61: what stands between a call and its output stays there; encoders put them where
// their format wants them.
func TestDecodeRequest_TR49TR61KeepsTheOrderOfItems(t *testing.T) {
	t.Parallel()
	r := decodeRequest(t, `{"input":[
		{"type":"function_call","call_id":"1","name":"f","arguments":"{}"},{"role":"assistant","content":"Wait."},{"role":"user","content":"Hurry."},
		{"type":"function_call_output","call_id":"1","output":"a"},{"type":"function_call_output","call_id":"1","output":"b"},{"role":"user","content":"So?"}]}`)
	require.Equal(t, []llm.Message{
		assistant(toolCall("1", "f", "{}"), say("Wait.")), user(say("Hurry.")),
		user(toolResult("1", say("a")), toolResult("1", say("b"))), user(say("So?")),
	}, r.Messages)
}

// TR67, TR71: levels are kept in the client's words, known or not.
func TestDecodeRequest_TR67TR71ReadsEffort(t *testing.T) {
	t.Parallel()
	for level, tokens := range map[llm.Level]int64{"minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 128000, "none": 0} {
		r := decodeRequest(t, `{"input":"x","reasoning":{"effort":"`+string(level)+`"}}`)
		require.Equal(t, llm.Reasoning{Level: level}, r.Reasoning)
		budget, ok := r.Reasoning.AsBudget()
		require.True(t, ok)
		require.Equal(t, tokens, budget)
	}
	require.Equal(t, llm.Level("extreme"), decodeRequest(t, `{"input":"x","reasoning":{"effort":"extreme"}}`).Reasoning.Level)
	require.Equal(t, llm.Reasoning{Summary: "none", Show: ptr(false)}, decodeRequest(t, `{"input":"x","reasoning":{"summary":"none"}}`).Reasoning)
}

func TestDecodeRequest_GivesForeignThoughtsBackToTheirOrigin(t *testing.T) {
	t.Parallel()
	for _, thought := range []*llm.Thinking{
		{Text: "a", Signature: "c2ln", Origin: llm.Messages},
		{Signature: "c2ln", Origin: llm.Gemini},
		{Signature: "ZGF0YQ==", Origin: llm.Messages, Redacted: true},
	} {
		a := &llm.Answer{Parts: []llm.Part{thought, say("b")}, Reason: llm.Stop}
		body := Codec{}.EncodeAnswer(nil, a, replyTo(client()))
		require.Contains(t, string(body), llm.MarkPrefix)
		r := decodeRequest(t, `{"input":[`+strings.Join(rawItems(string(body)), ",")+`]}`)
		got := r.Messages[0].Parts[0].(*llm.Thinking)
		got.ID = ""
		require.Equal(t, thought, got)
		_, lost := encodeRequest(t, r)
		require.Contains(t, lost, table[lostThinking], "another vendor's")
	}
}

func TestDecodeRequest_ListsWhatItCannotPlace(t *testing.T) {
	t.Parallel()
	body := `{"input":"x","background":true`
	for _, name := range []string{"zzz", "context_management", "moderation"} {
		body += `,"` + name + `":{"a":1}`
	}
	for i := range 200 {
		body += `,"` + strings.Repeat("n", 150) + string(rune('a'+i%26)) + `":1`
	}
	r := decodeRequest(t, body+`,"nothing":null}`)
	require.Equal(t, []llm.Loss{
		{Path: "background", Reason: "the answer is given at once"},
		{Path: "zzz", Reason: "not known"},
		{Path: "context_management", Reason: "the vendor's own upkeep of long conversations"},
		{Path: "moderation", Reason: "the vendor's own checks"},
		{Path: strings.Repeat("n", 100), Reason: "not known"},
	}, r.Unsaid)
}
