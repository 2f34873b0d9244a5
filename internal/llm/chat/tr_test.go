package chat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

// The rows TR* of the project's scenarios that concern this codec, each its half: what a
// client of this format says becomes canonical, and what is canonical is said to upstreams
// of this format, and back.

func user(parts ...llm.Part) llm.Message {
	return llm.Message{Role: llm.User, Parts: parts}
}

func model(parts ...llm.Part) llm.Message {
	return llm.Message{Role: llm.Assistant, Parts: parts}
}

func said(text string) *llm.Text { return &llm.Text{Text: text} }

func called(id, name, args string) *llm.ToolCall {
	return &llm.ToolCall{ID: id, Name: name, Arguments: args}
}

func brought(id string, parts ...llm.Part) *llm.ToolResult {
	return &llm.ToolResult{ID: id, Content: parts}
}

func conversationOf(messages ...llm.Message) *llm.Request {
	return &llm.Request{Model: "m", Messages: messages}
}

// compatible is the target of the rows in which the upstream is not OpenAI itself.
func compatible() llm.Target { return llm.Target{Compatible: true} }

func TestTR1_InstructionsKeepTheirRolesAndOrder(t *testing.T) {
	t.Parallel()
	r := decoded(t, `{"messages":[{"role":"system","content":"a"},{"role":"developer","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]},{"role":"user","content":"d"}]}`)
	require.Equal(t, []llm.Message{
		{Role: llm.System, Parts: []llm.Part{said("a")}},
		{Role: llm.Developer, Parts: []llm.Part{said("b"), said("c")}},
		user(said("d")),
	}, r.Messages)
	only := decoded(t, `{"messages":[{"role":"system","content":"a"}]}`)
	require.Equal(t, []llm.Message{{Role: llm.System, Parts: []llm.Part{said("a")}}}, only.Messages)
}

func TestTR2_ResultsThatFollowEachOtherAreOneMessage(t *testing.T) {
	t.Parallel()
	r := decoded(t, `{"messages":[{"role":"tool","tool_call_id":"1","content":"a"},{"role":"tool","tool_call_id":"2","content":"b"},{"role":"user","content":"c"},{"role":"tool","tool_call_id":"3","content":"d"}]}`)
	require.Equal(t, []llm.Message{
		user(brought("1", said("a")), brought("2", said("b"))), user(said("c")), user(brought("3", said("d"))),
	}, r.Messages)
}

func TestTR4_OfSeveralResultsTheLastStandsAtTheFirstPlace(t *testing.T) {
	t.Parallel()
	r := conversationOf(
		model(called("1", "f", "{}"), called("2", "g", "{}")),
		user(brought("1", said("old")), brought("2", said("b")), brought("1", said("new"))),
	)
	require.JSONEq(t, `[
		{"role":"assistant","content":null,"tool_calls":[
			{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},
			{"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"1","content":"new"},
		{"role":"tool","tool_call_id":"2","content":"b"}]`, messagesOf(t, r, llm.Target{}))
}

func TestTR5_ImagesInResultsKeepDataOrURL(t *testing.T) {
	t.Parallel()
	r := decoded(t, `{"messages":[{"role":"tool","tool_call_id":"1","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1n"}},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}`)
	require.Equal(t, []llm.Message{user(brought("1",
		&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n"},
		&llm.Media{Kind: llm.Image, URL: "https://example.com/a.png"}))}, r.Messages)
}

func TestTR7_TemperatureAndTopPAreTold(t *testing.T) {
	t.Parallel()
	r := decoded(t, `{"messages":[{"role":"user","content":"x"}],"temperature":0.7,"top_p":0.9}`)
	require.InDelta(t, 0.7, *r.Sampling.Temperature, 0)
	require.InDelta(t, 0.9, *r.Sampling.TopP, 0)
}

