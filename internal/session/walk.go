package session

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// walk steps through JSON that is known to be valid, without decoding it: bodies are
// large, most of a body is inside strings, and those are passed over at the speed of
// memory. Of invalid JSON it makes something, in one pass all the same.
type walk struct {
	json []byte
	at   int
}

// enter steps into the object or array that begins here, if it opens with bracket.
func (w *walk) enter(bracket byte) bool {
	w.skipBlanks()
	if w.at >= len(w.json) || w.json[w.at] != bracket {
		return false
	}
	w.at++
	return true
}

// next passes over the next value, or a member's name, and returns it. At the end of an
// object or array it steps out and returns nil.
func (w *walk) next() []byte {
	w.skipBlanks()
	if w.at >= len(w.json) {
		return nil
	}
	begin := w.at
	switch w.json[w.at] {
	case '"':
		w.skipString()
	case '{', '[':
		w.skipNested()
	case '}', ']':
		w.at++
		return nil
	default:
		w.skipPlain()
	}
	return w.json[begin:w.at]
}

// members calls fn for the members of the object that was entered, and steps out. name is
// what is between the quotes.
func (w *walk) members(fn func(name, value []byte)) {
	for name := w.next(); name != nil; name = w.next() {
		value := w.next()
		if value == nil {
			return
		}
		fn(inner(name), value)
	}
}

// skipPlain passes over a number, true, false or null.
func (w *walk) skipPlain() {
	for w.at < len(w.json) {
		switch w.json[w.at] {
		case ' ', '\t', '\r', '\n', ',', ':', '}', ']':
			return
		}
		w.at++
	}
}

// skipBlanks passes over white space and the commas and colons between values.
func (w *walk) skipBlanks() {
	for w.at < len(w.json) {
		switch w.json[w.at] {
		case ' ', '\t', '\r', '\n', ',', ':':
			w.at++
		default:
			return
		}
	}
}

// skipString passes over the string that begins here.
func (w *walk) skipString() {
	begin := w.at
	for at := begin + 1; at < len(w.json); {
		quote := bytes.IndexByte(w.json[at:], '"')
		if quote < 0 {
			break
		}
		quote += at
		slashes := 0
		for w.json[quote-1-slashes] == '\\' { // ends at the opening quote at the latest
			slashes++
		}
		at = quote + 1
		if slashes%2 == 0 {
			w.at = at
			return
		}
	}
	w.at = len(w.json)
}

// skipNested passes over the object or array that begins here.
func (w *walk) skipNested() {
	depth := 0
	for w.at < len(w.json) {
		switch w.json[w.at] {
		case '"':
			w.skipString()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		w.at++
		if depth == 0 {
			return
		}
	}
}

// isArray reports whether raw is an array.
func isArray(raw []byte) bool {
	w := walk{json: raw}
	return w.enter('[')
}

// inner returns what is between the quotes of a string, nothing if raw is none.
func inner(raw []byte) []byte {
	raw = bytes.TrimSpace(raw)
	if len(raw) < 2 || raw[0] != '"' {
		return nil
	}
	return raw[1 : len(raw)-1]
}

// unescape appends what the inside of a string stands for, up to limit bytes of it in dst.
// Half a surrogate pair becomes U+FFFD, as in encoding/json.
func unescape(dst, raw []byte, limit int) []byte {
	for len(raw) > 0 && len(dst) < limit {
		plain := bytes.IndexByte(raw, '\\')
		if plain < 0 {
			plain = len(raw)
		}
		dst = append(dst, raw[:plain]...)
		if raw = raw[plain:]; len(raw) < 2 {
			break
		}
		switch c := raw[1]; c {
		case 'u':
			dst, raw = appendRune(dst, raw)
			continue
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		default:
			dst = append(dst, c)
		}
		raw = raw[2:]
	}
	return dst[:min(len(dst), max(limit, 0))]
}

// appendRune appends the character of the \u escape, or the pair of them, that raw begins
// with, and returns what follows.
func appendRune(dst, raw []byte) (more, rest []byte) {
	r, raw := codeUnit(raw), raw[min(6, len(raw)):]
	if utf16.IsSurrogate(r) {
		if low := codeUnit(raw); utf16.DecodeRune(r, low) != utf8.RuneError {
			r, raw = utf16.DecodeRune(r, low), raw[6:]
		} else {
			r = utf8.RuneError
		}
	}
	return utf8.AppendRune(dst, r), raw
}

// codeUnit reads \uXXXX at the beginning of raw; U+FFFD if there is none.
func codeUnit(raw []byte) rune {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return utf8.RuneError
	}
	var r rune
	for _, c := range raw[2:6] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return utf8.RuneError
		}
	}
	return r
}
