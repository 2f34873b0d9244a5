package prompt

import (
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/understudyhq/understudy/providers/simulator/sample"
)

// Reply is what a prompt is answered with, in no format: a text, or a call.
type Reply struct {
	Text      string
	Call      *Call // nil = text
	Truncated bool  // the prompt's limit cut the text
	Usage     Usage
}

// Call is a call of one of the client's tools.
type Call struct {
	Name string
	Args string // a JSON object
}

// Usage counts tokens.
type Usage struct {
	Input  int64 // all of it
	Cached int64 // part of Input that was in the prompt cache
	Output int64
}

// Reply makes the answer to p, of which the first so many prefixes were cached.
func (p *Prompt) Reply(cached int) Reply {
	r := Reply{Usage: Usage{Input: p.InputTokens()}}
	for _, s := range p.sections[:cached] {
		r.Usage.Cached += s.tokens
	}
	if t, ok := p.pickTool(); ok {
		args := "{}"
		if t.Schema.Exists() {
			args = sample.JSON(t.Schema)
		}
		r.Call = &Call{Name: t.Name, Args: args}
		r.Usage.Output = CountTokens(t.Name) + CountTokens(args)
		return r
	}
	r.Text, r.Truncated = cutTokens(p.answer(), p.Limit)
	r.Usage.Output = CountTokens(r.Text)
	return r
}

// answer returns the text that answers p, whole.
func (p *Prompt) answer() string {
	if p.Marks.Words > 0 {
		return words(p.Marks.Words)
	}
	if p.afterTool {
		const quoted = 50 // tokens
		result, _ := cutTokens(p.toolResult, quoted)
		return fmt.Sprintf("Simulated answer %d of %s: the tool returned %s", p.turn, p.Model, result)
	}
	if _, echo, ok := strings.Cut(p.text, "echo:"); ok {
		return strings.TrimSpace(echo)
	}
	if p.Schema.Exists() {
		return sample.JSON(p.Schema)
	}
	return fmt.Sprintf("Simulated answer %d of %s: read %d tokens.", p.turn, p.Model, p.InputTokens())
}

// words returns a text of n words.
func words(n int) string {
	const line = "all the world is a stage and all the men and women merely players"
	some := strings.Fields(line)
	text := make([]string, n)
	for i := range text {
		text[i] = some[i%len(some)]
	}
	return strings.Join(text, " ")
}

// cutTokens shortens text to limit tokens, if that is not 0, between two characters. It
// reports whether anything is missing.
func cutTokens(text string, limit int64) (string, bool) {
	if limit <= 0 || CountTokens(text) <= limit {
		return text, false
	}
	end := limit * 4
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end], true
}

// Pieces splits what a stream sends bit by bit: a text into its words, each with the space
// before it, arguments into short bits.
func (r Reply) Pieces() iter.Seq[string] {
	if r.Call != nil {
		return bits(r.Call.Args)
	}
	return wordsOf(r.Text)
}

func wordsOf(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for text != "" {
			end := len(text)
			if i := strings.IndexByte(text[1:], ' '); i >= 0 {
				end = 1 + i
			}
			if !yield(text[:end]) {
				return
			}
			text = text[end:]
		}
	}
}

func bits(json string) iter.Seq[string] {
	const size = 12 // bytes at least
	return func(yield func(string) bool) {
		for json != "" {
			end := min(size, len(json))
			for end < len(json) && !utf8.RuneStart(json[end]) {
				end++
			}
			if !yield(json[:end]) {
				return
			}
			json = json[end:]
		}
	}
}
