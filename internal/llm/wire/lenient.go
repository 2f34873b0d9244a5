package wire

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Span is where a member's value lies in what is decoded. Texts are most of a body: as spans
// they are decoded only once, into what keeps them. It must be the value of a member.
type Span struct{ From, To int64 }

// UnmarshalJSONFrom notes where the value lies.
func (s *Span) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	s.From = dec.InputOffset()
	err := dec.SkipValue()
	s.To = dec.InputOffset()
	return err
}

// TextSpan is a Span that takes only a string or null.
type TextSpan struct{ Span }

// UnmarshalJSONFrom notes where the string lies.
func (s *TextSpan) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if k := dec.PeekKind(); k != '"' && k != 'n' {
		var text string
		return json.UnmarshalDecode(dec, &text) // which is an error
	}
	return s.Span.UnmarshalJSONFrom(dec)
}

// Texts reads the texts of one body. It is for one goroutine.
type Texts struct {
	Body    []byte
	scratch []byte // for those with escapes
}

// At returns what the string of a span stands for, and of any other value its JSON; null is
// empty. It shares no memory with the body.
func (t *Texts) At(s Span) string {
	raw := bytes.TrimLeft(t.Body[s.From:s.To], ": \t\r\n")
	switch {
	case len(raw) == 0 || raw[0] == 'n':
		return ""
	case raw[0] != '"':
		return string(raw)
	}
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw[1 : len(raw)-1])
	}
	t.scratch = AppendUnquoted(t.scratch[:0], raw)
	return string(t.scratch)
}

// AppendUnquoted appends what a valid JSON string says to dst. Invalid UTF-8 becomes
// replacement characters. Memory for it is taken at once: a string may be as long as a body.
func AppendUnquoted(dst, raw []byte) []byte {
	room := len(raw)
	if !utf8.Valid(raw) { // a replacement character has three bytes
		room *= utf8.UTFMax - 1
	}
	dst, _ = jsontext.AppendUnquote(slices.Grow(dst, room), raw) // its only error is invalid UTF-8
	return dst
}

// Elements steps through the array that comes next; fn reads the i-th element.
func Elements(dec *jsontext.Decoder, fn func(i int) error) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; dec.PeekKind() != ']'; i++ {
		if err := fn(i); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// Word is a string as sloppy upstreams send it: null is none, and a number or an object is
// its JSON.
type Word string

// UnmarshalJSONFrom takes any value.
func (w *Word) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '"', 'n':
		return json.UnmarshalDecode(dec, (*string)(w))
	default:
		raw, err := dec.ReadValue()
		*w = Word(raw)
		return err
	}
}

// Count is a number of tokens as sloppy upstreams send it; what is none is zero.
type Count int64

// UnmarshalJSONFrom takes any value.
func (c *Count) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err == nil && n > 0 && n < 1<<53 {
		*c = Count(n)
	}
	return nil
}
