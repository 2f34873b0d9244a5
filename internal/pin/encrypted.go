package pin

import (
	"bytes"
	"math"

	"github.com/understudyhq/understudy/internal/jsonwalk"
)

// Item is one item of a Responses input that only the organisation can read that made it.
type Item struct {
	// Start and End are where the item lies in the input: [Start, End).
	Start, End int
	// Key is the key of its content: KeyOf(Reasoning, content).
	Key Key
}

// Encrypted returns the items of a Responses input, given as raw, valid JSON, that have an
// encrypted_content of their own, whatever their type; nil if it has none or is no array.
// It costs next to nothing for an input without that word.
func Encrypted(input []byte) []Item {
	if !mayBeEncrypted(input) {
		return nil
	}
	return encrypted(input)
}

// mayBeEncrypted reports whether the word is anywhere in b, a text included.
func mayBeEncrypted(b []byte) bool { return bytes.Contains(b, []byte("encrypted_content")) }

func encrypted(items []byte) []Item {
	w := jsonwalk.Walk{JSON: items}
	if !w.Enter('[') {
		return nil
	}
	var found []Item
	for range maxItems {
		if !w.Enter('{') {
			if w.Next() == nil {
				break
			}
			continue // no item
		}
		start := w.At - len("{")
		if content := jsonwalk.Inner(lastOf(&w, "encrypted_content")); len(content) > 0 {
			found = append(found, Item{Start: start, End: w.At, Key: contentKey(content)})
		}
	}
	return found
}

// contentKey returns the key of an encrypted content, given as the inside of a string.
// Contents are base64, which hardly anybody escapes: usually nothing is copied.
func contentKey(inner []byte) Key {
	if bytes.IndexByte(inner, '\\') >= 0 {
		inner = jsonwalk.Unescape(nil, inner, math.MaxInt)
	}
	return keyOf(Reasoning, inner)
}

// Span is a half-open range of byte offsets.
type Span struct{ Start, End int }

// Cut returns what to leave out of an input so that the items in drop are gone and the rest
// is an array again, byte for byte what it was. drop is what Encrypted found in that very
// input, or some of it in that order. The spans are in order and do not overlap; an input
// that loses all its items becomes [].
func Cut(input []byte, drop []Item) []Span {
	var spans []Span
	for i := 0; i < len(drop); {
		// A run of items goes with the comma after each; its end is then where the next
		// item begins.
		start, end := drop[i].Start, drop[i].Start
		last := false
		for i < len(drop) && drop[i].Start == end && !last {
			next := skipBlanks(input, drop[i].End)
			if last = next >= len(input) || input[next] != ','; last {
				end = drop[i].End
			} else {
				end = skipBlanks(input, next+1)
			}
			i++
		}
		if last {
			start, end = withoutNext(input, start, end)
		}
		spans = append(spans, Span{Start: start, End: end})
	}
	return spans
}

// withoutNext widens the cut of a run that ends the array: by the comma before it, or, if
// nothing is before it, by the blanks around it.
func withoutNext(input []byte, start, end int) (from, to int) {
	at := start
	for at > 0 && isBlank(input[at-1]) {
		at--
	}
	if at > 0 && input[at-1] == ',' {
		return at - 1, end
	}
	return at, skipBlanks(input, end)
}

func skipBlanks(b []byte, at int) int {
	for at < len(b) && isBlank(b[at]) {
		at++
	}
	return at
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
