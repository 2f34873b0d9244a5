package gemini

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm/wire"
)

// writer appends JSON. It puts the commas, by the last byte written.
type writer struct {
	b []byte
	reader
}

// raw appends s, which is JSON or a part of it.
func (w *writer) raw(s string) { w.b = append(w.b, s...) }

// next begins an element of an array.
func (w *writer) next() {
	switch w.b[len(w.b)-1] {
	case '{', '[', ':':
	default:
		w.b = append(w.b, ',')
	}
}

// key begins a member.
func (w *writer) key(name string) {
	w.next()
	w.b = appendQuoted(w.b, name)
	w.b = append(w.b, ':')
}

// member begins a member whose name needs no escape; name ends in a colon: `"text":`.
func (w *writer) member(name string) {
	w.next()
	w.b = append(w.b, name...)
}

// str appends a member with a string.
func (w *writer) str(name, value string) {
	w.member(name)
	w.b = appendQuoted(w.b, value)
}

// num appends a member with a whole number.
func (w *writer) num(name string, value int64) {
	w.member(name)
	w.b = strconv.AppendInt(w.b, value, 10)
}

// float appends a member with a number; one that JSON cannot say becomes null.
func (w *writer) float(name string, value float64) {
	w.member(name)
	w.b = wire.Append(w.b, value)
}

// value appends a valid JSON value as one line of valid UTF-8.
func (w *writer) value(v []byte) {
	v = validUTF8(v)
	if bytes.IndexByte(v, '\n') >= 0 || bytes.IndexByte(v, '\r') >= 0 {
		v = flat(v)
	}
	w.b = append(w.b, v...)
}

// flat returns a valid value without the white space between its tokens. Line ends can be
// nowhere else, and would end a line of an event stream.
func flat(v []byte) []byte {
	c := jsontext.Value(bytes.Clone(v))
	if err := c.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return []byte("null")
	}
	return c
}

// named is a member of an object.
type named struct {
	name  string
	value jsontext.Value
}

// reader takes values apart, with one decoder for all. The zero reader is ready.
type reader struct{ d *jsontext.Decoder }

func members(raw jsontext.Value) []named { return new(reader).members(raw) }

func elements(raw jsontext.Value) []jsontext.Value { return new(reader).elements(raw) }

// members returns those of a valid object, in order; none if raw is no object. Their values
// lie in raw.
func (r *reader) members(raw jsontext.Value) []named {
	if raw.Kind() != '{' {
		return nil
	}
	var all []named
	r.inside(raw, func(d *jsontext.Decoder) bool {
		name, err := d.ReadToken()
		if err != nil {
			return false
		}
		m := named{name: name.String()}
		m.value, err = valueIn(d, raw)
		if err == nil {
			all = append(all, m)
		}
		return err == nil
	})
	return all
}

// onlyString is members for what most results of tools are, an object with one string in
// it; nil for others. It is cheaper.
func onlyString(raw jsontext.Value) []named {
	rest := bytes.TrimLeft(raw[1:], whiteSpace)
	end := stringEnd(rest)
	if end == 0 {
		return nil
	}
	name := rest[1 : end-1]
	rest = bytes.TrimLeft(rest[end:], whiteSpace)
	rest = bytes.TrimLeft(rest[1:], whiteSpace) // after the colon
	end = stringEnd(rest)
	if end == 0 || bytes.IndexByte(name, '\\') >= 0 || string(bytes.TrimLeft(rest[end:], whiteSpace)) != "}" {
		return nil
	}
	return []named{{name: string(name), value: rest[:end]}}
}

const whiteSpace = " \t\r\n"

// stringEnd returns the length of the string that valid JSON begins with; 0 = it is none.
func stringEnd(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// elements returns those of a valid array; none if raw is no array. They lie in raw.
func (r *reader) elements(raw jsontext.Value) []jsontext.Value {
	if raw.Kind() != '[' {
		return nil
	}
	var all []jsontext.Value
	r.inside(raw, func(d *jsontext.Decoder) bool {
		value, err := valueIn(d, raw)
		if err == nil {
			all = append(all, value)
		}
		return err == nil
	})
	return all
}

// inside calls next before every member or element of raw, until it reports false.
func (r *reader) inside(raw jsontext.Value, next func(*jsontext.Decoder) bool) {
	in, names, bytesToo := bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)
	if r.d == nil {
		r.d = jsontext.NewDecoder(in, names, bytesToo)
	} else {
		r.d.Reset(in, names, bytesToo)
	}
	d := r.d
	if _, err := d.ReadToken(); err != nil {
		return
	}
	for {
		switch d.PeekKind() {
		case '}', ']', 0:
			return
		}
		if !next(d) {
			return
		}
	}
}

func valueIn(d *jsontext.Decoder, raw jsontext.Value) (jsontext.Value, error) {
	value, err := d.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(d.InputOffset())
	return raw[end-len(value) : end : end], nil
}

// isValue reports whether raw is one JSON value, as the decoders of this package take it.
func isValue(raw jsontext.Value) bool {
	// Without options first: that allocates nothing and is nearly always enough.
	return raw.IsValid() || raw.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

func isObject(raw jsontext.Value) bool { return raw.Kind() == '{' && isValue(raw) }

func isObjectOrArray(raw jsontext.Value) bool {
	k := raw.Kind()
	return k == '{' || k == '['
}

func indexed(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
