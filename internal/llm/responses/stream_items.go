package responses

import (
	"strconv"

	"github.com/understudyhq/understudy/internal/llm/wire"
)

// show makes the part in progress an item and writes its first events, if that has not been
// done. The item before ends: the answer was not cut short in it.
func (s *streamEncoder) show(dst []byte) []byte {
	if !s.waiting {
		return dst
	}
	dst = s.finish(dst, completed)
	s.item = s.reply.item(s.fresh, s.index)
	s.begun, s.waiting = true, false
	s.custom = wire.Unwrapper{}
	if s.quiet {
		return dst
	}
	dst = s.itemEvent(dst, "response.output_item.added", inProgress)
	s.stem = append(s.stem[:0], `,"item_id":"`...)
	s.stem = append(s.stem, s.item.id...)
	s.stem = append(s.stem, `","output_index":`...)
	s.stem = strconv.AppendInt(s.stem, int64(s.index), 10)
	switch s.item.kind {
	case words, refusal:
		s.stem = append(s.stem, `,"content_index":0`...)
		dst = s.partEvent(dst, "response.content_part.added", "")
	case picture:
		dst = append(append(s.event(dst, "response.image_generation_call.in_progress"), s.stem...), endOfEvent...)
	}
	return dst
}

func (s *streamEncoder) itemEvent(dst []byte, name, status string) []byte {
	dst = append(s.event(dst, name), `,"output_index":`...)
	dst = strconv.AppendInt(dst, int64(s.index), 10)
	dst = append(dst, `,"item":`...)
	return append(s.item.append(dst, status), endOfEvent...)
}

func (s *streamEncoder) partEvent(dst []byte, name, text string) []byte {
	dst = append(append(s.event(dst, name), s.stem...), `,"part":`...)
	return append(s.item.content(dst, text), endOfEvent...)
}

func (s *streamEncoder) textEvent(dst []byte, name, member, text string) []byte {
	return appendText(append(s.event(dst, name), s.stem...), member, text)
}

// delta takes a piece of the item's text.
func (s *streamEncoder) delta(dst []byte, text string) []byte {
	if !s.begun {
		return dst
	}
	if s.item.kind == custom {
		return s.customDelta(dst, text)
	}
	first := len(s.item.text) == 0
	s.item.text = append(s.item.text, text...)
	if s.quiet {
		return dst
	}
	switch s.item.kind {
	case words:
		dst = append(s.event(dst, "response.output_text.delta"), s.stem...)
		dst = append(dst, `,"logprobs":[],"delta":`...)
		return append(wire.AppendString(dst, text), endOfEvent...)
	case refusal:
		return s.textEvent(dst, "response.refusal.delta", "delta", text)
	case thought:
		if first {
			s.stem = append(s.stem, `,"summary_index":0`...)
			dst = s.partEvent(dst, "response.reasoning_summary_part.added", "")
		}
		return s.textEvent(dst, "response.reasoning_summary_text.delta", "delta", text)
	default:
		return s.textEvent(dst, "response.function_call_arguments.delta", "delta", text)
	}
}

// customDelta takes a piece of the arguments that a custom tool's text is wrapped in.
func (s *streamEncoder) customDelta(dst []byte, piece string) []byte {
	s.piece = s.custom.Write(s.piece[:0], piece)
	return s.customText(dst)
}

func (s *streamEncoder) customText(dst []byte) []byte {
	if len(s.piece) == 0 {
		return dst
	}
	s.item.text = append(s.item.text, s.piece...)
	if s.quiet {
		return dst
	}
	return s.textEvent(dst, "response.custom_tool_call_input.delta", "delta", string(s.piece))
}

// close writes the last events of the item in the making.
func (s *streamEncoder) close(dst []byte, status string) []byte {
	switch {
	case s.item.kind == custom:
		s.piece = s.custom.Close(s.piece[:0])
		dst = s.customText(dst)
	case s.item.kind == function && len(s.item.text) == 0 && status == completed:
		dst = s.delta(dst, "{}") // clients parse it
	}
	if s.quiet {
		return dst
	}
	text := string(s.item.text)
	switch s.item.kind {
	case words:
		dst = append(s.event(dst, "response.output_text.done"), s.stem...)
		dst = append(dst, `,"logprobs":[]`...)
		dst = appendText(dst, "text", text)
		dst = s.partEvent(dst, "response.content_part.done", text)
	case refusal:
		dst = s.textEvent(dst, "response.refusal.done", "refusal", text)
		dst = s.partEvent(dst, "response.content_part.done", text)
	case thought:
		if text != "" {
			dst = s.textEvent(dst, "response.reasoning_summary_text.done", "text", text)
			dst = s.partEvent(dst, "response.reasoning_summary_part.done", text)
		}
	case function:
		dst = append(s.event(dst, "response.function_call_arguments.done"), s.stem...)
		dst = append(dst, `,"name":`...)
		dst = wire.AppendString(dst, s.item.name)
		dst = appendText(dst, "arguments", text)
	case custom:
		dst = s.textEvent(dst, "response.custom_tool_call_input.done", "input", text)
	case picture:
		dst = append(append(s.event(dst, "response.image_generation_call.completed"), s.stem...), endOfEvent...)
	}
	return s.itemEvent(dst, "response.output_item.done", status)
}
