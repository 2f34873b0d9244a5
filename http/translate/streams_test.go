package translate_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// answers have something of everything that an upstream may say.
func answers() []llm.Answer {
	usage := llm.Usage{Input: 30, CacheRead: 10, CacheWrite: 3, Output: 7, Reasoning: 2}
	return []llm.Answer{
		{ID: "a", Model: "up", Usage: usage, Reason: llm.ToolCalls, Parts: []llm.Part{
			&llm.Thinking{Text: "hm", Signature: "c2ln", Origin: llm.Messages}, &llm.Thinking{Signature: "cmVk", Origin: llm.Messages, Redacted: true},
			words("Let me \"look\".\n"), call("call_1", "Rome"), call("call_2", "Oslo"), &llm.Thinking{Signature: "Z29v", Origin: llm.Gemini},
		}},
		{ID: "b", Model: "up", Usage: usage, Reason: llm.Refused, Parts: []llm.Part{&llm.Refusal{Text: "No."}}},
		{ID: "c", Model: "up", Usage: usage, Reason: llm.Length, Parts: []llm.Part{words("cut o"), &llm.ToolCall{Name: "f", Arguments: `{"a`}}},
		{ID: "d", Model: "up", Reason: llm.Stop, Parts: []llm.Part{&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBORw0KGgo="}, words("é\u2028")}},
		{ID: "e", Model: "up", Reason: llm.Filtered, Parts: []llm.Part{&llm.Thinking{Text: "so"}}},
	}
}

// streamIn is an answer as an upstream of a format streams it.
func streamIn(f providers.Format, a *llm.Answer) []byte {
	encoder := codecs()[f].StreamEncoder(llm.Reply{Request: &llm.Request{Model: "up", StreamUsage: true}, CreatedAt: time.Unix(1, 0)})
	var stream []byte
	for _, e := range a.Events() {
		stream = encoder.Encode(stream, e)
	}
	return stream
}

// sloppy are events that no vendor sends, but somebody may.
func sloppy() []string {
	return []string{
		`{}`, `null`, `[]`, `"x"`, `7`, `{"type":"ping"}`, `{"type":null}`, `{"choices":[]}`, `{"choices":[null]}`, `{"choices":[{}]}`,
		`{"choices":[{"delta":{"tool_calls":[{"index":3}]}}]}`, `{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{"}}]}}]}`,
		`{"choices":[{"delta":{"tool_calls":[{"index":-1,"id":"","function":{"name":null}}]}}]}`, `{"choices":[{"finish_reason":"odd"}]}`,
		`{"type":"content_block_start","index":9}`, `{"type":"content_block_delta","index":4,"delta":{"type":"text_delta","text":"x"}}`,
		`{"type":"content_block_stop","index":-5}`, `{"type":"message_delta","delta":{"stop_reason":null}}`,
		`{"type":"response.output_item.added","output_index":70,"item":{"type":"odd"}}`, `{"type":"response.output_text.delta","output_index":2,"delta":"x"}`,
		`{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{"}`, `{"type":"response.completed"}`,
		`{"candidates":[{"content":{"parts":[{}]}}]}`, `{"candidates":[{"content":null,"finishReason":"ODD"}]}`, `{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}`,
	}
}

// wireEvents are the events of all the answers in a format, and what is sloppy.
func wireEvents(t require.TestingT, f providers.Format) []sse.Event {
	var all []sse.Event
	for _, a := range answers() {
		for _, e := range eventsOf(t, streamIn(f, &a)) {
			all = append(all, e.wire())
		}
	}
	for _, data := range sloppy() {
		all = append(all, sse.Event{Data: []byte(data)})
	}
	return all
}

// TestStream_IsValidWhateverComesIn mixes events of all kinds without any sense.
func TestStream_IsValidWhateverComesIn(t *testing.T) {
	t.Parallel()
	for _, pair := range routes() {
		t.Run(pair.String(), func(t *testing.T) {
			t.Parallel()
			c := pair.decode(t, smallest(pair.in))
			events := wireEvents(t, pair.out)
			rapid.Check(t, func(t *rapid.T) {
				array := pair.in == providers.Gemini && rapid.Bool().Draw(t, "array")
				a := c.Answer(pair.out, translate.Client{Stream: true, Array: array, ID: "req", At: time.Unix(1, 0)})
				var out []byte
				for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(events)-1), 0, 30).Draw(t, "events") {
					err := a.Take(events[i])
					out = append(out, a.Out()...)
					if err != nil {
						var bad *llm.DecodeError
						require.ErrorAs(t, err, &bad)
						break
					}
				}
				a.Close()
				out = append(out, a.Out()...)
				if array {
					requireArray(t, out, a.Finished())
					return
				}
				requireValid(t, pair.in, out, a.Finished())
			})
		})
	}
}

