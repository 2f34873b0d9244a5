package messages

import (
	"slices"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// streamDecoder implements llm.StreamDecoder.
type streamDecoder struct {
	open   []openBlock
	next   int // greater than the index of any block so far
	tokens counts
	reason string
	stop   string // the stop sequence
	called bool
	over   bool
	text   []byte // of the delta at hand
}

// openBlock is a block that has begun and not ended.
type openBlock struct {
	index     int
	part      llm.PartKind // 0 = not for the canonical form
	redacted  bool
	signature []byte
	input     string // arguments that came with the beginning; deltas make it void
}

// Decode implements llm.StreamDecoder. The events that make up nearly all of a stream are
// read without looking at the whole of them.
func (d *streamDecoder) Decode(out []llm.Event, name, data []byte) ([]llm.Event, error) {
	if d.over || len(data) == 0 {
		return out, nil
	}
	if kind, index, ok := d.quick(data); ok {
		return d.delta(out, kind, index, string(d.text)), nil
	}
	if !wire.IsObject(data) {
		if string(data) == "[DONE]" {
			return out, nil
		}
		return out, &llm.DecodeError{Reason: "an event of the stream is no JSON object"}
	}
	root := gjson.ParseBytes(data)
	kind := root.Get("type").Str
	if kind == "" {
		kind = string(name)
	}
	return d.event(out, kind, root, data), nil
}

func (d *streamDecoder) event(out []llm.Event, kind string, root gjson.Result, data []byte) []llm.Event {
	switch kind {
	case "message_start":
		m := root.Get("message")
		d.tokens.merge(m.Get("usage"))
		return append(out, llm.Event{Kind: llm.Start, ID: valid(m.Get("id").Str), Model: valid(m.Get("model").Str), Usage: d.tokens.usage()})
	case "content_block_start":
		return d.begin(out, d.indexOf(root, d.next), root.Get("content_block"))
	case "content_block_delta":
		delta := root.Get("delta")
		index := d.indexOf(root, d.next-1)
		for _, member := range [...]string{"text", "thinking", "partial_json", "signature"} {
			if text := delta.Get(member); text.Type == gjson.String {
				return d.delta(out, deltaKind(delta.Get("type").Str, member), index, valid(text.Str))
			}
		}
	case "content_block_stop":
		return d.end(out, d.indexOf(root, d.next-1))
	case "message_delta":
		d.tokens.merge(root.Get("usage"))
		if reason := root.Get("delta.stop_reason").Str; reason != "" {
			d.reason, d.stop = reason, valid(root.Get("delta.stop_sequence").Str)
		}
	case "message_stop":
		return d.finish(out)
	case "error":
		d.over = true
		return append(out, llm.Event{Kind: llm.Failed, Failure: Codec{}.DecodeError(0, data)})
	}
	return out
}

// indexOf is the index of an event's block. Without one it is the one that is expected.
func (d *streamDecoder) indexOf(root gjson.Result, expected int) int {
	if index := root.Get("index"); index.Type == gjson.Number {
		return int(index.Int())
	}
	return max(0, expected)
}

// deltaKind is what a delta adds to. What it holds counts if its type is unknown.
func deltaKind(word, member string) deltaOf {
	switch {
	case word == "text_delta" || word == "" && member == "text":
		return ofText
	case word == "thinking_delta" || word == "" && member == "thinking":
		return ofThinking
	case word == "input_json_delta" || word == "" && member == "partial_json":
		return ofInput
	case word == "signature_delta" || word == "" && member == "signature":
		return ofSignature
	default:
		return ofNothing
	}
}

// deltaOf is what a delta adds to.
type deltaOf uint8

const (
	ofNothing deltaOf = iota
	ofText
	ofThinking
	ofInput
	ofSignature
)

// part is the part that has such deltas.
func (k deltaOf) part() llm.PartKind {
	switch k {
	case ofText:
		return llm.TextPart
	case ofThinking, ofSignature:
		return llm.ThinkingPart
	default:
		return llm.ToolCallPart
	}
}

func (d *streamDecoder) find(index int) *openBlock {
	for i := len(d.open) - 1; i >= 0; i-- {
		if d.open[i].index == index {
			return &d.open[i]
		}
	}
	return nil
}

func (d *streamDecoder) begin(out []llm.Event, index int, block gjson.Result) []llm.Event {
	out = d.end(out, index) // an upstream that begins it again means another
	d.next = max(d.next, index+1)
	start := partStart(block, index)
	b := openBlock{index: index, part: start.Part, redacted: start.Redacted}
	if b.part == llm.ToolCallPart {
		d.called = true
		b.input = valid(inputOf(block))
	}
	d.open = append(d.open, b)
	if b.part == 0 {
		return out
	}
	out = append(out, start)
	switch b.part {
	case llm.TextPart:
		return d.delta(out, ofText, index, valid(block.Get("text").Str))
	case llm.ThinkingPart:
		signature := block.Get("signature").Str
		if b.redacted {
			return d.delta(out, ofSignature, index, valid(block.Get("data").Str))
		}
		out = d.delta(out, ofThinking, index, valid(block.Get("thinking").Str))
		return d.delta(out, ofSignature, index, valid(signature))
	default:
		return out
	}
}

// delta adds to a block. One that has not begun begins with it; one that has ended, or is
// of another kind, takes nothing.
func (d *streamDecoder) delta(out []llm.Event, kind deltaOf, index int, text string) []llm.Event {
	if text == "" || kind == ofNothing {
		return out
	}
	b := d.find(index)
	if b == nil {
		if index < d.next || kind == ofInput { // a call without a name is no call
			return out
		}
		d.next = index + 1
		d.open = append(d.open, openBlock{index: index, part: kind.part()})
		b = &d.open[len(d.open)-1]
		out = append(out, llm.Event{Kind: llm.PartStart, Index: index, Part: b.part})
	}
	if b.part != kind.part() {
		return out
	}
	if kind == ofSignature {
		b.signature = append(b.signature, text...)
		return out
	}
	b.input = ""
	return append(out, llm.Event{Kind: llm.Delta, Index: index, Text: text})
}

// end ends a block if it is open. Its signature is whole only now.
func (d *streamDecoder) end(out []llm.Event, index int) []llm.Event {
	i := slices.IndexFunc(d.open, func(b openBlock) bool { return b.index == index })
	if i < 0 {
		return out
	}
	b := d.open[i]
	d.open = slices.Delete(d.open, i, i+1)
	if b.part == 0 {
		return out
	}
	if b.input != "" {
		out = append(out, llm.Event{Kind: llm.Delta, Index: index, Text: b.input})
	}
	if len(b.signature) > 0 {
		out = append(out, signed(index, string(b.signature)))
	}
	return append(out, llm.Event{Kind: llm.PartEnd, Index: index})
}

func (d *streamDecoder) finish(out []llm.Event) []llm.Event {
	for len(d.open) > 0 {
		out = d.end(out, d.open[0].index)
	}
	d.over = true
	return append(out, llm.Event{
		Kind: llm.Finish, Reason: finishReason(d.reason, d.called), StopSequence: d.stop, Usage: d.tokens.usage(),
	})
}

// Close implements llm.StreamDecoder. The format's end mark is an event: without it the
// answer has not ended.
func (d *streamDecoder) Close(out []llm.Event) []llm.Event { return out }
