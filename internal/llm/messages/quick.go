package messages

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// quick reads a content_block_delta as the vendor writes it, member by member in its order,
// into d.text. Anything else is not ok and left to the reader of whole events, with which it
// agrees on what it takes.
func (d *streamDecoder) quick(data []byte) (kind deltaOf, index int, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(`{"type":"content_block_delta","index":`))
	if !ok {
		return 0, 0, false
	}
	digits := 0
	for digits < min(len(rest), 6) && '0' <= rest[digits] && rest[digits] <= '9' {
		index = index*10 + int(rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits > 1 && rest[0] == '0' {
		return 0, 0, false
	}
	rest = rest[digits:]
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"delta":{"type":"`)); !ok {
		return 0, 0, false
	}
	for _, known := range [...]struct {
		kind   deltaOf
		begins string
	}{
		{ofText, `text_delta","text":`},
		{ofInput, `input_json_delta","partial_json":`},
		{ofThinking, `thinking_delta","thinking":`},
	} {
		if quoted, ok := bytes.CutPrefix(rest, []byte(known.begins)); ok {
			return known.kind, index, d.unquote(quoted)
		}
	}
	return 0, 0, false
}

// unquote reads a string and what closes the event behind it.
func (d *streamDecoder) unquote(quoted []byte) bool {
	end := 1
	for {
		i := bytes.IndexByte(quoted[min(end, len(quoted)):], '"')
		if i < 0 {
			return false
		}
		end += i
		if escapes := len(quoted[:end]) - len(bytes.TrimRight(quoted[:end], `\`)); escapes%2 == 0 {
			break
		}
		end++
	}
	// The vendor pads events with spaces between their brackets.
	closing := bytes.TrimLeft(quoted[end+1:], " ")
	if len(closing) == 0 || closing[0] != '}' || string(bytes.Trim(closing[1:], " ")) != "}" {
		return false
	}
	text, err := jsontext.AppendUnquote(d.text[:0], quoted[:end+1])
	d.text = text
	return err == nil
}
