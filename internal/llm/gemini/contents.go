package gemini

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
)

func (d *decoder) instruction(parts []part) {
	if len(parts) == 0 {
		return
	}
	m := llm.Message{Role: llm.System, Parts: make([]llm.Part, 0, len(parts))}
	for i := range parts {
		d.part(&m, "systemInstruction"+indexed(".parts", i), &parts[i])
	}
	d.request.Messages = append(d.request.Messages, m)
}

// contents decodes the conversation. Contents of the model that follow each other are one
// message: SDKs that keep a streamed answer as history keep every chunk as a content.
func (d *decoder) contents(contents []content) error {
	d.pairs.collect(contents)
	d.request.Messages = slices.Grow(d.request.Messages, len(contents))
	for i := range contents {
		c := &contents[i]
		path := indexed("contents", i)
		role, ok := roleOf(c.Role)
		if !ok {
			return &llm.DecodeError{Path: path + ".role", Reason: "is neither user nor model"}
		}
		m, seam := d.message(role, len(c.Parts))
		for j := range c.Parts {
			d.part(m, path+indexed(".parts", j), &c.Parts[j])
		}
		m.Parts = rejoined(m.Parts, seam)
	}
	return nil
}

func roleOf(word string) (llm.Role, bool) {
	switch word {
	case "user", "function", "tool", "": // Google's servers take no role as the user's
		return llm.User, true
	case "model", "assistant":
		return llm.Assistant, true
	case "system":
		return llm.System, true
	default:
		return "", false
	}
}

// message returns the message that a content belongs to, and the number of parts that it
// has from contents before.
func (d *decoder) message(role llm.Role, parts int) (m *llm.Message, seam int) {
	r := d.request
	if role == llm.Assistant && d.open {
		m = &r.Messages[len(r.Messages)-1]
		return m, len(m.Parts)
	}
	d.open = role == llm.Assistant
	if d.open {
		d.pairs.beginStep()
	}
	r.Messages = append(r.Messages, llm.Message{Role: role, Parts: make([]llm.Part, 0, parts)})
	return &r.Messages[len(r.Messages)-1], 0
}

// rejoined puts a text together again that was cut in two where a content ended.
func rejoined(parts []llm.Part, seam int) []llm.Part {
	if seam == 0 || seam == len(parts) {
		return parts
	}
	before, ok := parts[seam-1].(*llm.Text)
	if !ok {
		return parts
	}
	after, ok := parts[seam].(*llm.Text)
	if !ok {
		return parts
	}
	before.Text += after.Text
	return append(parts[:seam], parts[seam+1:]...)
}

// part decodes a part. A signature of its own becomes a thought without text before it.
func (d *decoder) part(m *llm.Message, path string, p *part) {
	signature, origin := unmarked(p.ThoughtSignature)
	other := p.FunctionCall != nil || p.FunctionResponse != nil || p.InlineData != nil || p.FileData != nil || len(p.Rest) > 0
	if p.Thought && (p.Text != nil || !other) {
		said := words("") // Google's SDK for Go leaves empty texts out
		if p.Text != nil {
			said = *p.Text
		}
		d.thought(m, string(said), signature, origin)
		return
	}
	if signature != "" {
		m.Parts = append(m.Parts, &llm.Thinking{Signature: signature, Origin: origin})
	}
	switch {
	case p.FunctionCall != nil:
		m.Parts = append(m.Parts, d.call(p.FunctionCall))
		d.unsaid(path+".functionCall", p.FunctionCall.Rest)
	case p.FunctionResponse != nil:
		m.Parts = append(m.Parts, d.result(p.FunctionResponse))
		d.unsaid(path+".functionResponse", p.FunctionResponse.Rest)
	case p.InlineData != nil, p.FileData != nil:
		m.Parts = appendMediaOf(m.Parts, p)
	case p.Text != nil:
		if *p.Text != "" {
			m.Parts = append(m.Parts, &llm.Text{Text: string(*p.Text)})
		}
	case p.Rest.Kind() == '{':
		m.Parts = append(m.Parts, &llm.Opaque{Origin: llm.Gemini, Raw: json.RawMessage(p.Rest)})
		return
	}
	d.unsaid(path, p.Rest)
}

// thought decodes a readable thought. One without a signature is a piece of what follows:
// see contents. Without a text it never had one.
func (d *decoder) thought(m *llm.Message, text, signature string, origin llm.Format) {
	if signature == "" {
		origin = ""
	}
	if n := len(m.Parts); n > 0 && text != "" {
		if before, ok := m.Parts[n-1].(*llm.Thinking); ok && before.Signature == "" {
			before.Text += text
			before.Signature, before.Origin = signature, origin
			return
		}
	}
	if text == "" && signature == "" {
		return
	}
	m.Parts = append(m.Parts, &llm.Thinking{Text: text, Signature: signature, Origin: origin, Redacted: text == ""})
}

// unmarked is llm.Unmark for signatures that an SDK may have put in the alphabet for URLs,
// as Google's for Python does.
func unmarked(signature string) (string, llm.Format) {
	if signature == "" {
		return "", ""
	}
	if strings.HasPrefix(signature, llm.MarkPrefix) {
		signature = standardBase64(signature)
	}
	return llm.Unmark(signature, llm.Gemini)
}

// standardBase64 returns base64 in the standard alphabet and with its padding: Google takes
// the alphabet for URLs as well, and data without padding.
func standardBase64(data string) string {
	if strings.ContainsAny(data, "-_") {
		data = strings.NewReplacer("-", "+", "_", "/").Replace(data)
	}
	if n := len(data) % 4; n > 1 {
		data += "=="[:4-n]
	}
	return data
}

func (d *decoder) call(f *functionCall) *llm.ToolCall {
	name := string(f.Name)
	return &llm.ToolCall{ID: d.pairs.call(firstOf(f.ID, f.CallID), name), Name: name, Arguments: string(f.Args)}
}

func (d *decoder) result(f *functionResponse) *llm.ToolResult {
	name := string(f.Name)
	r := &llm.ToolResult{ID: d.pairs.result(firstOf(f.ID, f.CallID), name), Name: name}
	r.Structured, r.Failed = f.Response.structured, f.Response.failed
	if said := f.Response.said; said != "" {
		r.Content = append(r.Content, &llm.Text{Text: said})
	}
	for i := range f.Parts {
		r.Content = appendMediaOf(r.Content, &f.Parts[i])
	}
	return r
}
