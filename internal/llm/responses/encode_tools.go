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
	e.Name("tools")
	e.Open('[')
	for i := range r.Tools {
		if err := e.tool(&r.Tools[i]); err != nil {
			return err
		}
	}
	e.Close(']')
	e.choice()
	if r.Parallel != nil {
		e.Bool("parallel_tool_calls", *r.Parallel)
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
			e.Next()
			e.B = append(e.B, t.Raw...)
			return nil
		}
		e.lost.addIf(len(t.Raw) > 0, lostSearch)
		e.Next()
		e.B = append(e.B, `{"type":"web_search"}`...)
	default:
		if t.Origin != llm.Responses || len(t.Raw) == 0 {
			return unsupported("the tool " + t.Name)
		}
		e.Next()
		e.B = append(e.B, t.Raw...)
	}
	return nil
}

func (e *encoder) function(t *llm.Tool) {
	e.Open('{')
	e.Plain("type", "function")
	e.Plain("name", llm.SafeID(t.Name, maxNameBytes))
	if t.Description != "" {
		e.Text("description", t.Description)
	}
	e.Name("parameters")
	e.schema(t.Schema)
	e.Bool("strict", t.Strict != nil && *t.Strict)
	e.Close('}')
}

// schema writes the schema of arguments. The vendor refuses an object without properties.
func (e *encoder) schema(schema json.RawMessage) {
	const properties = `"properties"`
	if len(schema) == 0 || schema[0] != '{' {
		e.B = append(e.B, `{"type":"object","properties":{}}`...)
		return
	}
	e.B = append(e.B, schema...)
	if bytes.Contains(schema, []byte(properties)) || gjson.GetBytes(schema, "type").Str != "object" {
		return
	}
	end := bytes.LastIndexByte(e.B, '}')
	e.B = e.B[:end]
	e.Name("properties")
	e.B = append(e.B, "{}}"...)
}

// custom writes a tool that takes free text, with its grammar in the words of this format or
// of the chat one, which has the same one level deeper.
func (e *encoder) custom(t *llm.Tool) {
	e.Open('{')
	e.Plain("type", "custom")
	e.Plain("name", llm.SafeID(t.Name, maxNameBytes))
	if t.Description != "" {
		e.Text("description", t.Description)
	}
	switch t.Origin {
	case llm.Responses:
		if format := gjson.GetBytes(t.Raw, "format"); format.IsObject() {
			e.Literal("format", format.Raw)
		}
	case llm.Chat:
		format := gjson.GetBytes(t.Raw, "custom.format")
		if grammar := format.Get("grammar"); grammar.IsObject() {
			e.Name("format")
			e.Open('{')
			e.Plain("type", "grammar")
			e.Text("syntax", grammar.Get("syntax").Str)
			e.Text("definition", grammar.Get("definition").Str)
			e.Close('}')
		} else if format.IsObject() {
			e.Literal("format", format.Raw)
		}
	}
	e.Close('}')
}

func (e *encoder) choice() {
	c := &e.r.Choice
	switch {
	case c.Mode == llm.Named:
		e.Name("tool_choice")
		e.chosen(c.Name)
	case len(c.Allowed) > 0 && (c.Mode == llm.Auto || c.Mode == llm.Required || c.Mode == llm.ChoiceDefault):
		e.Name("tool_choice")
		e.Open('{')
		e.Plain("type", "allowed_tools")
		mode := c.Mode
		if mode == llm.ChoiceDefault {
			mode = llm.Auto
		}
		e.Plain("mode", string(mode))
		e.Name("tools")
		e.Open('[')
		for _, name := range c.Allowed {
			e.Next()
			e.chosen(name)
		}
		e.Close(']')
		e.Close('}')
	case c.Mode == llm.Auto, c.Mode == llm.None, c.Mode == llm.Required:
		e.Plain("tool_choice", string(c.Mode))
	}
}

// chosen writes a tool as a choice names it.
func (e *encoder) chosen(name string) {
	e.Open('{')
	kind := llm.Function
	t := e.r.ToolNamed(name)
	if t != nil {
		kind = t.Kind
	}
	switch kind {
	case llm.Function, llm.Custom:
		e.Plain("type", string(kind))
		e.Plain("name", llm.SafeID(name, maxNameBytes))
	case llm.WebSearch:
		kind := "web_search"
		if t.Origin == llm.Responses && len(t.Raw) > 0 {
			kind = gjson.GetBytes(t.Raw, "type").Str
		}
		e.Text("type", kind)
	default:
		e.Text("type", gjson.GetBytes(t.Raw, "type").Str)
		if server := gjson.GetBytes(t.Raw, "server_label"); server.Str != "" {
			e.Text("server_label", server.Str)
		}
	}
	e.Close('}')
}
