package chat

import (
	"bytes"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm/wire"
)

// scratch lends memory in which strings are unescaped. Decoding into a string does that in
// memory of its own for each, and most of a body is texts with escaped line ends.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch is the largest piece of memory that is kept.
const maxScratch = 1 << 20

// unquoted returns what a valid JSON string says. Invalid UTF-8 becomes replacement
// characters.
func unquoted(raw []byte) string {
	inside := raw[1 : len(raw)-1]
	if bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside) {
		return string(inside)
	}
	memory, _ := scratch.Get().(*[]byte)
	text := wire.AppendUnquoted((*memory)[:0], raw)
	result := string(text)
	if cap(text) <= maxScratch {
		*memory = text
		scratch.Put(memory)
	}
	return result
}

// text is a string that is likely to be long.
type text string

func (t *text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '"' { // null, or wrong
		return json.UnmarshalDecode(dec, (*string)(t))
	}
	raw, err := dec.ReadValue()
	if err == nil {
		*t = text(unquoted(raw))
	}
	return err
}

// loose is a string where others come too; those count as none.
type loose string

func (l *loose) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '"' {
		*l = ""
		return dec.SkipValue()
	}
	raw, err := dec.ReadValue()
	if err == nil {
		*l = loose(unquoted(raw))
	}
	return err
}
