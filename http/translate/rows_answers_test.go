package translate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// chunk is a chunk of a stream of OpenAI chat's: the members of its one choice.
func chunk(choice string) string {
	return `{"id":"c","object":"chat.completion.chunk","model":"up","choices":[{"index":0,` + choice + `}]}`
}

// callDelta is a chunk with a piece of a tool call.
func callDelta(call string) string { return chunk(`"delta":{"tool_calls":[` + call + `]}`) }

const chatUsage = `{"id":"c","object":"chat.completion.chunk","model":"up","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`

// claudeAnswer is a whole answer of Anthropic's.
func claudeAnswer(reason, content string) string {
	return `{"id":"msg","type":"message","role":"assistant","model":"up","content":[` + content + `],"stop_reason":"` + reason + `","usage":{"input_tokens":5,"output_tokens":7}}`
}

// claudeStream is a stream of Anthropic's around these events.
func claudeStream(reason string, events ...string) []string {
	all := []string{`{"type":"message_start","message":{"id":"msg","type":"message","role":"assistant","model":"up","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}`}
	all = append(all, events...)
	return append(all, `{"type":"message_delta","delta":{"stop_reason":"`+reason+`"},"usage":{"output_tokens":7}}`, `{"type":"message_stop"}`)
}

func TestTR13_StopReasonsOfClaude(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "stop_sequence": "stop", "refusal": "content_filter",
	} {
		content := `{"type":"text","text":"a"}`
		if reason == "tool_use" {
			content = `{"type":"tool_use","id":"1","name":"f","input":{}}`
		}
		got := chatToClaude.gets(t, "", claudeAnswer(reason, content))
		require.Equal(t, want, got.Get("choices.0.finish_reason").Str, reason)
	}
}

func TestTR14_ThoughtsAreReasoningContent(t *testing.T) {
	t.Parallel()
	const thought = `{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"cmVk"},{"type":"text","text":"a"}`
	got := chatToClaude.gets(t, "", claudeAnswer("end_turn", thought))
	require.Equal(t, "hm", got.Get("choices.0.message.reasoning_content").Str)
	require.Equal(t, "a", got.Get("choices.0.message.content").Str)
	require.False(t, chatToClaude.gets(t, "", claudeAnswer("end_turn", `{"type":"text","text":"a"}`)).Get("choices.0.message.reasoning_content").Exists())

	var told string
	for _, e := range chatToClaude.streams(t, "", claudeStream("end_turn",
		`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"m"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a"}}`,
		`{"type":"content_block_stop","index":1}`)...) {
		told += e.Get("choices.0.delta.reasoning_content").Str
	}
	require.Equal(t, "hm", told)
}

func TestTR22_UsageMayComeLate(t *testing.T) {
	t.Parallel()
	got := claudeToChat.streams(t, "", chunk(`"delta":{"role":"assistant","content":"a"}`), chunk(`"delta":{},"finish_reason":"stop"`), chatUsage, "[DONE]")
	require.Len(t, typed(got, "message_delta"), 1)
	require.Len(t, typed(got, "message_stop"), 1)
	require.Equal(t, "message_stop", got[len(got)-1].Get("type").Str)
	require.Equal(t, int64(7), typed(got, "message_delta")[0].Get("usage.output_tokens").Int())
}

func TestTR23_AToolWithoutANameHasOne(t *testing.T) {
	t.Parallel()
	for _, name := range []string{`null`, `""`, `7`} {
		got := claudeToChat.streams(t, "", callDelta(`{"index":0,"id":"1","type":"function","function":{"name":`+name+`,"arguments":"{}"}}`), chunk(`"delta":{},"finish_reason":"tool_calls"`), "[DONE]")
		starts := typed(got, "content_block_start")
		require.Len(t, starts, 1)
		require.NotEmpty(t, starts[0].Get("content_block.name").Str)
		require.Equal(t, "tool_use", typed(got, "message_delta")[0].Get("delta.stop_reason").Str)
	}
}

func TestTR25_AnIDMayComeLateOrNever(t *testing.T) {
	t.Parallel()
	start := func(events ...string) gjson.Result {
		got := claudeToChat.streams(t, "", append(events, chunk(`"delta":{},"finish_reason":"tool_calls"`), "[DONE]")...)
		starts := typed(got, "content_block_start")
		require.Len(t, starts, 1)
		var args string
		for _, e := range typed(got, "content_block_delta") {
			args += e.Get("delta.partial_json").Str
		}
		require.JSONEq(t, `{"a":1}`, args)
		return starts[0]
	}
	nameFirst := []string{callDelta(`{"index":0,"function":{"name":"f"}}`), callDelta(`{"index":0,"function":{"arguments":"{\"a\""}}`)}
	late := start(append(nameFirst, callDelta(`{"index":0,"id":"call_9","function":{"arguments":":1}"}}`))...)
	require.Equal(t, "call_9", late.Get("content_block.id").Str)
	never := start(append(nameFirst, callDelta(`{"index":0,"function":{"arguments":":1}"}}`))...)
	require.Regexp(t, `^[a-zA-Z0-9_-]+$`, never.Get("content_block.id").Str)
}

