package responses

import (
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm/wire"
)

// writer appends JSON. It sees from the last byte whether a comma is due, so that nothing
// has to be remembered. Names are plain words that need no escape.
type writer struct{ b []byte }

// next begins an element or a member.
func (w *writer) next() {
	if n := len(w.b); n > 0 {
		switch w.b[n-1] {
		case '{', '[', ':', ',':
		default:
			w.b = append(w.b, ',')
		}
	}
}

func (w *writer) open(bracket byte) {
	w.next()
	w.b = append(w.b, bracket)
}

func (w *writer) close(bracket byte) { w.b = append(w.b, bracket) }

// name begins a member; its value follows.
func (w *writer) name(name string) {
	w.next()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

// plain writes a member whose text needs no escape.
func (w *writer) plain(name, text string) {
	w.name(name)
	w.b = append(w.b, '"')
	w.b = append(w.b, text...)
	w.b = append(w.b, '"')
}

func (w *writer) text(name, text string) {
	w.name(name)
	w.b = wire.AppendString(w.b, text)
}

// textOrNull writes a member; an empty text is null.
func (w *writer) textOrNull(name, text string) {
	if text == "" {
		w.null(name)
		return
	}
	w.text(name, text)
}

func (w *writer) null(name string) { w.literal(name, "null") }

func (w *writer) literal(name, json string) {
	w.name(name)
	w.b = append(w.b, json...)
}

func (w *writer) bool(name string, value bool) {
	w.name(name)
	w.b = strconv.AppendBool(w.b, value)
}

func (w *writer) int(name string, value int64) {
	w.name(name)
	w.b = strconv.AppendInt(w.b, value, 10)
}

func (w *writer) float(name string, value float64) {
	w.name(name)
	w.b = jsontext.AppendFloat(w.b, value, 64)
}

// raw writes a member that is JSON already; what is empty becomes null.
func (w *writer) raw(name string, value json.RawMessage) {
	w.name(name)
	if len(value) == 0 {
		value = json.RawMessage("null")
	}
	w.b = append(w.b, value...)
}

func (w *writer) texts(name string, values []string) {
	w.name(name)
	w.open('[')
	for _, v := range values {
		w.next()
		w.b = wire.AppendString(w.b, v)
	}
	w.close(']')
}

// appendMember appends a member whose name may need escapes.
func appendMember(dst []byte, name, value string) []byte {
	dst = append(wire.AppendString(dst, name), ':')
	return wire.AppendString(dst, value)
}
