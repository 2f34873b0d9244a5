package responses

import (
	"encoding/json"
	"strings"

	jsonx "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
)

// tool is a definition of any type.
type tool struct {
	Type        string         `json:"type"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Parameters  jsontext.Value `json:"parameters"`
	Strict      *bool          `json:"strict"`
	Tools       []tool         `json:"tools"`        // of a namespace
	Server      string         `json:"server_label"` // of a remote MCP server
	Function    *tool          `json:"function"`     // as in the chat format
	Format      jsontext.Value `json:"format"`       // of a custom tool's text
	Rest        jsontext.Value `json:",embed"`

	from, to int64 // where it lies in the body
}

func (t *tool) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain tool
	t.from = dec.InputOffset()
	err := jsonx.UnmarshalDecode(dec, (*plain)(t))
	t.to = dec.InputOffset()
	return err
}

// isWebSearch reports whether a type of tool is the search of the web, of whatever date.
func isWebSearch(kind string) bool { return strings.HasPrefix(kind, "web_search") }

// tool adds a definition to a list; those of a namespace come out one by one.
func (d *decoder) tool(list *[]llm.Tool, t *tool, path string) error {
	if t.Type == "namespace" {
		if t.Name == "" {
			return &llm.DecodeError{Path: path + ".name", Reason: "missing"}
		}
		if t.Description != "" {
			d.unsaid("tools[].description", "of a namespace; its tools have their own")
		}
		for i := range t.Tools {
			if err := d.ownTool(list, &t.Tools[i], t.Name, at(path+".tools", i)); err != nil {
				return err
			}
		}
		return nil
	}
	return d.ownTool(list, t, "", path)
}

// ownTool adds a definition that is no namespace.
func (d *decoder) ownTool(list *[]llm.Tool, t *tool, namespace, path string) error {
	made := llm.Tool{Namespace: namespace, Description: t.Description}
	switch {
	case t.Type == "function" || t.Type == "" && (t.Name != "" || t.Function != nil):
		if t.Name == "" && t.Function != nil {
			t = t.Function
			made.Description = t.Description
		}
		made.Kind, made.Strict = llm.Function, t.Strict
		if len(t.Parameters) > 0 && t.Parameters.Kind() != 'n' {
			if t.Parameters.Kind() != '{' {
				return &llm.DecodeError{Path: path + ".parameters", Reason: "a JSON schema is expected"}
			}
			made.Schema = json.RawMessage(t.Parameters)
		}
		d.unsaidMembers("tools[].", t.Rest)
	case t.Type == "custom":
		made.Kind, made.Raw, made.Origin = llm.Custom, d.raw(t.from, t.to), llm.Responses
	case isWebSearch(t.Type):
		made.Kind, made.Raw, made.Origin = llm.WebSearch, d.raw(t.from, t.to), llm.Responses
		t.Name = "web_search"
	case t.Type == "":
		return &llm.DecodeError{Path: path + ".type", Reason: "missing"}
	case t.Type == "namespace":
		return &llm.DecodeError{Path: path, Reason: "a namespace inside another"}
	default:
		made.Kind, made.Raw, made.Origin = llm.Builtin, d.raw(t.from, t.to), llm.Responses
		t.Name = builtinName(t.Type, t.Server)
	}
	if t.Name == "" {
		return &llm.DecodeError{Path: path + ".name", Reason: "missing"}
	}
	made.Name = flatten(namespace, t.Name)
	*list = append(*list, made)
	return nil
}

// builtinName is what a tool without a name of its own is called: there may be several
// remote servers.
func builtinName(kind, server string) string {
	if server != "" {
		return kind + ":" + server
	}
	return kind
}

// choice is a tool_choice that is more than a word.
type choice struct {
	Type      string   `json:"type"`
	Name      string   `json:"name"`
	Namespace string   `json:"namespace"`
	Server    string   `json:"server_label"`
	Mode      string   `json:"mode"`
	Tools     []choice `json:"tools"`
	Function  struct {
		Name string `json:"name"`
	} `json:"function"` // as in the chat format

	word  string // auto, none, required
	given bool
}

func (c *choice) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain choice
	switch dec.PeekKind() {
	case '"':
		c.given = true
		return jsonx.UnmarshalDecode(dec, &c.word)
	case 'n':
		return dec.SkipValue()
	default:
		c.given = true
		return jsonx.UnmarshalDecode(dec, (*plain)(c))
	}
}

func (d *decoder) choice(w *choice) error {
	c := &d.r.Choice
	if !w.given {
		return nil
	}
	if w.word != "" {
		switch mode := llm.ChoiceMode(w.word); mode {
		case llm.Auto, llm.None, llm.Required:
			c.Mode = mode
			return nil
		}
		return &llm.DecodeError{Path: "tool_choice", Reason: "neither auto, none, required nor a tool"}
	}
	if w.Type != "allowed_tools" {
		c.Mode, c.Name = llm.Named, d.chosen(w)
		if c.Name == "" {
			return &llm.DecodeError{Path: "tool_choice.name", Reason: "missing"}
		}
		return nil
	}
	c.Mode = llm.Auto
	if w.Mode == "required" {
		c.Mode = llm.Required
	}
	for i := range w.Tools {
		name := d.chosen(&w.Tools[i])
		if name == "" {
			return &llm.DecodeError{Path: at("tool_choice.tools", i) + ".name", Reason: "missing"}
		}
		c.Allowed = append(c.Allowed, name)
	}
	return nil
}

// chosen is the name of the tool that a choice means: a tool of a namespace may be chosen
// by its own name if only one has it.
func (d *decoder) chosen(w *choice) string {
	name := w.Name
	if name == "" {
		name = w.Function.Name
	}
	if isWebSearch(w.Type) {
		return "web_search"
	}
	if w.Type != "function" && w.Type != "custom" && w.Type != "" {
		return builtinName(w.Type, w.Server)
	}
	if w.Namespace != "" && name != "" {
		return flatten(w.Namespace, name)
	}
	found := ""
	for i := range d.r.Tools {
		t := &d.r.Tools[i]
		if t.Name == name {
			return name
		}
		if t.Namespace != "" && ownName(t) == name {
			if found != "" {
				return name
			}
			found = t.Name
		}
	}
	if found != "" {
		return found
	}
	return name
}
