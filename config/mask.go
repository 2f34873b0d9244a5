package config

import (
	"bytes"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Masked stands for a secret in a file that is shown.
const Masked = "***"

// Mask returns the configuration file data with its secrets masked, and what in comments looks
// like one. Variables such as ${NAME} are shown: they are no secrets themselves. data must be
// good enough to be parsed.
func Mask(data []byte) ([]byte, error) {
	secrets, document, err := secretsOf(data)
	if err != nil {
		return nil, err
	}
	text, possible := exchange(data, secrets, func(string, *yaml.Node) string { return `"` + Masked + `"` })
	if !possible { // written over several lines: show the same in other words
		for _, s := range secrets {
			s.value.SetString(Masked)
		}
		if text, err = yaml.Dump(document, yaml.WithLineWidth(-1)); err != nil {
			return nil, errUnchangeable
		}
	}
	for comment, masked := range maskedComments(document) {
		text = []byte(strings.ReplaceAll(string(text), comment, masked))
	}
	return text, nil
}

// Unmask returns next, a file that somebody has changed who saw old masked, with the secrets of
// old in the place of their masks. A secret is that of the same provider, credential or client
// key, by name; a mask where old has none is an error with its line and path, of type Errors.
func Unmask(old, next []byte) ([]byte, error) {
	before, document, err := secretsOf(old)
	if err != nil {
		return nil, err
	}
	for comment, masked := range maskedComments(document) {
		next = []byte(strings.ReplaceAll(string(next), masked, comment))
	}
	after, _, err := secretsOf(next)
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	for _, s := range before {
		known[s.path] = s.value.Value
	}
	var bad Errors
	after = slices.DeleteFunc(after, func(s secret) bool { return s.value.Value != Masked })
	for _, s := range after {
		if _, ok := known[s.path]; !ok {
			bad = append(bad, &Error{Line: s.value.Line, Path: s.path, Problem: "is masked, but there is no secret yet that this could stand for"})
		}
	}
	if len(bad) > 0 {
		return nil, bad
	}
	text, possible := exchange(next, after, func(path string, _ *yaml.Node) string {
		return edit{value: &yaml.Node{Style: yaml.DoubleQuotedStyle, Value: known[path]}}.text()
	})
	if !possible {
		return nil, Errors{{Line: 1, Problem: "a mask is written over several lines"}}
	}
	return text, nil
}

// secret is one value that is not shown. Its path names elements of lists.
type secret struct {
	path  string
	value *yaml.Node
}

// secretsOf finds the values of data that may be secrets and are written out.
func secretsOf(data []byte) ([]secret, *yaml.Node, error) {
	document, bad := parseWhole(data)
	if bad != nil {
		return nil, nil, Errors{bad}
	}
	f := secretFinder{seen: map[*yaml.Node]bool{}, budget: maxValues}
	if root := rootOf(document); root != nil {
		f.find(root, reflect.TypeFor[Config](), "", false)
	}
	if f.budget < 0 {
		return nil, nil, Errors{{Line: 1, Problem: "the file expands to too many values"}}
	}
	return f.found, document, nil
}

type secretFinder struct {
	found  []secret
	seen   map[*yaml.Node]bool // an alias shows its anchor's value once
	budget int
}

// find looks through n, which is to become a t, for what is secret.
func (f *secretFinder) find(n *yaml.Node, t reflect.Type, path string, hidden bool) {
	n = resolveAlias(n)
	if f.budget--; f.budget < 0 {
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.ScalarNode:
		if t.Kind() == reflect.Struct {
			if short, ok := marked(t, "short"); ok && short.is("secret") {
				path, hidden = join(path, short.key), true
			}
		}
		if hidden && !f.seen[n] && isWrittenOut(n) {
			f.seen[n] = true
			f.found = append(f.found, secret{path, n})
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]():
		for _, field := range fieldsOf(t) {
			if i := indexOf(n, field.key); i >= 0 {
				f.find(n.Content[i+1], t.FieldByIndex(field.index).Type, join(path, field.key), hidden || field.is("secret"))
			}
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 0; i+1 < len(n.Content); i += 2 {
			f.find(n.Content[i+1], t.Elem(), join(path, n.Content[i].Value), hidden)
		}
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for i, item := range n.Content {
			f.find(item, t.Elem(), elementPath(path, i, item, t.Elem()), hidden)
		}
	}
}

// elementPath names an element of a list by its name or id if it has one.
func elementPath(path string, i int, item *yaml.Node, t reflect.Type) string {
	if t.Kind() == reflect.Struct {
		if id, ok := marked(t, "id"); ok {
			if name := textOf(valueOf(resolveAlias(item), id.key)); name != "" {
				return named(path, name)
			}
		}
	}
	return at(path, i)
}

// exchange puts other text in the place of values. It reports false if one of them is written
// over several lines.
func exchange(data []byte, values []secret, text func(path string, value *yaml.Node) string) ([]byte, bool) {
	s := splicer{data: data}
	for _, v := range values {
		start := s.offset(v.value)
		if start < 0 || start >= len(data) {
			return nil, false
		}
		if data[start] == '&' { // its anchor stays
			name := bytes.IndexByte(data[start:], ' ')
			if name < 0 {
				return nil, false
			}
			start += name + 1
		}
		s.isFlow = isInFlow(data, v.value)
		length := s.scalarLength(data[start:])
		if length == 0 || !reads(data[start:start+length], v.value) {
			return nil, false
		}
		s.pieces = append(s.pieces, piece{start, start + length, text(v.path, v.value)})
	}
	return s.apply(), true
}

// isInFlow reports whether a plain value may be ended by the marks of a flow collection.
func isInFlow(data []byte, n *yaml.Node) bool {
	lines := strings.Split(string(data), "\n")
	return n.Line <= len(lines) && strings.ContainsAny(lines[n.Line-1], "{[")
}

// reads reports whether text is how n is written, and the whole of it.
func reads(text []byte, n *yaml.Node) bool {
	document, err := parseWhole(text)
	return err == nil && document != nil && document.Content[0].Kind == yaml.ScalarNode && document.Content[0].Value == n.Value
}

// maskedComments returns the lines of comments that may hold a secret, each with its mask.
func maskedComments(document *yaml.Node) map[string]string {
	lines := map[string]string{}
	suspicious := regexp.MustCompile(`[A-Za-z0-9+/=_.~-]{12,}`)
	digits := regexp.MustCompile(`[0-9]`)
	keyed := regexp.MustCompile(`(?i)((?:key|secret|token|password|authorization)["']?\s*:\s*)\S.*`)
	var visit func(*yaml.Node)
	visit = func(n *yaml.Node) {
		for _, comment := range []string{n.HeadComment, n.LineComment, n.FootComment} {
			for line := range strings.SplitSeq(comment, "\n") {
				masked := keyed.ReplaceAllString(line, "${1}"+Masked)
				masked = suspicious.ReplaceAllStringFunc(masked, func(word string) string {
					if digits.MatchString(word) {
						return Masked
					}
					return word
				})
				if masked != line {
					lines[line] = masked
				}
			}
		}
		for _, child := range n.Content {
			visit(child)
		}
	}
	if document != nil {
		visit(document)
	}
	return lines
}

// Reveal is Show without masks. It is for comparing, not for showing.
func Reveal(c *Config) ([]byte, error) {
	data, err := yaml.Dump(c, yaml.WithLineWidth(-1))
	if err != nil {
		return nil, errors.New("the configuration cannot be written as YAML")
	}
	return data, nil
}

// Show returns a configuration that comes from no file as one, with its secrets masked.
func Show(c *Config) ([]byte, error) {
	data, err := Reveal(c)
	if err != nil {
		return nil, err
	}
	return Mask(data)
}
