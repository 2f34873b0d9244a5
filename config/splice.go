package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// splice makes edits to the mapping target, which is in data, and touches no other byte. It
// reports false if that takes more understanding of YAML than it has; the caller checks
// what comes out.
func splice(data []byte, target *yaml.Node, edits []edit, isJSON bool) ([]byte, bool) {
	s := splicer{data: data, isFlow: target.Style&yaml.FlowStyle != 0, isJSON: isJSON}
	for _, e := range edits {
		ok := true
		if i := indexOf(target, e.key); i >= 0 {
			ok = s.replace(target.Content[i], target.Content[i+1], e.text())
		} else if !e.isNothing() {
			ok = s.insertInto(target, e)
		}
		if !ok {
			return nil, false
		}
	}
	return s.apply(), true
}

// text returns the value as it is written in YAML and in JSON.
func (e edit) text() string {
	if e.isNothing() {
		return "null"
	}
	if e.value.Style != yaml.DoubleQuotedStyle { // a number, yes or no
		return e.value.Value
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(e.value.Value) // a string cannot fail
	return strings.TrimSpace(b.String())
}

type splicer struct {
	data           []byte
	isFlow, isJSON bool
	pieces         []piece
}

// piece takes the place of data[start:end].
type piece struct {
	start, end int
	text       string
}

// replace puts text in the place of value.
func (s *splicer) replace(key, value *yaml.Node, text string) bool {
	start, end, ok := s.extent(key, value)
	if !ok {
		return false
	}
	if start == end { // nothing stood there
		text = " " + text
	}
	s.pieces = append(s.pieces, piece{start, end, text})
	return true
}

// insertInto adds e to the mapping target, behind the last pair that can be followed.
func (s *splicer) insertInto(target *yaml.Node, e edit) bool {
	if i := indexOf(target, e.after); e.after != "" && i >= 0 {
		return s.insertAfter(target.Content[i], target.Content[i+1], e)
	}
	for i := len(target.Content) - 2; i >= 0; i -= 2 {
		if s.insertAfter(target.Content[i], target.Content[i+1], e) {
			return true
		}
	}
	return false
}

// insertAfter adds e behind the pair of key and value.
func (s *splicer) insertAfter(key, value *yaml.Node, e edit) bool {
	_, end, ok := s.extent(key, value)
	keyStart := s.offset(key)
	if !ok || keyStart < 0 {
		return false
	}
	lineStart := bytes.LastIndexByte(s.data[:keyStart], '\n') + 1
	indent := string(s.data[lineStart:keyStart])
	if strings.Trim(indent, " -") == "" { // the first of an element of a list
		indent = strings.Repeat(" ", len(indent))
	}
	ownLine := strings.TrimLeft(indent, " \t") == ""
	name := e.key
	if s.isJSON {
		name = `"` + name + `"`
	}
	text := name + ": " + e.text()
	switch {
	case ownLine:
		text = s.lineBreak() + indent + text
	case s.isFlow:
		text = " " + text
	default:
		return false
	}
	if s.isFlow {
		text = "," + text
	} else { // behind a comment on the same line
		rest, _, _ := bytes.Cut(s.data[end:], []byte(s.lineBreak()))
		end += len(rest)
	}
	s.pieces = append(s.pieces, piece{end, end, text})
	return true
}

func (s *splicer) lineBreak() string {
	if bytes.Contains(s.data, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// apply returns the data with all pieces. Those for one place keep their order.
func (s *splicer) apply() []byte {
	slices.SortStableFunc(s.pieces, func(a, b piece) int { return cmp.Compare(a.start, b.start) })
	var out []byte
	from := 0
	for _, p := range s.pieces {
		if p.start < from {
			return nil // they overlap, which no mapping's values do
		}
		out = append(append(out, s.data[from:p.start]...), p.text...)
		from = p.end
	}
	return append(out, s.data[from:]...)
}

// extent returns where value is written; behind the colon if it is not written at all.
func (s *splicer) extent(key, value *yaml.Node) (start, end int, ok bool) {
	if value.Kind == yaml.ScalarNode && value.Value == "" && value.Style == 0 {
		start = s.offset(key)
		if start < 0 {
			return 0, 0, false
		}
		colon := bytes.Index(s.data[start:], []byte(":"))
		return start + colon + 1, start + colon + 1, colon > 0
	}
	start = s.offset(value)
	if value.Kind != yaml.ScalarNode || start < 0 || start >= len(s.data) {
		return 0, 0, false
	}
	length := s.scalarLength(s.data[start:])
	return start, start + length, length > 0
}

// scalarLength returns how long the scalar is that text begins with; 0 = it is none, or one
// of several lines.
func (s *splicer) scalarLength(text []byte) int {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if len(line) == 0 {
		return 0
	}
	switch line[0] {
	case '"':
		for i := 1; i < len(line); i++ {
			switch line[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return 0
	case '\'':
		for i := 1; i < len(line); i++ {
			if line[i] != '\'' {
				continue
			}
			if i+1 == len(line) || line[i+1] != '\'' {
				return i + 1
			}
			i++
		}
		return 0
	case '|', '>', '&', '*', '!', '{', '[':
		return 0
	}
	if i := bytes.Index(line, []byte(" #")); i >= 0 {
		line = line[:i]
	}
	if i := bytes.IndexAny(line, ",]}"); i >= 0 && s.isFlow {
		line = line[:i]
	}
	return len(bytes.TrimRight(line, " \t\r"))
}

// offset returns where n begins; -1 = nowhere in the data.
func (s *splicer) offset(n *yaml.Node) int {
	rest, offset := s.data, 0
	for line := 1; line < n.Line; line++ {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return -1
		}
		rest, offset = rest[i+1:], offset+i+1
	}
	for column := 1; column < n.Column && len(rest) > 0; column++ {
		_, size := utf8.DecodeRune(rest)
		rest, offset = rest[size:], offset+size
	}
	return offset
}
