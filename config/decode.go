package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// maxValues bounds how many values a file may expand to, so that aliases of aliases
// cannot use up the memory.
const maxValues = 200_000

// decoder fills settings from a YAML tree. It goes on after an error, so that all are
// found, and remembers where each path is in the file.
type decoder struct {
	getenv func(string) (string, bool)
	lines  map[string]int // by YAML path
	errs   Errors
	budget int // values that may still be decoded

	inFile  bool // the file is one of credentials-dir
	secrets bool // a secret was written out, not taken from the environment
}

func (d *decoder) failf(line int, path, format string, args ...any) {
	d.errs = append(d.errs, &Error{Line: line, Path: path, Problem: fmt.Sprintf(format, args...)})
}

// decode sets v from n, which is not null.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if d.budget--; d.budget < 0 {
		if d.budget == -1 {
			d.failf(n.Line, path, "the file expands to more than %d values", maxValues)
		}
		return
	}
	if n.Style&yaml.TaggedStyle != 0 {
		d.failf(n.Line, path, "explicit YAML tags are not supported")
		return
	}
	if account, ok := v.Addr().Interface().(*ServiceAccount); ok {
		d.decodeServiceAccount(n, account, path)
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		d.decodeScalar(n, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, v.Elem(), path)
	case reflect.Struct:
		d.decodeStruct(n, v, path)
	case reflect.Slice:
		d.decodeList(n, v, path)
	case reflect.Map:
		d.decodeMap(n, v, path)
	default:
		d.decodeScalar(n, v, path)
	}
}

func (d *decoder) decodeStruct(n *yaml.Node, v reflect.Value, path string) {
	if short, ok := marked(v.Type(), "short"); ok && n.Kind == yaml.ScalarNode {
		d.decodeScalar(n, v.FieldByIndex(short.index), path)
		return
	}
	fields := fieldsOf(v.Type())
	d.eachKey(n, path, func(key, value *yaml.Node) {
		for _, f := range fields {
			if f.key != key.Value {
				continue
			}
			child := join(path, f.key)
			d.lines[child] = key.Line
			switch {
			case isNull(value): // a key without value is as good as none
			case f.is("file") && !d.inFile:
				d.failf(key.Line, child, "may be given only in a file of credentials-dir")
			case f.is("one") && resolveAlias(value).Kind == yaml.ScalarNode:
				list := reflect.MakeSlice(v.FieldByIndex(f.index).Type(), 1, 1)
				d.decode(value, list.Index(0), child)
				v.FieldByIndex(f.index).Set(list)
			default:
				d.decode(value, v.FieldByIndex(f.index), child)
			}
			d.secrets = d.secrets || f.is("secret") && !f.is("file") && isWrittenOut(value)
			return
		}
		d.failf(key.Line, join(path, printable(key.Value)), "%s", unknownKey(key.Value, fields))
	})
}

func (d *decoder) decodeList(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.failf(n.Line, path, "must be a list, not %s", describe(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		child := at(path, i)
		d.lines[child] = item.Line
		if isNull(item) {
			d.failf(item.Line, child, "is empty")
			continue
		}
		d.decode(item, list.Index(i), child)
	}
	v.Set(list)
}

func (d *decoder) decodeMap(n *yaml.Node, v reflect.Value, path string) {
	entries := reflect.MakeMap(v.Type())
	d.eachKey(n, path, func(key, value *yaml.Node) {
		if isNull(value) {
			d.failf(key.Line, join(path, printable(key.Value)), "is empty; write \"\" for an empty value")
			return
		}
		child := join(path, key.Value)
		d.lines[child] = key.Line
		entry := reflect.New(v.Type().Elem()).Elem()
		d.decode(value, entry, child)
		entries.SetMapIndex(reflect.ValueOf(key.Value), entry)
	})
	v.Set(entries)
}

// eachKey calls use for the keys of the mapping n that are plain and not there twice.
func (d *decoder) eachKey(n *yaml.Node, path string, use func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.failf(n.Line, path, "must be a mapping of keys to values, not %s", describe(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		line, twice := seen[key.Value]
		switch {
		case key.ShortTag() == "!!merge":
			d.failf(key.Line, path, "merge keys (<<) are not supported")
		case key.Kind != yaml.ScalarNode || key.Style&yaml.TaggedStyle != 0:
			d.failf(key.Line, path, "a key must be plain text")
		case twice:
			d.failf(key.Line, join(path, printable(key.Value)), "is given twice; first in line %d", line)
		default:
			seen[key.Value] = key.Line
			use(key, value)
		}
	}
}

// decodeScalar sets v from the text of n after expansion. Text that came from a variable
// is read as if it stood in the file without quotes.
func (d *decoder) decodeScalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.failf(n.Line, path, "must be %s, not %s", wanted(v), describe(n))
		return
	}
	text, err := expand(n.Value, d.getenv)
	if err != nil {
		d.failf(n.Line, path, "%v", err)
		return
	}
	const quotes = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	quoted := n.Style&quotes != 0 && text == n.Value
	if !setScalar(v, text, quoted) {
		d.failf(n.Line, path, "must be %s", wanted(v))
	}
}

// setScalar sets v to what text means for its type, and reports whether it means anything.
func setScalar(v reflect.Value, text string, quoted bool) bool {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		duration, err := time.ParseDuration(text)
		v.SetInt(int64(duration))
		return err == nil
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		instant, err := time.Parse(time.RFC3339, text)
		v.Set(reflect.ValueOf(instant.UTC()))
		return err == nil || text == ""
	}
	switch v.Kind() {
	case reflect.Bool:
		yes := text == "true" || text == "True" || text == "TRUE"
		no := text == "false" || text == "False" || text == "FALSE"
		v.SetBool(yes)
		return (yes || no) && !quoted
	case reflect.Int, reflect.Int64:
		number, err := strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(number)
		return err == nil && !quoted
	default:
		v.SetString(text)
		return true
	}
}

// wanted describes the values v can take.
func wanted(v reflect.Value) string {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		return "a duration with a unit, such as 90s or 1h"
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		return "an instant such as 2030-12-31T23:59:59Z"
	}
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	default:
		return "a string"
	}
}

// describe says what n is without showing what it holds.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}

// isWrittenOut reports whether n or a value of the mapping n is text of its own, and not
// just a variable.
func isWrittenOut(n *yaml.Node) bool {
	n = resolveAlias(n)
	if n.Kind == yaml.MappingNode {
		for i := 1; i < len(n.Content); i += 2 {
			if value := resolveAlias(n.Content[i]); value.Kind == yaml.ScalarNode && isWrittenOut(value) {
				return true
			}
		}
		return false
	}
	variable := strings.HasPrefix(n.Value, "${") && strings.IndexByte(n.Value, '}') == len(n.Value)-1
	return n.Value != "" && !variable && !isNull(n)
}

func isNull(n *yaml.Node) bool {
	n = resolveAlias(n)
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" && n.Style&yaml.TaggedStyle == 0
}

func resolveAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
