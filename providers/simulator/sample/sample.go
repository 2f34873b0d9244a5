// Package sample makes values that fit a JSON schema.
package sample

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/peek"
)

// Bounds of a sample: references make schemas that describe endless values.
const (
	maxDepth = 16
	maxBytes = 16 << 10
)

// JSON returns a value that fits a JSON schema, or Gemini's dialect of it, as far as types,
// references and enumerations go: the same value every time. Beyond 16 levels or 16 KiB
// everything is null.
func JSON(schema gjson.Result) string {
	s := sampler{root: schema}
	s.value(schema, 0)
	return string(s.json)
}

type sampler struct {
	root gjson.Result
	json []byte
}

func (s *sampler) value(schema gjson.Result, depth int) {
	if depth > maxDepth || len(s.json) > maxBytes {
		s.raw("null")
		return
	}
	for _, key := range []string{"const", "enum.0", "default"} {
		if v := schema.Get(key); v.Exists() {
			s.raw(v.Raw)
			return
		}
	}
	if ref := schema.Get(`\$ref`).Str; ref != "" {
		s.value(s.resolve(ref), depth+1)
		return
	}
	for _, key := range []string{"anyOf.0", "oneOf.0", "allOf.0"} {
		if v := schema.Get(key); v.Exists() {
			s.value(v, depth+1)
			return
		}
	}
	s.typed(schema, depth)
}

func (s *sampler) typed(schema gjson.Result, depth int) {
	switch typeOf(schema) {
	case "object":
		s.object(schema.Get("properties"), depth)
	case "array":
		s.raw("[")
		s.value(schema.Get("items"), depth+1)
		s.raw("]")
	case "integer", "number":
		s.raw(strconv.FormatInt(max(1, schema.Get("minimum").Int()), 10))
	case "boolean":
		s.raw("true")
	case "null":
		s.raw("null")
	default:
		s.raw(`"sample"`)
	}
}

// object gives every property a value, required or not.
func (s *sampler) object(properties gjson.Result, depth int) {
	s.raw("{")
	first := true
	properties.ForEach(func(name, schema gjson.Result) bool {
		if !first {
			s.raw(",")
		}
		first = false
		s.json = peek.AppendString(s.json, name.Str)
		s.raw(":")
		s.value(schema, depth+1)
		return true
	})
	s.raw("}")
}

func (s *sampler) raw(json string) { s.json = append(s.json, json...) }

// resolve follows a reference into the same document; another kind leads nowhere.
func (s *sampler) resolve(ref string) gjson.Result {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return gjson.Result{}
	}
	at := s.root
	for key := range strings.SplitSeq(path, "/") {
		if key != "" {
			at = at.Get(gjson.Escape(key))
		}
	}
	return at
}

// typeOf returns the first type that schema allows, in small letters.
func typeOf(schema gjson.Result) string {
	t := schema.Get("type")
	if t.IsArray() {
		t = t.Get("0")
	}
	if t.Str == "" && schema.Get("properties").Exists() {
		return "object"
	}
	return strings.ToLower(t.Str)
}
