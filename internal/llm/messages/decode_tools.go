package messages

import (
	"bytes"
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
)

// webSearch is how the kinds of the vendor's web search begin; a date follows.
const webSearch = "web_search"

func (r *reader) tool() error {
	if r.dec.PeekKind() != '{' {
		return r.unexpected("an object")
	}
	start := r.dec.InputOffset()
	var (
		t       llm.Tool
		kind    string
		unknown [][]byte // those that matter only if the kind is known
	)
	err := r.object(func(name []byte) error {
		switch string(name) {
		case "type":
			return r.text(&kind)
		case "name":
			return r.text(&t.Name)
		case "description":
			return r.text(&t.Description)
		case "input_schema":
			raw, err := r.raw()
			t.Schema = append([]byte(nil), raw...)
			return err
		case "strict":
			return r.flag(&t.Strict)
		case "cache_control":
			return r.cache(&t.Cache)
		default:
			if len(unknown) < maxUnsaid {
				unknown = append(unknown, bytes.Clone(name))
			}
			return r.dec.SkipValue()
		}
	})
	if err != nil {
		return err
	}
	if kind != "" && kind != "custom" {
		r.tools = append(r.tools, vendorTool(kind, t.Name, r.since(start)))
		return nil
	}
	if t.Name == "" {
		return r.fail("a tool needs a name")
	}
	for _, name := range unknown {
		r.unsaid("tools."+strings.ToValidUTF8(string(name[:min(len(name), maxNameBytes)]), ""), "no other format has it")
	}
	if string(t.Schema) == "null" {
		t.Schema = nil
	}
	t.Kind = llm.Function
	r.tools = append(r.tools, t)
	return nil
}

// vendorTool is a tool that the vendor runs, or whose meaning only its models know.
func vendorTool(kind, name string, raw []byte) llm.Tool {
	t := llm.Tool{Kind: llm.Builtin, Name: name, Raw: bytes.Clone(raw), Origin: llm.Messages}
	if t.Name == "" {
		t.Name = kind
	}
	if strings.HasPrefix(kind, webSearch+"_") {
		t.Kind = llm.WebSearch
	}
	return t
}

// mcpServer reads a server whose tools the vendor calls: a tool of the vendor's too.
func (r *reader) mcpServer() error {
	if r.dec.PeekKind() != '{' {
		return r.unexpected("an object")
	}
	start := r.dec.InputOffset()
	var name string
	err := r.object(func(member []byte) error {
		if string(member) == "name" {
			return r.text(&name)
		}
		return r.dec.SkipValue()
	})
	if err != nil {
		return err
	}
	r.servers = append(r.servers, vendorTool(mcpServers, name, r.since(start)))
	return nil
}

// mcpServers names a server of the vendor's among the tools if it has no name.
const mcpServers = "mcp_servers"

func (r *reader) choice() error {
	if r.dec.PeekKind() == 'n' {
		return r.dec.SkipValue()
	}
	var (
		c       llm.ToolChoice
		kind    string
		disable *bool
	)
	err := r.object(func(name []byte) error {
		switch string(name) {
		case "type":
			return r.text(&kind)
		case "name":
			return r.text(&c.Name)
		case "disable_parallel_tool_use":
			return r.flag(&disable)
		default:
			return r.unknown("tool_choice.", name)
		}
	})
	if err != nil {
		return err
	}
	switch kind {
	case "auto":
		c.Mode = llm.Auto
	case "any":
		c.Mode = llm.Required
	case "none":
		c.Mode = llm.None
	case "tool":
		c.Mode = llm.Named
	default:
		return r.fail("type must be auto, any, none or tool")
	}
	if disable != nil {
		parallel := !*disable
		r.out.Parallel = &parallel
	}
	r.out.Choice = c
	return nil
}
