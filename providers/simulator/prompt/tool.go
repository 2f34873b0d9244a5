package prompt

import (
	"strings"

	"github.com/tidwall/gjson"
)

// Tool is a function the client declared.
type Tool struct {
	Name   string
	Schema gjson.Result // of its arguments; may be absent
}

// pickTool returns the tool to call, if one is to be called: never right after a tool's
// result, so that a client's loop ends.
func (p *Prompt) pickTool() (Tool, bool) {
	if p.afterTool || p.Choice.Forbidden {
		return Tool{}, false
	}
	if p.Choice.Name != "" {
		return p.findTool(p.Choice.Name)
	}
	if t, ok := p.namedTool(); ok {
		return t, true
	}
	if p.Choice.Required && len(p.Tools) > 0 {
		return p.Tools[0], true
	}
	return Tool{}, false
}

func (p *Prompt) findTool(name string) (Tool, bool) {
	for _, t := range p.Tools {
		if t.Name == name {
			return t, true
		}
	}
	return Tool{}, false
}

// namedTool returns the tool that the text asks for with "call NAME".
func (p *Prompt) namedTool() (Tool, bool) {
	for text := p.text; len(p.Tools) > 0; {
		_, after, ok := strings.Cut(text, "call ")
		if !ok {
			break
		}
		end := strings.IndexFunc(after, func(r rune) bool { return !isNameRune(r) })
		if end < 0 {
			end = len(after)
		}
		// The name may end a sentence.
		if t, ok := p.findTool(strings.TrimRight(after[:end], ".-:")); ok {
			return t, true
		}
		text = after
	}
	return Tool{}, false
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:", r)
}
