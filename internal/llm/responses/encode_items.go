package responses

import (
	"slices"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/jsonwalk"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// messages writes instructions and input.
func (e *encoder) messages() error {
	messages := e.r.Messages
	e.pairs = llm.PairTools(messages, maxIDBytes)
	if text, ok := e.instructions(messages); ok {
		e.Text("instructions", text)
		e.noteCache(messages[0].Parts[0])
		e.lost.addIf(messages[0].Name != "", lostName)
		messages = messages[1:]
	}
	e.Name("input")
	e.Open('[')
	for i := range messages {
		m := &messages[i]
		e.lost.addIf(m.Name != "", lostName)
		var err error
		if m.Role == llm.Assistant {
			err = e.assistant(m)
		} else {
			err = e.said(m)
		}
		if err != nil {
			return err
		}
	}
	e.Close(']')
	e.stored(messages)
	return nil
}

// instructions returns the text of a first message that may go there: the vendor wants some
// input besides.
func (e *encoder) instructions(messages []llm.Message) (string, bool) {
	text := leading(messages)
	return text, text != "" && slices.ContainsFunc(messages[1:], func(m llm.Message) bool { return !e.isEmpty(m.Parts) })
}

// leading returns the text of a first message that is one text of the system's.
func leading(messages []llm.Message) string {
	if len(messages) < 2 || messages[0].Role != llm.System || len(messages[0].Parts) != 1 {
		return ""
	}
	text, ok := messages[0].Parts[0].(*llm.Text)
	if !ok {
		return ""
	}
	return text.Text
}

// isEmpty reports whether nothing of these parts will be written.
func (e *encoder) isEmpty(parts []llm.Part) bool {
	return !slices.ContainsFunc(parts, func(p llm.Part) bool {
		switch p := p.(type) {
		case *llm.Text:
			return p.Text != ""
		case *llm.ToolCall:
			return e.pairs.Result(p) != nil
		case *llm.Thinking:
			return false
		default:
			return true
		}
	})
}

func (e *encoder) isCustom(name string) bool {
	t := e.r.ToolNamed(name)
	return t != nil && t.Kind == llm.Custom
}

func (e *encoder) noteCache(p llm.Part) {
	switch p := p.(type) {
	case *llm.Text:
		e.lost.addIf(p.Cache != nil, lostCache)
	case *llm.Media:
		e.lost.addIf(p.Cache != nil, lostCache)
	case *llm.ToolCall:
		e.lost.addIf(p.Cache != nil, lostCache)
	case *llm.ToolResult:
		e.lost.addIf(p.Cache != nil, lostCache)
	}
}

// turn writes the message items of one message: what is neither a call nor a result.
type turn struct {
	e    *encoder
	role llm.Role
	open bool
}

// content begins a part of the message's content.
func (t *turn) content() {
	if !t.open {
		t.open = true
		t.e.Open('{')
		t.e.Plain("type", "message")
		t.e.Plain("role", string(t.role))
		t.e.Name("content")
		t.e.Open('[')
	}
}

func (t *turn) end() {
	if t.open {
		t.open = false
		t.e.B = append(t.e.B, "]}"...)
	}
}

// said writes a message of anyone but the assistant.
func (e *encoder) said(m *llm.Message) error {
	t := turn{e: e, role: m.Role}
	for _, p := range m.Parts {
		e.noteCache(p)
		var err error
		switch p := p.(type) {
		case *llm.Text, *llm.Media:
			err = t.input(p)
		case *llm.Refusal:
			err = t.input(&llm.Text{Text: p.Text})
		case *llm.ToolResult:
			err = t.result(p)
		case *llm.Thinking:
			e.lost.add(lostThinking)
		case *llm.ToolCall:
			t.end()
			e.call(p)
		case *llm.Opaque:
			t.end()
			e.opaque(p)
		}
		if err != nil {
			return err
		}
	}
	t.end()
	return e.resultsOf(m)
}

// input writes a text or a medium as a part of the message.
func (t *turn) input(p llm.Part) error {
	if text, ok := p.(*llm.Text); ok && text.Text == "" {
		return nil
	}
	t.content()
	return t.e.inputPart(p)
}

// result leaves a result to the call that it belongs to. One without a call is refused by
// the vendor, so it is told as words of the user's, unless the call may be in an earlier
// response.
func (t *turn) result(r *llm.ToolResult) error {
	e := t.e
	if r = e.pairs.Stray(r); r == nil {
		return nil
	}
	if e.r.PreviousResponseID != "" {
		t.end()
		return e.result(llm.SafeID(r.ID, maxIDBytes), false, r)
	}
	name := r.Name
	if name == "" {
		name = r.ID
	}
	if err := t.input(&llm.Text{Text: "Result of the tool " + name + ":"}); err != nil {
		return err
	}
	for _, p := range r.Content {
		e.noteCache(p)
		if _, ok := p.(*llm.Opaque); ok {
			e.lost.add(lostOpaque)
			continue
		}
		if err := t.input(p); err != nil {
			return err
		}
	}
	return nil
}

// assistant writes a turn of the assistant's, and after it what its calls have brought.
func (e *encoder) assistant(m *llm.Message) error {
	t := turn{e: e, role: llm.Assistant}
	for i, p := range m.Parts {
		e.noteCache(p)
		switch p := p.(type) {
		case *llm.Text:
			if p.Text != "" {
				t.content()
				e.Open('{')
				e.Plain("type", "output_text")
				e.Text("text", p.Text)
				e.Close('}')
			}
		case *llm.Refusal:
			t.content()
			e.Open('{')
			e.Plain("type", "refusal")
			e.Text("refusal", p.Text)
			e.Close('}')
		case *llm.Thinking:
			t.end()
			e.thinking(p, m.Parts[i+1:])
		case *llm.ToolCall:
			t.end()
			e.call(p)
		case *llm.Opaque:
			t.end()
			e.opaque(p)
		case *llm.Media:
			t.end()
			if p.Kind != llm.Image || p.Data == "" {
				return unsupported(article(p.Kind) + " among the assistant's words")
			}
			e.lost.addIf(p.Name != "", lostMediaName)
			pictureItem(&e.Writer, p)
		}
	}
	t.end()
	return e.resultsOf(m)
}

// resultsOf writes what the calls of a message have brought.
func (e *encoder) resultsOf(m *llm.Message) error {
	for _, p := range m.Parts {
		c, ok := p.(*llm.ToolCall)
		if !ok {
			continue
		}
		if r := e.pairs.Result(c); r != nil {
			if err := e.result(e.pairs.ID(c), e.isCustom(c.Name), r); err != nil {
				return err
			}
		}
	}
	return nil
}

// thinking writes a thought of this vendor's. The vendor refuses one that leads to nothing.
func (e *encoder) thinking(t *llm.Thinking, following []llm.Part) {
	if t.Signature == "" || t.Origin != llm.Responses || e.isEmpty(following) {
		e.lost.add(lostThinking)
		return
	}
	e.Open('{')
	e.Plain("type", "reasoning")
	if t.ID != "" {
		e.Text("id", t.ID)
	}
	e.Name("summary")
	e.Open('[')
	if t.Text != "" {
		e.Open('{')
		e.Plain("type", "summary_text")
		e.Text("text", t.Text)
		e.Close('}')
	}
	e.Close(']')
	e.Text("encrypted_content", t.Signature)
	e.Close('}')
}

func (e *encoder) call(c *llm.ToolCall) {
	if e.pairs.Result(c) == nil {
		e.lost.add(lostCall)
		return
	}
	e.Open('{')
	if e.isCustom(c.Name) {
		e.Plain("type", "custom_tool_call")
		e.Text("input", wire.UnwrapInput(c.Arguments))
	} else {
		e.Plain("type", "function_call")
		arguments := c.Arguments
		if arguments == "" {
			arguments = "{}"
		}
		e.Text("arguments", arguments)
	}
	e.Plain("call_id", e.pairs.ID(c))
	e.Plain("name", llm.SafeID(c.Name, maxNameBytes))
	e.Close('}')
}

// result writes the result of a call.
func (e *encoder) result(id string, custom bool, r *llm.ToolResult) error {
	e.lost.addIf(r.Failed, lostFailed)
	e.Open('{')
	if custom {
		e.Plain("type", "custom_tool_call_output")
	} else {
		e.Plain("type", "function_call_output")
	}
	e.Plain("call_id", id)
	if err := e.resultContent(r); err != nil {
		return err
	}
	e.Close('}')
	return nil
}

func (e *encoder) resultContent(r *llm.ToolResult) error {
	content := slices.DeleteFunc(slices.Clone(r.Content), func(p llm.Part) bool {
		text, ok := p.(*llm.Text)
		return ok && text.Text == ""
	})
	for _, p := range content {
		e.noteCache(p)
	}
	if len(content) == 0 {
		e.Plain("output", "")
		return nil
	}
	if text, ok := content[0].(*llm.Text); ok && len(content) == 1 {
		e.Text("output", text.Text)
		return nil
	}
	e.Name("output")
	e.Open('[')
	for _, p := range content {
		if o, ok := p.(*llm.Opaque); ok {
			e.opaque(o)
			continue
		}
		if m, ok := p.(*llm.Media); ok && m.Kind == llm.Audio {
			return unsupported("a sound in a tool's result")
		}
		if err := e.inputPart(p); err != nil {
			return err
		}
	}
	e.Close(']')
	return nil
}

// opaque writes an item that only this format knows; nothing depends on another format's:
// see CheckNeeded. What is no item, but a member of the body, is written by stored.
func (e *encoder) opaque(o *llm.Opaque) {
	switch {
	case o.Origin != llm.Responses:
		e.lost.add(lostOpaque)
	case isItem(o):
		e.Next()
		e.B = append(e.B, o.Raw...)
	}
}

func isItem(o *llm.Opaque) bool { return gjson.GetBytes(o.Raw, "type").Exists() }

// stored writes what the request refers to and the vendor has, as members of the body.
func (e *encoder) stored(messages []llm.Message) {
	for i := range messages {
		for _, p := range messages[i].Parts {
			o, ok := p.(*llm.Opaque)
			if !ok || o.Origin != llm.Responses || isItem(o) {
				continue
			}
			w := jsonwalk.Walk{JSON: o.Raw}
			w.Enter('{')
			w.Members(func(name, value []byte) {
				e.Literal(string(name), string(value))
			})
		}
	}
}
