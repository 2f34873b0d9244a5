package wire

import (
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Writer appends JSON to B. It sees from the last byte whether a comma is due, so that nothing
// has to be remembered. Names are plain words that need no escape.
type Writer struct{ B []byte }

// Next begins an element or a member.
func (w *Writer) Next() {
	if n := len(w.B); n > 0 {
		switch w.B[n-1] {
		case '{', '[', ':', ',':
		default:
			w.B = append(w.B, ',')
		}
	}
}

// Open begins an object or array with its bracket.
func (w *Writer) Open(bracket byte) {
	w.Next()
	w.B = append(w.B, bracket)
}

// Close ends an object or array with its bracket.
func (w *Writer) Close(bracket byte) { w.B = append(w.B, bracket) }

// Name begins a member; its value follows.
func (w *Writer) Name(name string) {
	w.Next()
	w.B = append(w.B, '"')
	w.B = append(w.B, name...)
	w.B = append(w.B, '"', ':')
}

// Plain writes a member whose text needs no escape.
func (w *Writer) Plain(name, text string) {
	w.Name(name)
	w.B = append(w.B, '"')
	w.B = append(w.B, text...)
	w.B = append(w.B, '"')
}

// Text writes a member that is a text.
func (w *Writer) Text(name, text string) {
	w.Name(name)
	w.B = AppendString(w.B, text)
}

// TextOrNull writes a member; an empty text is null.
func (w *Writer) TextOrNull(name, text string) {
	if text == "" {
		w.Null(name)
		return
	}
	w.Text(name, text)
}

// Null writes a member that is null.
func (w *Writer) Null(name string) { w.Literal(name, "null") }

// Literal writes a member that is valid JSON.
func (w *Writer) Literal(name, json string) {
	w.Name(name)
	w.B = append(w.B, json...)
}

// Bool writes a member that is true or false.
func (w *Writer) Bool(name string, value bool) {
	w.Name(name)
	w.B = strconv.AppendBool(w.B, value)
}

// Int writes a member that is an integer.
func (w *Writer) Int(name string, value int64) {
	w.Name(name)
	w.B = strconv.AppendInt(w.B, value, 10)
}

// Float writes a member that is a number.
func (w *Writer) Float(name string, value float64) {
	w.Name(name)
	w.B = jsontext.AppendFloat(w.B, value, 64)
}

// Raw writes a member that is JSON already; what is empty becomes null.
func (w *Writer) Raw(name string, value json.RawMessage) {
	w.Name(name)
	if len(value) == 0 {
		value = json.RawMessage("null")
	}
	w.B = append(w.B, value...)
}

// Texts writes a member that is a list of texts.
func (w *Writer) Texts(name string, values []string) {
	w.Name(name)
	w.Open('[')
	for _, v := range values {
		w.Next()
		w.B = AppendString(w.B, v)
	}
	w.Close(']')
}

// AppendMember appends a member whose name may need escapes.
func AppendMember(dst []byte, name, value string) []byte {
	dst = append(AppendString(dst, name), ':')
	return AppendString(dst, value)
}
