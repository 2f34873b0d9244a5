package tap

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

func TestMeaningOf_KnowsEachFormatsEvents(t *testing.T) {
	t.Parallel()
	tests := []struct {
		format     providers.Format
		name, data string
		want       meaning
	}{
		{providers.OpenAIChat, "", `{"choices":[{"delta":{"role":"assistant"}}]}`, payload},
		{providers.OpenAIChat, "", `{"choices":[],"error":null}`, payload},
		{providers.OpenAIChat, "", `{"choices":[{"delta":{"content":"\"error\""}}]}`, payload},
		{providers.OpenAIChat, "", `{"error":{"message":"x"}}`, failed},
		{providers.OpenAIChat, "", `{"id":"x","error":"text","choices":[]}`, failed},
		{providers.OpenAIChat, "error", `{}`, failed},
		{providers.OpenAIChat, "", `[DONE]`, end},
		{providers.OpenAIResponses, "response.created", `{}`, handshake},
		{providers.OpenAIResponses, "", `{"type":"response.in_progress"}`, handshake},
		{providers.OpenAIResponses, "", `{"type":"response.output_item.added"}`, payload},
		{providers.OpenAIResponses, "response.output_text.delta", `{"error":{}}`, payload},
		{providers.OpenAIResponses, "response.completed", `{}`, last},
		{providers.OpenAIResponses, "response.incomplete", `{}`, last},
		{providers.OpenAIResponses, "response.failed", `{}`, failed},
		{providers.OpenAIResponses, "error", `{}`, failed},
		{providers.OpenAIResponses, "something.new", `{}`, payload},
		{providers.Anthropic, "message_start", `{}`, handshake},
		{providers.Anthropic, "ping", `{}`, handshake},
		{providers.Anthropic, "", `{"type":"ping"}`, handshake},
		{providers.Anthropic, "content_block_start", `{}`, payload},
		{providers.Anthropic, "message_stop", `{}`, last},
		{providers.Anthropic, "error", `{}`, failed},
		{providers.Gemini, "", `{"candidates":[{"content":{}}]}`, payload},
		{providers.Gemini, "", `{"candidates":[{"finishReason":null}]}`, payload},
		{providers.Gemini, "", `{"candidates":[{"text":"finishReason"}]}`, payload},
		{providers.Gemini, "", `{"candidates":[{},{"finishReason":"STOP"}]}`, last},
		{providers.Gemini, "", `{"promptFeedback":{"blockReason":"SAFETY"}}`, last},
		{providers.Gemini, "", `{"error":{"code":503}}`, failed},
	}
	for _, tt := range tests {
		got := meaningOf(tt.format, sse.Event{Name: []byte(tt.name), Data: []byte(tt.data)})
		require.Equal(t, tt.want, got, "%s %s %s", tt.format, tt.name, tt.data)
	}
}

func TestTap_ReadsUsageAndTheEndOfEveryFormat(t *testing.T) {
	t.Parallel()
	for _, f := range providers.AllFormats() {
		tap := New(f, false, http.Header{"Content-Type": {"Text/Event-Stream; charset=utf-8"}})
		for _, chunk := range fake.Answer(string(f), true, 5).Chunks {
			require.False(t, tap.Sealed, f)
			require.NoError(t, tap.Feed(chunk))
			require.True(t, tap.AtBoundary())
		}
		require.NoError(t, tap.Close())
		require.True(t, tap.Begun && tap.Ended, f)
		require.Nil(t, tap.Failure)
		require.Equal(t, providers.Usage{InputTokens: 11, OutputTokens: 5, CachedTokens: 4}, tap.Usage, f)
	}
}

func TestTap_CountsAResponsesSequence(t *testing.T) {
	t.Parallel()
	tap := &Tap{format: providers.OpenAIResponses}
	require.NoError(t, tap.Feed([]byte(`data: {"type":"response.created","sequence_number":4,"response":{"id":"resp_7"}}`+"\n\n")))
	require.NoError(t, tap.Feed([]byte(`data: {"type":"response.output_text.delta","sequence_number":5,"response":{"id":"no"}}`+"\n\n")))
	require.Equal(t, Progress{Elements: 2, ResponseID: "resp_7", Sequence: 6}, tap.Progress)
}

func TestNew_TakesOnlyStreams(t *testing.T) {
	t.Parallel()
	header := func(v string) http.Header { return http.Header{"Content-Type": {v}} }
	require.Nil(t, New(providers.OpenAIChat, false, header("application/json")))
	require.Nil(t, New(providers.Gemini, false, header("application/json")))
	require.Nil(t, New(providers.Gemini, true, header("text/html")))
	require.NotNil(t, New(providers.Gemini, true, header("application/json; charset=UTF-8")).array)
	require.Nil(t, New(providers.Gemini, true, header("text/event-stream")).array)
}

func TestLastBoundary_FindsTheLastBlankLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "\n": 0, "data: x": 0, "data: x\n": 0, "data: x\r\n": 0,
		"a\n\n": 3, "a\r\n\r\n": 5, "a\r\r": 3, "a\n\r\n": 4, "a\r\n\n": 4,
		"a\n\nb": 3, "a\n\nb\n": 3, "a\n\nb\n\nc": 6, "a\r\n\r\nb\r\nc": 5,
	} {
		require.Equal(t, want, lastBoundary([]byte(text)), "%q", text)
	}
}

