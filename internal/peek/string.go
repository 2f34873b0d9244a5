package peek

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendString appends s to dst as a JSON string. Quotes, backslashes and control
// characters are escaped and bytes that are no UTF-8 become \ufffd; everything else, HTML's
// characters included, stays as it is.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if ' ' <= c && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[done:i]...)
		dst = appendEscape(dst, c)
		i += size
		done = i
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// appendEscape appends the escape of a quote, backslash, control character or, above
// those, of a byte that is no UTF-8.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if c >= utf8.RuneSelf {
		return append(dst, `\ufffd`...)
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}

// unquote returns what the valid JSON string quoted spells, as encoding/json would: bytes
// that are no UTF-8 and unpaired surrogates become U+FFFD.
func unquote(quoted []byte) string {
	raw := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw)
	}
	return string(appendUnescaped(nil, raw))
}

// appendUnescaped appends what raw, the inside of a valid JSON string, spells.
func appendUnescaped(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '\\' && raw[i+1] == 'u':
			r, size := escapedRune(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
		case c == '\\':
			dst = append(dst, unescape(raw[i+1]))
			i += 2
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, size := utf8.DecodeRune(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
		}
	}
	return dst
}

// escapedRune reads the \u escape that raw starts with, and a second one that completes a
// surrogate pair. It returns the bytes read.
func escapedRune(raw []byte) (r rune, size int) {
	const escape = len(`\u0000`)
	r, _ = hex4(raw[2:])
	if !utf16.IsSurrogate(r) {
		return r, escape
	}
	if len(raw) >= 2*escape && raw[escape] == '\\' && raw[escape+1] == 'u' {
		low, _ := hex4(raw[escape+2:])
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 2 * escape
		}
	}
	return utf8.RuneError, escape
}

// unescape returns the character that a backslash before c stands for.
func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default: // a quote, backslash or slash stands for itself
		return c
	}
}
