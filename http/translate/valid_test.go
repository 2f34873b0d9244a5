package translate_test

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// event is one of a client's stream.
type event struct {
	name string
	data gjson.Result
}

// wire is the event as a codec is given it.
func (e event) wire() sse.Event { return sse.Event{Name: []byte(e.name), Data: []byte(e.data.Raw)} }

// eventsOf reads a client's stream.
func eventsOf(t require.TestingT, stream []byte) []event {
	var (
		scanner sse.Scanner
		all     []event
	)
	take := func(e sse.Event) error {
		all = append(all, event{string(e.Name), gjson.ParseBytes(append([]byte(nil), e.Data...))})
		return nil
	}
	require.NoError(t, scanner.Feed(stream, take))
	require.True(t, scanner.AtBoundary(), "whole events only")
	require.NoError(t, scanner.Close(take))
	return all
}

// requireValid fails unless a client's stream is as its format wants it: everything is begun
// before it goes on, closed once, and numbered without gaps; and there is one end, which is the
// last, if and only if the answer has come to its end.
func requireValid(t require.TestingT, f providers.Format, stream []byte, ended bool) {
	events := eventsOf(t, stream)
	for _, e := range events {
		require.True(t, e.data.Raw == "[DONE]" || json.Valid([]byte(e.data.Raw)), e.data.Raw)
	}
	switch f {
	case providers.OpenAIChat:
		requireChat(t, events, ended)
	case providers.OpenAIResponses:
		requireResponses(t, events, ended)
	case providers.Anthropic:
		requireAnthropic(t, events, ended)
	default:
		requireGemini(t, events, ended)
	}
}

func requireChat(t require.TestingT, events []event, ended bool) {
	calls, finishes := 0, 0
	for i, e := range events {
		if e.data.Raw == "[DONE]" {
			require.Equal(t, len(events)-1, i, "nothing follows [DONE]")
			continue
		}
		require.Equal(t, "chat.completion.chunk", e.data.Get("object").Str)
		require.Equal(t, events[0].data.Get("id").Str, e.data.Get("id").Str)
		choice := e.data.Get("choices.0")
		require.False(t, finishes > 0 && choice.Exists(), "nothing but usage follows the finish")
		for _, call := range choice.Get("delta.tool_calls").Array() {
			switch index := int(call.Get("index").Int()); index {
			case calls:
				calls++
				require.NotEmpty(t, call.Get("id").Str)
				require.NotEmpty(t, call.Get("function.name").Str+call.Get("custom.name").Str)
			default:
				require.Equal(t, calls-1, index, "only the last call goes on")
			}
		}
		if choice.Get("finish_reason").Str != "" {
			finishes++
		}
	}
	if ended {
		require.Equal(t, 1, finishes)
		require.Equal(t, "[DONE]", events[len(events)-1].data.Raw)
	} else {
		require.Zero(t, finishes)
	}
}

func requireResponses(t require.TestingT, events []event, ended bool) {
	items, openItem, openPart, terminals := 0, false, false, 0
	for i, e := range events {
		kind := e.data.Get("type").Str
		require.Equal(t, e.name, kind)
		require.Equal(t, int64(i), e.data.Get("sequence_number").Int())
		require.Equal(t, i == 0, kind == "response.created")
		require.Zero(t, terminals, "nothing follows the end")
		switch kind {
		case "response.created", "response.in_progress":
		case "response.completed", "response.incomplete", "response.failed":
			terminals++
			require.False(t, openItem)
			require.Len(t, e.data.Get("response.output").Array(), items)
		case "response.output_item.added":
			require.False(t, openItem)
			require.Equal(t, int64(items), e.data.Get("output_index").Int())
			openItem = true
		case "response.output_item.done":
			require.True(t, openItem && !openPart)
			require.Equal(t, int64(items), e.data.Get("output_index").Int())
			openItem = false
			items++
		default:
			require.True(t, openItem, kind)
			require.Equal(t, int64(items), e.data.Get("output_index").Int())
			begins, ends := strings.HasSuffix(kind, "_part.added"), strings.HasSuffix(kind, "_part.done")
			require.False(t, begins && openPart)
			require.False(t, ends && !openPart)
			openPart = (openPart || begins) && !ends
		}
	}
	require.Equal(t, ended, terminals == 1)
}

func requireAnthropic(t require.TestingT, events []event, ended bool) {
	blocks, open, last := int64(0), false, ""
	for i, e := range events {
		kind := e.data.Get("type").Str
		require.Equal(t, e.name, kind)
		require.Equal(t, i == 0, kind == "message_start")
		require.NotEqual(t, "message_stop", last, "nothing follows the end")
		switch kind {
		case "content_block_start":
			require.False(t, open)
			require.NotEqual(t, "message_delta", last)
			require.Equal(t, blocks, e.data.Get("index").Int())
			open = true
		case "content_block_delta":
			require.True(t, open)
			require.Equal(t, blocks, e.data.Get("index").Int())
		case "content_block_stop":
			require.True(t, open)
			require.Equal(t, blocks, e.data.Get("index").Int())
			open = false
			blocks++
		case "message_delta":
			require.False(t, open)
			require.NotEmpty(t, e.data.Get("delta.stop_reason").Str)
		case "message_stop":
			require.Equal(t, "message_delta", last)
		default:
			require.Equal(t, "message_start", kind)
		}
		last = kind
	}
	require.Equal(t, ended, last == "message_stop")
}

func requireGemini(t require.TestingT, events []event, ended bool) {
	finishes := 0
	for i, e := range events {
		require.Zero(t, finishes, "nothing follows the end")
		require.Equal(t, events[0].data.Get("responseId").Str, e.data.Get("responseId").Str)
		require.Len(t, e.data.Get("candidates").Array(), 1)
		for _, p := range e.data.Get("candidates.0.content.parts").Array() {
			require.True(t, p.IsObject() && p.Raw != "{}", p.Raw)
		}
		if e.data.Get("candidates.0.finishReason").Exists() {
			finishes++
			require.Equal(t, len(events)-1, i)
		}
	}
	require.Equal(t, ended, finishes == 1)
}

// requireArray fails unless a stream that is one JSON array is valid, or can become so.
func requireArray(t require.TestingT, stream []byte, ended bool) {
	if !ended {
		if stream = bytes.TrimSpace(stream); len(stream) == 0 {
			return
		}
		stream = append(bytes.TrimSuffix(stream, []byte(",")), ']')
	}
	require.True(t, json.Valid(stream), string(stream))
}
