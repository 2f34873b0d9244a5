package translate_test

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// routes are all pairs of formats.
func routes() []route {
	var all []route
	for _, in := range providers.AllFormats() {
		for _, out := range providers.AllFormats() {
			if in != out {
				all = append(all, route{in, out})
			}
		}
	}
	return all
}

func (r route) String() string { return string(r.in) + "-to-" + string(r.out) }

// atWork is the conversation of an agent at work: 64 turns with a call each, about 200 KB.
func atWork() *llm.Request {
	text := strings.Repeat("The quick brown fox said \"jump\" to the lazy dog.\n", 20)
	r := &llm.Request{Model: "m", Stream: true, MaxTokens: ptr(int64(32000)), Messages: []llm.Message{said(llm.System, words(text))}}
	for i := range 64 {
		call := &llm.ToolCall{
			ID: fmt.Sprintf("call_%d", i), Name: "tool_1",
			Arguments: `{"path":"internal/llm/chat/file.go","lines":[1,2,3],"pattern":"func (e \\*requestEncoder)"}`,
		}
		result := &llm.ToolResult{ID: call.ID, Name: call.Name, Content: []llm.Part{words(text + text)}}
		r.Messages = append(r.Messages, said(llm.User, words(text)), said(llm.Assistant, words("I look at the file."), call), said(llm.User, result))
	}
	r.Messages = append(r.Messages, said(llm.User, words("And now?")))
	for i := range 12 {
		r.Tools = append(r.Tools, llm.Tool{
			Kind: llm.Function, Name: fmt.Sprintf("tool_%d", i), Description: text[:200],
			Schema: json.RawMessage(`{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}`),
		})
	}
	return r
}

// bodyIn is a request as a client of a format sends it.
func bodyIn(tb testing.TB, f providers.Format, r *llm.Request) []byte {
	tb.Helper()
	body, _, err := codecs()[f].EncodeRequest(nil, r, llm.Target{})
	require.NoError(tb, err)
	return body
}

// request translates a request, as the gateway does for each that it cannot relay.
func (r route) request(tb testing.TB, body []byte) {
	c, err := translate.Decode(r.in, body, false)
	if err != nil {
		tb.Fatal(err)
	}
	if _, _, err := c.Encode(translate.Upstream{Format: r.out, Model: "up", Stream: true}); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkRequest compares a pair with what encoding/json takes to decode the same body into
// an any. Both take turns, and the median of their ratios is told, so that it does not depend on
// what else the machine does. of-size is the memory that the pair takes, by the body's size.
func BenchmarkRequest(b *testing.B) {
	r := atWork()
	for _, pair := range routes() {
		b.Run(pair.String(), func(b *testing.B) {
			body := bodyIn(b, pair.in, r)
			var times, ratios []float64
			for b.Loop() {
				yardstick := timed(func() {
					var v any
					if err := json.Unmarshal(body, &v); err != nil {
						b.Fatal(err)
					}
				})
				own := timed(func() { pair.request(b, body) })
				times, ratios = append(times, own), append(ratios, own/yardstick)
			}
			b.ReportMetric(0, "ns/op") // of both together says nothing
			b.ReportMetric(median(times)/1000, "µs")
			b.ReportMetric(median(ratios), "of-json")
			b.ReportMetric(float64(allocated(func() { pair.request(b, body) }))/float64(len(body)), "of-size")
		})
	}
}

// timed returns how many nanoseconds work takes.
func timed(work func()) float64 {
	begun := time.Now()
	work()
	return float64(time.Since(begun))
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// steady is a stream in the middle of a part: take translates one more event of it.
func (r route) steady(tb testing.TB, part llm.PartKind) (take func()) {
	tb.Helper()
	encoder := codecs()[r.out].StreamEncoder(llm.Reply{Request: &llm.Request{Model: "up"}, CreatedAt: time.Unix(1, 0)})
	a := r.decode(tb, smallest(r.in)).Answer(r.out, translate.Client{Stream: true, ID: "req", At: time.Unix(1, 0)})
	var last sse.Event
	feed := func(stream []byte) {
		var scanner sse.Scanner
		require.NoError(tb, scanner.Feed(stream, func(e sse.Event) error {
			last = sse.Event{Name: append([]byte(nil), e.Name...), Data: append([]byte(nil), e.Data...)}
			return a.Take(last)
		}))
	}
	feed(encoder.Encode(nil, llm.Event{Kind: llm.Start, ID: "id", Model: "up"}))
	feed(encoder.Encode(nil, llm.Event{Kind: llm.PartStart, Part: part, ID: "call", Name: "tool"}))
	for range 3 {
		feed(encoder.Encode(nil, llm.Event{Kind: llm.Delta, Text: "twenty bytes of text"}))
	}
	if a.Out(); part == llm.TextPart {
		require.NoError(tb, a.Take(last))
		require.Contains(tb, string(a.Out()), "twenty bytes of text")
	}
	return func() {
		if err := a.Take(last); err != nil {
			tb.Fatal(err)
		}
		a.Out()
	}
}

// BenchmarkEvent is one event of a stream: read, and written for the client.
func BenchmarkEvent(b *testing.B) {
	for _, pair := range routes() {
		b.Run(pair.String(), func(b *testing.B) {
			take := pair.steady(b, llm.TextPart)
			b.ReportAllocs()
			for b.Loop() {
				take()
			}
		})
	}
}

// TestEvent_CostsAtMostSixAllocations is not parallel: nothing may run beside it.
func TestEvent_CostsAtMostSixAllocations(t *testing.T) {
	for _, pair := range routes() {
		for _, part := range []llm.PartKind{llm.TextPart, llm.ThinkingPart, llm.ToolCallPart} {
			require.LessOrEqual(t, testing.AllocsPerRun(200, pair.steady(t, part)), 6.0, "%s, %d", pair, part)
		}
	}
}

// allocated returns how many bytes work takes from the heap, whatever becomes of them: the
// least of a few times, since the first one fills pools and the race detector empties them.
func allocated(work func()) int64 {
	least := int64(math.MaxInt64)
	for range 10 {
		least = min(least, allocatedOnce(work))
	}
	return least
}

func allocatedOnce(work func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestRequest_TakesAtMostThreeTimesItsSize is not parallel: nothing may run beside it.
func TestRequest_TakesAtMostThreeTimesItsSize(t *testing.T) {
	r := atWork()
	for _, pair := range routes() {
		body := bodyIn(t, pair.in, r)
		require.LessOrEqual(t, float64(allocated(func() { pair.request(t, body) }))/float64(len(body)), maxMemory, pair)
	}
}
