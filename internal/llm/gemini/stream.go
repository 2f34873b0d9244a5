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
	in answer // whose memory is used again
}

// Decode implements llm.StreamDecoder.
func (d *streamDecoder) Decode(out []llm.Event, _, data []byte) ([]llm.Event, error) {
	if d.over {
		return out, nil
	}
	d.in = answer{Candidates: d.in.Candidates[:0], ModelVersion: d.in.ModelVersion[:0], ResponseID: d.in.ResponseID[:0]}
	if err := wire.Decode(data, &d.in); err != nil {
		return out, err
	}
	return d.take(out, &d.in, data), nil
}

// Close implements llm.StreamDecoder.
func (d *streamDecoder) Close(out []llm.Event) []llm.Event { return d.close(out) }