func TestTR8_MarkersOfPartsBeatThoseOfMessages(t *testing.T) {
	t.Parallel()
	const marked = `"cache_control":{"type":"ephemeral","ttl":"1h"}`
	r := decoded(t, `{"messages":[
		{"role":"user","content":"a",`+marked+`},
		{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}],`+marked+`},
		{"role":"user","content":[{"type":"text","text":"d"},{"type":"text","text":"e","cache_control":{"type":"ephemeral"}}],`+marked+`},
		{"role":"assistant","content":"f","tool_calls":[{"id":"1","function":{"name":"g","arguments":"{}"}}],`+marked+`},
		{"role":"tool","tool_call_id":"1","content":"h",`+marked+`}],
		"tools":[{"type":"function","function":{"name":"g"},`+marked+`},{"type":"function","function":{"name":"i",`+marked+`}}],`+marked+`}`)
	hour, plain := &llm.Cache{TTL: "1h"}, &llm.Cache{}
	call, result := called("1", "g", "{}"), brought("1", said("h"))
	call.Cache, result.Cache = hour, hour
	require.Equal(t, []llm.Message{
		user(&llm.Text{Text: "a", Cache: hour}),
		user(said("b"), &llm.Text{Text: "c", Cache: hour}),
		user(said("d"), &llm.Text{Text: "e", Cache: plain}),
		model(said("f"), call),
		user(result),
	}, r.Messages)
	require.Equal(t, hour, r.Tools[0].Cache)
	require.Equal(t, hour, r.Tools[1].Cache)
	require.Equal(t, hour, r.Cache)
}

func TestTR10_ThoughtsComeBeforeWordsAndCalls(t *testing.T) {
	t.Parallel()
	want := []llm.Message{model(&llm.Thinking{Text: "hm"}, said("a"), called("1", "f", "{}"))}
	for _, name := range []string{"reasoning_content", "reasoning"} {
		r := decoded(t, `{"messages":[{"role":"assistant","content":"a","`+name+`":"hm","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}]}`)
		require.Equal(t, want, r.Messages)
	}
	r := conversationOf(want...)
	require.Contains(t, messagesOf(t, r, compatible()), `"reasoning_content":"hm"`)
	body, lost := encoded(t, r, llm.Target{})
	require.NotContains(t, body, "hm")
	require.Equal(t, []llm.Loss{lostThoughts.told()}, lost)
}

func TestTR11_TheEndUserHasOneIDWhateverItsName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "u", decoded(t, `{"messages":[{"role":"user","content":"x"}],"user":"u"}`).UserID)
	require.Equal(t, "s", decoded(t, `{"messages":[{"role":"user","content":"x"}],"user":"u","safety_identifier":"s"}`).UserID)
	require.Empty(t, decoded(t, `{"messages":[{"role":"user","content":"x"}]}`).UserID)

	r := conversationOf(user(said("x")))
	r.UserID = strings.Repeat("x", 65)
	body, lost := encoded(t, r, llm.Target{})
	require.Equal(t, []llm.Loss{lostUserID.told()}, lost)
	again, _ := encoded(t, r, llm.Target{})
	require.Equal(t, body, again, "the digest is stable")
}

// TestTR13_ReasonsHaveTheFormatsWords is also the row of TR64's words for answers.
func TestTR13_ReasonsHaveTheFormatsWords(t *testing.T) {
	t.Parallel()
	words := []llm.Part{said("a")}
	calls := []llm.Part{called("1", "f", "{}")}
	for _, tt := range []struct {
		reason llm.FinishReason
		parts  []llm.Part
		want   string
	}{
		{llm.Stop, words, "stop"},
		{llm.ToolCalls, calls, "tool_calls"},
		{llm.Stop, calls, "tool_calls"},
		{llm.Length, words, "length"},
		{llm.Length, calls, "length"},
		{llm.StopSequence, words, "stop"},
		{llm.Refused, nil, "content_filter"},
		{llm.Refused, []llm.Part{&llm.Refusal{Text: "no"}}, "stop"},
		{llm.Filtered, words, "content_filter"},
		{llm.Paused, words, "stop"},
		{llm.Broken, words, "content_filter"},
		{"", words, "stop"},
	} {
		a := &llm.Answer{Parts: tt.parts, Reason: tt.reason}
		body := string(Codec{}.EncodeAnswer(nil, a, reply()))
		require.Contains(t, body, `"finish_reason":"`+tt.want+`"`, tt.reason)
		require.Contains(t, streamOf(a.Events()), `"finish_reason":"`+tt.want+`"`, tt.reason)
	}
}

