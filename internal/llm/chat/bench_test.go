package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

// longRequest is a body of about 200 KB: 64 turns of an agent at work.
func longRequest(tb testing.TB) []byte {
	tb.Helper()
	text := strings.Repeat("The quick brown fox said \"jump\" to the lazy dog.\n", 20)
	type object = map[string]any
	var messages []object
	messages = append(messages, object{"role": "system", "content": text})
	for i := range 64 {
		id := fmt.Sprintf("call_%d", i)
		args := `{"path":"internal/llm/chat/file.go","lines":[1,2,3],"pattern":"func (e \\*requestEncoder)"}`
		messages = append(messages,
			object{"role": "user", "content": []object{{"type": "text", "text": text}}},
			object{"role": "assistant", "content": "I look at the file.", "tool_calls": []object{
				{"id": id, "type": "function", "function": object{"name": "read_file", "arguments": args}},
			}},
			object{"role": "tool", "tool_call_id": id, "content": text + text})
	}
	var tools []object
	for i := range 12 {
		tools = append(tools, object{"type": "function", "function": object{
			"name": fmt.Sprintf("tool_%d", i), "description": text[:200],
			"parameters": object{"type": "object", "properties": object{"path": object{"type": "string"}}, "required": []string{"path"}},
		}})
	}
	body, err := json.Marshal(object{"model": "m", "stream": true, "max_tokens": 32000, "messages": messages, "tools": tools})
	require.NoError(tb, err)
	return body
}

// BenchmarkRequest decodes and encodes a long request, against what encoding/json takes to
// decode the same body.
func BenchmarkRequest(b *testing.B) {
	body := longRequest(b)
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode-encode", func(b *testing.B) {
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
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := (Codec{}).DecodeRequest(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkStream handles one piece of text, as OpenAI sends it.
func BenchmarkStream(b *testing.B) {
	const first = `{"id":"chatcmpl-CABCDEFGHIJKLMNOPQRSTUVWXYZ01","object":"chat.completion.chunk","created":1764000000,"model":"gpt-5.5-2026-08-07","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"abcdefgh"}`
	data := []byte(first)
	b.Run("decode", func(b *testing.B) {
		d := Codec{}.StreamDecoder()
		var out []llm.Event
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if out, err = d.Decode(out[:0], nil, data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		e := Codec{}.StreamEncoder(llm.Reply{Request: &llm.Request{}, ID: "x", CreatedAt: time.Unix(1764000000, 0)})
		dst := e.Encode(nil, llm.Event{Kind: llm.Start, ID: "chatcmpl-1", Model: "m"})
		dst = e.Encode(dst, llm.Event{Kind: llm.PartStart, Part: llm.TextPart})
		b.ReportAllocs()
		for b.Loop() {
			dst = e.Encode(dst[:0], llm.Event{Kind: llm.Delta, Text: " word"})
		}
	})
}
