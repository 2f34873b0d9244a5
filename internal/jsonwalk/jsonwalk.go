// Package jsonwalk steps through JSON without decoding it: bodies are large, most of a body
// is inside strings, and those are passed over at the speed of memory.
package jsonwalk

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Walk steps through JSON that is known to be valid, from value to value. Of invalid JSON
// it makes something, in one pass all the same. The zero Walk is at the end of nothing.
type Walk struct {
	// JSON is what is walked through. Nothing is copied: values are subslices of it.
	JSON []byte
	// At is how far the walk has come: the offset right after what was last passed over.
	At int
}

// Enter steps into the object or array that begins here, if it opens with bracket.
func (w *Walk) Enter(bracket byte) bool {
	w.skipBlanks()
	if w.At >= len(w.JSON) || w.JSON[w.At] != bracket {
		return false
	}
	w.At++
	return true
}

// Next passes over the next value, or a member's name, and returns it, quotes included. At the end of an
// object or array it steps out and returns nil.
func (w *Walk) Next() []byte {
	w.skipBlanks()
	if w.At >= len(w.JSON) {
		return nil
	}
	begin := w.At
	switch w.JSON[w.At] {
	case '"':
		w.skipString()
	case '{', '[':
		w.skipNested()
	case '}', ']':
		w.At++
		return nil
	default:
		w.skipPlain()
	}
	return w.JSON[begin:w.At]
}

// Members calls fn for the members of the object that was entered, and steps out. name is
// what is between the quotes, escapes as they are; of several members of one name each
// comes.
func (w *Walk) Members(fn func(name, value []byte)) {
	for name := w.Next(); name != nil; name = w.Next() {
		value := w.Next()
		if value == nil {
			return
		}
		fn(Inner(name), value)
	}
}

// skipPlain passes over a number, true, false or null.
func (w *Walk) skipPlain() {
	for w.At < len(w.JSON) {
		switch w.JSON[w.At] {
		case ' ', '\t', '\r', '\n', ',', ':', '}', ']':
			return
		}
		w.At++
	}
}

// skipBlanks passes over white space and the commas and colons between values.
func (w *Walk) skipBlanks() {
	for w.At < len(w.JSON) {
		switch w.JSON[w.At] {
		case ' ', '\t', '\r', '\n', ',', ':':
			w.At++
		default:
			return
		}
	}
}

// skipString passes over the string that begins here.
func (w *Walk) skipString() {
	begin := w.At
	for at := begin + 1; at < len(w.JSON); {
		quote := bytes.IndexByte(w.JSON[at:], '"')
		if quote < 0 {
			break
		}
		quote += at
		slashes := 0
		for w.JSON[quote-1-slashes] == '\\' { // ends at the opening quote at the latest
			slashes++
		}
		at = quote + 1
		if slashes%2 == 0 {
			w.At = at
			return
		}
	}
	w.At = len(w.JSON)
}

// skipNested passes over the object or array that begins here.
func (w *Walk) skipNested() {
	depth := 0
	for w.At < len(w.JSON) {
		switch w.JSON[w.At] {
		case '"':
			w.skipString()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		w.At++
		if depth == 0 {
			return
		}
	}
}

// IsArray reports whether raw is an array.
func IsArray(raw []byte) bool {
	w := Walk{JSON: raw}
	return w.Enter('[')
}

// Inner returns what is between the quotes of a string, nothing if raw is none.
func Inner(raw []byte) []byte {
	raw = bytes.TrimSpace(raw)
	if len(raw) < 2 || raw[0] != '"' {
		return nil
	}
	return raw[1 : len(raw)-1]
}

// Unescape appends what the inside of a string stands for, until dst has limit bytes. Half
// a surrogate pair becomes U+FFFD, as in encoding/json.
func Unescape(dst, raw []byte, limit int) []byte {
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
