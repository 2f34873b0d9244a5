package sse

import "bytes"

// lines goes over the complete lines of a chunk. It remembers the next end of each kind,
// so that a chunk with one kind only is still searched once, not once per line.
type lines struct {
	text   []byte
	at     int // where the next line starts
	lf, cr int // the first of each at or after at; len(text) = none
}

func splitLines(text []byte) lines {
	return lines{text: text, lf: indexFrom(text, 0, '\n'), cr: indexFrom(text, 0, '\r')}
}

// next returns the next line without its end, or false if its end is not in the chunk.
func (l *lines) next() ([]byte, bool) {
	end := min(l.lf, l.cr)
	if end == len(l.text) {
		return nil, false
	}
	line := l.text[l.at:end]
	l.at = end + 1
	if end == l.cr && l.at < len(l.text) && l.text[l.at] == '\n' {
		l.at++
	}
	if l.lf < l.at {
		l.lf = indexFrom(l.text, l.at, '\n')
	}
	if l.cr < l.at {
		l.cr = indexFrom(l.text, l.at, '\r')
	}
	return line, true
}

// rest returns what follows the last complete line.
func (l *lines) rest() []byte { return l.text[l.at:] }

// endWithCR reports whether the chunk's last byte is a CR, which may be half a CRLF.
func (l *lines) endWithCR() bool { return bytes.HasSuffix(l.text, []byte{'\r'}) }

// indexFrom returns the offset of the first c at or after from, or len(text).
func indexFrom(text []byte, from int, c byte) int {
	if i := bytes.IndexByte(text[from:], c); i >= 0 {
		return from + i
	}
	return len(text)
}
