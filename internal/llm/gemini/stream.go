package gemini

import (
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// StreamDecoder implements llm.Codec. Its elements are the data of events or the elements
// of the array. That the answer is over is only known at the end of the stream: chunks may
// follow the one with the finish reason.
func (Codec) StreamDecoder() llm.StreamDecoder { return &streamDecoder{} }

type streamDecoder struct {
	assembler
	in  answer // whose memory is used again
	hot hot
}

// doneMark is what proxies in between put at the end, used to OpenAI's streams.
const doneMark = "[DONE]"

// Decode implements llm.StreamDecoder.
func (d *streamDecoder) Decode(out []llm.Event, _, data []byte) ([]llm.Event, error) {
	if d.over || len(data) == 0 || string(data) == doneMark {
		return out, nil
	}
	if d.started && d.open == llm.TextPart {
		if d.hot.read(data) {
			return d.takeHot(out, &d.hot), nil
		}
	}
	d.in = answer{Candidates: d.in.Candidates[:0], ModelVersion: d.in.ModelVersion[:0], ResponseID: d.in.ResponseID[:0]}
	if err := wire.Decode(data, &d.in); err != nil {
		return out, err
	}
	return d.take(out, &d.in, data), nil
}

// takeHot takes an element of which only a piece of the open text and the usage matter.
func (d *streamDecoder) takeHot(out []llm.Event, h *hot) []llm.Event {
	if h.told && h.usage != (usage{}) {
		d.usage, d.told = h.usage.canonical(), true
	}
	piece, _ := text(h.piece)
	return d.say(out, llm.TextPart, piece)
}

// Close implements llm.StreamDecoder.
func (d *streamDecoder) Close(out []llm.Event) []llm.Event { return d.close(out) }
