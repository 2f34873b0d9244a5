package prompt

import (
	"strconv"
	"strings"
	"time"
)

// Bounds of what marks may ask for. A mark beyond them is plain text.
const (
	maxWords = 100_000
	maxPause = time.Hour
)

// Marks are the wishes in a user text: [[words=200]] [[delay=250ms]] [[chunk=300ms]].
type Marks struct {
	Words int           // 0 = not asked for
	Delay time.Duration // before the first byte
	Chunk time.Duration // between two stream chunks; 0 = not asked for
}

// CutMarks takes the marks out of text. Of several of one name the last counts; what only
// looks like a mark stays.
func CutMarks(text string) (Marks, string) {
	var (
		m    Marks
		rest strings.Builder
	)
	for {
		before, after, ok := strings.Cut(text, "[[")
		rest.WriteString(before)
		if !ok {
			return m, strings.TrimSpace(rest.String())
		}
		if mark, tail, ok := strings.Cut(after, "]]"); ok && m.set(mark) {
			text = tail
			continue
		}
		rest.WriteString("[[")
		text = after
	}
}

// set takes one mark, without brackets, and reports whether it is one.
func (m *Marks) set(mark string) bool {
	name, value, _ := strings.Cut(mark, "=")
	switch name {
	case "words":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxWords {
			return false
		}
		m.Words = n
	case "delay", "chunk":
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || d > maxPause {
			return false
		}
		if name == "delay" {
			m.Delay = d
		} else {
			m.Chunk = d
		}
	default:
		return false
	}
	return true
}
