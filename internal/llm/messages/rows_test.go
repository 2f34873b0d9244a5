package messages

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
)

// The tests here are rows of the project's table of scenarios; each is this codec's half of
// one: what it makes of the canonical form, or what it makes the canonical form of.

func encoded(t *testing.T, r *llm.Request, target llm.Target) (gjson.Result, []llm.Loss) {
	t.Helper()
	body, lost, err := Codec{}.EncodeRequest(nil, r, target)
	require.NoError(t, err)
	require.True(t, json.Valid(body), string(body))
	requireValid(t, body)
	return gjson.ParseBytes(body), lost
}

func conversation(messages ...llm.Message) *llm.Request {
	return &llm.Request{Model: "m", MaxTokens: count(1000), UserID: "u", Messages: messages}
}

func said1(role llm.Role, p ...llm.Part) llm.Message { return llm.Message{Role: role, Parts: p} }

func lostPaths(lost []llm.Loss) []string {
	var paths []string
	for _, l := range lost {
		paths = append(paths, l.Path)
	}
	return paths
}

func decoded1(t *testing.T, body string) *llm.Request {
	t.Helper()
	r, err := Codec{}.DecodeRequest([]byte(body))
	require.NoError(t, err)
	return r
}

func streamOf(events ...llm.Event) string { return string(encodeStream(events, aReply())) }

func TestTR1_InstructionsBecomeBlocksInOrder(t *testing.T) {
	t.Parallel()
	body, _ := encoded(t, conversation(said1(llm.System, text("a"), text("b")), said1(llm.Developer, text("c")), said1(llm.User, text("hi"))), llm.Target{})
	require.JSONEq(t, `[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"text","text":"c"}]`, body.Get("system").Raw)
	require.JSONEq(t, `[{"role":"user","content":[{"type":"text","text":"hi"}]}]`, body.Get("messages").Raw)

	body, _ = encoded(t, conversation(said1(llm.System, text("alone"))), llm.Target{})
	require.JSONEq(t, `[{"role":"user","content":[{"type":"text","text":""}]}]`, body.Get("messages").Raw)
}

func TestTR59_InstructionsAnywhereBecomeBlocksInOrder(t *testing.T) {
	t.Parallel()
	body, _ := encoded(t, conversation(
		said1(llm.System, text("instructions")), said1(llm.User, text("hi")), said1(llm.System, text("system")),
		said1(llm.Assistant, text("yes")), said1(llm.Developer, text("developer")), said1(llm.User, text("go"))), llm.Target{})
	require.Equal(t, `["instructions","system","developer"]`, body.Get("system.#.text").Raw)
	require.Equal(t, `["user","assistant","user"]`, body.Get("messages.#.role").Raw)
}

func TestTR2_ResultsShareOneTurnAndComeFirst(t *testing.T) {
	t.Parallel()
	calls := said1(llm.Assistant, &llm.ToolCall{ID: "a", Name: "t"}, &llm.ToolCall{ID: "b", Name: "t"})
	a, b := &llm.ToolResult{ID: "a", Content: parts(text("1"))}, &llm.ToolResult{ID: "b", Content: parts(text("2"))}
	for name, history := range map[string][]llm.Message{
		"two messages":     {said1(llm.User, text("go")), calls, said1(llm.User, a), said1(llm.User, b), said1(llm.User, text("and"))},
		"text before them": {said1(llm.User, text("go")), calls, said1(llm.User, text("and")), said1(llm.User, b), said1(llm.User, a)},
	} {
		body, _ := encoded(t, conversation(history...), llm.Target{})
		require.JSONEq(t, `[
			{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"1"}]},
			{"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"2"}]},
			{"type":"text","text":"and"}]`, body.Get("messages.2.content").Raw, name)
		require.Len(t, body.Get("messages").Array(), 3, name)
	}
}

