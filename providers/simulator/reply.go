package simulator

import (
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/understudyhq/understudy/providers/simulator/sample"
)

// reply is what a prompt is answered with, in no format: a text, or a call.
type reply struct {
	text      string
	call      *call // nil = text
	truncated bool  // the prompt's limit cut the text
	usage     usage
}

// call is a call of one of the client's tools.
type call struct {
	name string
	args string // a JSON object
}

// usage counts tokens.
type usage struct {
	input  int64 // all of it
	cached int64 // part of input that was in the prompt cache
	output int64
}

// reply makes the answer to p. It uses the credential's prompt cache.
func (x *exchange) reply(p *prompt) reply {
	r := reply{usage: x.useCache(p)}
	if t, ok := p.pickTool(); ok {
		args := "{}"
		if t.schema.Exists() {
			args = sample.JSON(t.schema)
		}
		r.call = &call{name: t.name, args: args}
		r.usage.output = countTokens(t.name) + countTokens(args)
		return r
	}
	r.text, r.truncated = cutTokens(p.answer(), p.limit)
	r.usage.output = countTokens(r.text)
	return r
}

func (x *exchange) useCache(p *prompt) usage {
	u := usage{input: p.inputTokens()}
	cached := x.credential.cache.use(p.prefixes(), time.Now())
	for _, s := range p.sections[:cached] {
		u.cached += s.tokens
	}
	return u
}

// answer returns the text that answers p, whole.
func (p *prompt) answer() string {
	if p.marks.words > 0 {
		return words(p.marks.words)
	}
	if p.afterTool {
		const quoted = 50 // tokens
		result, _ := cutTokens(p.toolResult, quoted)
		return fmt.Sprintf("Simulated answer %d of %s: the tool returned %s", p.turn, p.model, result)
	}
	if _, echo, ok := strings.Cut(p.text, "echo:"); ok {
		return strings.TrimSpace(echo)
	}
	if p.schema.Exists() {
		return sample.JSON(p.schema)
	}
	return fmt.Sprintf("Simulated answer %d of %s: read %d tokens.", p.turn, p.model, p.inputTokens())
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
	if limit <= 0 || countTokens(text) <= limit {
		return text, false
	}
	end := limit * 4
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end], true
}

// pieces splits what a stream sends bit by bit: a text into its words, each with the space
// before it, arguments into short bits.
func (r reply) pieces() iter.Seq[string] {
	if r.call != nil {
		return bits(r.call.args)
	}
	return wordsOf(r.text)
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
