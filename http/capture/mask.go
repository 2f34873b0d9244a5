package capture

import (
	"io"
	"strings"
)

// maxShownBytes is how long a name or value may be that is shown.
const maxShownBytes = 64

// masker passes JSON and event streams on without what they say: texts and numbers become
// "***", but for those members that tell how the API was used (see shows); names of members
// stay if they look like names. What is neither quoted nor a literal of JSON is no JSON, and
// masked as well. It takes any bytes, whole or not, and holds back no more than a name.
type masker struct {
	w   io.Writer
	err error
	out []byte

	in     part
	escape bool   // the next byte of a text is escaped
	text   []byte // the beginning of the text, word or number that is being read
	long   bool   // it was longer than text
	space  []byte // that followed it
	name   string // of the member whose value comes next; empty = none
}

// part is where in the input a masker is.
type part int

const (
	between part = iota
	inText
	afterText // it may be a name: that depends on what follows
	inWord
)

func newMasker(w io.Writer) *masker { return &masker{w: w} }

// Write is part of io.Writer.
func (m *masker) Write(p []byte) (int, error) {
	for _, c := range p {
		m.take(c)
	}
	m.flush()
	return len(p), m.err
}

// end writes what was held back.
func (m *masker) end() {
	switch m.in {
	case inText, afterText:
		m.endText(false)
	case inWord:
		m.endWord()
	}
	m.flush()
}

func (m *masker) flush() {
	if m.err == nil && len(m.out) > 0 {
		_, m.err = m.w.Write(m.out)
	}
	m.out = m.out[:0]
}

func (m *masker) take(c byte) {
	switch m.in {
	case inText:
		m.takeText(c)
		return
	case afterText:
		if isSpace(c) && len(m.space) < maxShownBytes {
			m.space = append(m.space, c)
			return
		}
		m.endText(c == ':')
	case inWord:
		if isWord(c) {
			m.keep(c)
			return
		}
		m.endWord()
		if c == ':' { // "data:" of an event stream; or no JSON
			m.out = append(m.out, c)
			return
		}
	}
	m.takeBetween(c)
}

func (m *masker) takeBetween(c byte) {
	switch {
	case c == '"':
		m.in, m.text, m.long, m.escape, m.space = inText, m.text[:0], false, false, m.space[:0]
	case isWord(c):
		m.in, m.text, m.long = inWord, m.text[:0], false
		m.keep(c)
	case isSpace(c):
		m.out = append(m.out, c)
	case c == ':':
		m.out = append(m.out, c)
	default:
		m.name = ""
		if strings.IndexByte("{}[],", c) < 0 {
			c = '*'
		}
		m.out = append(m.out, c)
	}
}

func (m *masker) takeText(c byte) {
	switch {
	case m.escape:
		m.escape = false
		m.keep(c)
	case c == '\\':
		m.escape = true
		m.keep(c)
	case c == '"':
		m.in = afterText
	default:
		m.keep(c)
	}
}

func (m *masker) keep(c byte) {
	if len(m.text) < maxShownBytes {
		m.text = append(m.text, c)
	} else {
		m.long = true
	}
}

// endText writes the text that has ended: as a name of a member or as a value.
func (m *masker) endText(isName bool) {
	text := string(m.text)
	shown := !m.long && isIdentifier(text) && m.in == afterText
	if isName {
		m.name = ""
		if shown {
			m.name = text
		}
	} else {
		shown = shown && shows(m.name)
		m.name = ""
	}
	if !shown {
		text = mask
	}
	m.out = append(m.out, '"')
	m.out = append(m.out, text...)
	m.out = append(m.out, '"')
	m.out = append(m.out, m.space...)
	m.in, m.space = between, m.space[:0]
}

// endWord writes the number or literal that has ended.
func (m *masker) endWord() {
	word := string(m.text)
	switch word {
	case "true", "false", "null", "data", "event", "DONE":
	default:
		if m.long || !isNumber(word) || !shows(m.name) {
			word = mask
		}
	}
	m.out = append(m.out, word...)
	m.in, m.name = between, ""
}

// shows reports whether the value of a member tells how the API was used, not what for.
func shows(member string) bool {
	switch member {
	case "model", "role", "type", "object", "status", "code", "finish_reason", "finishReason", "stop_reason", "incomplete_reason",
		"temperature", "top_p", "top_k", "topP", "topK", "n", "index", "effort", "service_tier", "created", "created_at", "sequence_number", "output_index", "content_index":
		return true
	default:
		return strings.HasSuffix(member, "_tokens") || strings.HasSuffix(member, "TokenCount") || strings.HasSuffix(member, "Tokens")
	}
}

// isIdentifier reports whether text looks like a name and not like prose.
func isIdentifier(text string) bool {
	for i := range len(text) {
		c := text[i]
		if c >= 0x80 || !isWord(c) && c != '/' && c != '$' && c != ':' {
			return false
		}
	}
	return text != ""
}

func isNumber(word string) bool { return strings.Trim(word, "0123456789+-.eE") == "" }

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// isWord reports whether c may be part of a number or a literal.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '+' || c == '.' || c >= 0x80
}
