package chat

import (
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// maxNameLength is OpenAI's limit of a tool's name.
const maxNameLength = 64

// toolName is a tool's name in OpenAI's alphabet. Clients are given their own names back.
func toolName(name string) string { return llm.SafeID(name, maxNameLength) }

// tools writes the definitions, the choice and whether calls may be parallel; without a
// definition nothing of it.
func (e *requestEncoder) tools() {
	begun := false
	var search *llm.Tool // of several the last
	for i := range e.r.Tools {
		t := &e.r.Tools[i]
		e.loseIf(t.Cache != nil, lostCache)
		switch {
		case t.Kind == llm.WebSearch:
			search = t
			continue
		case e.leftOut(t.Name):
			continue
		case !begun:
			begun = true
			e.Name("tools")
			e.Open('[')
		}
		e.tool(t)
	}
	if begun {
		e.Close(']')
		e.choice()
		e.boolp("parallel_tool_calls", e.r.Parallel)
	}
	if search != nil {
		e.webSearch(search)
	}
}

// leftOut reports whether a tool is not among those that the client allows. OpenAI is told
// so; compatible upstreams know no such choice and are not shown the others.
func (e *requestEncoder) leftOut(name string) bool {
	return e.t.Compatible && len(e.allowed) > 0 && !e.allowed[name]
}

// webSearch says a search as OpenAI's chat models for it are asked; the model decides
// whether it knows it. Others have no common word.
func (e *requestEncoder) webSearch(t *llm.Tool) {
	if e.t.Compatible {
		e.refuse("the tool " + t.Name)
		return
	}
	e.Name("web_search_options")
	if t.Origin == llm.Chat && wire.IsObject(t.Raw) && !hasType(t.Raw) {
		e.B = append(e.B, t.Raw...)
		return
	}
	e.raw("{}")
}

// hasType reports whether raw is a tool's definition, not the options of a search.
func hasType(raw []byte) bool {
	var v struct {
		Type loose `json:"type"`
	}
	return wire.Decode(raw, &v) == nil && v.Type != ""
}

func (e *requestEncoder) tool(t *llm.Tool) {
	switch {
	case t.Kind == llm.Builtin && (t.Origin != llm.Chat || len(t.Raw) == 0):
		e.refuse("the tool " + t.Name)
	case t.Kind == llm.Builtin, e.isCustom(t) && t.Origin == llm.Chat && len(t.Raw) > 0:
		e.Next()
		e.B = append(e.B, t.Raw...)
	case e.isCustom(t):
		e.loseIf(len(t.Raw) > 0, lostGrammar)
		e.Open('{')
		e.raw(`"type":"custom","custom":{`)
		e.Text("name", toolName(t.Name))
		e.optional("description", t.Description)
		e.raw("}}")
	default:
		e.function(t)
	}
}

// isCustom reports whether t is said as a custom tool. Compatible upstreams know none.
func (e *requestEncoder) isCustom(t *llm.Tool) bool {
	return t.Kind == llm.Custom && !e.t.Compatible
}

func (e *requestEncoder) function(t *llm.Tool) {
	schema := t.Schema
	switch {
	case t.Kind == llm.Custom:
		schema = llm.CustomSchema()
		e.loseIf(len(t.Raw) > 0, lostGrammar)
	case len(schema) == 0 && e.t.Compatible: // some of them want one
		schema = []byte(`{"type":"object","properties":{}}`)
	}
	e.Open('{')
	e.raw(`"type":"function","function":{`)
	e.Text("name", toolName(t.Name))
	e.optional("description", t.Description)
	if len(schema) > 0 {
		e.Raw("parameters", schema)
	}
	e.boolp("strict", t.Strict)
	e.raw("}}")
}

func (e *requestEncoder) choice() {
	c := &e.r.Choice
	switch c.Mode {
	case llm.None:
		e.Literal("tool_choice", `"none"`)
	case llm.Auto, llm.Required:
		e.Name("tool_choice")
		if len(c.Allowed) > 0 && !e.t.Compatible {
			e.choiceAmong()
			return
		}
		e.str(string(c.Mode))
	case llm.Named:
		e.Name("tool_choice")
		e.Open('{')
		e.toolByName(c.Name)
	}
}

func (e *requestEncoder) choiceAmong() {
	e.raw(`{"type":"allowed_tools","allowed_tools":{`)
	e.Text("mode", string(e.r.Choice.Mode))
	e.Name("tools")
	e.Open('[')
	for _, name := range e.r.Choice.Allowed {
		e.Open('{')
		e.toolByName(name)
	}
	e.raw("]}}")
}

// toolByName names a tool in the rest of an object.
func (e *requestEncoder) toolByName(name string) {
	kind := "function"
	if e.customs[name] {
		kind = "custom"
	}
	e.Text("type", kind)
	e.Name(kind)
	e.Open('{')
	e.Text("name", toolName(name))
	e.raw("}}")
}

// customsOf returns the names of a request's custom tools.
func customsOf(r *llm.Request) map[string]bool {
	var names map[string]bool
	for i := range r.Tools {
		if r.Tools[i].Kind == llm.Custom {
			if names == nil {
				names = map[string]bool{}
			}
			names[r.Tools[i].Name] = true
		}
	}
	return names
}