// streamOf returns what a client is sent.
func streamOf(events []llm.Event) string {
	e := Codec{}.StreamEncoder(reply())
	var out []byte
	for _, event := range events {
		out = e.Encode(out, event)
	}
	return string(out)
}

func TestTR14_ThoughtsAreReasoningContentAndRedactedOnesNothing(t *testing.T) {
	t.Parallel()
	thought := &llm.Answer{Parts: []llm.Part{&llm.Thinking{Text: "hm", Signature: "s", Origin: llm.Messages}, said("a")}}
	redacted := &llm.Answer{Parts: []llm.Part{&llm.Thinking{Signature: "s", Origin: llm.Messages, Redacted: true}, said("a")}}
	for a, want := range map[*llm.Answer]bool{thought: true, redacted: false} {
		body := string(Codec{}.EncodeAnswer(nil, a, reply()))
		require.Equal(t, want, strings.Contains(body, `"reasoning_content":"hm"`), body)
		require.Equal(t, want, strings.Contains(body, "reasoning_content"), body)
		stream := streamOf(a.Events())
		require.Equal(t, want, strings.Contains(stream, `"reasoning_content":"hm"`), stream)
		require.Equal(t, want, strings.Contains(stream, "reasoning_content"), stream)
	}
}

func TestTR16_ResultsOfDataAndImages(t *testing.T) {
	t.Parallel()
	data := &llm.ToolResult{ID: "1", Content: []llm.Part{said(`{"a":1}`)}, Structured: true}
	image := brought("2", said("b"), &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n"})
	r := conversationOf(model(called("1", "f", "{}"), called("2", "f", "{}")), user(data, image))
	picture := `{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1n"}}`
	require.Contains(t, messagesOf(t, r, compatible()),
		`{"role":"tool","tool_call_id":"1","content":"{\"a\":1}"},{"role":"tool","tool_call_id":"2","content":[{"type":"text","text":"b"},`+picture+`]}]`)
	// OpenAI takes images from users only.
	require.Contains(t, messagesOf(t, r, llm.Target{}),
		`{"role":"tool","tool_call_id":"2","content":"b"},{"role":"user","content":[{"type":"text","text":"From the result of the tool call 2:"},`+picture+`]}]`)
}

func TestTR17_WordsAroundACallAreOneMessage(t *testing.T) {
	t.Parallel()
	r := conversationOf(model(said("a"), called("1", "f", "{}"), said("b")))
	require.JSONEq(t, `[{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],
		"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}]`, messagesOf(t, r, llm.Target{}))
}

func TestTR20_StopSequencesAreAnArray(t *testing.T) {
	t.Parallel()
	for _, stops := range [][]string{{"a"}, {"a", "b"}} {
		r := conversationOf(user(said("x")))
		r.Stop = stops
		body, _ := encoded(t, r, llm.Target{})
		require.Equal(t, stops, decoded(t, body).Stop)
		require.Equal(t, `["`+strings.Join(stops, `","`)+`"]`, member(t, body, "stop"))
	}
}

// TestTR22_UsageMayComeAfterTheFinishReason is also TR55's: the end is [DONE], with all
// that was counted.
func TestTR22_UsageMayComeAfterTheFinishReason(t *testing.T) {
	t.Parallel()
	const words, finish, counted = `{"id":"1","choices":[{"delta":{"content":"a"}}]}`,
		`{"choices":[{"delta":{},"finish_reason":"stop"}]}`, `{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}`
	want := &llm.Usage{Input: 3, Output: 2}
	for name, order := range map[string][]string{
		"after": {words, finish, counted}, "before": {words, counted, finish},
		"with words": {`{"id":"1","choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}`, finish, `{"choices":[],"usage":{"completion_tokens":2}}`},
	} {
		events := chunks(t, append(order, "[DONE]")...)
		last := events[len(events)-1]
		require.Equal(t, llm.Event{Kind: llm.Finish, Reason: llm.Stop, Usage: want}, last, name)
		require.Equal(t, 1, count1(events, llm.Finish), name)
	}
	require.Nil(t, chunks(t, words, finish, "[DONE]")[4].Usage, "none was told")
	require.Zero(t, count1(chunks(t, words, finish, counted), llm.Finish), "without [DONE] it is cut off")
}

func count1(events []llm.Event, kind llm.EventKind) int {
	n := 0
	for _, e := range events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func TestTR23_ACallWithoutANameGetsOne(t *testing.T) {
	t.Parallel()
	for _, name := range []string{`null`, `""`, `7`, `{}`} {
		events := chunks(t,
			`{"id":"1","choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":`+name+`,"arguments":"{\"a\":"}}]}}]}`,
			`{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":"stop"}]}`, "[DONE]")
		require.Equal(t, &llm.Answer{ID: "1", Parts: []llm.Part{called("c", "tool_0", `{"a":1}`)}, Reason: llm.ToolCalls}, llm.Collect(events), name)
	}
}

func TestTR25_ACallBeginsWithItsID(t *testing.T) {
	t.Parallel()
	const named = `{"id":"1","choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{"}}]}}]}`
	const late = `{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"arguments":"}"}}]}}]}`
	require.Zero(t, count1(chunks(t, named), llm.PartStart), "it waits for the id")
	require.Equal(t, []llm.Part{called("c", "f", "{}")}, llm.Collect(chunks(t, named, late, "[DONE]")).Parts)
	never := llm.Collect(chunks(t, named, "[DONE]")).Parts
	require.Len(t, never, 1)
	require.Equal(t, never, llm.Collect(chunks(t, named, "[DONE]")).Parts, "the same stream, the same id")
	require.Regexp(t, `^call_[0-9a-f]{24}$`, never[0].(*llm.ToolCall).ID)
}

func TestTR26_ARepeatedNameIsTheSameCall(t *testing.T) {
	t.Parallel()
	piece := func(args string) string {
		return fmt.Sprintf(`{"id":"1","choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":%q}}]}}]}`, args)
	}
	events := chunks(t, piece(`{"a"`), piece(`:1`), piece(`}`), "[DONE]")
	require.Equal(t, []llm.Part{called("c", "f", `{"a":1}`)}, llm.Collect(events).Parts)
}

// TestTR28_NothingFollowsTheEnd is also TR65's: chunks after [DONE] are dropped.
func TestTR28_NothingFollowsTheEnd(t *testing.T) {
	t.Parallel()
	const words = `{"id":"1","choices":[{"delta":{"content":"a"}}]}`
	require.Equal(t, chunks(t, words, "[DONE]"), chunks(t, words, "[DONE]", words, `{"usage":{"prompt_tokens":1}}`, "[DONE]", "{"))

	events := (&llm.Answer{Parts: []llm.Part{said("a")}}).Events()
	require.Equal(t, streamOf(events), streamOf(append(events, events...)))
}

func TestTR29_WordsForReasonsAreUnderstood(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]llm.FinishReason{
		`"stop"`: llm.Stop, `"length"`: llm.Length, `"tool_calls"`: llm.Stop, `"content_filter"`: llm.Filtered,
		`null`: llm.Stop, `"eos"`: llm.Stop, `"error"`: llm.Broken,
	} {
		events := chunks(t, `{"id":"1","choices":[{"delta":{"content":"a"},"finish_reason":`+word+`}]}`, "[DONE]")
		require.Equal(t, want, llm.Collect(events).Reason, word)
		whole, err := Codec{}.DecodeAnswer([]byte(`{"choices":[{"message":{"content":"a"},"finish_reason":` + word + `}]}`))
		require.NoError(t, err)
		require.Equal(t, want, llm.Collect(whole).Reason, word)
	}
	for word, want := range map[string]llm.FinishReason{
		"stop": llm.ToolCalls, "tool_calls": llm.ToolCalls, "function_call": llm.ToolCalls, "length": llm.Length,
	} {
		events := chunks(t, `{"id":"1","choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]},"finish_reason":"`+word+`"}]}`, "[DONE]")
		require.Equal(t, want, llm.Collect(events).Reason, word)
	}
}

func TestTR31_OutputKinds(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]llm.Output{
		`{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}`: {Kind: llm.OutputSchema, Name: "n", Schema: []byte(`{"type":"object"}`)},
		`{"type":"json_object"}`: {Kind: llm.OutputJSON},
		`{"type":"text"}`:        {Kind: llm.OutputText},
	} {
		r := decoded(t, `{"messages":[{"role":"user","content":"x"}],"response_format":`+format+`}`)
		require.Equal(t, want, r.Output)
		body, _ := encoded(t, r, llm.Target{})
		require.JSONEq(t, format, member(t, body, "response_format"))
	}
}

