package messages

import (
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// maxSchemaDepth is how deep a schema is made fit; what is deeper goes out as it is.
const maxSchemaDepth = 64

func (e *encoder) hasSchema() bool {
	return e.r.Output.Kind == llm.OutputSchema && wire.IsObject(e.r.Output.Schema)
}

func (e *encoder) format() {
	e.key("format")
	e.open('{')
	e.text("type", "json_schema")
	e.key("schema")
	if e.t.Compatible {
		e.b = append(e.b, e.r.Output.Schema...)
	} else {
		e.closed(gjson.ParseBytes(e.r.Output.Schema), 0)
	}
	e.close('}')
}

// closed writes a schema as the vendor takes it: objects are closed and there are no bounds
// of numbers, texts and lists. Its own SDKs do the same.
func (e *encoder) closed(schema gjson.Result, depth int) {
	if !schema.IsObject() || depth > maxSchemaDepth {
		e.b = append(e.b, schema.Raw...)
		return
	}
	e.open('{')
	object := false
	schema.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
			"minLength", "maxLength", "maxItems", "uniqueItems", "minProperties", "maxProperties":
			e.lost.note(lostOutputSchema, true)
			return true
		case "minItems":
			if value.Num > 1 {
				e.lost.note(lostOutputSchema, true)
				return true
			}
		case "additionalProperties":
			object = true
			e.lost.note(lostOutputSchema, value.Type != gjson.False)
			return true
		case "properties":
			object = true
		case "type":
			object = object || value.Str == "object"
		}
		e.comma()
		if key.Str == "oneOf" { // which the vendor does not tell from anyOf
			e.b = append(e.b, `"anyOf"`...)
		} else {
			e.b = append(e.b, key.Raw...)
		}
		e.b = append(e.b, ':')
		e.keyword(key.Str, value, depth)
		return true
	})
	if object {
		e.flag("additionalProperties", false)
	}
	e.close('}')
}

// keyword writes the value of a keyword, with the schemas in it.
func (e *encoder) keyword(name string, value gjson.Result, depth int) {
	switch name {
	case "items", "not":
		e.closed(value, depth+1)
	case "properties", "$defs", "definitions":
		if !value.IsObject() {
			e.b = append(e.b, value.Raw...)
			return
		}
		e.open('{')
		value.ForEach(func(key, schema gjson.Result) bool {
			e.comma()
			e.b = append(e.b, key.Raw...)
			e.b = append(e.b, ':')
			e.closed(schema, depth+1)
			return true
		})
		e.close('}')
	case "anyOf", "allOf", "oneOf", "prefixItems":
		if !value.IsArray() {
			e.b = append(e.b, value.Raw...)
			return
		}
		e.open('[')
		value.ForEach(func(_, schema gjson.Result) bool {
			e.comma()
			e.closed(schema, depth+1)
			return true
		})
		e.close(']')
	default:
		e.b = append(e.b, value.Raw...)
	}
}

// input writes the schema of a tool's arguments, which must say that it is an object's.
func (e *encoder) input(schema []byte) {
	e.key("input_schema")
	if !wire.IsObject(schema) {
		e.b = append(e.b, `{"type":"object"}`...)
		return
	}
	if gjson.GetBytes(schema, "type").Exists() {
		e.b = append(e.b, schema...)
		return
	}
	e.open('{')
	e.text("type", "object")
	gjson.ParseBytes(schema).ForEach(func(key, value gjson.Result) bool {
		e.comma()
		e.b = append(e.b, key.Raw...)
		e.b = append(e.b, ':')
		e.b = append(e.b, value.Raw...)
		return true
	})
	e.close('}')
}
