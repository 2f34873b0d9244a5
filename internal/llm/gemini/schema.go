package gemini

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxSchemaDepth is how deep in a schema anything is changed. What lies deeper, and no
// vendor takes schemas of that depth, stays as it is.
const maxSchemaDepth = 64

// fromDialect returns a schema in Google's dialect of OpenAPI 3.0 as JSON schema: its types
// are in upper case, its counts may be strings, and null is a flag.
func fromDialect(raw jsontext.Value) json.RawMessage {
	w := writer{b: make([]byte, 0, len(raw))}
	w.schema(raw, dialect, 0)
	return w.b
}

// accepted returns a tool's schema as Google takes it: a required property has to be among
// the properties, and there are no titles.
func (w *writer) accepted(raw jsontext.Value) {
	if !touched(raw) {
		w.value(raw)
		return
	}
	w.schema(raw, tidy, 0)
}

// touched reports whether a schema may hold anything that accepted changes.
func touched(raw []byte) bool {
	for _, keyword := range [...]string{`"required"`, `"title"`, `"$schema"`} {
		if bytes.Contains(raw, []byte(keyword)) {
			return true
		}
	}
	return false
}

// rule appends what becomes of one keyword of a schema; among are all of its members.
type rule func(w *writer, m named, among []named, depth int)

// schema appends raw, changed by the rule where it is a schema, not where it is a value.
func (w *writer) schema(raw jsontext.Value, r rule, depth int) {
	if raw.Kind() != '{' || depth > maxSchemaDepth {
		w.value(raw)
		return
	}
	all := w.members(raw)
	w.raw("{")
	for _, m := range all {
		r(w, m, all, depth)
	}
	w.raw("}")
}

// keyword appends one whose name is camel, with the schemas in it changed by the rule.
func (w *writer) keyword(camel string, m named, r rule, depth int) {
	w.key(camel)
	switch camel {
	case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
		w.table(m.value, r, depth)
	case "anyOf", "oneOf", "allOf", "prefixItems":
		w.list(m.value, r, depth)
	case "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties":
		if m.value.Kind() == '[' { // items of older drafts
			w.list(m.value, r, depth)
			return
		}
		w.schema(m.value, r, depth+1)
	default:
		w.value(m.value)
	}
}

func (w *writer) table(raw jsontext.Value, r rule, depth int) {
	if raw.Kind() != '{' {
		w.value(raw)
		return
	}
	w.raw("{")
	for _, m := range w.members(raw) {
		w.key(m.name)
		w.schema(m.value, r, depth+1)
	}
	w.raw("}")
}

func (w *writer) list(raw jsontext.Value, r rule, depth int) {
	if raw.Kind() != '[' {
		w.value(raw)
		return
	}
	w.raw("[")
	for _, v := range w.elements(raw) {
		w.next()
		w.schema(v, r, depth+1)
	}
	w.raw("]")
}

// tidy is the rule of accepted.
func tidy(w *writer, m named, among []named, depth int) {
	switch m.name {
	case "title", "$schema":
	case "required":
		w.required(m.value, among)
	default:
		w.keyword(m.name, m, tidy, depth)
	}
}

// required appends the names that are properties; without any, and without a table of
// properties, the keyword goes.
func (w *writer) required(raw jsontext.Value, among []named) {
	known := map[string]bool{}
	for _, m := range among {
		if m.name != "properties" {
			continue
		}
		for _, p := range w.members(m.value) {
			known[p.name] = true
		}
	}
	begun := false
	for _, v := range w.elements(raw) {
		name, ok := text(v)
		if !ok || !known[name] {
			continue
		}
		if !begun {
			w.key("required")
			w.raw("[")
			begun = true
		}
		w.next()
		w.value(v)
	}
	if begun {
		w.raw("]")
	}
}

// dialect is the rule of fromDialect.
func dialect(w *writer, m named, among []named, depth int) {
	switch name := camel(m.name); name {
	case "type":
		w.types(m.value, nullable(among))
	case "enum":
		w.enum(m.value, nullable(among))
	case "nullable", "propertyOrdering":
	case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
		w.key(name)
		if digits, ok := text(m.value); ok && jsontext.Value(digits).Kind() == '0' && jsontext.Value(digits).IsValid() {
			w.raw(digits)
			return
		}
		w.value(m.value)
	default:
		w.keyword(name, m, dialect, depth)
	}
}

// types appends the keyword type in lower case, with null if that is allowed too.
func (w *writer) types(raw jsontext.Value, orNull bool) {
	word, ok := text(raw)
	word = strings.ToLower(word)
	switch {
	case !ok:
		w.key("type")
		w.value(raw)
	case word == "type_unspecified":
	case orNull && word != "null":
		w.key("type")
		w.raw("[")
		w.str("", word)
		w.raw(`,"null"]`)
	default:
		w.key("type")
		w.str("", word)
	}
}

// enum appends the values allowed, null among them if that is allowed too.
func (w *writer) enum(raw jsontext.Value, orNull bool) {
	w.key("enum")
	values := elements(raw)
	if raw.Kind() != '[' || !orNull || slices.ContainsFunc(values, func(v jsontext.Value) bool { return v.Kind() == 'n' }) {
		w.value(raw)
		return
	}
	w.raw("[")
	for _, v := range values {
		w.next()
		w.value(v)
	}
	w.next()
	w.raw("null]")
}

func nullable(among []named) bool {
	for _, m := range among {
		if m.name == "nullable" {
			return m.value.Kind() == 't'
		}
	}
	return false
}

// camel returns a keyword that a client has written in snake case.
func camel(name string) string {
	before, after, found := strings.Cut(name, "_")
	for found && before != "" && after != "" {
		name = before + strings.ToUpper(after[:1]) + after[1:]
		before, after, found = strings.Cut(name, "_")
	}
	return name
}