func TestTR4_TheLastOfDuplicateResultsStandsAtTheFirstPlace(t *testing.T) {
	t.Parallel()
	body, _ := encoded(t, conversation(
		said1(llm.User, text("go")),
		said1(llm.Assistant, &llm.ToolCall{ID: "a", Name: "t"}, &llm.ToolCall{ID: "b", Name: "t"}),
		said1(llm.User, &llm.ToolResult{ID: "a", Content: parts(text("old"))}, &llm.ToolResult{ID: "b"}),
		said1(llm.User, &llm.ToolResult{ID: "a", Content: parts(text("new"))})), llm.Target{})
	require.Equal(t, `["a","b"]`, body.Get("messages.2.content.#.tool_use_id").Raw)
	require.Equal(t, "new", body.Get("messages.2.content.0.content.0.text").Str)
}

// Upstreams that count their calls from the beginning in every turn give the same ids again.
func TestEncodeRequest_KeepsRepeatedIDsApart(t *testing.T) {
	t.Parallel()
	turn := func(result string) []llm.Message {
		return []llm.Message{
			said1(llm.Assistant, &llm.ToolCall{ID: "call_0", Name: "t"}),
			said1(llm.User, &llm.ToolResult{ID: "call_0", Content: parts(text(result))}),
		}
	}
	history := append([]llm.Message{said1(llm.User, text("go"))}, append(turn("one"), turn("two")...)...)
	body, lost := encoded(t, conversation(history...), llm.Target{})
	require.Empty(t, lost)
	require.Equal(t, "call_0", body.Get("messages.2.content.0.tool_use_id").Str)
	require.Equal(t, "one", body.Get("messages.2.content.0.content.0.text").Str)
	require.Equal(t, "call_0_2", body.Get("messages.4.content.0.tool_use_id").Str)
	require.Equal(t, "two", body.Get("messages.4.content.0.content.0.text").Str)
}

