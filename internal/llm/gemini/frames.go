package gemini

import (
	"bytes"
	"strconv"

	"github.com/understudyhq/understudy/internal/llm"
)

const contentHead = `{"candidates":[{"content":{"parts":[`

// begin opens a part and, in a stream, the element around it.
func (s *streamEncoder) begin() {
	switch {
	case !s.whole:
		s.lead()
		s.w.raw(contentHead)
	case !s.started:
		s.started = true
		s.w.raw(contentHead)
	default:
		s.w.raw(",")
	}
	s.w.raw("{")
}

func (s *streamEncoder) end() {
	s.w.raw("}")
	if s.whole {
		return
	}
	s.w.raw(`],"role":"model"},"index":0}],`)
	s.w.b = append(s.w.b, s.tail...)
	s.trail()
}

// lead and trail frame an element. Events end in CRLF twice: Google's SDKs look for a blank
// line of LF first, and for one of CRLF only then.
func (s *streamEncoder) lead() {
	switch {
	case s.whole:
	case !s.reply.Array:
		s.w.raw("data: ")
	case s.elements == 0:
		s.w.raw("[")
	default:
		s.w.raw(",\r\n")
	}
	s.elements++
}

func (s *streamEncoder) trail() {
	if !s.whole && !s.reply.Array {
		s.w.raw("\r\n\r\n")
	}
}

// last ends the stream after its last element.
func (s *streamEncoder) last() {
	s.trail()
	if s.reply.Array && !s.whole {
		s.w.raw("]\n")
	}
}

func (s *streamEncoder) call() {
	name := clientName(s.reply.Request, s.part.Name)
	if name == "" {
		name = "unnamed_tool" // SDKs look the name up
	}
	id := s.part.ID
	if id == "" {
		id = llm.NewID("call_", s.id, strconv.Itoa(s.calls), name)
	}
	s.calls++
	s.begin()
	s.w.member(`"functionCall":`)
	s.w.raw("{")
	s.w.str(`"id":`, id)
	s.w.str(`"name":`, name)
	if len(bytes.TrimSpace(s.args)) == 0 {
		s.args = append(s.args[:0], "{}"...) // SDKs count on it
	}
	s.w.arguments(string(s.args))
	s.w.raw("}")
	s.sign()
	s.end()
}

func (s *streamEncoder) media(m *llm.Media) {
	var part writer
	part.raw("{")
	if part.appendMedia(m) != nil {
		return // another vendor's upload
	}
	s.begin()
	s.w.raw(string(part.b[1:]))
	s.sign()
	s.end()
}

// finish writes the last element of a stream, with an empty part as Google does, or the end
// of a whole answer.
func (s *streamEncoder) finish(e *llm.Event) {
	switch {
	case !s.whole:
		s.begin()
		s.w.str(`"text":`, "")
		s.sign()
		s.w.raw("}")
	case s.pending != "":
		s.settle()
	case !s.started:
		s.w.raw(contentHead)
	}
	s.w.raw(`],"role":"model"},"finishReason":"` + wordOf(e.Reason) + `","index":0}]`)
	s.w.usage(e.Usage)
	s.w.raw(",")
	s.w.b = append(s.w.b, s.tail...)
	s.last()
}

func (s *streamEncoder) fail(f *llm.Failure) {
	if f == nil {
		f = &llm.Failure{}
	}
	if s.whole { // what came before the failure is no answer
		s.w.b = s.w.b[:s.base]
	}
	s.lead()
	s.w.failure(f)
	s.last()
}
