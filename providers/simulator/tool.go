package simulator

import (
	"strings"

	"github.com/tidwall/gjson"
)

// tool is a function the client declared.
type tool struct {
	name   string
	schema gjson.Result // of its arguments; may be absent
}

// pickTool returns the tool to call, if one is to be called: never right after a tool's
// result, so that a client's loop ends.
func (p *prompt) pickTool() (tool, bool) {
	if p.afterTool || p.choice.forbidden {
		return tool{}, false
	}
	if p.choice.name != "" {
		return p.findTool(p.choice.name)
	}
	if t, ok := p.namedTool(); ok {
		return t, true
	}
	if p.choice.required && len(p.tools) > 0 {
		return p.tools[0], true
	}
	return tool{}, false
}

func (p *prompt) findTool(name string) (tool, bool) {
	for _, t := range p.tools {
		if t.name == name {
			return t, true
		}
	}
	return tool{}, false
}

// namedTool returns the tool that the text asks for with "call NAME".
func (p *prompt) namedTool() (tool, bool) {
	for text := p.text; len(p.tools) > 0; {
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
	return tool{}, false
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:", r)
}
