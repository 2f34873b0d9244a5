// Package prompt holds a simulated request in no format: what was said, what it costs, and
// what the answer to it is.
package prompt

import (
	"hash/maphash"
	"strings"

	"github.com/tidwall/gjson"
)

// Role is who speaks in a message. Roles that mean nothing to the simulator stay as they are.
type Role string

// Roles that mean something.
const (
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool"
)

// Prompt is a request in no format: what the answer, its cost and its pace depend on. It is
// filled message by message: Begin, any number of Add… and Count, End.
type Prompt struct {
	Model  string
	Stream bool
	Limit  int64        // output tokens; 0 = none
	Schema gjson.Result // of the JSON that the client wants for an answer; may be absent
	Tools  []Tool
	Choice Choice

	Marks      Marks
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
	prefix uint64 // of the prompt up to its end
}

// message is the one being filled.
type message struct {
	role      Role
	tokens    int64
	text      string // last text part
	hasText   bool
	result    string
	hasResult bool
}

// Choice says whether a tool must or may be called.
type Choice struct {
	Forbidden bool
	Required  bool
	Name      string // the forced one; empty = any
}

// New returns an empty prompt for a model. seed is that of the cache whose prefixes it is
// to have. Caches are per model.
func New(model string, seed maphash.Seed) *Prompt {
	p := &Prompt{Model: model}
	p.hash.SetSeed(seed)
	p.mix(model)
	return p
}

// mix makes s part of the prefix.
func (p *Prompt) mix(s string) {
	_, _ = p.hash.WriteString(s)
	_ = p.hash.WriteByte(0) // keeps "ab", "c" and "a", "bc" apart
}

// Begin opens a message.
func (p *Prompt) Begin(r Role) {
	p.open = message{role: r}
	p.mix(string(r))
}

// AddText adds a text part to the open message.
func (p *Prompt) AddText(s string) {
	p.Count(s)
	p.open.text, p.open.hasText = s, true
}

// AddResult adds a tool's result to the open message.
func (p *Prompt) AddResult(s string) {
	p.Count(s)
	p.open.result, p.open.hasResult = s, true
}

// Count makes s part of the prompt and of its cost, but of nothing that is answered.
func (p *Prompt) Count(s string) {
	p.mix(s)
	p.open.tokens += CountTokens(s)
}

// End closes the open message.
func (p *Prompt) End() {
	m := p.open
	p.sections = append(p.sections, section{m.tokens, p.hash.Sum64()})
	p.afterTool, p.toolResult = m.hasResult, m.result
	if m.role == RoleUser && m.hasText {
		p.turn++
		p.Marks, p.text = CutMarks(m.text)
	}
}

// AddContent adds what a message holds: a string, or parts. A part without a text is given
// to other.
func (p *Prompt) AddContent(content gjson.Result, other func(gjson.Result)) {
	if content.Type == gjson.String {
		p.AddText(content.Str)
		return
	}
	content.ForEach(func(_, part gjson.Result) bool {
		if text := part.Get("text"); text.Type == gjson.String {
			p.AddText(text.Str)
		} else {
			other(part)
		}
		return true
	})
}

// AddOther makes a part that is no text, such as an image, tell prompts apart. It costs nothing.
func (p *Prompt) AddOther(part gjson.Result) { p.mix(part.Raw) }

// InputTokens is what the whole prompt costs.
func (p *Prompt) InputTokens() int64 {
	var n int64
	for _, s := range p.sections {
		n += s.tokens
	}
	return n
}

// Prefixes returns the growing prefixes, shortest first.
func (p *Prompt) Prefixes() []uint64 {
	all := make([]uint64, len(p.sections))
	for i, s := range p.sections {
		all[i] = s.prefix
	}
	return all
}

// CountTokens counts one token per started four bytes.
func CountTokens(s string) int64 { return int64(len(s)+3) / 4 }

// TextOf returns the text of a string, or of parts, joined by line ends.
func TextOf(content gjson.Result) string {
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
