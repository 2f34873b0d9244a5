package messages

import (
	"slices"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

const (
	nameLimit      = 128 // of a tool's name: the vendor's
	maxStrictTools = 20  // the vendor's
	searchKind     = "web_search_20250305"
)

// toolName is a tool's name in the vendor's alphabet.
func toolName(name string) string { return llm.SafeID(name, nameLimit) }

// allowed reports whether the model may use a tool. The format cannot narrow the choice, so
// the others are left out.
func (e *encoder) allowed(t *llm.Tool) bool {
	return len(e.r.Choice.Allowed) == 0 || slices.Contains(e.r.Choice.Allowed, t.Name)
}

func (e *encoder) tools() error {
	if err := e.servers(); err != nil {
		return err
	}
	begun := false
	strict := e.strictTools()
	for i := range e.r.Tools {
		t := &e.r.Tools[i]
		if isServer(t) || !e.allowed(t) {
			continue
		}
		if !begun {
			e.key("tools")
			e.open('[')
			begun = true
		}
		e.tool(t, strict)
	}
	if !begun {
		return nil
	}
	e.close(']')
	e.choice()
	return nil
}

// servers writes the MCP servers, which are no tools in this format, and refuses the tools
// that another vendor runs.
func (e *encoder) servers() error {
	begun := false
	for i := range e.r.Tools {
		t := &e.r.Tools[i]
		if t.Kind == llm.Builtin && (t.Origin != llm.Messages || !wire.IsObject(t.Raw)) {
			return unsupported("the tool " + t.Name)
		}
		if !isServer(t) {
			continue
		}
		if !begun {
			e.key(mcpServers)
			e.open('[')
			begun = true
		}
		e.comma()
		e.b = append(e.b, t.Raw...)
	}
	if begun {
		e.close(']')
	}
	return nil
}

// isServer reports whether a tool is an MCP server: see mcpServer.
func isServer(t *llm.Tool) bool {
	return t.Kind == llm.Builtin && t.Origin == llm.Messages && gjson.GetBytes(t.Raw, "type").Str == "url"
}

// strictTools reports whether strict tools can be said.
func (e *encoder) strictTools() bool {
	n := 0
	for i := range e.r.Tools {
		if s := e.r.Tools[i].Strict; s != nil && *s {
			n++
		}
	}
	ok := e.t.Compatible || n <= maxStrictTools && (!e.gen.known() || e.gen.since4(5))
	e.lost.note(lostToolStrict, n > 0 && !ok)
	return ok
}

func (e *encoder) tool(t *llm.Tool, strict bool) {
	e.comma()
	switch t.Kind {
	case llm.Builtin:
		e.b = append(e.b, t.Raw...)
	case llm.WebSearch:
		if t.Origin == llm.Messages && wire.IsObject(t.Raw) {
			e.b = append(e.b, t.Raw...)
			return
		}
		e.lost.note(lostSearchOptions, len(t.Raw) > 0)
		e.open('{')
		e.text("type", searchKind)
		e.text("name", webSearch)
		e.cache(t.Cache)
		e.close('}')
	default:
		e.open('{')
		e.text("name", toolName(t.Name))
		if t.Description != "" {
			e.text("description", t.Description)
		}
		schema := t.Schema
		if t.Kind == llm.Custom {
			e.lost.note(lostGrammar, len(t.Raw) > 0)
			schema = llm.CustomSchema()
		}
		e.input(schema)
		if t.Strict != nil && strict {
			e.flag("strict", *t.Strict)
		}
		e.cache(t.Cache)
		e.close('}')
	}
}

// choice follows tools only: the vendor refuses it without.
func (e *encoder) choice() {
	c := e.r.Choice
	single := e.r.Parallel != nil && !*e.r.Parallel
	var kind string
	switch c.Mode {
	case llm.Auto:
		kind = "auto"
	case llm.None:
		kind, single = "none", false
	case llm.Required:
		kind = "any"
	case llm.Named:
		kind = "tool"
	default:
		if e.r.Parallel == nil {
			return
		}
		kind = "auto"
	}
	e.key("tool_choice")
	e.open('{')
	e.text("type", kind)
	if kind == "tool" {
		e.text("name", e.chosen(c.Name))
	}
	if e.r.Parallel != nil && kind != "none" {
		e.flag("disable_parallel_tool_use", single)
	}
	e.close('}')
}

// chosen is what the tool that must be called is called here.
func (e *encoder) chosen(name string) string {
	for i := range e.r.Tools {
		if t := &e.r.Tools[i]; t.Name == name && t.Kind == llm.WebSearch && t.Origin != llm.Messages {
			return webSearch
		}
	}
	return toolName(name)
}
