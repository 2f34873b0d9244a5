package responses

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

// longBody is a request of 64 turns and about 200 KB, as an agent sends it.
func longBody() []byte {
	line := "func (s *Server) serve(ctx context.Context, call *call, out sink) error {\n\treturn s.attempt(ctx, \"call\", out) // \\d+\n}\n"
	var items []string
	add := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		items = append(items, string(b))
	}
	type object = map[string]any
	for i := range 64 {
		id := fmt.Sprintf("call_%024d", i)
		if i%8 == 0 {
			add(object{"type": "message", "role": "user", "content": []object{{"type": "input_text", "text": strings.Repeat("Please look at it once more. ", 8)}}})
		}
		add(object{"type": "reasoning", "summary": []object{{"type": "summary_text", "text": "**Looking at the code**"}}, "encrypted_content": strings.Repeat("gAAAAABo", 60)})
		add(object{"type": "message", "role": "assistant", "content": []object{{"type": "output_text", "text": "I look at the file, and then at its tests."}}})
		add(object{"type": "function_call", "call_id": id, "name": "exec_command", "arguments": `{"cmd":"sed -n 1,200p http/server.go","workdir":"/src","timeout_ms":10000}`})
		add(object{"type": "function_call_output", "call_id": id, "output": strings.Repeat(line, 17)})
	}
	var tools []string
	for i := range 16 {
		tools = append(tools, fmt.Sprintf(`{"type":"function","name":"tool_%d","description":"%s","strict":false,"parameters":{"type":"object","properties":{"path":{"type":"string","description":"Where it is."},"limit":{"type":"integer"}},"required":["path"],"additionalProperties":false}}`,
			i, strings.Repeat("Does something useful. ", 12)))
	}
	return []byte(`{"model":"gpt-5.5","stream":true,"store":false,"include":["reasoning.encrypted_content"],"reasoning":{"effort":"high","summary":"auto"},"instructions":"` +
		strings.Repeat("You are an agent. ", 200) + `","tools":[` + strings.Join(tools, ",") + `],"input":[` + strings.Join(items, ",") + `]}`)
}

// BenchmarkRequest decodes and encodes a request, beside encoding/json decoding the same body
// into any.
func BenchmarkRequest(b *testing.B) {
	body := longBody()
	b.Run("decode and encode", func(b *testing.B) {
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
	b.Run("encoding/json into any", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkStream takes one piece of text in, and one out.
func BenchmarkStream(b *testing.B) {
	b.Run("decode", func(b *testing.B) {
		data := []byte(`{"type":"response.output_text.delta","sequence_number":42,"item_id":"msg_68b1f0c1e0a48190a1b2c3d4e5f60718","output_index":1,"content_index":0,"delta":" some words","logprobs":[],"obfuscation":"aB3dE6fG"}`)
		d := Codec{}.StreamDecoder()
		var out []llm.Event
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if out, err = d.Decode(out[:0], []byte("response.output_text.delta"), data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode arguments", func(b *testing.B) {
		data := []byte(`{"type":"response.function_call_arguments.delta","sequence_number":42,"item_id":"fc_68b1f0c1e0a48190a1b2c3d4e5f60718","output_index":1,"delta":"\"path\":","obfuscation":"aB3dE6fG"}`)
		d := Codec{}.StreamDecoder()
		out, err := d.Decode(nil, nil, []byte(`{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f"}}`))
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if out, err = d.Decode(out[:0], []byte("response.function_call_arguments.delta"), data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		// A stream of a thousand pieces, begun anew each time: an answer does not go on for ever.
		const pieces = 1000
		r := replyTo(client())
		var dst []byte
		b.ReportAllocs()
		for b.Loop() {
			s := Codec{}.StreamEncoder(r)
			dst = s.Encode(dst[:0], llm.Event{Kind: llm.PartStart, Part: llm.TextPart})
			for range pieces {
				dst = s.Encode(dst[:0], llm.Event{Kind: llm.Delta, Text: " some words"})
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/pieces, "ns/piece")
	})
}

// What the benchmarks are to show, as far as it does not depend on the machine. It is not
// parallel: what others allocate would count.
func TestRequest_TakesMemoryInProportion(t *testing.T) {
	body := longBody()
	require.InDelta(t, 200<<10, len(body), 30<<10)
	least := uint64(math.MaxUint64)
	for range 5 { // the first makes what is made once for each type
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Codec{}.DecodeRequest(body)
		require.NoError(t, err)
		_, _, err = Codec{}.EncodeRequest(nil, r, llm.Target{})
		require.NoError(t, err)
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	require.Less(t, least, uint64(4*len(body)), "3 without the race detector, which allocates too")
}

func TestStream_TakesFewAllocations(t *testing.T) {
	d, s := Codec{}.StreamDecoder(), Codec{}.StreamEncoder(replyTo(client()))
	data := []byte(wire1("output_text.delta", `"output_index":0,"content_index":0,"delta":" some words"`))
	var (
		events []llm.Event
		dst    []byte
	)
	allocs := testing.AllocsPerRun(1000, func() {
		var err error
		events, err = d.Decode(events[:0], nil, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			dst = s.Encode(dst[:0], e)
		}
	})
	require.LessOrEqual(t, allocs, 2.0)
}