func TestTR34_EmptyTextsAreSkipped(t *testing.T) {
	t.Parallel()
	empty := said("")
	r := conversationOf(
		llm.Message{Role: llm.System, Parts: []llm.Part{empty}},
		user(empty, said("a"), empty), user(), user(empty),
		model(empty), model(empty, called("1", "f", "")), user(brought("1", empty)),
	)
	require.JSONEq(t, `[{"role":"user","content":"a"},
		{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"1","content":""}]`, messagesOf(t, r, llm.Target{}))
}

func TestTR37_EveryCountIsTold(t *testing.T) {
	t.Parallel()
	for usage, want := range map[llm.Usage]string{
		{}:         `"prompt_tokens":0,"completion_tokens":0,"total_tokens":0`,
		{Input: 7}: `"prompt_tokens":7,"completion_tokens":0,"total_tokens":7`,
	} {
		a := &llm.Answer{Usage: usage}
		require.Contains(t, string(Codec{}.EncodeAnswer(nil, a, reply())), want)
		require.Contains(t, streamOf(a.Events()), want)
	}
}

func TestTR49_ResultsStandRightAfterTheirCall(t *testing.T) {
	t.Parallel()
	r := conversationOf(
		model(called("1", "f", "{}")), user(said("wait")), model(said("yes")),
		user(brought("1", said("a"))), user(said("go")),
	)
	require.JSONEq(t, `[
		{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"1","content":"a"},
		{"role":"user","content":"wait"},{"role":"assistant","content":"yes"},{"role":"user","content":"go"}]`, messagesOf(t, r, llm.Target{}))
}

