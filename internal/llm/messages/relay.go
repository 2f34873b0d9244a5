package messages

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
)

// DropMarked returns a request's body without the thinking blocks that the vendor did not
// sign: those with a marked signature and those with none, which clients keep from answers
// of other upstreams. A message that holds nothing else goes too. It is for relaying a
// session that has moved to the vendor; ok is false if there was nothing to drop, and then
// the body is the same bytes.
func DropMarked(body []byte) (rest []byte, ok bool) {
	if !bytes.Contains(body, []byte(kindThinking)) {
		return body, false
	}
	d := dropper{reader: reader{body: body, dec: jsontext.NewDecoder(bytes.NewBuffer(body),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}}
	err := d.object(func(name []byte) error {
		if string(name) == "messages" && d.dec.PeekKind() == '[' {
			return d.conversation()
		}
		return d.dec.SkipValue()
	})
	if err != nil || len(d.cuts) == 0 {
		return body, false
	}
	slices.SortFunc(d.cuts, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	rest = make([]byte, 0, len(body))
	at := 0
	for _, cut := range d.cuts {
		rest = append(rest, body[at:cut.from]...)
		at = cut.to
	}
	return append(rest, body[at:]...), true
}

// dropper finds what to cut out of a body.
type dropper struct {
	reader
	cuts []span
}

type span struct{ from, to int }

// piece is an element of an array.
type piece struct {
	span
	drop bool
}

func (d *dropper) conversation() error {
	var messages []piece
	err := d.array(func() error {
		before := len(d.cuts)
		p, err := d.piece(d.message)
		if p.drop {
			d.cuts = d.cuts[:before]
		}
		messages = append(messages, p)
		return err
	})
	d.cut(messages)
	return err
}

// piece reads an element; read tells whether it is to be dropped.
func (d *dropper) piece(read func() (bool, error)) (piece, error) {
	start := d.dec.InputOffset()
	drop, err := read()
	end := int(d.dec.InputOffset())
	return piece{span: span{end - len(d.since(start)), end}, drop: drop}, err
}

func (d *dropper) message() (drop bool, err error) {
	if d.dec.PeekKind() != '{' {
		return false, d.dec.SkipValue()
	}
	err = d.object(func(name []byte) error {
		if string(name) != "content" || d.dec.PeekKind() != '[' {
			return d.dec.SkipValue()
		}
		var blocks []piece
		err := d.array(func() error {
			p, err := d.piece(d.foreign)
			blocks = append(blocks, p)
			return err
		})
		drop = len(blocks) > 0 && !slices.ContainsFunc(blocks, func(p piece) bool { return !p.drop })
		d.cut(blocks)
		return err
	})
	return drop, err
}

// foreign reports whether a block is a thought that the vendor did not sign.
func (d *dropper) foreign() (bool, error) {
	if d.dec.PeekKind() != '{' {
		return false, d.dec.SkipValue()
	}
	var kind, signature, data string
	err := d.object(func(name []byte) error {
		switch string(name) {
		case "type":
			return d.loose(&kind)
		case "signature":
			return d.loose(&signature)
		case "data":
			return d.loose(&data)
		default:
			return d.dec.SkipValue()
		}
	})
	switch kind {
	case kindThinking:
	case kindRedacted:
		signature = data
	default:
		return false, err
	}
	return signature == "" || strings.HasPrefix(signature, llm.MarkPrefix), err
}

// cut notes the pieces of an array that go, each with one of the commas beside it.
func (d *dropper) cut(pieces []piece) {
	kept := -1 // the last piece that stays
	for i, p := range pieces {
		if !p.drop {
			kept = i
		}
	}
	for i := range max(kept, 0) {
		if pieces[i].drop {
			d.cuts = append(d.cuts, span{pieces[i].from, pieces[i+1].from})
		}
	}
	if last := len(pieces) - 1; kept < last {
		from := pieces[0].from
		if kept >= 0 {
			from = pieces[kept].to
		}
		d.cuts = append(d.cuts, span{from, pieces[last].to})
	}
}
