package responses

import (
	"bytes"
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
)

// tools writes tools, tool_choice and parallel_tool_calls; without tools the vendor takes
// none of the three.
func (e *encoder) tools() error {
	r := e.r
	if len(r.Tools) == 0 {
		return nil
	}
	e.name("tools")
	e.open('[')
	for i := range r.Tools {
		if err := e.tool(&r.Tools[i]); err != nil {
			return err
		}
	}
	e.close(']')
	e.choice()
	if r.Parallel != nil {
		e.bool("parallel_tool_calls", *r.Parallel)
	}
	return nil
}

func (e *encoder) tool(t *llm.Tool) error {
	e.lost.addIf(t.Cache != nil, lostCache)
	e.lost.addIf(t.Namespace != "", lostNamespace)
	switch t.Kind {
	case llm.Function:
		e.function(t)
	case llm.Custom:
		e.custom(t)
	case llm.WebSearch:
		if t.Origin == llm.Responses && len(t.Raw) > 0 {
			e.next()
			e.b = append(e.b, t.Raw...)
			return nil
		}
		e.lost.addIf(len(t.Raw) > 0, lostSearch)
		e.next()
		e.b = append(e.b, `{"type":"web_search"}`...)
	default:
		if t.Origin != llm.Responses || len(t.Raw) == 0 {
			return unsupported("the tool " + t.Name)
		}
		e.next()
		e.b = append(e.b, t.Raw...)
	}
	return nil
}

func (e *encoder) function(t *llm.Tool) {
	e.open('{')
	e.plain("type", "function")
	e.plain("name", llm.SafeID(t.Name, maxNameBytes))
	if t.Description != "" {
		e.text("description", t.Description)
	}
	e.name("parameters")
	e.schema(t.Schema)
	e.bool("strict", t.Strict != nil && *t.Strict)
	e.close('}')
}

// schema writes the schema of arguments. The vendor refuses an object without properties.
func (e *encoder) schema(schema json.RawMessage) {
	const properties = `"properties"`
	if len(schema) == 0 || schema[0] != '{' {
		e.b = append(e.b, `{"type":"object","properties":{}}`...)
		return
	}
	e.b = append(e.b, schema...)
	if bytes.Contains(schema, []byte(properties)) || gjson.GetBytes(schema, "type").Str != "object" {
		return
	}
	end := bytes.LastIndexByte(e.b, '}')
	e.b = e.b[:end]
	e.name("properties")
	e.b = append(e.b, "{}}"...)
}

// custom writes a tool that takes free text, with its grammar in the words of this format or
// of the chat one, which has the same one level deeper.
func (e *encoder) custom(t *llm.Tool) {
	e.open('{')
	e.plain("type", "custom")
	e.plain("name", llm.SafeID(t.Name, maxNameBytes))
	if t.Description != "" {
		e.text("description", t.Description)
	}
	switch t.Origin {
	case llm.Responses:
		if format := gjson.GetBytes(t.Raw, "format"); format.IsObject() {
			e.literal("format", format.Raw)
		}
	case llm.Chat:
		format := gjson.GetBytes(t.Raw, "custom.format")
		if grammar := format.Get("grammar"); grammar.IsObject() {
			e.name("format")
			e.open('{')
			e.plain("type", "grammar")
			e.text("syntax", grammar.Get("syntax").Str)
			e.text("definition", grammar.Get("definition").Str)
			e.close('}')
		} else if format.IsObject() {
			e.literal("format", format.Raw)
		}
	}
	e.close('}')
}

func (e *encoder) choice() {
	c := &e.r.Choice
	switch {
	case c.Mode == llm.Named:
		e.name("tool_choice")
		e.chosen(c.Name)
	case len(c.Allowed) > 0 && (c.Mode == llm.Auto || c.Mode == llm.Required || c.Mode == llm.ChoiceDefault):
		e.name("tool_choice")
		e.open('{')
		e.plain("type", "allowed_tools")
		mode := c.Mode
		if mode == llm.ChoiceDefault {
			mode = llm.Auto
		}
		e.plain("mode", string(mode))
		e.name("tools")
		e.open('[')
		for _, name := range c.Allowed {
			e.next()
			e.chosen(name)
		}
		e.close(']')
		e.close('}')
	case c.Mode == llm.Auto, c.Mode == llm.None, c.Mode == llm.Required:
		e.plain("tool_choice", string(c.Mode))
	}
}

// chosen writes a tool as a choice names it.
func (e *encoder) chosen(name string) {
	e.open('{')
	kind := llm.Function
	t := e.r.ToolNamed(name)
	if t != nil {
		kind = t.Kind
	}
	switch kind {
	case llm.Function, llm.Custom:
		e.plain("type", string(kind))
		e.plain("name", llm.SafeID(name, maxNameBytes))
	case llm.WebSearch:
		kind := "web_search"
		if t.Origin == llm.Responses && len(t.Raw) > 0 {
			kind = gjson.GetBytes(t.Raw, "type").Str
		}
		e.text("type", kind)
	default:
		e.text("type", gjson.GetBytes(t.Raw, "type").Str)
		if server := gjson.GetBytes(t.Raw, "server_label"); server.Str != "" {
			e.text("server_label", server.Str)
		}
	}
	e.close('}')
}