func TestTR49_AnIDMayComeBackInALaterTurn(t *testing.T) {
	t.Parallel()
	r := conversationOf(
		model(called("0", "f", "{}")), user(brought("0", said("a"))),
		model(called("0", "g", "{}")), user(brought("0", said("b"))),
	)
	messages := messagesOf(t, r, llm.Target{})
	require.Less(t, strings.Index(messages, `"content":"a"`), strings.Index(messages, `"name":"g"`))
	require.Less(t, strings.Index(messages, `"name":"g"`), strings.Index(messages, `"content":"b"`))
}

func TestTR50_ImagesInAStringBecomeImages(t *testing.T) {
	t.Parallel()
	toolMessage := func(text string) string {
		r := conversationOf(model(called("1", "f", "{}")), user(brought("1", said(text))))
		all := messagesOf(t, r, compatible())
		return all[strings.Index(all, `{"role":"tool"`) : len(all)-1]
	}
	require.JSONEq(t, `{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1n","detail":"high"}}]}`,
		toolMessage(`[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"data:image/png;base64,aW1n","detail":"original"}]`))
	for _, text := range []string{
		`[{"type":"input_text","text":"t"}]`,                                                // no image
		`[{"type":"input_image"}]`,                                                          // no URL
		`[{"type":"input_image","image_url":""}]`,                                           // an empty one
		`[{"type":"input_image","image_url":7}]`,                                            // not a string
		`[{"type":"input_image","image_url":"img.png"}]`,                                    // not a URL
		`[{"type":"input_image","image_url":"https://example.com/a.png"}`,                   // broken
		`[{"type":"input_image","image_url":"https://example.com/a.png"},"x"]`,              // something else beside it
		`[{"type":"input_image","image_url":"https://example.com/a.png"},{"type":"other"}]`, // likewise
		`[{"type":"input_image","image_url":"https://example.com/a.png","more":1}]`,         // more than is known
		`{"type":"input_image","image_url":"https://example.com/a.png"}`,                    // no array
		`see [{"type":"input_image","image_url":"https://example.com/a.png"}]`,              // prose
		`[]`, `[{"type":"output_image","input_image":1,"image_url":"https://example.com/a.png"}]`, // other types
	} {
		require.Equal(t, `{"role":"tool","tool_call_id":"1","content":`+marshal(t, text)+`}`, toolMessage(text))
	}
}

