package fake

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"github.com/tmaxmax/go-sse"
)

// paths of what matters in one format's answers.
type paths struct {
	text, delta            string
	usage                  string // where it is in a plain answer
	streamUsage            string // where it is in an event; the last one counts
	input, cached, output  string // below usage
	inputWithoutCached     bool
	firstEvent, finalEvent string // names; "" = events have none
}

func formats() map[string]paths {
	return map[string]paths{
		chat: {
			text: "choices.0.message.content", delta: "choices.0.delta.content",
			usage: "usage", streamUsage: "usage",
			input: "prompt_tokens", cached: "prompt_tokens_details.cached_tokens", output: "completion_tokens",
		},
		responses: {
			text: "output.0.content.0.text", delta: "delta",
			usage: "usage", streamUsage: "response.usage",
			input: "input_tokens", cached: "input_tokens_details.cached_tokens", output: "output_tokens",
			firstEvent: "response.created", finalEvent: "response.completed",
		},
		anthropic: {
			text: "content.0.text", delta: "delta.text",
			usage: "usage", streamUsage: "usage",
			input: "input_tokens", cached: "cache_read_input_tokens", output: "output_tokens",
			inputWithoutCached: true, firstEvent: "message_start", finalEvent: "message_stop",
		},
		gemini: {
			text: "candidates.0.content.parts.0.text", delta: "candidates.0.content.parts.0.text",
			usage: "usageMetadata", streamUsage: "usageMetadata",
			input: "promptTokenCount", cached: "cachedContentTokenCount", output: "candidatesTokenCount",
		},
	}
}

func (p paths) requireUsage(t *testing.T, usage gjson.Result, words int) {
	t.Helper()
	input := 11
	if p.inputWithoutCached {
		input = 7
	}
	require.EqualValues(t, input, usage.Get(p.input).Int())
	require.EqualValues(t, 4, usage.Get(p.cached).Int())
	require.EqualValues(t, words, usage.Get(p.output).Int())
}

func TestAnswer_HasSoManyWords(t *testing.T) {
	t.Parallel()
	for format, p := range formats() {
		for _, words := range []int{0, 1, 3} {
			reply := Answer(format, false, words)
			require.Zero(t, reply.Status)
			require.Equal(t, "application/json", reply.Header.Get("Content-Type"))
			require.True(t, json.Valid(reply.Body), "%s: %s", format, reply.Body)
			answer := gjson.ParseBytes(reply.Body)
			require.Len(t, strings.Fields(answer.Get(p.text).Str), words, format)
			p.requireUsage(t, answer.Get(p.usage), words)
		}
	}
}

func TestAnswer_StreamsAChunkPerWord(t *testing.T) {
	t.Parallel()
	for format, p := range formats() {
		for _, words := range []int{0, 1, 3} {
			reply := Answer(format, true, words)
			require.Equal(t, "text/event-stream", reply.Header.Get("Content-Type"))
			var (
				texts []string
				names []string
				usage gjson.Result
			)
			for _, chunk := range reply.Chunks {
				name, data := readEvent(t, chunk)
				names = append(names, name)
				if data == "[DONE]" {
					continue
				}
				require.True(t, json.Valid([]byte(data)), "%s: %s", format, data)
				if text := gjson.Get(data, p.delta).Str; text != "" {
					texts = append(texts, text)
				}
				if u := gjson.Get(data, p.streamUsage); u.IsObject() {
					usage = u
				}
			}
			require.Len(t, texts, words, format)
			require.Equal(t, gjson.GetBytes(Answer(format, false, words).Body, p.text).Str, strings.Join(texts, ""))
			require.Equal(t, p.firstEvent, names[0])
			require.Equal(t, p.finalEvent, names[len(names)-1])
			p.requireUsage(t, usage, words)
		}
	}
}

// readEvent reads a chunk that is one event and nothing else.
func readEvent(t *testing.T, chunk []byte) (name, data string) {
	t.Helper()
	require.True(t, bytes.HasSuffix(chunk, []byte("\n\n")) || bytes.HasSuffix(chunk, []byte("\r\n\r\n")))
	events := 0
	for e, err := range sse.Read(bytes.NewReader(chunk), nil) {
		require.NoError(t, err)
		name, data = e.Type, e.Data
		events++
	}
	require.Equal(t, 1, events, "%q", chunk)
	return name, data
}

func TestAnswer_ClosesStreamsAsItsFormatDoes(t *testing.T) {
	t.Parallel()
	last := func(format string) string {
		c := Answer(format, true, 1).Chunks
		return string(c[len(c)-1])
	}
	require.Equal(t, "data: [DONE]\n\n", last(chat))
	require.Contains(t, last(gemini), `"finishReason":"STOP"`)
	require.True(t, strings.HasSuffix(last(gemini), "\r\n\r\n"))
}

func TestError_HasTheFormatsShape(t *testing.T) {
	t.Parallel()
	tests := []struct {
		format string
		status int
		path   string
		want   string
	}{
		{chat, 400, "error.type", "invalid_request_error"},
		{chat, 401, "error.code", "invalid_api_key"},
		{chat, 402, "error.code", "insufficient_quota"},
		{chat, 404, "error.code", "model_not_found"},
		{chat, 429, "error.code", "rate_limit_exceeded"},
		{responses, 500, "error.type", "server_error"},
		{responses, 503, "error.code", "server_is_overloaded"},
		{anthropic, 400, "error.type", "invalid_request_error"},
		{anthropic, 401, "error.type", "authentication_error"},
		{anthropic, 402, "error.type", "billing_error"},
		{anthropic, 403, "error.type", "permission_error"},
		{anthropic, 404, "error.type", "not_found_error"},
		{anthropic, 413, "error.type", "request_too_large"},
		{anthropic, 429, "error.type", "rate_limit_error"},
		{anthropic, 500, "error.type", "api_error"},
		{anthropic, 529, "error.type", "overloaded_error"},
		{gemini, 400, "error.status", "INVALID_ARGUMENT"},
		{gemini, 401, "error.status", "UNAUTHENTICATED"},
		{gemini, 403, "error.status", "PERMISSION_DENIED"},
		{gemini, 404, "error.status", "NOT_FOUND"},
		{gemini, 429, "error.status", "RESOURCE_EXHAUSTED"},
		{gemini, 500, "error.status", "INTERNAL"},
		{gemini, 503, "error.status", "UNAVAILABLE"},
		{gemini, 504, "error.status", "DEADLINE_EXCEEDED"},
	}
	for _, tt := range tests {
		reply := Error(tt.format, tt.status)
		require.Equal(t, tt.status, reply.Status)
		require.True(t, json.Valid(reply.Body), "%s", reply.Body)
		require.Equal(t, tt.want, gjson.GetBytes(reply.Body, tt.path).Str, "%s %d", tt.format, tt.status)
		require.NotEmpty(t, gjson.GetBytes(reply.Body, "error.message").Str)
	}
}

func TestAnswerAndError_PanicOnAnUnknownFormat(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { Answer("unheard-of", false, 1) })
	require.Panics(t, func() { Answer("unheard-of", true, 1) })
	require.Panics(t, func() { Error("unheard-of", 500) })
}
