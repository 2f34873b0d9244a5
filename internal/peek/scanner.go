package peek

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// scanner checks JSON from any value on. Of the way down it keeps one bit per open array
// or object, so that hostile nesting costs neither stack nor heap. The zero value with
// text set is ready.
type scanner struct {
	text  []byte
	depth int
	open  [(MaxDepth + 63) / 64]uint64 // bit n is the kind of the container at depth n
}

// kind of an open container, as its bit in scanner.open.
type kind uint64

const (
	array  kind = 0
	object kind = 1
)

func notJSON(at int) error { return fmt.Errorf("%w, at byte %d", ErrNotJSON, at) }

func (s *scanner) push(k kind, at int) error {
	if s.depth == MaxDepth {
		return fmt.Errorf("%w, at byte %d", ErrTooDeep, at)
	}
	word, bit := s.depth/64, uint(s.depth%64)
	s.open[word] = s.open[word]&^(1<<bit) | uint64(k)<<bit
	s.depth++
	return nil
}

// innermost returns the kind of the container opened last; there must be one.
func (s *scanner) innermost() kind {
	n := s.depth - 1
	return kind(s.open[n/64] >> uint(n%64) & 1)
}

// skipValue returns the offset after the value that starts at i.
func (s *scanner) skipValue(i int) (int, error) {
	floor := s.depth
	for {
		next, entered, err := s.beginValue(i)
		if err != nil {
			return 0, err
		}
		if !entered {
			var more bool
			if next, more, err = s.endValue(next, floor); err != nil || !more {
				return next, err
			}
		}
		i = next
	}
}

// beginValue skips the scalar or empty container at i, or enters a container that holds
// something: then next is where its first value starts.
func (s *scanner) beginValue(i int) (next int, entered bool, err error) {
	if i >= len(s.text) {
		return 0, false, notJSON(i)
	}
	switch c := s.text[i]; c {
	case '"':
		next, err = s.skipString(i)
	case '{':
		return s.enter(i, object, '}')
	case '[':
		return s.enter(i, array, ']')
	case 't':
		next, err = s.skipLiteral(i, "true")
	case 'f':
		next, err = s.skipLiteral(i, "false")
	case 'n':
		next, err = s.skipLiteral(i, "null")
	default:
		next, err = s.skipNumber(i)
	}
	return next, false, err
}

// enter opens the container at i, or skips it if it is empty.
func (s *scanner) enter(i int, k kind, closer byte) (next int, entered bool, err error) {
	if err := s.push(k, i); err != nil {
		return 0, false, err
	}
	i = skipSpace(s.text, i+1)
	if i < len(s.text) && s.text[i] == closer {
		s.depth--
		return i + 1, false, nil
	}
	if k == object {
		i, err = s.skipKey(i)
	}
	return i, true, err
}

// endValue goes on after a value that ends before i: it leaves the containers that end
// here, down to depth floor, where there is nothing more, or else returns where the next
// value starts.
func (s *scanner) endValue(i, floor int) (next int, more bool, err error) {
	for s.depth > floor {
		i = skipSpace(s.text, i)
		if i == len(s.text) {
			return 0, false, notJSON(i)
		}
		k := s.innermost()
		switch c := s.text[i]; {
		case c == ',' && k == array:
			return skipSpace(s.text, i+1), true, nil
		case c == ',':
			next, err = s.skipKey(skipSpace(s.text, i+1))
			return next, true, err
		case c == '}' && k == object, c == ']' && k == array:
			s.depth--
			i++
		default:
			return 0, false, notJSON(i)
		}
	}
	return i, false, nil
}

// skipKey skips a member's name and colon and returns where its value starts.
func (s *scanner) skipKey(i int) (int, error) {
	i, err := s.skipString(i)
	if err != nil {
		return 0, err
	}
	return s.skipColon(i)
}

// skipColon skips a colon and the white space around it.
func (s *scanner) skipColon(i int) (int, error) {
	i = skipSpace(s.text, i)
	if i == len(s.text) || s.text[i] != ':' {
		return 0, notJSON(i)
	}
	return skipSpace(s.text, i+1), nil
}

// skipString returns the offset after the string that starts, with its quote, at i.
// Like encoding/json it does not mind invalid UTF-8 or unpaired surrogates.
func (s *scanner) skipString(i int) (int, error) {
	b := s.text
	if i >= len(b) || b[i] != '"' {
		return 0, notJSON(i)
	}
	for i++; i < len(b); {
		if i+8 <= len(b) {
			found := specials(binary.LittleEndian.Uint64(b[i : i+8 : i+8]))
			if found == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(found) / 8
		}
		c := b[i]
		if c == '"' {
			return i + 1, nil
		}
		if c == '\\' {
			if i+1 < len(b) && shortEscapes[b[i+1]] { // nearly all of them
				i += 2
				continue
			}
			n := escapeLen(b, i)
			if n == 0 {
				return 0, notJSON(i)
			}
			i += n
			continue
		}
		if c < ' ' {
			return 0, notJSON(i)
		}
		i++
	}
	return 0, notJSON(i)
}

// Bytes of a word that are all 0x01, all 0x80, and so on.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// specials marks, by its highest bit, the lowest byte of w that is a quote, a backslash
// or a control character. Bytes above that one may be marked wrongly.
func specials(w uint64) uint64 {
	// Flipping bit 1 makes the quote 0x20 and keeps control characters below that, while
	// no other byte gets there: one comparison with 0x21 finds both. Subtracting sets the
	// highest bit of a byte that is smaller, unless that bit was set before.
	quoteOrControl := w ^ 0x02*ones
	backslash := w ^ '\\'*ones
	return ((quoteOrControl - 0x21*ones) | (backslash - ones)) &^ w & highs
}

// shortEscapes marks what makes an escape of two bytes behind a backslash.
var shortEscapes = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// escapeLen returns the length of the escape that b starts with, 0 if it is not a valid one.
func escapeLen(b []byte, i int) int {
	if i+1 >= len(b) {
		return 0
	}
	if shortEscapes[b[i+1]] {
		return 2
	}
	if _, ok := hex4(b[i+2:]); ok && b[i+1] == 'u' {
		return 6
	}
	return 0
}

// hex4 reads the four hexadecimal digits that b starts with.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func (s *scanner) skipLiteral(i int, want string) (int, error) {
	if len(s.text)-i < len(want) || string(s.text[i:i+len(want)]) != want {
		return 0, notJSON(i)
	}
	return i + len(want), nil
}

// skipNumber skips -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) skipNumber(i int) (int, error) {
	b := s.text
	if b[i] == '-' {
		i++
	}
	start := i
	i = skipDigits(b, i)
	if i == start || b[start] == '0' && i > start+1 {
		return 0, notJSON(start)
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = skipDigits(b, start); i == start {
			return 0, notJSON(i)
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		start = i + 1
		if start < len(b) && (b[start] == '+' || b[start] == '-') {
			start++
		}
		if i = skipDigits(b, start); i == start {
			return 0, notJSON(i)
		}
	}
	return i, nil
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}