func TestTR53_WithoutToolsThereIsNoChoice(t *testing.T) {
	t.Parallel()
	r := conversationOf(user(said("x")))
	r.Choice, r.Parallel = llm.ToolChoice{Mode: llm.Auto}, ptr(true)
	for _, target := range []llm.Target{{}, compatible()} {
		body, _ := encoded(t, r, target)
		require.NotContains(t, body, "tool")
	}
	// A tool that compatible upstreams have no word for is refused, not left out: the answer
	// may depend on it.
	r.Tools = []llm.Tool{{Kind: llm.WebSearch, Name: "web_search"}}
	_, _, err := Codec{}.EncodeRequest(nil, r, compatible())
	require.EqualError(t, err, "the tool web_search cannot be said in the format openai-chat")
	body, _ := encoded(t, r, llm.Target{})
	require.Equal(t, "{}", member(t, body, "web_search_options"))
	require.NotContains(t, body, "tool_choice")
}

func TestTR56_CallsThatWereCutShortHaveNoInventedArguments(t *testing.T) {
	t.Parallel()
	events := chunks(t, `{"id":"1","choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}},{"index":1,"id":"b","function":{"name":"f"}}]},"finish_reason":"length"}]}`, "[DONE]")
	a := llm.Collect(events)
	require.Equal(t, []llm.Part{called("a", "f", ""), called("b", "f", "")}, a.Parts)
	require.Equal(t, llm.Length, a.Reason)
	for _, out := range []string{string(Codec{}.EncodeAnswer(nil, a, reply())), streamOf(events)} {
		require.Equal(t, 1, strings.Count(out, `"arguments":"{}"`), "only the one that another followed is whole: %s", out)
	}
	a.Reason = llm.ToolCalls
	for _, out := range []string{string(Codec{}.EncodeAnswer(nil, a, reply())), streamOf(a.Events())} {
		require.Equal(t, 2, strings.Count(out, `"arguments":"{}"`), out)
	}
}

// TestTR57_WordsAndCallsOfAStreamFollowEachOther stands for what a Responses client is to
// see: thoughts end before words, words before calls.
func TestTR57_WordsAndCallsOfAStreamFollowEachOther(t *testing.T) {
	t.Parallel()
	events := chunks(t,
		`{"id":"1","choices":[{"delta":{"reasoning_content":"hm"}}]}`, `{"choices":[{"delta":{"content":"a"}}]}`,
		`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}}]}`, "[DONE]")
	require.Equal(t, []llm.Part{&llm.Thinking{Text: "hm"}, said("a"), called("c", "f", "{}")}, llm.Collect(events).Parts)
	var seq llm.Sequence
	var live []llm.Event
	for _, e := range events[:len(events)-2] { // before the end
		live = seq.Push(live, e)
	}
	require.Equal(t, 2, count1(live, llm.PartEnd), "nothing waits for the end")
}

