package messages

import (
	"strconv"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// streamEncoder implements llm.StreamEncoder. Its events go through a llm.Sequence: the
// vendor's SDKs demand that blocks begin in the order of their indexes.
type streamEncoder struct {
	view
	seq     llm.Sequence
	ordered []llm.Event // those of the event at hand
	events  int
	index   int // of the block that is open, or comes next
	part    llm.Event
	began   bool // the block's content_block_start has gone out
	shape   shape
	usage   llm.Usage
}

func newStreamEncoder(r llm.Reply) *streamEncoder { return &streamEncoder{view: newView(r)} }

// Progress implements llm.StreamEncoder.
func (s *streamEncoder) Progress() llm.Progress { return llm.Progress{Elements: s.events} }

// Encode implements llm.StreamEncoder.
func (s *streamEncoder) Encode(dst []byte, e llm.Event) []byte {
	s.ordered = s.seq.Push(s.ordered[:0], e)
	for i := range s.ordered {
		dst = s.event(dst, &s.ordered[i])
	}
	return dst
}

func (s *streamEncoder) event(dst []byte, e *llm.Event) []byte {
	switch e.Kind {
	case llm.Start:
		return s.start(dst, e)
	case llm.PartStart:
		return s.partStart(dst, e)
	case llm.Delta:
		return s.delta(dst, e.Text)
	case llm.Signed:
		return s.signed(dst, e)
	case llm.PartEnd:
		return s.partEnd(dst)
	case llm.Finish:
		return s.finish(dst, e)
	case llm.Failed:
		return s.failed(dst, e.Failure)
	}
	return dst
}

// begin begins a server-sent event and its data.
func (s *streamEncoder) begin(dst []byte, name string) writer {
	s.events++
	dst = append(dst, "event: "...)
	dst = append(dst, name...)
	dst = append(dst, "\ndata: {\"type\":\""...)
	dst = append(dst, name...)
	return writer{b: append(dst, '"')}
}

func end(w writer) []byte { return append(w.b, "}\n\n"...) }

func (s *streamEncoder) start(dst []byte, e *llm.Event) []byte {
	if e.Usage != nil {
		s.usage = *e.Usage
	}
	w := s.begin(dst, "message_start")
	w.key("message")
	w.open('{')
	w.head(s.id(e.ID), s.model(e.Model))
	w.raw("content", []byte("[]"))
	w.stop("", "")
	w.usage(s.usage)
	w.close('}')
	return end(w)
}

func (s *streamEncoder) partStart(dst []byte, e *llm.Event) []byte {
	s.part, s.began = *e, false
	switch e.Part {
	case llm.ThinkingPart:
		if e.Redacted || s.hidden { // begins with its signature, if it has one
			return dst
		}
		return s.blockStart(dst, `"type":"thinking","thinking":"","signature":""`)
	case llm.ToolCallPart:
		s.shape.called, s.shape.shown = true, true
		w := s.startBlock(dst)
		w.text("type", kindToolUse)
		w.text("id", s.callID(e.ID, e.Index))
		w.text("name", s.toolName(e.Name))
		w.raw("input", []byte("{}"))
		w.close('}')
		return end(w)
	case llm.MediaPart:
		text := instead(e.Media)
		if text == "" {
			return dst
		}
		dst = s.blockStart(dst, `"type":"text","text":""`)
		s.part.Part = llm.TextPart
		return s.delta(dst, text)
	case llm.RefusalPart:
		s.shape.refused = true
	}
	return s.blockStart(dst, `"type":"text","text":""`)
}

func (s *streamEncoder) startBlock(dst []byte) writer {
	s.began = true
	w := s.begin(dst, "content_block_start")
	w.whole("index", int64(s.index))
	w.key("content_block")
	w.open('{')
	return w
}

func (s *streamEncoder) blockStart(dst []byte, members string) []byte {
	w := s.startBlock(dst)
	w.b = append(w.b, members...)
	w.close('}')
	return end(w)
}

func (s *streamEncoder) delta(dst []byte, text string) []byte {
	switch {
	case !s.began || text == "":
		return dst
	case s.part.Part == llm.ToolCallPart:
		return s.blockDelta(dst, `input_json_delta","partial_json":`, text)
	case s.part.Part == llm.ThinkingPart:
		if s.hidden || s.part.Redacted {
			return dst
		}
		return s.blockDelta(dst, `thinking_delta","thinking":`, text)
	default:
		s.shape.shown = true
		return s.blockDelta(dst, `text_delta","text":`, text)
	}
}

// blockDelta writes a content_block_delta; what is the delta's type and the name of its one
// member, as they stand between their quotes.
func (s *streamEncoder) blockDelta(dst []byte, what, text string) []byte {
	s.events++
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(s.index), 10)
	dst = append(dst, `,"delta":{"type":"`...)
	dst = append(dst, what...)
	dst = wire.AppendString(dst, text)
	return append(dst, "}}\n\n"...)
}

func (s *streamEncoder) signed(dst []byte, e *llm.Event) []byte {
	if s.part.Part != llm.ThinkingPart {
		return dst
	}
	signature := llm.Mark(e.Text, e.Origin, llm.Messages)
	if s.part.Redacted {
		if s.began {
			return dst
		}
		w := s.startBlock(dst)
		w.text("type", kindRedacted)
		w.text("data", signature)
		w.close('}')
		return end(w)
	}
	if !s.began {
		dst = s.blockStart(dst, `"type":"thinking","thinking":"","signature":""`)
	}
	return s.blockDelta(dst, `signature_delta","signature":`, signature)
}

func (s *streamEncoder) partEnd(dst []byte) []byte {
	if !s.began {
		return dst
	}
	s.began = false
	w := s.begin(dst, "content_block_stop")
	w.whole("index", int64(s.index))
	s.index++
	return end(w)
}

func (s *streamEncoder) finish(dst []byte, e *llm.Event) []byte {
	if e.Usage != nil {
		s.usage = *e.Usage
	}
	w := s.begin(dst, "message_delta")
	w.key("delta")
	w.open('{')
	w.stop(stopReason(e.Reason, s.shape), e.StopSequence)
	w.close('}')
	w.usage(s.usage)
	w = s.begin(end(w), "message_stop")
	return end(w)
}

// failed ends the stream as the vendor's own streams end.
func (s *streamEncoder) failed(dst []byte, f *llm.Failure) []byte {
	if f == nil {
		f = &llm.Failure{}
	}
	w := s.begin(dst, "error")
	w.key("error")
	w.open('{')
	w.text("type", errorType(f))
	w.text("message", first(f.Message, unreadable(f.Status, nil)))
	w.close('}')
	return end(w)
}