// TestStream_OfWholeAnswersEnds makes sure that the validator meets streams that end.
func TestStream_OfWholeAnswersEnds(t *testing.T) {
	t.Parallel()
	for _, pair := range routes() {
		c := pair.decode(t, smallest(pair.in))
		for _, answer := range answers() {
			out, ended, err := pump(c, pair.out, [][]byte{streamIn(pair.out, &answer)})
			require.NoError(t, err, pair)
			require.True(t, ended, "%s %s", pair, answer.ID)
			requireValid(t, pair.in, out, true)
		}
	}
}

// pump takes a stream that comes in pieces through to the client.
func pump(c *translate.Call, from providers.Format, pieces [][]byte) (out []byte, ended bool, err error) {
	a := c.Answer(from, translate.Client{Stream: true, ID: "req", At: time.Unix(1, 0)})
	var scanner sse.Scanner
	take := func(e sse.Event) error {
		err := a.Take(e)
		out = append(out, a.Out()...)
		return err
	}
	for _, piece := range pieces {
		if err := scanner.Feed(piece, take); err != nil {
			return out, false, err
		}
	}
	if err := scanner.Close(take); err != nil {
		return out, false, err
	}
	a.Close()
	return append(out, a.Out()...), a.Finished(), nil
}

// cutAt returns a stream in pieces of these lengths, over and over.
func cutAt(stream []byte, lengths []byte) [][]byte {
	if !slices.ContainsFunc(lengths, func(n byte) bool { return n > 0 }) {
		return [][]byte{stream}
	}
	var pieces [][]byte
	for i := 0; len(stream) > 0; i++ {
		n := min(int(lengths[i%len(lengths)]), len(stream))
		pieces = append(pieces, slices.Clone(stream[:n]))
		stream = stream[n:]
	}
	return pieces
}

// requireSame fails unless a stream comes to the same whether it is cut or not.
func requireSame(t require.TestingT, pair route, c *translate.Call, stream, lengths []byte) {
	want, ended, failure := pump(c, pair.out, [][]byte{stream})
	got, gotEnded, gotFailure := pump(c, pair.out, cutAt(stream, lengths))
	require.Equal(t, string(want), string(got), pair)
	require.Equal(t, ended, gotEnded)
	require.Equal(t, failure == nil, gotFailure == nil)
	if !errors.Is(failure, sse.ErrTooLong) {
		requireValid(t, pair.in, want, ended)
	}
}

func TestStream_IsTheSameWhereverItIsCut(t *testing.T) {
	t.Parallel()
	for _, pair := range routes() {
		t.Run(pair.String(), func(t *testing.T) {
			t.Parallel()
			c := pair.decode(t, smallest(pair.in))
			rapid.Check(t, func(t *rapid.T) {
				answer := rapid.SampledFrom(answers()).Draw(t, "answer")
				lengths := rapid.SliceOfN(rapid.Byte(), 1, 12).Draw(t, "lengths")
				requireSame(t, pair, c, streamIn(pair.out, &answer), lengths)
			})
		})
	}
}

// FuzzStream feeds any bytes, cut anywhere, to every pair.
func FuzzStream(f *testing.F) {
	for i, pair := range routes() {
		for _, answer := range answers() {
			f.Add(byte(i), streamIn(pair.out, &answer), []byte{1, 7, 200})
		}
		for _, data := range sloppy() {
			f.Add(byte(i), []byte("data: "+data+"\n\n"), []byte{3})
		}
	}
	all := routes()
	f.Fuzz(func(t *testing.T, which byte, stream, lengths []byte) {
		pair := all[int(which)%len(all)]
		requireSame(t, pair, pair.decode(t, smallest(pair.in)), stream, lengths)
	})
}
