package gemini

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
)

// anySignature stands in for the signature of a function call that another model made.
// Gemini 3 refuses a step whose first function call has none. Google documents this value
// for "transferring a trace from a different model that does not include thought
// signatures": ai.google.dev/gemini-api/docs/thought-signatures, FAQs, 1.
const anySignature = "skip_thought_signature_validator"

// conversation writes the contents, and the instructions before them apart. An answer that
// the client has begun itself goes, unless only tokens are counted.
func (e *encoder) conversation(counting bool) error {
	t := turns{encoder: e}
	t.pair()
	e.member(`"contents":`)
	e.raw("[")
	first := t.instructions()
	for i := first; i < len(e.request.Messages); i++ {
		if err := t.message(&e.request.Messages[i]); err != nil {
			return err
		}
	}
	if t.end(counting); t.err != nil {
		return t.err
	}
	leading := e.request.Messages[:first]
	if t.count == 0 { // Google wants contents, so the instructions are what the user says
		for i := range leading {
			if err := t.message(&llm.Message{Role: llm.User, Parts: leading[i].Parts}); err != nil {
				return err
			}
		}
		t.close()
		leading = nil
	}
	e.raw("]")
	return e.systemInstruction(leading)
}

func (e *encoder) systemInstruction(leading []llm.Message) error {
	before := len(e.b)
	e.member(`"systemInstruction":`)
	e.raw(`{"parts":[`)
	inner := len(e.b)
	for i := range leading {
		e.lost.when(leading[i].Name != "", lostMessageName)
		for _, p := range leading[i].Parts {
			switch p := p.(type) {
			case *llm.Text:
				e.lost.when(p.Cache != nil, lostCache)
				if p.Text != "" {
					e.next()
					e.raw("{")
					e.str(`"text":`, p.Text)
					e.raw("}")
				}
			case *llm.Media:
				return unsupported(article(p.Kind) + " in the instructions")
			default:
				e.lost.add(lostOpaque)
			}
		}
	}
	if len(e.b) == inner {
		e.b = e.b[:before]
		return nil
	}
	e.raw("]}")
	return nil
}

// turns writes messages as contents: neighbours of one role are one, because the results of
// all calls of a turn have to be in the content that follows it, before all else.
//
// A call without any result is left out: Google refuses it, and what the tool would have said
// cannot be invented.
type turns struct {
	*encoder
	answers map[*llm.ToolCall]*llm.ToolResult
	paired  map[*llm.ToolResult]*llm.ToolCall
	owed    []*llm.ToolCall // of the content of the model that was written last
	count   int             // contents
	role    string          // of the open content; empty = none is open
	start   int             // where the open content begins, with the comma before it
	pending string          // a signature for the next part
	called  bool            // the open content has a function call
	err     error           // the first of writing results
}

// pair ties every result to the call before it that has its id; of several results of a
// call the last one counts.
func (t *turns) pair() {
	var latest map[string]*llm.ToolCall
	for i := range t.request.Messages {
		for _, p := range t.request.Messages[i].Parts {
			switch p := p.(type) {
			case *llm.ToolCall:
				if latest == nil {
					latest = map[string]*llm.ToolCall{}
					t.answers = map[*llm.ToolCall]*llm.ToolResult{}
					t.paired = map[*llm.ToolResult]*llm.ToolCall{}
				}
				latest[p.ID] = p
			case *llm.ToolResult:
				if call := latest[p.ID]; call != nil {
					t.answers[call], t.paired[p] = p, call
				}
			}
		}
	}
}

// instructions returns how many messages at the beginning are some.
func (t *turns) instructions() int {
	for i := range t.request.Messages {
		if !instructs(t.request.Messages[i].Role) {
			return i
		}
	}
	return len(t.request.Messages)
}

func instructs(r llm.Role) bool { return r == llm.System || r == llm.Developer }

func (t *turns) message(m *llm.Message) error {
	t.lost.when(m.Name != "", lostMessageName)
	role := "user"
	if m.Role == llm.Assistant {
		role = "model"
	}
	for _, p := range m.Parts {
		if instructs(m.Role) {
			p = t.reminder(p)
		}
		if err := t.part(role, p); err != nil {
			return err
		}
	}
	return nil
}

// reminder wraps an instruction that comes after the beginning. Its place matters, so it
// does not join the others.
func (t *turns) reminder(p llm.Part) llm.Part {
	said, ok := p.(*llm.Text)
	if !ok || said.Text == "" {
		return p
	}
	t.lost.add(lostLateSystem)
	return &llm.Text{Text: "<system-reminder>\n" + said.Text + "\n</system-reminder>", Cache: said.Cache}
}

