package gemini

import (
	"github.com/understudyhq/understudy/internal/llm"
)

// EncodeAnswer implements llm.Codec. A failed answer is an error body.
func (Codec) EncodeAnswer(dst []byte, a *llm.Answer, r llm.Reply) []byte {
	s := streamEncoder{reply: r, whole: true, base: len(dst)}
	for _, e := range a.Events() {
		dst = s.Encode(dst, e)
	}
	return dst
}

// StreamEncoder implements llm.Codec. Every element holds one part, and only the last one
// tells why the answer ended and what it cost. A call goes out when it is whole, and a
// piece of a thought when it is known whether a signature ends it.
func (Codec) StreamEncoder(r llm.Reply) llm.StreamEncoder { return &streamEncoder{reply: r} }

// streamEncoder writes a stream or, as one element of many parts, a whole answer.
type streamEncoder struct {
	reply llm.Reply
	whole bool

	w        writer // of the call that runs
	seq      llm.Sequence
	ordered  []llm.Event // memory for seq
	elements int
	started  bool // a whole answer's array of parts is open
	base     int  // where a whole answer begins

	tail      []byte // what ends every element: the model and the answer's id
	part      llm.Event
	thought   string // the piece that waits
	spoken    bool   // the thought has had a piece
	signature string // of the thought in progress
	pending   string // for the part that follows
	args      []byte
	calls     int
	id        string
}

// Progress implements llm.StreamEncoder.
func (s *streamEncoder) Progress() llm.Progress { return llm.Progress{Elements: s.elements} }

// Encode implements llm.StreamEncoder.
func (s *streamEncoder) Encode(dst []byte, e llm.Event) []byte {
	s.w.b = dst
	s.ordered = s.seq.Push(s.ordered[:0], e)
	for i := range s.ordered {
		s.event(&s.ordered[i])
	}
	dst, s.w.b = s.w.b, nil
	return dst
}

func (s *streamEncoder) event(e *llm.Event) {
	switch e.Kind {
	case llm.Start:
		s.start(e)
	case llm.PartStart:
		s.part, s.spoken, s.signature, s.args = *e, false, "", s.args[:0]
		if e.Part == llm.MediaPart && e.Media != nil {
			s.media(e.Media)
		}
	case llm.Delta:
		s.delta(e.Text)
	case llm.Signed:
		s.signature = llm.Mark(e.Text, e.Origin, llm.Gemini)
	case llm.PartEnd:
		s.partEnd()
	case llm.Finish:
		s.finish(e)
	case llm.Failed:
		s.fail(e.Failure)
	}
}

func (s *streamEncoder) start(e *llm.Event) {
	model := e.Model
	if model == "" && s.reply.Request != nil {
		model = s.reply.Request.Model
	}
	s.id = e.ID
	if s.id == "" {
		s.id = s.reply.ID
	}
	w := writer{b: append(s.tail[:0], `"modelVersion":`...)}
	w.b = appendQuoted(w.b, model)
	w.str(`"responseId":`, s.id)
	w.raw("}")
	s.tail = w.b
}

func (s *streamEncoder) delta(piece string) {
	switch s.part.Part {
	case llm.ToolCallPart:
		s.args = append(s.args, piece...)
	case llm.ThinkingPart:
		s.settle()
		if s.spoken {
			s.say(s.thought, true)
		}
		s.thought, s.spoken = piece, true
	default: // a refusal is what the model says, too
		s.say(piece, false)
	}
}

func (s *streamEncoder) partEnd() {
	switch s.part.Part {
	case llm.ToolCallPart:
		s.call()
	case llm.ThinkingPart:
		s.thinkingEnd()
	}
}

// thinkingEnd sends the last piece of a thought with its signature. A signature without a
// thought goes with the part that follows, as Google has it.
func (s *streamEncoder) thinkingEnd() {
	switch {
	case s.spoken, s.part.Redacted && s.signature != "":
		s.settle()
		last := s.thought
		s.thought = ""
		s.begin()
		s.w.str(`"text":`, last)
		s.w.member(`"thought":true`)
		if s.signature != "" {
			s.w.str(`"thoughtSignature":`, s.signature)
		}
		s.end()
	case s.signature != "":
		s.settle()
		s.pending = s.signature
	}
}

// settle sends a signature that belongs to nothing.
func (s *streamEncoder) settle() {
	if s.pending == "" {
		return
	}
	s.begin()
	s.w.str(`"text":`, "")
	s.sign()
	s.end()
}

func (s *streamEncoder) say(piece string, thought bool) {
	s.begin()
	s.w.str(`"text":`, piece)
	if thought {
		s.w.member(`"thought":true`)
	} else {
		s.sign()
	}
	s.end()
}

func (s *streamEncoder) sign() {
	if s.pending != "" {
		s.w.str(`"thoughtSignature":`, s.pending)
		s.pending = ""
	}
}
