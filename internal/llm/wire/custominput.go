package wire

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// WrapInput is the text of a custom tool's call as arguments in JSON.
func WrapInput(text string) string {
	b := make([]byte, 0, len(text)+len(text)/8+16)
	b = append(b, InputHead...)
	b = AppendString(b, text)
	return string(append(b, '}'))
}

// InputHead is how wrapped text begins; a string and a brace follow.
const InputHead = `{"input":`

// UnwrapInput is the reverse of WrapInput. Arguments that are none of its making are text as
// they are.
func UnwrapInput(arguments string) string {
	var u Unwrapper
	text := u.Write(nil, arguments)
	return string(u.Close(text))
}

// Unwrapper takes arguments in JSON, {"input": TEXT}, apart while they come in pieces. The
// zero value is ready.
type Unwrapper struct {
	state unwrapState
	head  int    // how much of the head has been read, blanks aside
	held  []byte // what is read and not told: the head so far, or a part of an escape
}

type unwrapState uint8

const (
	inHead unwrapState = iota
	inText
	behindText
	asItIs // the arguments are no JSON of ours
)

// Write appends to dst what of the text another piece of the arguments brings.
func (u *Unwrapper) Write(dst []byte, piece string) []byte {
	for i := 0; i < len(piece); {
		switch u.state {
		case inHead:
			dst = u.headByte(dst, piece[i])
			i++
		case inText:
			var n int
			dst, n = u.text(dst, piece[i:])
			i += n
		case asItIs:
			return append(dst, piece[i:]...)
		default:
			return dst
		}
	}
	return dst
}

// Close appends what was held back when the arguments ended.
func (u *Unwrapper) Close(dst []byte) []byte {
	if u.state == inHead {
		dst = append(dst, u.held...)
	}
	u.held = nil
	return dst
}

// headByte takes a byte of the head: InputHead and the quote behind it, with blanks where
// JSON takes them.
func (u *Unwrapper) headByte(dst []byte, c byte) []byte {
	const head = InputHead + `"`
	const colon = len(InputHead) - 1
	u.held = append(u.held, c)
	switch {
	case c == head[u.head]:
		u.head++
		if u.head == len(head) {
			u.state, u.held = inText, u.held[:0]
		}
	case (c == ' ' || c == '\t' || c == '\n' || c == '\r') && (u.head <= 1 || u.head >= colon):
	default:
		u.state = asItIs
		dst = append(dst, u.held...)
		u.held = u.held[:0]
	}
	return dst
}

// text takes some bytes inside the string and returns how many.
func (u *Unwrapper) text(dst []byte, s string) ([]byte, int) {
	if len(u.held) > 0 {
		u.held = append(u.held, s[0])
		return u.escape(dst), 1
	}
	n := strings.IndexAny(s, `"\`)
	if n < 0 {
		return append(dst, s...), len(s)
	}
	dst = append(dst, s[:n]...)
	if s[n] == '"' {
		u.state = behindText
	} else {
		u.held = append(u.held, '\\')
	}
	return dst, n + 1
}

// escape tells the held escape if it is whole. What was held to see whether it belongs to
// the escape, and does not, is taken anew.
func (u *Unwrapper) escape(dst []byte) []byte {
	for len(u.held) > 0 {
		r, n := escaped(u.held)
		if n == 0 {
			return dst
		}
		dst = utf8.AppendRune(dst, r)
		u.held = u.held[:copy(u.held, u.held[n:])]
		if len(u.held) == 1 && u.held[0] != '\\' {
			if u.held[0] == '"' {
				u.state = behindText
			} else {
				dst = append(dst, u.held[0])
			}
			u.held = u.held[:0]
		}
	}
	return dst
}

// escaped reads the escape that e begins with and tells its length; 0 = more is needed. A
// surrogate without its other half is U+FFFD.
func escaped(e []byte) (r rune, n int) {
	if len(e) < 2 {
		return 0, 0
	}
	switch e[1] {
	case 'n':
		return '\n', 2
	case 't':
		return '\t', 2
	case 'r':
		return '\r', 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'u':
	default:
		return rune(e[1]), 2
	}
	if len(e) < 6 {
		return 0, 0
	}
	high := hex4(e[2:6])
	switch {
	case !utf16.IsSurrogate(high):
		return high, 6
	case len(e) > 6 && e[6] != '\\', len(e) > 7 && e[7] != 'u':
		return utf8.RuneError, 6
	case len(e) < 12:
		return 0, 0
	}
	if pair := utf16.DecodeRune(high, hex4(e[8:12])); pair != utf8.RuneError {
		return pair, 12
	}
	return utf8.RuneError, 6
}

// hex4 reads four hexadecimal digits; U+FFFD if they are none.
func hex4(digits []byte) rune {
	var r rune
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return utf8.RuneError
		}
	}
	return r
}