func TestTR5_ImagesOfResultsBecomeImageBlocks(t *testing.T) {
	t.Parallel()
	body, _ := encoded(t, conversation(
		said1(llm.User, text("go")), said1(llm.Assistant, &llm.ToolCall{ID: "a", Name: "t"}),
		said1(llm.User, &llm.ToolResult{ID: "a", Content: parts(
			&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBO"}, &llm.Media{Kind: llm.Image, URL: "https://example.com/a.png"})})), llm.Target{})
	require.JSONEq(t, `[
		{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}},
		{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]`, body.Get("messages.2.content.0.content").Raw)
}

func TestTR7_TemperatureIsDroppedAndTopPKept(t *testing.T) {
	t.Parallel()
	r := conversation(said1(llm.User, text("hi")))
	r.Sampling = llm.Sampling{Temperature: number(0.2), TopP: number(0.9)}
	body, lost := encoded(t, r, llm.Target{})
	require.False(t, body.Get("temperature").Exists())
	require.InDelta(t, 0.9, body.Get("top_p").Num, 0)
	require.Equal(t, []string{"sampling.temperature"}, lostPaths(lost))

	body, lost = encoded(t, r, llm.Target{Compatible: true})
	require.InDelta(t, 0.2, body.Get("temperature").Num, 0, "other vendors have not removed it")
	require.Empty(t, lost)
}

func TestTR8_CacheMarksAreKept(t *testing.T) {
	t.Parallel()
	r := conversation(said1(llm.User, text("a"), &llm.Text{Text: "b", Cache: &llm.Cache{TTL: "1h"}}))
	r.Tools = []llm.Tool{{Kind: llm.Function, Name: "t", Cache: &llm.Cache{}}}
	body, _ := encoded(t, r, llm.Target{})
	require.JSONEq(t, `[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"1h"}}]`, body.Get("messages.0.content").Raw)
	require.JSONEq(t, `{"type":"ephemeral"}`, body.Get("tools.0.cache_control").Raw)
}

func TestTR10_UnsignedThoughtsComeFirstForCompatibleUpstreams(t *testing.T) {
	t.Parallel()
	r := conversation(
		said1(llm.User, text("go")),
		said1(llm.Assistant, text("calling"), &llm.ToolCall{ID: "a", Name: "t"}, &llm.Thinking{Text: "why"}),
		said1(llm.User, &llm.ToolResult{ID: "a"}))
	body, lost := encoded(t, r, llm.Target{Compatible: true})
	require.Equal(t, `["thinking","text","tool_use"]`, body.Get("messages.1.content.#.type").Raw)
	require.Equal(t, "why", body.Get("messages.1.content.0.thinking").Str)
	require.Empty(t, lost)

	body, lost = encoded(t, r, llm.Target{})
	require.Equal(t, `["text","tool_use"]`, body.Get("messages.1.content.#.type").Raw)
	require.Equal(t, []string{"messages.thinking"}, lostPaths(lost))
}

func TestTR11_TheUserIsNamedAndOtherwiseTheConversation(t *testing.T) {
	t.Parallel()
	body, _ := encoded(t, conversation(said1(llm.User, text("hi"))), llm.Target{})
	require.Equal(t, "u", body.Get("metadata.user_id").Str)

	id := func(messages ...llm.Message) string {
		r := conversation(messages...)
		r.UserID = ""
		body, _ := encoded(t, r, llm.Target{})
		return body.Get("metadata.user_id").Str
	}
	first := id(said1(llm.System, text("today is Monday")), said1(llm.User, text("hi")))
	require.Regexp(t, `^user_[0-9a-f]{24}$`, first)
	require.Equal(t, first, id(said1(llm.System, text("today is Tuesday")), said1(llm.User, text("hi")), said1(llm.Assistant, text("yes")), said1(llm.User, text("go"))))
	require.NotEqual(t, first, id(said1(llm.User, text("hello"))))
}

func TestTR13_StopReasonsAreRead(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]llm.FinishReason{
		"end_turn": llm.Stop, "tool_use": llm.ToolCalls, "max_tokens": llm.Length, "stop_sequence": llm.StopSequence, "refusal": llm.Refused,
		"pause_turn": llm.Paused, "model_context_window_exceeded": llm.Length, "something new": llm.Stop,
	} {
		events, err := Codec{}.DecodeAnswer([]byte(`{"content":[],"stop_reason":"` + word + `"}`))
		require.NoError(t, err)
		require.Equal(t, want, events[len(events)-1].Reason, word)
	}
}

func TestTR14_ThoughtsOfAnswersAreTold(t *testing.T) {
	t.Parallel()
	events, err := Codec{}.DecodeAnswer([]byte(`{"content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"r"}],"stop_reason":"end_turn"}`))
	require.NoError(t, err)
	require.Equal(t, parts(
		&llm.Thinking{Text: "hm", Signature: "s", Origin: llm.Messages},
		&llm.Thinking{Signature: "r", Origin: llm.Messages, Redacted: true}), llm.Collect(events).Parts)
}

func TestTR16_ResultsThatAreValuesAreKeptAsJSON(t *testing.T) {
	t.Parallel()
	r := decoded1(t, `{"messages":[{"role":"user","content":[
		{"type":"tool_result","tool_use_id":"a","content":{"k":[1]}},
		{"type":"tool_result","tool_use_id":"b","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}]}]}]}`)
	require.Equal(t, parts(
		&llm.ToolResult{ID: "a", Content: parts(text(`{"k":[1]}`)), Structured: true},
		&llm.ToolResult{ID: "b", Content: parts(&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBO"})}), r.Messages[0].Parts)
}

func TestTR17_TextAroundACallStaysInItsMessage(t *testing.T) {
	t.Parallel()
	r := decoded1(t, `{"messages":[{"role":"assistant","content":[
		{"type":"text","text":"a"},{"type":"tool_use","id":"c","name":"t","input":{}},{"type":"text","text":"b"}]}]}`)
	require.Equal(t, []llm.Message{said1(llm.Assistant, text("a"), &llm.ToolCall{ID: "c", Name: "t", Arguments: "{}"}, text("b"))}, r.Messages)
}

func TestTR19_SystemMessagesInTheMiddleBecomeReminders(t *testing.T) {
	t.Parallel()
	r := decoded1(t, `{"messages":[{"role":"user","content":"hi"},{"role":"system","content":"be brief"},{"role":"assistant","content":"yes"}]}`)
	reminder := "<system-reminder>\nbe brief\n</system-reminder>"
	require.Equal(t, []llm.Message{said1(llm.User, text("hi")), said1(llm.User, text(reminder)), said1(llm.Assistant, text("yes"))}, r.Messages)

	r.Messages = r.Messages[:2]
	body, _ := encoded(t, r, llm.Target{})
	require.Equal(t, []string{"hi", reminder}, []string{body.Get("messages.0.content.0.text").Str, body.Get("messages.0.content.1.text").Str})
	again := decoded1(t, body.Raw)
	require.Equal(t, parts(text("hi"), text(reminder)), again.Messages[0].Parts, "it is not wrapped twice")
}

func TestTR20_StopSequencesAreRead(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a"}, decoded1(t, `{"messages":[],"stop_sequences":["a"]}`).Stop)
	require.Equal(t, []string{"a", "b"}, decoded1(t, `{"messages":[],"stop_sequences":["a","b"]}`).Stop)
}

func TestTR22_LateUsageComesInTheOneMessageDelta(t *testing.T) {
	t.Parallel()
	out := streamOf(
		llm.Event{Kind: llm.PartStart, Part: llm.TextPart}, llm.Event{Kind: llm.Delta, Text: "hi"},
		llm.Event{Kind: llm.Finish, Reason: llm.Stop, Usage: &llm.Usage{Input: 7, Output: 2}})
	require.Equal(t, 1, strings.Count(out, "event: message_delta\n"))
	require.Contains(t, out, `"output_tokens":2`)
	require.True(t, strings.HasSuffix(out, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"))
}

func TestTR23_ACallWithoutANameGetsOne(t *testing.T) {
	t.Parallel()
	out := streamOf(
		llm.Event{Kind: llm.PartStart, Part: llm.ToolCallPart, ID: "call_1"}, llm.Event{Kind: llm.Delta, Text: "{}"},
		llm.Event{Kind: llm.Finish, Reason: llm.Stop})
	require.Equal(t, 1, strings.Count(out, `"type":"tool_use","id":"call_1","name":"unnamed_tool"`))
	require.Contains(t, out, `"stop_reason":"tool_use"`)
}

func TestTR25_ACallWithoutAnIDGetsOne(t *testing.T) {
	t.Parallel()
	events := []llm.Event{{Kind: llm.PartStart, Part: llm.ToolCallPart, Name: "t"}, {Kind: llm.Finish}}
	first, second := streamOf(events...), streamOf(events...)
	require.Regexp(t, `"id":"toolu_[0-9a-f]{24}","name":"t"`, first)
	require.Equal(t, first, second)
}

func TestTR28_NothingFollowsTheEnd(t *testing.T) {
	t.Parallel()
	events := []llm.Event{{Kind: llm.PartStart, Part: llm.TextPart}, {Kind: llm.Delta, Text: "hi"}, {Kind: llm.Finish}}
	late := slices.Concat(events, []llm.Event{{Kind: llm.Delta, Text: "late"}, {Kind: llm.Failed}, {Kind: llm.Finish}})
	require.Equal(t, streamOf(events...), streamOf(late...))
}

func TestTR29_FinishReasonsAreWritten(t *testing.T) {
	t.Parallel()
	for reason, want := range map[llm.FinishReason]string{
		llm.Stop: "end_turn", llm.Length: "max_tokens", llm.Filtered: "end_turn", llm.StopSequence: "stop_sequence",
		llm.Refused: "refusal", llm.Paused: "pause_turn", llm.Broken: "end_turn", "": "end_turn",
	} {
		out := streamOf(llm.Event{Kind: llm.PartStart, Part: llm.TextPart}, llm.Event{Kind: llm.Delta, Text: "hi"}, llm.Event{Kind: llm.Finish, Reason: reason})
		require.Contains(t, out, `"stop_reason":"`+want+`"`, reason)
	}
	require.Contains(t, streamOf(llm.Event{Kind: llm.PartStart, Part: llm.ToolCallPart}, llm.Event{Kind: llm.Finish, Reason: llm.ToolCalls}), `"stop_reason":"tool_use"`)
}

// The row's content_filter is refusal: an answer that is filtered before anything came is
// one, and so is what a decoder reports as refused.
func TestTR64_RefusalsAndCallsAreWritten(t *testing.T) {
	t.Parallel()
	require.Contains(t, streamOf(llm.Event{Kind: llm.Finish, Reason: llm.Filtered}), `"stop_reason":"refusal"`)
	require.Contains(t, streamOf(llm.Event{Kind: llm.PartStart, Part: llm.RefusalPart}, llm.Event{Kind: llm.Delta, Text: "no"}, llm.Event{Kind: llm.Finish, Reason: llm.Stop}), `"stop_reason":"refusal"`)
	for reason, want := range map[llm.FinishReason]string{
		llm.Stop: "tool_use", llm.StopSequence: "tool_use", llm.Filtered: "tool_use", llm.Length: "max_tokens",
	} {
		require.Contains(t, streamOf(llm.Event{Kind: llm.PartStart, Part: llm.ToolCallPart}, llm.Event{Kind: llm.Finish, Reason: reason}), `"stop_reason":"`+want+`"`)
	}
}

func TestTR34_EmptyTextsAreSkipped(t *testing.T) {
	t.Parallel()
	body, _ := encoded(t, conversation(
		said1(llm.System, text("")), said1(llm.User, text(""), text("hi"), text(" \n")), said1(llm.Assistant, text("")), said1(llm.User, text("go"))), llm.Target{})
	require.False(t, body.Get("system").Exists())
	require.JSONEq(t, `[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"text","text":"go"}]}]`, body.Get("messages").Raw)
	require.Empty(t, decoded1(t, `{"messages":[{"role":"user","content":[{"type":"text","text":""}]}]}`).Messages[0].Parts)
}

func TestTR35_AnAssistantsLastMessageIsRemoved(t *testing.T) {
	t.Parallel()
	body, lost := encoded(t, conversation(said1(llm.User, text("hi")), said1(llm.Assistant, text("Well,")), said1(llm.Assistant, text("so"))), llm.Target{})
	require.JSONEq(t, `[{"role":"user","content":[{"type":"text","text":"hi"}]}]`, body.Get("messages").Raw)
	require.Equal(t, []string{"messages.prefill"}, lostPaths(lost))
}

func TestTR43_ConsecutiveTurnsOfASideBecomeOne(t *testing.T) {
	t.Parallel()
	r := conversation(
		said1(llm.User, text("a")), said1(llm.User, text("b")),
		said1(llm.Assistant, text("c")), said1(llm.Assistant, &llm.ToolCall{ID: "call_1", Name: "t"}), said1(llm.User, &llm.ToolResult{ID: "call_1"}))
	body, _ := encoded(t, r, llm.Target{})
	require.Equal(t, `["user","assistant","user"]`, body.Get("messages.#.role").Raw)
	again, _ := encoded(t, r, llm.Target{})
	require.Equal(t, body.Raw, again.Raw)
}

func TestTR44_AChosenToolIsRead(t *testing.T) {
	t.Parallel()
	r := decoded1(t, `{"messages":[],"tools":[{"name":"t","input_schema":{}}],"tool_choice":{"type":"tool","name":"t","disable_parallel_tool_use":true}}`)
	require.Equal(t, llm.ToolChoice{Mode: llm.Named, Name: "t"}, r.Choice)
	require.Equal(t, no(), r.Parallel)
}

func TestTR46_ASignatureAloneIsOneDelta(t *testing.T) {
	t.Parallel()
	out := streamOf(
		llm.Event{Kind: llm.PartStart, Part: llm.TextPart}, llm.Event{Kind: llm.PartEnd},
		llm.Event{Kind: llm.PartStart, Index: 1, Part: llm.ThinkingPart}, llm.Event{Kind: llm.Signed, Index: 1, Text: "CiQB", Origin: llm.Gemini},
		llm.Event{Kind: llm.Finish})
	require.NotContains(t, out, `"type":"text"`)
	marked := llm.Mark("CiQB", llm.Gemini, llm.Messages)
	require.Contains(t, out, `{"type":"signature_delta","signature":"`+marked+`"}`)

	r := decoded1(t, `{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"`+marked+`"}]}]}`)
	require.Equal(t, parts(&llm.Thinking{Signature: "CiQB", Origin: llm.Gemini}), r.Messages[0].Parts)
}

func TestTR47_IDsOfCallsAreTold(t *testing.T) {
	t.Parallel()
	events, err := Codec{}.DecodeAnswer([]byte(`{"content":[{"type":"tool_use","id":"toolu_9","name":"t","input":{"a":1}}],"stop_reason":"tool_use"}`))
	require.NoError(t, err)
	require.Equal(t, parts(&llm.ToolCall{ID: "toolu_9", Name: "t", Arguments: `{"a":1}`}), llm.Collect(events).Parts)
}

func TestTR61_TextGoesBeforeTheCallItCameAfter(t *testing.T) {
	t.Parallel()
	body, lost := encoded(t, conversation(
		said1(llm.User, text("go")), said1(llm.Assistant, &llm.ToolCall{ID: "a", Name: "t"}), said1(llm.Assistant, text("calling")),
		said1(llm.User, &llm.ToolResult{ID: "a", Content: parts(text("done"))})), llm.Target{})
	require.Empty(t, lost)
	require.Equal(t, `["text","tool_use"]`, body.Get("messages.1.content.#.type").Raw)
	require.Equal(t, `["tool_result"]`, body.Get("messages.2.content.#.type").Raw)
}

func TestTR62_BlocksAreReadOneAfterTheOther(t *testing.T) {
	t.Parallel()
	events := decodeStream(t, mustStream(t, "thinking_tools"))
	open := -1
	for _, e := range events {
		switch e.Kind {
		case llm.PartStart:
			require.Equal(t, -1, open)
			open = e.Index
		case llm.PartEnd:
			require.Equal(t, open, e.Index)
			open = -1
		}
	}
}

func TestTR67_LevelsBecomeBudgets(t *testing.T) {
	t.Parallel()
	for level, want := range map[llm.Level]int64{
		llm.LevelMinimal: minBudget, // 512 is less than the vendor takes
		llm.LevelLow:     1024, llm.LevelMedium: 8192, llm.LevelHigh: 24576, llm.LevelXHigh: 32768, llm.LevelMax: 128000,
	} {
		r := conversation(said1(llm.User, text("hi")))
		r.MaxTokens, r.Reasoning.Level = nil, level
		body, _ := encoded(t, r, llm.Target{})
		require.Equal(t, "enabled", body.Get("thinking.type").Str)
		require.Equal(t, want, body.Get("thinking.budget_tokens").Int(), level)
		require.Equal(t, max(defaultMaxTokens, want+answerTokens), body.Get("max_tokens").Int())
	}
}

// What a model takes is the upstream's matter but for the two dialects of the format.
func TestTR71_ThinkingIsSaidInTheDialectOfTheModel(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		model     string
		reasoning llm.Reasoning
		maxTokens *int64
		want      string
		lost      []string
	}{
		"unknown":              {"m", llm.Reasoning{Budget: count(9000)}, nil, `{"max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":9000}}`, nil},
		"by effort":            {"claude-opus-5", llm.Reasoning{Level: llm.LevelHigh}, nil, `{"max_tokens":32000,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}`, nil},
		"much":                 {"claude-opus-4-8", llm.Reasoning{Level: llm.LevelMax}, nil, `{"max_tokens":64000,"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}}`, nil},
		"a budget as effort":   {"claude-opus-5", llm.Reasoning{Budget: count(9000)}, nil, `{"max_tokens":32000,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}`, []string{"reasoning.budget"}},
		"left to the model":    {"claude-opus-5", llm.Reasoning{Level: llm.LevelAuto}, count(10), `{"max_tokens":10,"thinking":{"type":"adaptive"}}`, nil},
		"least":                {"claude-opus-5", llm.Reasoning{Level: llm.LevelMinimal}, nil, `{"max_tokens":32000,"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}`, []string{"reasoning.level"}},
		"not yet in 4.6":       {"claude-sonnet-4-6", llm.Reasoning{Level: llm.LevelXHigh}, nil, `{"max_tokens":32000,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}`, []string{"reasoning.level"}},
		"none":                 {"claude-opus-5", llm.Reasoning{Level: llm.LevelNone}, nil, `{"max_tokens":32000,"thinking":{"type":"disabled"}}`, nil},
		"shown":                {"claude-opus-5", llm.Reasoning{Show: yes()}, nil, `{"max_tokens":32000,"thinking":{"type":"adaptive","display":"summarized"}}`, nil},
		"summed up":            {"claude-opus-5", llm.Reasoning{Level: llm.LevelLow, Summary: "auto"}, nil, `{"max_tokens":32000,"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}}`, nil},
		"hidden":               {"m", llm.Reasoning{Budget: count(2000), Show: no()}, nil, `{"max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":2000,"display":"omitted"}}`, nil},
		"auto of a budget":     {"m", llm.Reasoning{Budget: count(-1)}, nil, `{"max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":8192}}`, []string{"reasoning.level"}},
		"lowered":              {"m", llm.Reasoning{Budget: count(9000)}, count(5000), `{"max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":4000}}`, []string{"reasoning.budget"}},
		"no room":              {"m", llm.Reasoning{Budget: count(9000)}, count(500), `{"max_tokens":500}`, []string{"reasoning"}},
		"as long as it can be": {"claude-haiku-4-5", llm.Reasoning{Level: llm.LevelMax}, nil, `{"max_tokens":64000,"thinking":{"type":"enabled","budget_tokens":51200}}`, []string{"reasoning.budget"}},
		"an older opus":        {"claude-opus-4-1-20250805", llm.Reasoning{Level: llm.LevelHigh}, nil, `{"max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":24576}}`, nil},
	}
	for name, tt := range tests {
		r := conversation(said1(llm.User, text("hi")))
		r.Model, r.Reasoning, r.MaxTokens = tt.model, tt.reasoning, tt.maxTokens
		body, lost := encoded(t, r, llm.Target{})
		got := map[string]json.RawMessage{}
		require.NoError(t, json.Unmarshal([]byte(body.Raw), &got))
		for _, other := range []string{"model", "messages", "metadata"} {
			delete(got, other)
		}
		require.JSONEq(t, tt.want, dumpJSON(t, got), name)
		require.Equal(t, tt.lost, lostPaths(lost), name)
	}
}

// Row TR70 is decided by who knows the models: without thinking in the canonical form there
// is none in the body. TR68 likewise.
func TestTR70_WithoutReasoningThereIsNoThinking(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"m", "claude-opus-5"} {
		r := conversation(said1(llm.User, text("hi")))
		r.Model = model
		body, _ := encoded(t, r, llm.Target{})
		require.False(t, body.Get("thinking").Exists())
		require.False(t, body.Get("output_config").Exists())
	}
}

func TestThinking_GivesWayToAForcedTool(t *testing.T) {
	t.Parallel()
	for model, effort := range map[string]string{"m": "", "claude-opus-5": "high"} {
		r := conversation(said1(llm.User, text("hi")))
		r.Model, r.Reasoning.Level = model, llm.LevelHigh
		r.Tools, r.Choice = []llm.Tool{{Kind: llm.Function, Name: "t"}}, llm.ToolChoice{Mode: llm.Named, Name: "t"}
		body, lost := encoded(t, r, llm.Target{})
		require.False(t, body.Get("thinking").Exists())
		require.Equal(t, effort, body.Get("output_config.effort").Str)
		require.Contains(t, lostPaths(lost), "reasoning")
	}
}

// A numbered id may be one that somebody else has already.
func TestEncodeRequest_NumbersIDsAroundThoseInUse(t *testing.T) {
	t.Parallel()
	history := []llm.Message{said1(llm.User, text("go"))}
	for _, id := range []string{"a_2", "a", "a", "a"} {
		history = append(history, said1(llm.Assistant, &llm.ToolCall{ID: id, Name: "t"}), said1(llm.User, &llm.ToolResult{ID: id, Content: parts(text("of " + id))}))
	}
	body, _ := encoded(t, conversation(history...), llm.Target{})
	require.JSONEq(t, `["a_2","a","a_3","a_4"]`, body.Get("messages.#(role==assistant)#.content.0.id").Raw)
}