func TestTR26_ANameThatIsRepeatedIsOneBlock(t *testing.T) {
	t.Parallel()
	got := claudeToChat.streams(t, "", callDelta(`{"index":0,"id":"1","function":{"name":"f","arguments":"{"}}`), callDelta(`{"index":0,"id":"1","function":{"name":"f","arguments":"}"}}`), chunk(`"delta":{},"finish_reason":"tool_calls"`), "[DONE]")
	require.Len(t, typed(got, "content_block_start"), 1)
	require.Equal(t, "f", typed(got, "content_block_start")[0].Get("content_block.name").Str)
}

func TestTR28_NothingFollowsTheEnd(t *testing.T) {
	t.Parallel()
	got := claudeToChat.streams(t, "", chunk(`"delta":{"content":"a"}`), chunk(`"delta":{},"finish_reason":"stop"`), "[DONE]", chunk(`"delta":{"content":"late"}`))
	require.Equal(t, "message_stop", got[len(got)-1].Get("type").Str)
	for _, e := range got {
		require.NotContains(t, e.Raw, "late")
	}
}

func TestTR29_FinishReasonsOfChat(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "end_turn"} {
		call := ""
		if reason == "tool_calls" {
			call = `,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]`
		}
		got := claudeToChat.gets(t, "", `{"id":"c","choices":[{"index":0,"finish_reason":"`+reason+`","message":{"role":"assistant","content":"a"`+call+`}}]}`)
		require.Equal(t, want, got.Get("stop_reason").Str, reason)
	}
}

func TestTR37_TokensThatAreNotCountedAreZero(t *testing.T) {
	t.Parallel()
	got := chatToGemini.gets(t, "", `{"candidates":[{"content":{"role":"model","parts":[]},"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}}`)
	require.Equal(t, "0", got.Get("usage.completion_tokens").Raw)
	require.Equal(t, int64(5), got.Get("usage.prompt_tokens").Int())
}

func TestTR38_TheReasonComesWithTheLastChunk(t *testing.T) {
	t.Parallel()
	part := func(text, more string) string {
		return `{"candidates":[{"content":{"role":"model","parts":[{"text":"` + text + `"}]}` + more + `}],"responseId":"g"}`
	}
	got := chatToGemini.streams(t, "", part("a", ""), part("b", `,"finishReason":"STOP"`), part("c", ""))
	var said string
	for i, e := range got[:len(got)-1] {
		said += e.Get("choices.0.delta.content").Str
		finished := e.Get("choices.0.finish_reason").Str != ""
		require.Equal(t, i == len(got)-2, finished, "%d of %d", i, len(got))
	}
	require.Equal(t, "abc", said)
	require.Equal(t, "[DONE]", got[len(got)-1].Raw)
}

func TestTR46_ASignatureAloneIsNoEmptyText(t *testing.T) {
	t.Parallel()
	got := claudeToGemini.streams(t, "", `{"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]}}]}`,
		`{"candidates":[{"content":{"role":"model","parts":[{"text":"","thoughtSignature":"c2ln"}]},"finishReason":"STOP"}]}`)
	var deltas []string
	for _, e := range typed(got, "content_block_delta") {
		deltas = append(deltas, e.Get("delta.type").Str)
	}
	require.Equal(t, []string{"text_delta", "signature_delta"}, deltas)
	require.JSONEq(t, `["text","thinking"]`, `[`+strings.Join(raws(typed(got, "content_block_start"), "content_block.type"), ",")+`]`)
}

func TestTR47_TheIDOfACallIsKept(t *testing.T) {
	t.Parallel()
	answer := claudeAnswer("tool_use", `{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}`)
	got := route{geminiToClaude.in, geminiToClaude.out}.gets(t, "", answer)
	require.JSONEq(t, `{"id":"toolu_1","name":"f","args":{"a":1}}`, got.Get("candidates.0.content.parts.0.functionCall").Raw)
}

func TestTR55_AResponseCompletesOnce(t *testing.T) {
	t.Parallel()
	got := responsesToChat.streams(t, "", chunk(`"delta":{"content":"a"}`), chunk(`"delta":{},"finish_reason":"stop"`), chatUsage, "[DONE]")
	done := typed(got, "response.completed")
	require.Len(t, done, 1)
	require.Equal(t, int64(12), done[0].Get("response.usage.total_tokens").Int())
	require.Equal(t, "response.completed", got[len(got)-1].Get("type").Str)
	early := responsesToChat.streams(t, "", chunk(`"delta":{"content":"a"}`), chunk(`"delta":{},"finish_reason":"stop"`))
	require.Empty(t, typed(early, "response.completed"), "not before [DONE]")
}

