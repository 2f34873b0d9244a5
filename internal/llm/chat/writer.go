package chat

import "github.com/understudyhq/understudy/internal/llm/wire"

// writer writes JSON; what a client has not said it leaves out.
type writer struct{ wire.Writer }

func writerTo(dst []byte) writer { return writer{wire.Writer{B: dst}} }

func (w *writer) raw(s string) { w.B = append(w.B, s...) }
func (w *writer) str(s string) { w.B = wire.AppendString(w.B, s) }

// optional writes a member unless it is empty.
func (w *writer) optional(name, value string) {
	if value != "" {
		w.Text(name, value)
	}
}

func (w *writer) intp(name string, n *int64) {
	if n != nil {
		w.Int(name, *n)
	}
}

func (w *writer) floatp(name string, f *float64) {
	if f != nil {
		w.Float(name, *f)
	}
}

func (w *writer) boolp(name string, v *bool) {
	if v != nil {
		w.Bool(name, *v)
	}
}
