package responses

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
)

// event makes the data of a wire event of its members.
func wire1(kind, members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"type":"response.` + kind + `"` + members + `}`
}

// TR55: usage and the end come once, when the upstream's stream has really ended.
func TestStreamEncoder_TR55EndsOnceWithUsage(t *testing.T) {
	t.Parallel()
	a := accumulate(t, encodeStream([]llm.Event{
		{Kind: llm.Start, ID: "chatcmpl-1", Model: "gpt"},
		{Kind: llm.PartStart, Part: llm.TextPart},
		{Kind: llm.Delta, Text: "a"},
		{Kind: llm.Finish, Reason: llm.Stop, Usage: &llm.Usage{Input: 5, CacheRead: 2, Output: 3, Reasoning: 1}},
		{Kind: llm.Delta, Text: "late"},
		{Kind: llm.Finish, Reason: llm.Length},
		{Kind: llm.Failed, Failure: &llm.Failure{}},
	}, replyTo(nil)))
	require.Equal(t, "response.completed", a.terminal)
	require.JSONEq(t, `{"input_tokens":5,"input_tokens_details":{"cached_tokens":2,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":8}`,
		gjson.Get(a.response, "usage").Raw)
	require.Equal(t, "resp_chatcmpl-1", gjson.Get(a.response, "id").Str)
}

// TR56: an answer that was cut short says so, and so does the item in which it was.
func TestStreamEncoder_TR56TellsWhatWasCutShort(t *testing.T) {
	t.Parallel()
	for reason, want := range map[llm.FinishReason]string{llm.Length: "max_output_tokens", llm.Filtered: "content_filter"} {
		a := accumulate(t, encodeStream([]llm.Event{
			{Kind: llm.PartStart, Part: llm.TextPart},
			{Kind: llm.Delta, Text: "a"},
			{Kind: llm.PartEnd},
			{Kind: llm.PartStart, Index: 1, Part: llm.ToolCallPart, ID: "1", Name: "f"},
			{Kind: llm.PartEnd, Index: 1},
			{Kind: llm.Finish, Reason: reason},
		}, replyTo(nil)))
		require.Equal(t, "response.incomplete", a.terminal)
		require.Equal(t, want, gjson.Get(a.response, "incomplete_details.reason").Str)
		require.Equal(t, "incomplete", gjson.Get(a.response, "status").Str)
		require.Equal(t, "completed", gjson.Get(a.items[0], "status").Str)
		require.Equal(t, "incomplete", gjson.Get(a.items[1], "status").Str)
		require.Empty(t, gjson.Get(a.items[1], "arguments").Str, "nothing is invented")
	}
}

// TR58, TR62: parts that run beside each other become items one after the other.
func TestStreamEncoder_TR58TR62PutsItemsInOrder(t *testing.T) {
	t.Parallel()
	a := accumulate(t, encodeStream([]llm.Event{
		{Kind: llm.Start, ID: "msg_1"},
		{Kind: llm.PartStart, Index: 0, Part: llm.ThinkingPart},
		{Kind: llm.Delta, Text: "hm"},
		{Kind: llm.Signed, Text: "s", Origin: llm.Messages},
		{Kind: llm.PartStart, Index: 1, Part: llm.TextPart},
		{Kind: llm.Delta, Index: 1, Text: "a"},
		{Kind: llm.PartStart, Index: 7, Part: llm.ToolCallPart, ID: "1", Name: "get_weather"},
		{Kind: llm.PartStart, Index: 8, Part: llm.ToolCallPart, ID: "2", Name: "apply_patch"},
		{Kind: llm.Delta, Index: 8, Text: `{"input"`},
		{Kind: llm.Delta, Index: 7, Text: `{"a":`},
		{Kind: llm.PartEnd, Index: 0},
		{Kind: llm.Delta, Index: 8, Text: `: "x\`},
		{Kind: llm.Delta, Index: 7, Text: `1}`},
		{Kind: llm.Delta, Index: 8, Text: `ny"}`},
		{Kind: llm.Delta, Index: 1, Text: "b"},
		{Kind: llm.PartEnd, Index: 1},
		{Kind: llm.PartEnd, Index: 7},
		{Kind: llm.PartEnd, Index: 8},
		{Kind: llm.Finish, Reason: llm.ToolCalls},
	}, replyTo(client())))
	kinds := []string{}
	for _, item := range a.items {
		kinds = append(kinds, gjson.Get(item, "type").Str)
	}
	require.Equal(t, []string{"reasoning", "message", "function_call", "custom_tool_call"}, kinds)
	require.Equal(t, "ab", gjson.Get(a.items[1], "content.0.text").Str)
	require.Equal(t, `{"a":1}`, gjson.Get(a.items[2], "arguments").Str)
	require.Equal(t, "x\ny", gjson.Get(a.items[3], "input").Str)
}

