package gemini_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/gemini"
)

// longRequest is an agent's conversation of so many turns, each with a call and a result,
// about 200 KB for 64 turns.
func longRequest(turns int) []byte {
	var b strings.Builder
	b.WriteString(`{"systemInstruction":{"parts":[{"text":"You are an agent."}]},"contents":[`)
	prose := strings.Repeat("A line of a file, with \\\"quotes\\\" and ünïcode in it.\\n", 25)
	for i := range turns {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"role":"user","parts":[{"text":"Look at file %d."}]},`, i)
		fmt.Fprintf(&b, `{"role":"model","parts":[{"text":"I will."},{"functionCall":{"id":"call-%d","name":"read_file","args":{"path":"/src/file%d.go","lines":[1,200]}},"thoughtSignature":"c2lnbmF0dXJl"}]},`, i, i)
		fmt.Fprintf(&b, `{"role":"user","parts":[{"functionResponse":{"id":"call-%d","name":"read_file","response":{"output":"%s"}}}]},`, i, prose)
		fmt.Fprintf(&b, `{"role":"model","parts":[{"text":"%s"}]}`, prose)
	}
	b.WriteString(`,{"role":"user","parts":[{"text":"Go on."}]}],"tools":[{"functionDeclarations":[`)
	for i := range 12 {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"name":"tool_%d","description":"%s","parametersJsonSchema":{"type":"object","properties":{"path":{"type":"string","description":"%s"},"lines":{"type":"array","items":{"type":"integer"}}},"required":["path"]}}`, i, prose[:165], prose[:110])
	}
	b.WriteString(`]}],"generationConfig":{"temperature":1,"topP":0.95,"thinkingConfig":{"includeThoughts":true}}}`)
	return []byte(b.String())
}

func BenchmarkRequest(b *testing.B) {
	body := longRequest(64)
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var v any
			require.NoError(b, json.Unmarshal(body, &v))
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			_, err := gemini.Codec{}.DecodeRequest(body)
			require.NoError(b, err)
		}
	})
	r, err := gemini.Codec{}.DecodeRequest(body)
	require.NoError(b, err)
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			_, _, err := gemini.Codec{}.EncodeRequest(nil, r, llm.Target{})
			require.NoError(b, err)
		}
	})
	b.Run("translate", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			r, err := gemini.Codec{}.DecodeRequest(body)
			require.NoError(b, err)
			_, _, err = gemini.Codec{}.EncodeRequest(nil, r, llm.Target{})
			require.NoError(b, err)
		}
	})
}

const benchChunk = `{"candidates":[{"content":{"parts":[{"text":" a few words of text"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":14,"candidatesTokenCount":9,"totalTokenCount":23},"modelVersion":"gemini-3-pro","responseId":"Vb1xaJ2kN9mDkdUP"}`

func BenchmarkStreamEvent(b *testing.B) {
	b.Run("decode", func(b *testing.B) {
		d := gemini.Codec{}.StreamDecoder()
		data := []byte(benchChunk)
		var out []llm.Event
		b.ReportAllocs()
		for b.Loop() {
			var err error
			out, err = d.Decode(out[:0], nil, data)
			require.NoError(b, err)
		}
	})
	b.Run("encode", func(b *testing.B) {
		s := gemini.Codec{}.StreamEncoder(llm.Reply{Request: &llm.Request{}, ID: "id"})
		dst := s.Encode(nil, llm.Event{Kind: llm.PartStart, Part: llm.TextPart})
		b.ReportAllocs()
		for b.Loop() {
			dst = s.Encode(dst[:0], llm.Event{Kind: llm.Delta, Text: " a few words of text"})
		}
	})
}
