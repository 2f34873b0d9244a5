package simulator

import (
	"hash/maphash"
	"strings"

	"github.com/tidwall/gjson"
)

// role is who speaks in a message. Roles that mean nothing to the simulator stay as they are.
type role string

const (
	roleUser      role = "user"
	roleAssistant role = "assistant"
	roleTool      role = "tool"
)

// prompt is a request in no format: what the answer, its cost and its pace depend on. It is
// filled message by message: begin, any number of add…, end.
type prompt struct {
	model  string
	stream bool
	limit  int64        // output tokens; 0 = none
	schema gjson.Result // of the JSON that the client wants for an answer; may be absent
	tools  []tool
	choice choice

	marks      marks
	text       string // last user text, without marks
	turn       int    // user messages with text so far
	afterTool  bool   // the last message holds a tool's result
	toolResult string // the last one in it

	sections []section
	hash     maphash.Hash // of everything so far
	open     message
}

// section is what the prompt cache keeps or does not: the instructions, or one message.
type section struct {
	tokens int64
	prefix digest // of the prompt up to its end
}

// message is the one being filled.
type message struct {
	role      role
	tokens    int64
	text      string // last text part
	hasText   bool
	result    string
	hasResult bool
}

// choice says whether a tool must or may be called.
type choice struct {
	forbidden bool
	required  bool
	name      string // the forced one; empty = any
}

// newPrompt returns an empty prompt. Caches are per model.
func (x *exchange) newPrompt(model string) *prompt {
	p := &prompt{model: model}
	p.hash.SetSeed(x.credential.cache.seed)
	p.mix(model)
	return p
}

// mix makes s part of the prefix.
func (p *prompt) mix(s string) {
	_, _ = p.hash.WriteString(s)
	_ = p.hash.WriteByte(0) // keeps "ab", "c" and "a", "bc" apart
}

func (p *prompt) begin(r role) {
	p.open = message{role: r}
	p.mix(string(r))
}

// addText adds a text part to the open message.
func (p *prompt) addText(s string) {
	p.count(s)
	p.open.text, p.open.hasText = s, true
}

// addResult adds a tool's result to the open message.
func (p *prompt) addResult(s string) {
	p.count(s)
	p.open.result, p.open.hasResult = s, true
}

// count makes s part of the prompt and of its cost, but of nothing that is answered.
func (p *prompt) count(s string) {
	p.mix(s)
	p.open.tokens += countTokens(s)
}

// end closes the open message.
func (p *prompt) end() {
	m := p.open
	p.sections = append(p.sections, section{m.tokens, digest(p.hash.Sum64())})
	p.afterTool, p.toolResult = m.hasResult, m.result
	if m.role == roleUser && m.hasText {
		p.turn++
		p.marks, p.text = cutMarks(m.text)
	}
}

// addContent adds what a message holds: a string, or parts. A part without a text is given
// to other.
func (p *prompt) addContent(content gjson.Result, other func(gjson.Result)) {
	if content.Type == gjson.String {
		p.addText(content.Str)
		return
	}
	content.ForEach(func(_, part gjson.Result) bool {
		if text := part.Get("text"); text.Type == gjson.String {
			p.addText(text.Str)
		} else {
			other(part)
		}
		return true
	})
}

// addOther makes a part that is no text, such as an image, tell prompts apart. It costs nothing.
func (p *prompt) addOther(part gjson.Result) { p.mix(part.Raw) }

// inputTokens is what the whole prompt costs.
func (p *prompt) inputTokens() int64 {
	var n int64
	for _, s := range p.sections {
		n += s.tokens
	}
	return n
}

// prefixes returns the growing prefixes, shortest first.
func (p *prompt) prefixes() []digest {
	all := make([]digest, len(p.sections))
	for i, s := range p.sections {
		all[i] = s.prefix
	}
	return all
}

// countTokens counts one token per started four bytes.
func countTokens(s string) int64 { return int64(len(s)+3) / 4 }

// textOf returns the text of a string, or of parts, joined by line ends.
func textOf(content gjson.Result) string {
	if content.Type == gjson.String {
		return content.Str
	}
	var texts []string
	content.ForEach(func(_, part gjson.Result) bool {
		if text := part.Get("text"); text.Type == gjson.String {
			texts = append(texts, text.Str)
		}
		return true
	})
	return strings.Join(texts, "\n")
}
