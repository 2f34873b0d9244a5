package chat

import (
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// quick reads the chunks that nearly all of a stream is made of: one choice, one piece of
// text, thought or arguments, and what can be skipped without a look. It takes a quarter
// of the time that decoding into types takes. Whatever it does not know for certain, or
// what may not be valid, it leaves to that.
type quick struct {
	b    []byte
	at   int
	text []byte // unescaped; kept for its memory

	delta delta
	calls [1]callDelta
	index count
	fn    functionPart
}

// chunk reads a chunk into q.delta, or reports that it cannot.
func (q *quick) chunk(data []byte) bool {
	q.b, q.at = data, 0
	q.delta, q.calls[0], q.fn, q.index = delta{}, callDelta{}, functionPart{}, 0
	seen := false
	ok := q.object(func(key []byte) bool {
		switch string(key) {
		case "choices":
			again := seen
			seen = true
			return !again && q.eat('[') && q.choice() && q.eat(']')
		case "usage", "error", "x_groq":
			return q.null()
		default:
			return q.scalar()
		}
	})
	return ok && seen && q.atEnd()
}

func (q *quick) choice() bool {
	seen := false
	return q.object(func(key []byte) bool {
		switch string(key) {
		case "delta":
			again := seen
			seen = true
			return !again && q.words()
		case "index":
			n, ok := q.integer()
			return ok && n == 0
		case "finish_reason", "stop_reason", "message", "usage":
			return q.null()
		default:
			return q.scalar()
		}
	})
}

func (q *quick) words() bool {
	d := &q.delta
	return q.object(func(key []byte) bool {
		switch string(key) {
		case "content":
			return q.word(&d.Content.text)
		case "reasoning_content":
			return q.word((*string)(&d.ReasoningContent))
		case "reasoning":
			return q.word((*string)(&d.Reasoning))
		case "tool_calls":
			return d.ToolCalls == nil && (q.null() || q.eat('[') && q.call() && q.eat(']'))
		case "reasoning_details", "refusal", "function_call", "images", "audio":
			return q.null()
		default: // role, and what others have added
			return q.scalar()
		}
	})
}

func (q *quick) call() bool {
	c := &q.calls[0]
	q.delta.ToolCalls = q.calls[:]
	return q.object(func(key []byte) bool {
		switch string(key) {
		case "index":
			n, ok := q.integer()
			q.index, c.Index = count(min(n, maxCount)), &q.index
			return ok
		case "id":
			return q.word((*string)(&c.ID))
		case "type":
			return q.scalar()
		case "function":
			c.Function = &q.fn
			return q.function()
		default:
			return false
		}
	})
}

func (q *quick) function() bool {
	return q.object(func(key []byte) bool {
		switch string(key) {
		case "name":
			return q.word((*string)(&q.fn.Name))
		case "arguments":
			return q.word((*string)(&q.fn.Arguments))
		default:
			return false
		}
	})
}

// object reads an object; member reads the value of a member.
func (q *quick) object(member func(key []byte) bool) bool {
	if !q.eat('{') {
		return false
	}
	if q.eat('}') {
		return true
	}
	for {
		key, plain, ok := q.quoted()
		if !ok || !plain || !q.eat(':') || !member(key) {
			return false
		}
		if q.eat('}') {
			return true
		}
		if !q.eat(',') {
			return false
		}
	}
}

func (q *quick) space() {
	for q.at < len(q.b) {
		switch q.b[q.at] {
		case ' ', '\t', '\n', '\r':
			q.at++
		default:
			return
		}
	}
}

func (q *quick) eat(c byte) bool {
	q.space()
	if q.at < len(q.b) && q.b[q.at] == c {
		q.at++
		return true
	}
	return false
}

func (q *quick) atEnd() bool {
	q.space()
	return q.at == len(q.b)
}

func (q *quick) literal(word string) bool {
	q.space()
	if len(q.b)-q.at < len(word) || string(q.b[q.at:q.at+len(word)]) != word {
		return false
	}
	q.at += len(word)
	return true
}

func (q *quick) null() bool { return q.literal("null") }

// scalar skips a value that holds no others.
func (q *quick) scalar() bool {
	q.space()
	if q.at == len(q.b) {
		return false
	}
	switch q.b[q.at] {
	case '"':
		_, plain, ok := q.quoted()
		return ok && plain // escapes may be wrong
	case 't':
		return q.literal("true")
	case 'f':
		return q.literal("false")
	case 'n':
		return q.null()
	default:
		_, ok := q.integer()
		return ok
	}
}

// integer reads a whole number without a sign. Others are rare.
func (q *quick) integer() (int64, bool) {
	q.space()
	from := q.at
	for q.at < len(q.b) && '0' <= q.b[q.at] && q.b[q.at] <= '9' {
		q.at++
	}
	digits := q.b[from:q.at]
	if len(digits) == 0 || len(digits) > 1 && digits[0] == '0' || q.at < len(q.b) && isNumeric(q.b[q.at]) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	return n, err == nil
}

func isNumeric(c byte) bool { return c == '.' || c == 'e' || c == 'E' }

// quoted reads a string and returns what is between its quotation marks, and whether that
// is the string itself, without escapes.
func (q *quick) quoted() (inside []byte, plain, ok bool) {
	if !q.eat('"') {
		return nil, false, false
	}
	from, plain, ascii := q.at, true, true
	for ; q.at < len(q.b); q.at++ {
		switch c := q.b[q.at]; {
		case c == '"':
			inside = q.b[from:q.at]
			q.at++
			return inside, plain, ascii || utf8.Valid(inside)
		case c == '\\':
			plain = false
			q.at++ // whatever follows; unquoting tells whether it may
		case c < ' ':
			return nil, false, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false, false
}

// word reads a string or null into s, which must be empty.
func (q *quick) word(s *string) bool {
	return *s == "" && (q.null() || q.string(s))
}

// string reads a string into s.
func (q *quick) string(s *string) bool {
	inside, plain, ok := q.quoted()
	if !ok || plain {
		*s = string(inside)
		return ok
	}
	var err error
	start := q.at - len(inside) - 2
	q.text, err = jsontext.AppendUnquote(q.text[:0], q.b[start:q.at])
	*s = string(q.text)
	return err == nil
}