// FuzzLastBoundary: what is let go early must be what the scanner calls whole events.
func FuzzLastBoundary(f *testing.F) {
	f.Add("event: x\r\ndata: y\r\n\r\ndata: z")
	f.Add("a\n\n:c\n\ndata")
	f.Fuzz(func(t *testing.T, text string) {
		n := lastBoundary([]byte(text))
		if n == 0 {
			return
		}
		var scanner sse.Scanner
		if scanner.Feed([]byte(text[:n]), func(sse.Event) error { return nil }) == nil {
			require.True(t, scanner.AtBoundary())
		}
	})
}

func TestArrayScanner_FindsElementsWhereverItIsCut(t *testing.T) {
	t.Parallel()
	text := "\n[ {\"a\":\"]}\\\"{[\",\"b\":[[{}]]} ,\r\n[1,[2]],3,\"x\", {} ] \n"
	want := []string{`{"a":"]}\"{[","b":[[{}]]}`, `[1,[2]]`, `{}`}
	for size := 1; size <= len(text); size++ {
		var scanner arrayScanner
		var got []string
		for i := 0; i < len(text); i += size {
			require.NoError(t, scanner.feed([]byte(text[i:min(i+size, len(text))]), func(e sse.Event) error {
				got = append(got, string(e.Data))
				return nil
			}))
		}
		require.Equal(t, want, got, "pieces of %d", size)
		require.True(t, scanner.closed)
		require.Zero(t, scanner.tail)
	}
}

func TestArrayScanner_RefusesWhatIsNoArray(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"error":1}`, `x`, `[]]`, `[{}] {}`, `"[]"`, `<html>`} {
		var scanner arrayScanner
		err := scanner.feed([]byte(text), func(sse.Event) error { return nil })
		require.ErrorIs(t, err, errNotArray, text)
	}
}

// FuzzArrayScanner: the same elements and the same tail, however the array is cut.
func FuzzArrayScanner(f *testing.F) {
	f.Add(`[{"a":"\""},{"b":[1]}]`, uint8(3))
	f.Add(`[ {} `, uint8(1))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		scan := func(size int) (elements []string, s arrayScanner, err error) {
			for i := 0; i < len(text) && err == nil; i += size {
				err = s.feed([]byte(text[i:min(i+size, len(text))]), func(e sse.Event) error {
					elements = append(elements, string(e.Data))
					return nil
				})
			}
			return elements, s, err
		}
		whole, a, errA := scan(max(len(text), 1))
		cut, b, errB := scan(int(size)%32 + 1)
		require.Equal(t, errA == nil, errB == nil)
		if errA == nil {
			require.Equal(t, whole, cut)
			require.Equal(t, a.tail, b.tail)
			require.Equal(t, a.closed, b.closed)
			require.GreaterOrEqual(t, len(text), a.tail)
		}
	})
}

// What comes before the event that names the answer, or is a stranger's, is no name.
func TestTap_FindsWhatWasMade(t *testing.T) {
	t.Parallel()
	const created = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"conversation\":{\"id\":\"conv_1\"}}}\n\n"
	const start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\"}}\n\n"
	response, thread := []pin.Key{pin.KeyOf(pin.Response, "resp_1"), pin.KeyOf(pin.Conversation, "conv_1")}, []pin.Key{pin.KeyOf(pin.Thread, "msg_1")}
	tests := map[string]struct {
		format providers.Format
		stream string
		want   []pin.Key
	}{
		"response":       {providers.OpenAIResponses, created, response},
		"limits before":  {providers.OpenAIResponses, "event: codex.rate_limits\ndata: {\"type\":\"codex.rate_limits\",\"id\":\"x\"}\n\n" + created, response},
		"comment before": {providers.OpenAIResponses, ": ok\n\n" + created, response},
		"names once":     {providers.OpenAIResponses, created + strings.ReplaceAll(created, "_1", "_2"), response},
		"no event names": {providers.OpenAIResponses, strings.SplitAfter(created, "\n")[1] + "\n", response},
		"message":        {providers.Anthropic, start, thread},
		"ping before":    {providers.Anthropic, "event: ping\ndata: {\"type\":\"ping\"}\n\n" + start, thread},
		"not asked for":  {providers.OpenAIChat, `data: {"id":"x"}` + "\n\n", nil},
		"item":           {providers.OpenAIResponses, "data: {\"type\":\"response.output_item.done\",\"item\":{\"id\":\"rs_1\",\"encrypted_content\":\"e\"}}\n\n", []pin.Key{pin.KeyOf(pin.Reasoning, "e")}},
	}
	for name, tt := range tests {
		tap := New(tt.format, false, http.Header{"Content-Type": {"text/event-stream"}})
		tap.Makes = true
		for i := range len(tt.stream) {
			require.NoError(t, tap.Feed([]byte(tt.stream[i:i+1])))
		}
		require.Equal(t, tt.want, tap.Made, name)
	}
}
