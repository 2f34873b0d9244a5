package messages

import (
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// DecodeAnswer implements llm.Codec. Blocks of the vendor's own tools are left out: their
// findings are in the text.
func (c Codec) DecodeAnswer(body []byte) ([]llm.Event, error) {
	if !wire.IsObject(body) {
		return nil, &llm.DecodeError{Reason: "an answer must be a JSON object"}
	}
	root := gjson.ParseBytes(body)
	content, reason := root.Get("content"), root.Get("stop_reason")
	if !content.Exists() && !reason.Exists() {
		if root.Get("error").Exists() {
			return []llm.Event{{Kind: llm.Failed, Failure: c.DecodeError(0, body)}}, nil
		}
		return nil, &llm.DecodeError{Path: "content", Reason: "is missing"}
	}
	var tokens counts
	tokens.merge(root.Get("usage"))
	start := llm.Event{Kind: llm.Start, ID: valid(root.Get("id").Str), Model: valid(root.Get("model").Str), Usage: tokens.usage()}
	events := append(make([]llm.Event, 0, 8), start)
	called := false
	if content.Type == gjson.String { // not what the vendor sends, but clear
		events = appendPart(events, 0, llm.TextPart, valid(content.Str))
	}
	if content.IsArray() {
		index := 0
		content.ForEach(func(_, block gjson.Result) bool {
			called = called || block.Get("type").Str == kindToolUse
			events = appendBlock(events, index, block)
			index++
			return true
		})
	}
	return append(events, llm.Event{
		Kind: llm.Finish, Reason: finishReason(reason.Str, called),
		StopSequence: valid(root.Get("stop_sequence").Str), Usage: tokens.usage(),
	}), nil
}

func appendPart(events []llm.Event, index int, kind llm.PartKind, text string) []llm.Event {
	events = append(events, llm.Event{Kind: llm.PartStart, Index: index, Part: kind})
	if text != "" {
		events = append(events, llm.Event{Kind: llm.Delta, Index: index, Text: text})
	}
	return append(events, llm.Event{Kind: llm.PartEnd, Index: index})
}

// appendBlock appends what a whole block says.
func appendBlock(events []llm.Event, index int, block gjson.Result) []llm.Event {
	start := partStart(block, index)
	if start.Kind == 0 {
		return events
	}
	var text, signature string
	switch start.Part {
	case llm.ThinkingPart:
		text, signature = block.Get("thinking").Str, block.Get("signature").Str
		if start.Redacted {
			text, signature = "", block.Get("data").Str
		}
	case llm.ToolCallPart:
		text = inputOf(block)
	default:
		text = block.Get("text").Str
	}
	events = append(events, start)
	if text != "" {
		events = append(events, llm.Event{Kind: llm.Delta, Index: index, Text: valid(text)})
	}
	if signature != "" {
		events = append(events, signed(index, valid(signature)))
	}
	return append(events, llm.Event{Kind: llm.PartEnd, Index: index})
}

// partStart is how a block begins; its Kind is 0 if the canonical form has no such part.
func partStart(block gjson.Result, index int) llm.Event {
	e := llm.Event{Kind: llm.PartStart, Index: index}
	switch block.Get("type").Str {
	case kindText:
		e.Part = llm.TextPart
	case kindThinking:
		e.Part = llm.ThinkingPart
	case kindRedacted:
		e.Part, e.Redacted = llm.ThinkingPart, true
	case kindToolUse:
		e.Part = llm.ToolCallPart
		e.ID, e.Name = valid(block.Get("id").String()), valid(block.Get("name").String())
	default:
		return llm.Event{}
	}
	return e
}

// inputOf returns the arguments of a tool_use; empty if there are none.
func inputOf(block gjson.Result) string {
	input := block.Get("input")
	switch {
	case !input.Exists() || input.Type == gjson.Null:
		return ""
	case input.IsObject():
		empty := true
		input.ForEach(func(_, _ gjson.Result) bool { empty = false; return false })
		if empty {
			return ""
		}
		return input.Raw
	case input.Type == gjson.String: // arguments as text, as chat has them
		return input.Str
	default:
		return input.Raw
	}
}

func signed(index int, signature string) llm.Event {
	e := llm.Event{Kind: llm.Signed, Index: index}
	e.Text, e.Origin = llm.Unmark(signature, llm.Messages)
	return e
}

// EncodeAnswer implements llm.Codec.
func (Codec) EncodeAnswer(dst []byte, a *llm.Answer, r llm.Reply) []byte {
	v := newView(r)
	w := writer{b: append(dst, '{')}
	w.head(v.id(a.ID), v.model(a.Model))
	w.key("content")
	w.open('[')
	var s shape
	for i, p := range a.Parts {
		w.answerPart(p, &v, i, &s)
	}
	w.close(']')
	if a.Failure != nil {
		w.stop("", "")
	} else {
		w.stop(stopReason(a.Reason, s), a.StopSequence)
	}
	w.usage(a.Usage)
	w.close('}')
	return w.b
}

// head begins a message.
func (w *writer) head(id, model string) {
	w.text("id", id)
	w.text("type", "message")
	w.text("role", "assistant")
	w.text("model", model)
}

// stop tells why a message ended; an empty reason is null.
func (w *writer) stop(reason, sequence string) {
	w.nullable("stop_reason", reason)
	if reason != stopSequence {
		sequence = ""
	}
	w.nullable("stop_sequence", sequence)
}

func (w *writer) nullable(name, value string) {
	if value == "" {
		w.raw(name, []byte("null"))
		return
	}
	w.text(name, value)
}

// answerPart writes a part, if there is anything to see, and adds it to the answer's shape.
func (w *writer) answerPart(p llm.Part, v *view, index int, s *shape) {
	switch p := p.(type) {
	case *llm.Text:
		s.shown = w.answerText(p.Text) || s.shown
	case *llm.Refusal:
		s.shown, s.refused = w.answerText(p.Text) || s.shown, true
	case *llm.Media:
		s.shown = w.answerText(instead(p)) || s.shown
	case *llm.Thinking:
		w.answerThought(p, v)
	case *llm.ToolCall:
		s.shown, s.called = true, true
		w.element()
		w.text("type", kindToolUse)
		w.text("id", v.callID(p.ID, index))
		w.text("name", v.toolName(p.Name))
		input := []byte(p.Arguments)
		if !wire.IsObject(input) { // as with the vendor's SDKs when the model's words make no sense
			input = []byte("{}")
		}
		w.raw("input", input)
		w.close('}')
	}
}

func (w *writer) answerText(text string) bool {
	if text == "" {
		return false
	}
	w.element()
	w.text("type", kindText)
	w.text("text", text)
	w.close('}')
	return true
}

func (w *writer) answerThought(t *llm.Thinking, v *view) {
	text := t.Text
	if v.hidden {
		text = ""
	}
	signature := llm.Mark(t.Signature, t.Origin, llm.Messages)
	switch {
	case t.Redacted:
		if signature != "" {
			w.element()
			w.text("type", kindRedacted)
			w.text("data", signature)
			w.close('}')
		}
	case text != "" || signature != "":
		w.element()
		w.text("type", kindThinking)
		w.text("thinking", text)
		w.text("signature", signature)
		w.close('}')
	}
}
