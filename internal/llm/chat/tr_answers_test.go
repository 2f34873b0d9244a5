package chat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

// The rows TR* of the scenarios that concern answers; those that concern requests are in
// tr_requests_test.go.

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