// TR64: how an answer ended, for an encoder to say in its own words.
func TestStreamDecoder_TR64TellsHowItEnded(t *testing.T) {
	t.Parallel()
	call := wire1("output_item.done", `"output_index":0,"item":{"type":"function_call","call_id":"1","name":"f","arguments":"{}"}`)
	refusal := wire1("refusal.delta", `"output_index":0,"delta":"no"`)
	for want, events := range map[llm.FinishReason][]string{
		llm.Stop:      {wire1("completed", `"response":{"status":"completed"}`)},
		llm.ToolCalls: {call, wire1("completed", `"response":{"status":"completed"}`)},
		llm.Refused:   {refusal, wire1("completed", ``)},
		llm.Length:    {call, wire1("incomplete", `"response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}`)},
		llm.Filtered:  {wire1("done", `"response":{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}`)},
	} {
		require.Equal(t, want, llm.Collect(decodeStream(t, events...)).Reason)
	}
}

// TR52: a client gets its tools' own names back, and an upstream's shortened ones too.
func TestEncodeAnswer_TR52RestoresNames(t *testing.T) {
	t.Parallel()
	r := client()
	long := "mcp__" + strings.Repeat("x", 80)
	r.Tools = append(r.Tools, llm.Tool{Kind: llm.Function, Name: long}, llm.Tool{Kind: llm.Custom, Name: "n__dotted.name", Namespace: "n"})
	body := Codec{}.EncodeAnswer(nil, &llm.Answer{Reason: llm.ToolCalls, Parts: []llm.Part{
		toolCall("1", "github__search", "{}"), toolCall("2", llm.SafeID(long, 64), "{}"),
		toolCall("3", llm.SafeID("n__dotted.name", 64), `{"input":"x"}`), toolCall("4", "", "{}"), toolCall("", "unheard_of", "{}"),
	}}, replyTo(r))
	names := []string{}
	for _, item := range rawItems(string(body)) {
		names = append(names, gjson.Get(item, "namespace").Str+"/"+gjson.Get(item, "name").Str)
		require.NotEmpty(t, gjson.Get(item, "call_id").Str)
	}
	require.Equal(t, []string{"github/search", "/" + long, "n/dotted.name", "/unnamed", "/unheard_of"}, names)
}

func TestEncodeAnswer_GivesSignaturesOnlyToThoseWhoKeepThem(t *testing.T) {
	t.Parallel()
	a := &llm.Answer{Parts: []llm.Part{&llm.Thinking{Signature: "s", Origin: llm.Gemini}, &llm.Thinking{Text: "t", Signature: "s", Origin: llm.Gemini}}, Reason: llm.Stop}
	for name, tt := range map[string]struct {
		r    *llm.Request
		want int
	}{
		"include":      {&llm.Request{Include: []string{encryptedContent}}, 2},
		"not stored":   {&llm.Request{Store: ptr(false)}, 2},
		"stored":       {&llm.Request{Store: ptr(true)}, 1},
		"nothing said": {&llm.Request{}, 1},
	} {
		body := string(Codec{}.EncodeAnswer(nil, a, replyTo(tt.r)))
		require.Len(t, rawItems(body), tt.want, name)
		require.Equal(t, tt.want == 2, strings.Contains(body, "encrypted_content"), name)
	}
}

func TestStreamEncoder_TellsHowFarItHasCome(t *testing.T) {
	t.Parallel()
	s := Codec{}.StreamEncoder(replyTo(nil))
	require.Zero(t, s.Progress())
	out := s.Encode(nil, llm.Event{Kind: llm.Start, ID: "x"})
	out = s.Encode(out, llm.Event{Kind: llm.PartStart, Part: llm.TextPart})
	out = s.Encode(out, llm.Event{Kind: llm.Delta, Text: "a"})
	n := len(scan(t, out))
	require.Equal(t, llm.Progress{Elements: n, ResponseID: "resp_x", Sequence: int64(n)}, s.Progress())
	require.Equal(t, 5, n)
}

