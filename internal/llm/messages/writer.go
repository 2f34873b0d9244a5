package messages

import (
	"strconv"

	"github.com/understudyhq/understudy/internal/llm/wire"
)

// writer appends JSON. Commas go by the last byte: a value never ends in one of those that
// a comma must not follow.
type writer struct{ b []byte }

func (w *writer) comma() {
	switch w.b[len(w.b)-1] {
	case '{', '[', ':':
	default:
		w.b = append(w.b, ',')
	}
}

// open begins a value that ends with close.
func (w *writer) open(bracket byte) {
	w.b = append(w.b, bracket)
}

func (w *writer) close(bracket byte) { w.b = append(w.b, bracket) }

// element begins an object in an array.
func (w *writer) element() {
	w.comma()
	w.b = append(w.b, '{')
}

// key begins a member; the name is of the format's own.
func (w *writer) key(name string) {
	w.comma()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, `":`...)
}

func (w *writer) text(name, value string) {
	w.key(name)
	w.b = wire.AppendString(w.b, value)
}

func (w *writer) whole(name string, value int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, value, 10)
}

func (w *writer) float(name string, value float64) {
	w.key(name)
	w.b = wire.Append(w.b, value)
}

func (w *writer) flag(name string, value bool) {
	w.key(name)
	w.b = strconv.AppendBool(w.b, value)
}

// raw appends a member with valid JSON.
func (w *writer) raw(name string, value []byte) {
	w.key(name)
	w.b = append(w.b, value...)
}
