package gemini

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm/wire"
)

// words is a string whose decoding costs its own length once; the library would decode
// escapes into a copy first. Requests consist of such strings.
type words string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (s *words) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	said, ok := text(value)
	if !ok && value.Kind() != 'n' {
		return unfit(value)
	}
	*s = words(said)
	return nil
}

// verbatim is a value as it is written; empty for null.
type verbatim string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (s *verbatim) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	*s = ""
	if value.Kind() != 'n' {
		*s = verbatim(value)
	}
	return nil
}

// text returns what a valid JSON string says, with replacement characters for invalid
// UTF-8; false if raw is no string.
func text(raw jsontext.Value) (string, bool) {
	if raw.Kind() != '"' || len(raw) < len(`""`) {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	if !utf8.Valid(inner) {
		return string(wire.AppendUnquoted(nil, raw)), true
	}
	escape := bytes.IndexByte(inner, '\\')
	if escape < 0 {
		return string(inner), true
	}
	var b strings.Builder
	b.Grow(len(inner))
	for escape >= 0 {
		b.Write(inner[:escape])
		inner = inner[escape:]
		end := escapeEnd(inner)
		unescape(&b, inner[:end])
		inner = inner[end:]
		escape = bytes.IndexByte(inner, '\\')
	}
	b.Write(inner)
	return b.String(), true
}

func unescape(b *strings.Builder, escape []byte) {
	if len(escape) == len(`\n`) {
		const letters, meant = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
		if i := strings.IndexByte(letters, escape[1]); i >= 0 {
			b.WriteByte(meant[i])
		}
		return
	}
	var room [len(`"\u0000\u0000"`)]byte
	quoted := append(append(append(room[:0], '"'), escape...), '"')
	var said [2 * utf8.UTFMax]byte
	char, _ := jsontext.AppendUnquote(said[:0], quoted) // half a character is replaced
	b.Write(char)
}

// escapeEnd returns the length of the escape that s begins with; two halves of one
// character are one.
func escapeEnd(s []byte) int {
	const unit = len(`\u0000`)
	switch {
	case len(s) < 2:
		return len(s)
	case s[1] != 'u' || len(s) < unit:
		return len(`\n`)
	case len(s) >= 2*unit && isHalf(s, "89abAB") && s[unit] == '\\' && s[unit+1] == 'u' && isHalf(s[unit:], "cdefCDEF"):
		return 2 * unit
	default:
		return unit
	}
}

// isHalf reports whether an escape is half of a character; second is what the second of its
// digits may be: those of the high halves or of the low ones.
func isHalf(escape []byte, second string) bool {
	return (escape[2] == 'd' || escape[2] == 'D') && strings.IndexByte(second, escape[3]) >= 0
}

// validUTF8 returns b with a replacement character for every invalid byte, as the library
// does.
func validUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return []byte(string([]rune(string(b))))
}

// appendQuoted appends s as a JSON string. It is wire.AppendString for the long texts that
// requests consist of, which need few escapes.
func appendQuoted(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		return wire.AppendString(dst, s)
	}
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}
	return append(append(dst, s[from:]...), '"')
}