func TestStreamDecoder_TakesWhatSloppyUpstreamsSend(t *testing.T) {
	t.Parallel()
	created := wire1("created", `"response":{"id":"resp_1","model":"m"}`)
	completed := wire1("completed", `"response":{"id":"resp_1","status":"completed","usage":{"input_tokens":1.0,"output_tokens":null}}`)
	text := []llm.Part{say("ab")}
	call := []llm.Part{toolCall("c", "f", `{"a":1}`)}
	for name, tt := range map[string]struct {
		events []string
		want   []llm.Part
	}{
		"no first event":            {[]string{wire1("output_text.delta", `"output_index":0,"content_index":0,"delta":"ab"`), completed}, text},
		"neither index nor id":      {[]string{created, wire1("output_text.delta", `"delta":"a"`), wire1("output_text.delta", `"delta":"b"`), completed}, text},
		"only ids":                  {[]string{created, wire1("output_text.delta", `"item_id":"m","delta":"a"`), wire1("output_text.delta", `"item_id":"m","delta":"b"`), completed}, text},
		"only whole texts":          {[]string{created, wire1("output_text.done", `"output_index":0,"text":"ab"`), wire1("content_part.done", `"output_index":0,"part":{"type":"output_text","text":"ab"}`), completed}, text},
		"only whole items":          {[]string{created, wire1("output_item.done", `"output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"ab"}]}`), completed}, text},
		"only the whole answer":     {[]string{wire1("completed", `"response":{"output":[{"type":"message","content":[{"type":"output_text","text":"ab"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}]}`)}, []llm.Part{say("ab"), call[0]}},
		"empty pieces":              {[]string{created, wire1("output_text.delta", `"output_index":0,"delta":""`), wire1("output_text.delta", `"output_index":0,"delta":"ab"`), completed}, text},
		"events nobody knows":       {[]string{created, wire1("sparkle", `"x":[1]`), `{"type":"keepalive"}`, `{}`, `[DONE]`, wire1("output_text.delta", `"delta":"ab"`), completed}, text},
		"all with the same index":   {[]string{created, wire1("output_item.added", `"output_index":0,"item":{"id":"m","type":"message"}`), wire1("output_text.delta", `"output_index":0,"delta":"ab"`), wire1("output_item.added", `"output_index":0,"item":{"id":"f","type":"function_call","call_id":"c","name":"f"}`), wire1("function_call_arguments.delta", `"output_index":0,"delta":"{\"a\":1}"`), completed}, []llm.Part{say("ab"), call[0]}},
		"ids that change":           {[]string{created, wire1("output_item.added", `"output_index":0,"item":{"id":"m1","type":"message"}`), wire1("output_text.delta", `"output_index":0,"item_id":"m2","delta":"ab"`), wire1("output_item.done", `"output_index":0,"item":{"id":"m3","type":"message","content":[{"type":"output_text","text":"ab"}]}`), completed}, text},
		"a name that comes late":    {[]string{created, wire1("output_item.added", `"output_index":0,"item":{"id":"fc","type":"function_call","call_id":"c","name":null}`), wire1("function_call_arguments.delta", `"output_index":0,"delta":"{\"a\":"`), wire1("function_call_arguments.delta", `"output_index":0,"delta":"1}"`), wire1("output_item.done", `"output_index":0,"item":{"id":"fc","type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}`), completed}, call},
		"a name that never comes":   {[]string{created, wire1("function_call_arguments.delta", `"output_index":0,"item_id":"c","delta":"{\"a\":1}"`), completed}, []llm.Part{toolCall("c", "", `{"a":1}`)}},
		"a name that is a number":   {[]string{created, wire1("output_item.done", `"output_index":0,"item":{"type":"function_call","call_id":"c","name":5,"arguments":"{\"a\":1}"}`), completed}, []llm.Part{toolCall("c", "5", `{"a":1}`)}},
		"no id at all":              {[]string{created, wire1("output_item.done", `"output_index":0,"item":{"type":"function_call","name":"f","arguments":"{\"a\":1}"}`), completed}, []llm.Part{toolCall(llm.NewID("call_", "resp_1", "0"), "f", `{"a":1}`)}},
		"arguments as an object":    {[]string{created, wire1("output_item.done", `"output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":{"a":1}}`), completed}, call},
		"arguments told thrice":     {[]string{created, wire1("output_item.added", `"output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}`), wire1("function_call_arguments.delta", `"output_index":0,"delta":"{\"a\":1}"`), wire1("function_call_arguments.done", `"output_index":0,"arguments":"{\"a\":1}"`), wire1("output_item.done", `"output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}`), completed}, call},
		"a custom tool's input":     {[]string{created, wire1("custom_tool_call_input.delta", `"output_index":0,"delta":"a\n"`), wire1("output_item.done", `"output_index":0,"item":{"type":"custom_tool_call","call_id":"c","name":"p","input":"a\n"}`), completed}, []llm.Part{toolCall("c", "p", `{"input":"a\n"}`)}},
		"a custom tool's no input":  {[]string{created, wire1("output_item.done", `"output_index":0,"item":{"type":"custom_tool_call","call_id":"c","name":"p","input":""}`), completed}, []llm.Part{toolCall("c", "p", `{"input":""}`)}},
		"a thought and its summary": {[]string{created, wire1("reasoning_text.delta", `"output_index":0,"content_index":0,"delta":"raw"`), wire1("reasoning_summary_text.delta", `"output_index":0,"summary_index":0,"delta":"sum"`), completed}, []llm.Part{&llm.Thinking{Text: "raw"}}},
		"only encrypted":            {[]string{created, wire1("output_item.done", `"output_index":0,"item":{"id":"rs","type":"reasoning","summary":[],"encrypted_content":"g"}`), completed}, []llm.Part{&llm.Thinking{ID: "rs", Signature: "g", Origin: llm.Responses}}},
		"a half pair of surrogates": {[]string{created, wire1("output_text.delta", `"output_index":0,"delta":"\ud83d"`), completed}, []llm.Part{say("�")}},
	} {
		a := llm.Collect(decodeStream(t, tt.events...))
		require.Equal(t, tt.want, a.Parts, name)
		require.NotEmpty(t, a.Reason, name)
	}
}

