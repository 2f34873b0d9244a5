package messages

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

// longBody is a request of 64 turns, about 200 KB, as a coding agent sends it.
func longBody(tb testing.TB) []byte {
	tb.Helper()
	r := &llm.Request{Model: "claude-opus-5", Stream: true, MaxTokens: count(32000), UserID: "u", Reasoning: llm.Reasoning{Level: llm.LevelHigh}}
	line := "func (s *Server) handle(w http.ResponseWriter, r *http.Request) {\n\t// \"quoted\" and plain\n}\n"
	r.Messages = append(r.Messages, llm.Message{Role: llm.System, Parts: parts(text(strings.Repeat("You are an agent that writes code. ", 300)))})
	for i := range 32 {
		id := fmt.Sprint("toolu_", i)
		user := llm.Message{Role: llm.User, Parts: parts(text("go on"))}
		if i > 0 {
			user.Parts = parts(&llm.ToolResult{ID: fmt.Sprint("toolu_", i-1), Content: parts(text(strings.Repeat(line, 48)))}, text("go on"))
		}
		r.Messages = append(r.Messages, user, llm.Message{Role: llm.Assistant, Parts: parts(
			&llm.Thinking{Text: "I think.", Signature: strings.Repeat("EqQB", 50), Origin: llm.Messages},
			text("Reading the next file."),
			&llm.ToolCall{ID: id, Name: "Read", Arguments: `{"file_path":"/src/server.go","offset":1,"limit":100}`},
		)})
	}
	r.Messages = append(r.Messages, llm.Message{Role: llm.User, Parts: parts(&llm.ToolResult{ID: "toolu_31", Content: parts(text("done"))})})
	for i := range 24 {
		r.Tools = append(r.Tools, llm.Tool{
			Kind: llm.Function, Name: fmt.Sprint("tool_", i), Description: strings.Repeat("Does what it says. ", 20),
			Schema: json.RawMessage(`{"type":"object","properties":{"file_path":{"type":"string","description":"The path."},"limit":{"type":"integer"}},"required":["file_path"]}`),
		})
	}
	body, _, err := Codec{}.EncodeRequest(nil, r, llm.Target{})
	require.NoError(tb, err)
	return body
}

// BenchmarkRequest compares a request's way through the codec with encoding/json reading the
// same body into any. The issue wants at most its time, and at most 3 bytes for each of the
// body's.
func BenchmarkRequest(b *testing.B) {
	body := longBody(b)
	b.Run("encoding-json-into-any", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode-and-encode", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			r, err := Codec{}.DecodeRequest(body)
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := (Codec{}).EncodeRequest(nil, r, llm.Target{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := (Codec{}).DecodeRequest(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkStream costs one event, of the kind that streams consist of, on each side.
func BenchmarkStream(b *testing.B) {
	data := []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"some words of \"text\""}      }`)
	b.Run("decode", func(b *testing.B) {
		d := Codec{}.StreamDecoder()
		out, err := d.Decode(nil, nil, []byte(`{"type":"content_block_start","index":0,"content_block":{"type":"text"}}`))
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if out, err = d.Decode(out[:0], nil, data); err != nil || len(out) != 1 {
				b.Fatal(out, err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		e := Codec{}.StreamEncoder(aReply())
		dst := e.Encode(nil, llm.Event{Kind: llm.PartStart, Part: llm.TextPart})
		b.ReportAllocs()
		for b.Loop() {
			dst = e.Encode(dst[:0], llm.Event{Kind: llm.Delta, Text: "some words of \"text\""})
		}
	})
}

// TestRequest_TakesMemoryInProportion holds the memory of both ways against the body's size.
// It is not parallel: what others allocate would count too.
func TestRequest_TakesMemoryInProportion(t *testing.T) {
	body := longBody(t)
	const rounds = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		r, err := Codec{}.DecodeRequest(body)
		require.NoError(t, err)
		_, _, err = Codec{}.EncodeRequest(nil, r, llm.Target{})
		require.NoError(t, err)
	}
	runtime.ReadMemStats(&after)
	require.LessOrEqual(t, (after.TotalAlloc-before.TotalAlloc)/rounds, uint64(3*len(body)))
}
