package chat

import (
	"strconv"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// StreamEncoder implements llm.Codec. Parts go through a llm.Sequence: calls could
// interleave in this format, but few clients can put such pieces together, and upstreams
// that interleave are rare.
func (Codec) StreamEncoder(r llm.Reply) llm.StreamEncoder {
	return &streamEncoder{reply: r, customs: customsOf(r.Request), bare: -1}
}

type streamEncoder struct {
	reply    llm.Reply
	customs  map[string]bool
	sequence llm.Sequence
	ordered  []llm.Event // kept for its memory

	head, tail []byte // what stands around a delta
	id         string
	elements   int

	kind    llm.PartKind  // of the open part
	current *llm.Thinking // the open part, if it is one
	thought *llm.Thinking // the last part that said something, if it was one
	called  llm.Event     // of an open call: its PartStart
	calls   int           // begun so far
	custom  []byte        // arguments of a custom call, which are told as a whole
	bare    int           // the last call, if it has no arguments; -1 = none
	images  int
	sounded bool
	refused bool
}

// Progress implements llm.StreamEncoder.
func (s *streamEncoder) Progress() llm.Progress { return llm.Progress{Elements: s.elements} }

// Encode implements llm.StreamEncoder.
func (s *streamEncoder) Encode(dst []byte, e llm.Event) []byte {
	s.ordered = s.sequence.Push(s.ordered[:0], e)
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
		if s.kind == llm.ThinkingPart {
			dst = s.says(dst)
			s.thought.Signature, s.thought.Origin = e.Text, e.Origin
		}
		return dst
	case llm.PartEnd:
		return s.partEnd(dst)
	case llm.Finish:
		return s.finish(dst, e)
	default: // Failed
		s.elements++
		dst = append(dst, "data: "...)
		return append(appendFailure(dst, e.Failure), "\n\n"...)
	}
}

// start makes what all chunks have in common and says whose words follow.
func (s *streamEncoder) start(dst []byte, e *llm.Event) []byte {
	s.id = answerID(e.ID, s.reply)
	w := writerTo([]byte("data: {"))
	w.Text("id", s.id)
	w.raw(`,"object":"chat.completion.chunk"`)
	w.Int("created", s.reply.CreatedAt.Unix())
	w.Text("model", modelOf(e.Model, s.reply))
	w.raw(`,"choices":[`)
	s.head = w.B
	s.tail = []byte("]")
	if s.reply.Request.StreamUsage { // then every other chunk says that it is not yet known
		s.tail = append(s.tail, `,"usage":null`...)
	}
	s.tail = append(s.tail, "}\n\n"...)
	return s.close(append(s.open(dst), `"role":"assistant","content":""`...))
}

// open begins a chunk, up to the members of its delta.
func (s *streamEncoder) open(dst []byte) []byte {
	s.elements++
	return append(append(dst, s.head...), `{"index":0,"delta":{`...)
}

// close ends a chunk after the members of its delta.
func (s *streamEncoder) close(dst []byte) []byte {
	return append(append(dst, `},"finish_reason":null}`...), s.tail...)
}

// word writes a chunk with one member.
func (s *streamEncoder) word(dst []byte, member, text string) []byte {
	return s.close(wire.AppendString(append(s.open(dst), member...), text))
}

func (s *streamEncoder) partStart(dst []byte, e *llm.Event) []byte {
	s.kind, s.current = e.Part, nil
	switch e.Part {
	case llm.ThinkingPart:
		s.current = &llm.Thinking{Redacted: e.Redacted}
	case llm.ToolCallPart:
		dst = s.fill(dst)
		s.called = *e
		s.called.ID, s.called.Name = callID(e.ID, s.id, s.calls), clientName(s.reply.Request, e.Name)
		s.calls++
		if s.customs[s.called.Name] {
			s.custom = s.custom[:0]
			return dst
		}
		dst = s.call(dst, "")
		s.bare = s.calls - 1
	case llm.MediaPart:
		dst = s.media(s.says(dst), e.Media)
	}
	return dst
}

// says notes that the open part has something to say; one that has not is as good as none.
func (s *streamEncoder) says(dst []byte) []byte {
	s.thought = s.current
	return s.fill(dst)
}

// call writes the beginning of a call.
func (s *streamEncoder) call(dst []byte, args string) []byte {
	w := answerWriter{writer: writerTo(s.open(dst)), customs: s.customs, signed: s.thought}
	w.raw(`"tool_calls":[{`)
	w.Int("index", int64(s.calls-1))
	w.callMembers(s.called.ID, s.called.Name, args)
	w.raw("}]")
	s.thought = nil
	return s.close(w.B)
}

func (s *streamEncoder) delta(dst []byte, text string) []byte {
	if s.kind != llm.ToolCallPart {
		dst = s.says(dst)
	}
	switch s.kind {
	case llm.TextPart:
		return s.word(dst, `"content":`, text)
	case llm.ThinkingPart:
		s.thought.Text = text // that there is one is all that counts
		return s.word(dst, `"reasoning_content":`, text)
	case llm.RefusalPart:
		s.refused = true
		return s.word(dst, `"refusal":`, text)
	case llm.ToolCallPart:
		if s.customs[s.called.Name] {
			s.custom = append(s.custom, text...)
			return dst
		}
		s.bare = -1
		return s.arguments(dst, s.calls-1, text)
	default:
		return dst
	}
}

func (s *streamEncoder) arguments(dst []byte, call int, text string) []byte {
	dst = append(s.open(dst), `"tool_calls":[{"index":`...)
	dst = strconv.AppendInt(dst, int64(call), 10)
	dst = append(dst, `,"function":{"arguments":`...)
	dst = wire.AppendString(dst, text)
	return s.close(append(dst, "}}]"...))
}

func (s *streamEncoder) partEnd(dst []byte) []byte {
	if s.kind == llm.ToolCallPart && s.customs[s.called.Name] {
		dst = s.call(dst, string(s.custom))
	}
	return dst
}

// fill gives a call that is over and had no arguments the empty ones that clients need.
func (s *streamEncoder) fill(dst []byte) []byte {
	if s.bare < 0 {
		return dst
	}
	dst = s.arguments(dst, s.bare, "{}")
	s.bare = -1
	return dst
}

func (s *streamEncoder) media(dst []byte, m *llm.Media) []byte {
	if m == nil || m.Kind != llm.Image && (m.Kind != llm.Audio || s.sounded) || m.Data == "" && m.URL == "" {
		return dst
	}
	w := answerWriter{writer: writerTo(s.open(dst))}
	if m.Kind == llm.Image {
		w.raw(`"images":[`)
		w.image(m, s.images)
		w.Close(']')
		s.images++
	} else {
		s.sounded = true
		w.audio(m, s.id)
	}
	return s.close(w.B)
}

func (s *streamEncoder) finish(dst []byte, e *llm.Event) []byte {
	if !cutShort(e.Reason) {
		dst = s.fill(dst)
	}
	dst = append(s.open(dst), `},"finish_reason":"`...)
	dst = append(dst, wordOf(e.Reason, s.calls > 0, s.refused)...)
	dst = append(append(dst, `"}`...), s.tail...)
	if s.reply.Request.StreamUsage {
		u := e.Usage
		if u == nil {
			u = &llm.Usage{}
		}
		s.elements++
		dst = append(append(dst, s.head...), `],"usage":`...)
		dst = append(appendUsage(dst, u), "}\n\n"...)
	}
	s.elements++
	return append(dst, "data: [DONE]\n\n"...)
}
