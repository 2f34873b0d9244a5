package tap

import (
	"errors"

	"github.com/understudyhq/understudy/internal/sse"
)

var errNotArray = errors.New("not a JSON array")

// arrayScanner finds the elements of one JSON array in the pieces it is fed, wherever those
// are cut. That is how Gemini streams unless asked for events. It counts brackets and
// validates nothing else. The zero value is ready.
type arrayScanner struct {
	depth    int
	inString bool
	escaped  bool   // the last byte was a backslash in a string
	element  []byte // the beginning of an element whose end is still to come
	tail     int    // bytes since the end of the last element, or since the start
	closed   bool   // the array is over
}

// feed calls fn for every object or array that the chunk completes inside the outer array.
// The event's data is valid only while fn runs. It fails for what is no array.
func (a *arrayScanner) feed(chunk []byte, fn func(sse.Event) error) error {
	start := 0 // of the part of the current element that lies in chunk
	done := 0  // after the last complete element
	for i, c := range chunk {
		switch {
		case a.inString:
			a.quoted(c)
			continue
		case a.depth == 0 && !isSpace(c) && (c != '[' || a.closed):
			return errNotArray
		}
		switch c {
		case '"':
			a.inString = true
		case '{', '[':
			if a.depth++; a.depth == 2 {
				start = i
			}
		case '}', ']':
			if a.depth--; a.depth == 1 {
				data := chunk[start : i+1]
				if len(a.element) > 0 {
					a.element = append(a.element, data...)
					data = a.element
				}
				if err := fn(sse.Event{Data: data}); err != nil {
					return err
				}
				a.element = a.element[:0]
				done = i + 1
			}
			a.closed = a.depth == 0
		}
	}
	if a.depth > 1 {
		a.element = append(a.element, chunk[start:]...)
		if len(a.element) > sse.MaxEventBytes {
			return sse.ErrTooLong
		}
	}
	a.count(len(chunk), done)
	return nil
}

// quoted takes one byte inside a string.
func (a *arrayScanner) quoted(c byte) {
	switch {
	case a.escaped:
		a.escaped = false
	case c == '\\':
		a.escaped = true
	case c == '"':
		a.inString = false
	}
}

// count keeps tail up to date after a chunk of size bytes whose last element ended at done.
func (a *arrayScanner) count(size, done int) {
	switch {
	case a.closed:
		a.tail = 0
	case done > 0:
		a.tail = size - done
	default:
		a.tail += size
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
