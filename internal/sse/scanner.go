// Package sse reads and writes event streams (text/event-stream). The reader is pushed: it
// taps a stream whose bytes go on to the client unchanged, so it neither owns the reading
// nor copies what passes by.
package sse

import (
	"bytes"
	"errors"
)

// MaxEventBytes is the most that the name, the data and the line in progress of one event
// may amount to.
const MaxEventBytes = 32 << 20

// ErrTooLong means that an event exceeds MaxEventBytes.
var ErrTooLong = errors.New("event is too long")

// Event is one event of a stream. Its slices are valid, and must not be changed, only
// while the function it was given to runs.
type Event struct {
	Name []byte // empty if the stream gave none
	Data []byte // the data lines, joined by line feeds
}

// Scanner finds the events of one stream in the chunks it is fed, wherever those are cut.
// It follows the HTML standard: lines end with LF, CRLF or CR, comments and all fields but
// event and data are skipped, and an event without data is none. Events that lie in one
// chunk are not copied. The zero value is ready; a Scanner is for one goroutine.
type Scanner struct {
	line []byte // a line whose end is still to come
	name field
	data field

	hasData bool // the event in progress has a data line
	inEvent bool // the event in progress has a line that is no comment
	begun   bool // the first line is over, so no byte order mark can come
	afterCR bool // the last chunk ended with CR: an LF right after it belongs to it
}

// Feed takes the stream's next chunk and calls fn, in order, for every event that it
// completes. It returns the first error of fn, or ErrTooLong. After an error the scanner
// is of no use until Reset.
func (s *Scanner) Feed(chunk []byte, fn func(Event) error) error {
	if len(chunk) == 0 {
		return nil
	}
	if s.afterCR && chunk[0] == '\n' {
		chunk = chunk[1:]
	}
	lines := splitLines(chunk)
	for line, ok := lines.next(); ok; line, ok = lines.next() {
		if len(s.line) > 0 {
			s.line = append(s.line, line...)
			line = s.line
		}
		if err := s.takeLine(line, fn); err != nil {
			return err
		}
		// What was found in s.line stays readable: it is written again only in keep.
		s.line = s.line[:0]
	}
	s.afterCR = lines.endWithCR()
	return s.keep(lines.rest())
}

// Close ends the stream and leaves the scanner ready for another one. Real upstreams close
// right after their last data line, so an event that lacks its blank line is reported
// here. Errors are Feed's.
func (s *Scanner) Close(fn func(Event) error) error {
	defer s.Reset()
	if len(s.line) > 0 {
		if err := s.takeLine(s.line, fn); err != nil {
			return err
		}
	}
	return s.endEvent(fn)
}

// AtBoundary reports whether a whole event or a comment could be inserted into the stream
// after what was fed so far: nothing, or an end of an event, or comments after one.
func (s *Scanner) AtBoundary() bool { return !s.inEvent && len(s.line) == 0 }

// Reset makes the scanner ready for another stream. It keeps its memory.
func (s *Scanner) Reset() {
	*s = Scanner{line: s.line[:0], name: field{own: s.name.own}, data: field{own: s.data.own}}
}

// takeLine handles one line, given without its end.
func (s *Scanner) takeLine(line []byte, fn func(Event) error) error {
	if s.size()+len(line) > MaxEventBytes {
		return ErrTooLong
	}
	if !s.begun {
		s.begun = true
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	if len(line) == 0 {
		return s.endEvent(fn)
	}
	if line[0] == ':' {
		return nil
	}
	s.inEvent = true
	name, value := line, []byte(nil)
	if colon := bytes.IndexByte(line, ':'); colon >= 0 {
		name, value = line[:colon], line[colon+1:]
		if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
		}
	}
	switch {
	case string(name) == "event":
		s.name.set(value)
	case string(name) == "data" && s.hasData:
		s.data.addLine(value)
	case string(name) == "data":
		s.hasData = true
		s.data.set(value)
	}
	return nil
}

// endEvent reports the event in progress, if it is one, and begins the next.
func (s *Scanner) endEvent(fn func(Event) error) error {
	event, report := Event{Name: s.name.value, Data: s.data.value}, s.hasData
	s.name.set(nil)
	s.data.set(nil)
	s.hasData, s.inEvent = false, false
	if !report {
		return nil
	}
	return fn(event)
}

// keep copies what must outlive the chunk: the fields found so far, and rest, the
// beginning of a line.
func (s *Scanner) keep(rest []byte) error {
	s.name.hold()
	s.data.hold()
	if s.size()+len(s.line)+len(rest) > MaxEventBytes {
		return ErrTooLong
	}
	s.line = Extend(s.line, rest)
	return nil
}

func (s *Scanner) size() int { return len(s.name.value) + len(s.data.value) }

// field is one field of the event in progress.
type field struct {
	value []byte // lies in the chunk, in Scanner.line or, if held, in own
	own   []byte // memory kept from event to event
	held  bool
}

func (f *field) set(value []byte) { f.value, f.held = value, false }

// hold copies the value, so that it outlives the chunk.
func (f *field) hold() {
	if f.held {
		return
	}
	f.own = append(f.own[:0], f.value...)
	f.value, f.held = f.own, true
}

// addLine adds another line to the value.
func (f *field) addLine(line []byte) {
	f.hold()
	f.own = Extend(append(f.own, '\n'), line)
	f.value = f.own
}