func TestTR56_AnAnswerThatIsCutShortIsIncomplete(t *testing.T) {
	t.Parallel()
	for finish, reason := range map[string]string{"length": "max_output_tokens", "content_filter": "content_filter"} {
		got := responsesToChat.streams(t, "", callDelta(`{"index":0,"id":"1","function":{"name":"f"}}`), chunk(`"delta":{},"finish_reason":"`+finish+`"`), "[DONE]")
		last := got[len(got)-1]
		require.Equal(t, "response.incomplete", last.Get("type").Str)
		require.Equal(t, reason, last.Get("response.incomplete_details.reason").Str)
		require.Equal(t, "incomplete", last.Get("response.output.0.status").Str)
		require.Empty(t, last.Get("response.output.0.arguments").Str, "no arguments are invented")
	}
}

func TestTR58_OutputIndexesAscend(t *testing.T) {
	t.Parallel()
	got := responsesToChat.streams(t, "",
		callDelta(`{"index":0,"id":"1","function":{"name":"f","arguments":"{"}},{"index":1,"id":"2","function":{"name":"g","arguments":"{"}}`),
		callDelta(`{"index":0,"function":{"arguments":"}"}},{"index":1,"function":{"arguments":"}"}}`),
		`{"id":"c","choices":[{"index":1,"delta":{"content":"another choice"}}]}`,
		chunk(`"delta":{},"finish_reason":"tool_calls"`), "[DONE]")
	require.Equal(t, []string{"0", "1"}, raws(typed(got, "response.output_item.added"), "output_index"))
	require.Equal(t, []string{`"f"`, `"g"`}, raws(typed(got, "response.output_item.done"), "item.name"))
	for _, e := range got {
		require.NotContains(t, e.Raw, "another choice")
	}
}

func TestTR62_EachItemClosesBeforeTheNext(t *testing.T) {
	t.Parallel()
	got := responsesToClaude.streams(t, `{"model":"m","input":"q","store":false,"reasoning":{"summary":"auto"}}`, claudeStream("tool_use",
		`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"1","name":"f","input":{}}}`,
		`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}`,
		`{"type":"content_block_stop","index":2}`)...)
	var steps []string
	for _, e := range got {
		if kind := e.Get("type").Str; strings.HasPrefix(kind, "response.output_item.") {
			steps = append(steps, strings.TrimPrefix(kind, "response.output_item.")+" "+e.Get("output_index").Raw+" "+e.Get("item.type").Str)
		}
	}
	require.Equal(t, []string{"added 0 reasoning", "done 0 reasoning", "added 1 message", "done 1 message", "added 2 function_call", "done 2 function_call"}, steps)
}

// TR64 is about a Claude client of Codex, whose upstream speaks Responses.
func TestTR64_StopReasonsOfResponses(t *testing.T) {
	t.Parallel()
	codex := route{claudeToChat.in, responsesToChat.in}
	const text = `{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}`
	const call = `{"type":"function_call","call_id":"1","name":"f","arguments":"{}"}`
	response := func(status, details, output string) string {
		return `{"id":"resp","object":"response","status":"` + status + `","incomplete_details":` + details + `,"output":[` + output + `]}`
	}
	for body, want := range map[string]string{
		response("completed", "null", text):                                        "end_turn",
		response("incomplete", `{"reason":"max_output_tokens"}`, text):             "max_tokens",
		response("incomplete", `{"reason":"content_filter"}`, ""):                  "refusal",
		response("completed", "null", text+","+call):                               "tool_use",
		response("completed", `null`, call+","+strings.Replace(call, "1", "2", 1)): "tool_use",
	} {
		require.Equal(t, want, codex.gets(t, "", body).Get("stop_reason").Str, body)
	}
}

// TR65 is also the relay's: see TestRelay_TR65 in package httpapi.
func TestTR65_ChunksBehindTheEndAreDropped(t *testing.T) {
	t.Parallel()
	for _, r := range []route{claudeToChat, geminiToChat, responsesToChat} {
		whole := []string{chunk(`"delta":{"content":"a"}`), chunk(`"delta":{},"finish_reason":"stop"`), "[DONE]"}
		want := r.streams(t, "", whole...)
		require.Equal(t, want, r.streams(t, "", append(whole, chunk(`"delta":{"content":"late"}`), chatUsage, "[DONE]")...))
	}
}