func TestTR58_CallsHaveAscendingPlacesAndOneChoiceIsTheAnswer(t *testing.T) {
	t.Parallel()
	events := chunks(t,
		`{"id":"1","choices":[{"index":1,"delta":{"content":"other"}},{"index":0,"delta":{"tool_calls":[{"index":3,"id":"a","function":{"name":"f","arguments":"{"}},{"index":7,"id":"b","function":{"name":"g","arguments":"{"}}]}}]}`,
		`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":7,"function":{"arguments":"}"}},{"index":3,"function":{"arguments":"}"}}]}}]}`, "[DONE]")
	require.Equal(t, []llm.Part{called("a", "f", "{}"), called("b", "g", "{}")}, llm.Collect(events).Parts)
	stream := streamOf(events)
	require.Contains(t, stream, `"tool_calls":[{"index":0,"id":"a"`)
	require.Contains(t, stream, `"tool_calls":[{"index":1,"id":"b"`)

	r := conversationOf(user(said("x")))
	r.Sampling.Candidates = ptr(int64(3))
	body, lost := encoded(t, r, llm.Target{})
	require.Empty(t, member(t, body, "n"))
	require.Equal(t, []llm.Loss{lostCandidates.told()}, lost)
}

func TestTR66_ReasoningIsReadInEveryVendorsWords(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]llm.Reasoning{
		`"reasoning_effort":"high"`:                                  {Level: llm.LevelHigh},
		`"reasoning_effort":"none"`:                                  {Level: llm.LevelNone},
		`"reasoning":{"effort":"low","exclude":true}`:                {Level: llm.LevelLow, Show: ptr(false)},
		`"reasoning":{"max_tokens":2000}`:                            {Budget: ptr(int64(2000))},
		`"reasoning":{"enabled":true}`:                               {Level: llm.LevelMedium},
		`"reasoning":{"enabled":false}`:                              {Level: llm.LevelNone},
		`"reasoning":{"effort":"low"},"reasoning_effort":"high"`:     {Level: llm.LevelHigh},
		`"thinking":{"type":"enabled","budget_tokens":1024}`:         {Budget: ptr(int64(1024))},
		`"thinking":{"type":"enabled"}`:                              {Level: llm.LevelAuto},
		`"thinking":{"type":"disabled"}`:                             {Level: llm.LevelNone},
		`"thinking":{"type":"disabled"},"reasoning_effort":"medium"`: {Level: llm.LevelMedium},
		`"model":"m"`: {},
	} {
		require.Equal(t, want, decoded(t, `{"messages":[{"role":"user","content":"x"}],`+members+`}`).Reasoning, members)
	}
}

func TestTR67_BudgetsAndLevelsAreEfforts(t *testing.T) {
	t.Parallel()
	effort := func(r llm.Reasoning) string {
		request := conversationOf(user(said("x")))
		request.Reasoning = r
		body, _ := encoded(t, request, llm.Target{})
		return member(t, body, "reasoning_effort")
	}
	for budget, want := range map[int64]string{
		0: `"none"`, 512: `"minimal"`, 1024: `"low"`, 8192: `"medium"`, 24576: `"high"`, 32768: `"xhigh"`, 128000: `"max"`, -1: "",
	} {
		require.Equal(t, want, effort(llm.Reasoning{Budget: &budget}))
	}
	require.Empty(t, effort(llm.Reasoning{Level: llm.LevelAuto}), "the format's default")
}

// TestTR71_TheUpstreamDecidesWhichEffortItKnows also stands for TR68 and TR70: what a model
// can is not the codec's business.
func TestTR71_TheUpstreamDecidesWhichEffortItKnows(t *testing.T) {
	t.Parallel()
	for _, level := range []llm.Level{llm.LevelNone, llm.LevelXHigh, llm.LevelMax, "extreme"} {
		for _, target := range []llm.Target{{}, compatible()} {
			r := conversationOf(user(said("x")))
			r.Reasoning.Level = level
			body, _ := encoded(t, r, target)
			require.Equal(t, level, decoded(t, body).Reasoning.Level)
		}
	}
}