// open begins a content, unless one of that role is open.
func (t *turns) open(role string) {
	if t.role == role {
		return
	}
	t.close()
	t.start, t.role, t.called = len(t.b), role, false
	t.count++
	t.next()
	t.raw(`{"role":"` + role + `","parts":[`)
	if role == "user" {
		t.results()
	}
}

func (t *turns) close() {
	if t.role == "" {
		return
	}
	t.settle()
	t.raw("]}")
	t.role = ""
}

// settle writes a signature that no part has followed as Google itself does: with an empty
// text.
func (t *turns) settle() {
	if t.pending == "" {
		return
	}
	t.begin()
	t.str(`"text":`, "")
	t.finish()
}

// end closes the last content, and takes it back if it is the model's.
func (t *turns) end(counting bool) {
	if t.role == "model" && t.count > 1 && !counting {
		t.lost.add(lostPrefill)
		t.b, t.role, t.pending = t.b[:t.start], "", ""
		t.count--
		return
	}
	t.close()
}

func (t *turns) begin() {
	t.next()
	t.raw("{")
}

// finish ends a part, with the signature that waits for one.
func (t *turns) finish() {
	if t.pending != "" {
		t.str(`"thoughtSignature":`, t.pending)
		t.pending = ""
	}
	t.raw("}")
}

// part writes one. Texts without words are left out.
func (t *turns) part(role string, p llm.Part) error {
	switch p := p.(type) {
	case *llm.Text:
		t.lost.when(p.Cache != nil, lostCache)
		t.say(role, p.Text)
	case *llm.Refusal:
		t.lost.add(lostRefusal)
		t.say(role, p.Text)
	case *llm.Media:
		t.open(role)
		t.begin()
		if err := t.media(p); err != nil {
			return err
		}
		t.finish()
	case *llm.ToolCall:
		t.lost.when(p.Cache != nil, lostCache)
		t.call(p)
	case *llm.ToolResult:
		return t.result(p)
	case *llm.Thinking:
		t.thought(p)
	case *llm.Opaque:
		t.opaque(role, p)
	}
	return nil
}

func (t *turns) say(role, words string) {
	if words == "" {
		return
	}
	t.open(role)
	t.begin()
	t.str(`"text":`, words)
	t.finish()
}

func (t *turns) media(m *llm.Media) error {
	t.lost.when(m.Cache != nil, lostCache)
	t.lost.when(m.Name != "", lostMediaName)
	t.lost.when(m.Detail != "" && m.Detail != "auto", lostMediaDetail)
	return t.appendMedia(m)
}

func (t *turns) opaque(role string, p *llm.Opaque) {
	if p.Origin != llm.Gemini || !isObject([]byte(p.Raw)) {
		t.lost.add(lostOpaque)
		return
	}
	t.open(role)
	t.next()
	t.value(p.Raw)
	if t.pending != "" {
		t.b = t.b[:len(t.b)-1] // its brace
		t.finish()
	}
}

// thought writes Google's own thoughts that are signed. A signature without a text belongs
// to the part that follows.
func (t *turns) thought(p *llm.Thinking) {
	if p.Signature == "" || p.Origin != llm.Gemini {
		t.lost.when(p.Signature != "", lostSignature)
		t.lost.when(p.Text != "", lostThought)
		return
	}
	t.open("model")
	t.settle()
	t.pending = p.Signature
	if p.Text == "" && !p.Redacted {
		return
	}
	t.begin()
	t.str(`"text":`, p.Text)
	t.member(`"thought":true`)
	t.finish()
}

func (t *turns) call(p *llm.ToolCall) {
	if t.answers[p] == nil {
		t.lost.add(lostCall)
		return
	}
	t.open("model")
	if !t.called && t.pending == "" && t.model != legacy {
		t.pending = anySignature
	}
	t.called = true
	t.owed = append(t.owed, p)
	t.begin()
	t.member(`"functionCall":`)
	t.raw("{")
	if p.ID != "" {
		t.str(`"id":`, llm.SafeID(p.ID, idLimit))
	}
	t.str(`"name":`, toolName(p.Name))
	if t.arguments(p.Arguments) {
		t.lost.add(lostArguments)
	}
	t.raw("}")
	t.finish()
}

// arguments appends a call's member args. It reports whether they had to be wrapped: Google
// takes an object only.
func (w *writer) arguments(args string) (wrapped bool) {
	switch raw := jsontext.Value(args); {
	case strings.TrimSpace(args) == "":
		return false
	case isObject(raw):
		w.member(`"args":`)
		w.value(raw)
		return false
	default:
		w.member(`"args":`)
		w.raw("{")
		w.str(`"`+llm.CustomArgument+`":`, args)
		w.raw("}")
		return true
	}
}
