package responses

import (
	"github.com/understudyhq/understudy/internal/jsonwalk"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// itemState is an output item on its way.
type itemState struct {
	index int // in the output; negative = not told
	id    string
	done  bool
	parts []partState

	call   callState
	source source // of a thought
	number int    // of the summary, or of the piece of content, that came last
}

// partState is a part of an item.
type partState struct {
	content int // where it is in the item
	kind    llm.PartKind
	index   int // in the canonical form
	got     bool
	ended   bool
}

// callState is what is known of a call.
type callState struct {
	id, name string
	custom   bool
	started  bool
	held     []byte // arguments that came before the name
}

// source is where a thought is read: some upstreams send a summary and the thought itself.
type source uint8

const (
	fromNowhere source = iota
	fromSummary
	fromContent
)

// findItem returns the item that an event is about: by its index or else by its id, the
// latest one if it tells neither. nil = it has not begun.
func (s *streamDecoder) findItem(index *int, id []byte) *itemState {
	for i := len(s.items) - 1; i >= 0; i-- {
		it := &s.items[i]
		switch {
		case index != nil:
			if it.index == *index {
				return it
			}
		case len(id) > 0:
			if it.id == string(id) {
				return it
			}
		default:
			return it
		}
	}
	return nil
}

func (s *streamDecoder) newItem(index *int, id []byte) *itemState {
	it := itemState{index: -1, id: string(id)}
	if index != nil {
		it.index = *index
	}
	s.items = append(s.items, it)
	return &s.items[len(s.items)-1]
}

func (s *streamDecoder) itemOf(index *int, id []byte) *itemState {
	if it := s.findItem(index, id); it != nil {
		return it
	}
	return s.newItem(index, id)
}

func (s *streamDecoder) itemOfPiece(p *piece) *itemState {
	if !p.hasIndex {
		return s.itemOf(nil, p.item)
	}
	for i := len(s.items) - 1; i >= 0; i-- {
		if s.items[i].index == p.index {
			return &s.items[i]
		}
	}
	index := p.index
	return s.newItem(&index, p.item)
}

// part returns a part of an item; it begins if it has not.
func (s *streamDecoder) part(out []llm.Event, it *itemState, content int, kind llm.PartKind) ([]llm.Event, *partState) {
	for i := range it.parts {
		if p := &it.parts[i]; p.content == content && p.kind == kind {
			return out, p
		}
	}
	it.parts = append(it.parts, partState{content: content, kind: kind, index: s.next})
	s.next++
	p := &it.parts[len(it.parts)-1]
	e := llm.Event{Kind: llm.PartStart, Index: p.index, Part: kind}
	if kind == llm.ThinkingPart {
		e.ID = it.id
	}
	s.refused = s.refused || kind == llm.RefusalPart
	return append(out, e), p
}

func (s *streamDecoder) delta(out []llm.Event, p *piece, kind llm.PartKind) []llm.Event {
	it := s.itemOfPiece(p)
	out, part := s.part(out, it, p.content, kind)
	return part.add(out, p.text())
}

// add appends a piece of the part's text.
func (p *partState) add(out []llm.Event, text string) []llm.Event {
	if text == "" || p.ended {
		return out
	}
	p.got = true
	return append(out, llm.Event{Kind: llm.Delta, Index: p.index, Text: text})
}

// text takes the whole text of a part, which counts if no pieces of it have come.
func (s *streamDecoder) text(out []llm.Event, it *itemState, content int, kind llm.PartKind, text string) []llm.Event {
	if text == "" {
		return out
	}
	out, part := s.part(out, it, content, kind)
	if part.got {
		return out
	}
	return part.add(out, text)
}

// partSeen takes a part of a message as it is when it begins or ends.
func (s *streamDecoder) partSeen(out []llm.Event, it *itemState, content int, p *outPart) []llm.Event {
	switch p.Type {
	case "output_text", "text":
		return s.text(out, it, content, llm.TextPart, string(p.Text))
	case "refusal":
		return s.text(out, it, content, llm.RefusalPart, string(p.Refusal))
	default:
		return out
	}
}

func (s *streamDecoder) thoughtDelta(out []llm.Event, p *piece, from source) []llm.Event {
	return s.thought(out, s.itemOfPiece(p), from, p.content, p.text())
}

// thought takes a piece of reasoning. One item is one thought, whatever pieces it is in.
func (s *streamDecoder) thought(out []llm.Event, it *itemState, from source, number int, text string) []llm.Event {
	if text == "" || it.source != fromNowhere && it.source != from {
		return out
	}
	it.source = from
	out, part := s.part(out, it, 0, llm.ThinkingPart)
	if part.got && number != it.number {
		out = part.add(out, paragraphs)
	}
	it.number = number
	return part.add(out, text)
}

func (s *streamDecoder) added(out []llm.Event, e *event) []llm.Event {
	if e.Item == nil {
		return out
	}
	id := []byte(e.Item.ID)
	it := s.findItem(e.OutputIndex, id)
	switch {
	case it == nil || e.OutputIndex == nil && len(id) == 0:
		it = s.newItem(e.OutputIndex, id)
	case it.done || len(id) > 0 && it.id != "" && it.id != string(id): // an upstream that counts wrong
		out = s.endItem(out, it)
		it = s.newItem(e.OutputIndex, id)
	case len(id) > 0:
		it.id = string(id)
	}
	switch e.Item.Type {
	case "function_call", "custom_tool_call":
		out = s.callSeen(out, it, e.Item, e.Item.Type == "custom_tool_call")
		if it.call.started && e.Item.Arguments != "" {
			out = s.arguments(out, it, string(e.Item.Arguments))
		}
	}
	return out
}

// callSeen learns what is told of a call. It begins as soon as its name is known.
func (s *streamDecoder) callSeen(out []llm.Event, it *itemState, o *outItem, isCustom bool) []llm.Event {
	c := &it.call
	c.custom = c.custom || isCustom
	if c.id == "" {
		c.id = string(o.CallID)
	}
	if c.name == "" && o.Name != "" {
		c.name = flatten(string(o.Namespace), string(o.Name))
	}
	if c.name == "" || c.started {
		return out
	}
	return s.callStart(out, it)
}

// callStart begins a call with what is known of it by now.
func (s *streamDecoder) callStart(out []llm.Event, it *itemState) []llm.Event {
	c := &it.call
	c.started, s.calls = true, true
	if c.id == "" {
		c.id = it.id
	}
	if c.id == "" {
		c.id = llm.NewID("call_", s.id, digits(s.next))
	}
	out, part := s.part(out, it, 0, llm.ToolCallPart)
	start := &out[len(out)-1]
	start.ID, start.Name = c.id, c.name
	if c.custom {
		out = append(out, llm.Event{Kind: llm.Delta, Index: part.index, Text: wire.InputHead + `"`})
	}
	held := string(c.held)
	c.held = nil
	return s.arguments(out, it, held)
}

// arguments takes a piece of a call's arguments, or of a custom tool's input.
func (s *streamDecoder) arguments(out []llm.Event, it *itemState, text string) []llm.Event {
	if text == "" {
		return out
	}
	if !it.call.started {
		it.call.held = append(it.call.held, text...)
		return out
	}
	out, part := s.part(out, it, 0, llm.ToolCallPart)
	if !it.call.custom {
		return part.add(out, text)
	}
	s.escaped = wire.AppendString(s.escaped[:0], text)
	return part.add(out, string(s.escaped[1:len(s.escaped)-1]))
}

func (s *streamDecoder) argumentsDelta(out []llm.Event, p *piece, isCustom bool) []llm.Event {
	it := s.itemOfPiece(p)
	it.call.custom = it.call.custom || isCustom && !it.call.started
	if it.done {
		return out
	}
	if jsonwalk.Inner(p.delta) == nil && len(p.delta) > 0 && p.delta[0] == '{' { // as an object, by some
		return s.arguments(out, it, string(p.delta))
	}
	return s.arguments(out, it, p.text())
}

// argumentsDone takes the whole arguments, which count if no pieces of them have come.
func (s *streamDecoder) argumentsDone(out []llm.Event, it *itemState, o *outItem, isCustom bool) []llm.Event {
	if it.done {
		return out
	}
	out = s.callSeen(out, it, o, isCustom && !it.call.started)
	whole := string(o.Arguments)
	if it.call.custom {
		whole = string(o.Input)
	}
	if len(it.call.held) > 0 {
		return out
	}
	for i := range it.parts {
		if it.parts[i].kind == llm.ToolCallPart && it.parts[i].got {
			return out
		}
	}
	return s.arguments(out, it, whole)
}

// itemDone takes an item that is whole.
func (s *streamDecoder) itemDone(out []llm.Event, it *itemState, o *outItem) []llm.Event {
	if it.done {
		return out
	}
	if it.id == "" {
		it.id = string(o.ID)
	}
	switch o.Type {
	case "message":
		for i := range o.Content {
			out = s.partSeen(out, it, i, &o.Content[i])
		}
	case "reasoning":
		out = s.thoughtDone(out, it, o)
	case "function_call", "custom_tool_call":
		out = s.argumentsDone(out, it, o, o.Type == "custom_tool_call")
		if !it.call.started {
			out = s.callStart(out, it)
		}
	case "image_generation_call":
		if o.Result != "" {
			out = append(out, llm.Event{
				Kind: llm.PartStart, Index: s.next, Part: llm.MediaPart,
				Media: &llm.Media{Kind: llm.Image, MIME: pictureMIME(string(o.Format)), Data: string(o.Result)},
			}, llm.Event{Kind: llm.PartEnd, Index: s.next})
			s.next++
		}
	}
	return s.endItem(out, it)
}

func (s *streamDecoder) thoughtDone(out []llm.Event, it *itemState, o *outItem) []llm.Event {
	if it.source == fromNowhere {
		for i := range o.Summary {
			out = s.thought(out, it, fromSummary, i, string(o.Summary[i].Text))
		}
		for i := range o.Content {
			out = s.thought(out, it, fromContent, i, string(o.Content[i].Text))
		}
	}
	if o.Encrypted == "" {
		return out
	}
	signature, origin, redacted := unmark(string(o.Encrypted))
	begins := len(out)
	out, part := s.part(out, it, 0, llm.ThinkingPart)
	if len(out) > begins {
		out[begins].Redacted = redacted
	}
	return append(out, llm.Event{Kind: llm.Signed, Index: part.index, Text: signature, Origin: origin})
}

// endItem ends what of an item is open.
func (s *streamDecoder) endItem(out []llm.Event, it *itemState) []llm.Event {
	if it.done {
		return out
	}
	it.done = true
	if len(it.call.held) > 0 && !it.call.started { // its name never came
		out = s.callStart(out, it)
	}
	for i := range it.parts {
		p := &it.parts[i]
		if p.ended {
			continue
		}
		if p.kind == llm.ToolCallPart && it.call.custom {
			out = append(out, llm.Event{Kind: llm.Delta, Index: p.index, Text: `"}`})
		}
		p.ended = true
		out = append(out, llm.Event{Kind: llm.PartEnd, Index: p.index})
	}
	return out
}