func TestStreamDecoder_TellsABrokenStreamFromAWholeOne(t *testing.T) {
	t.Parallel()
	events := decodeStream(t, wire1("created", `"response":{"id":"r"}`), wire1("output_text.delta", `"output_index":0,"delta":"a"`), `[DONE]`)
	require.Equal(t, llm.Delta, events[len(events)-1].Kind, "no end mark came")

	d := Codec{}.StreamDecoder()
	for _, data := range []string{`{"type":"response.output_text.delta","delta":"a`, `{"type":"response.completed",`, `x`, `{"type":"response.output_item.done","item":5}`} {
		_, err := d.Decode(nil, nil, []byte(data))
		require.ErrorAs(t, err, new(*llm.DecodeError), data)
	}
	out, err := d.Decode(nil, []byte("response.output_text.delta"), []byte(`{"delta":"a","output_index":0}`))
	require.NoError(t, err, "the name is enough")
	require.Len(t, out, 2)
}

func TestStreamDecoder_BoundsWhatItRemembers(t *testing.T) {
	t.Parallel()
	d := Codec{}.StreamDecoder()
	var (
		out []llm.Event
		err error
	)
	for i := 0; err == nil && i < 3*maxParts; i++ {
		out, err = d.Decode(out[:0], nil, []byte(wire1("output_text.delta", `"delta":"a","output_index":`+digits(i))))
	}
	require.EqualError(t, err, "an answer of too many parts")
}

func TestStreamDecoder_TellsFailures(t *testing.T) {
	t.Parallel()
	for name, events := range map[string][]string{
		"an error":          {`{"type":"error","code":"rate_limit_exceeded","message":"Slow down.","param":null,"sequence_number":3}`},
		"an error inside":   {`{"type":"error","status":429,"error":{"type":"tokens","code":"rate_limit_exceeded","message":"Slow down."}}`},
		"a failed response": {wire1("failed", `"response":{"id":"r","status":"failed","error":{"code":"rate_limit_exceeded","message":"Slow down."},"output":[]}`)},
	} {
		events := decodeStream(t, append(events, wire1("completed", ""))...)
		last := events[len(events)-1]
		require.Equal(t, llm.Failed, last.Kind, name)
		require.Equal(t, "Slow down.", last.Failure.Message, name)
		require.Equal(t, 429, last.Failure.Status, name)
		require.Equal(t, "rate_limit_exceeded", last.Failure.Code, name)
	}
	cancelled := decodeStream(t, wire1("cancelled", `"response":{"status":"cancelled"}`))
	require.Equal(t, "The answer was cancelled.", cancelled[1].Failure.Message)
}
