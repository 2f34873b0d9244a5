package responses

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// input is a text, or items. Items are taken one by one while they are read: an input is
// nearly all of a body.
type input struct{ d *decoder }

func (in *input) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	d := in.d
	d.r.Messages, d.extra, d.results, d.err = nil, nil, false, nil // of several inputs the last counts
	if dec.PeekKind() != '[' {
		var at wire.TextSpan
		err := at.UnmarshalJSONFrom(dec)
		if err != nil {
			return err
		}
		if text := d.texts.At(at.Span); text != "" {
			d.add(llm.User, &llm.Text{Text: text})
		}
		return nil
	}
	var it item
	return wire.Elements(dec, func(i int) error {
		if d.err != nil {
			return dec.SkipValue()
		}
		it.reset()
		if err := json.UnmarshalDecode(dec, &it); err != nil {
			return err
		}
		d.err = d.item(&it, at("input", i))
		return nil
	})
}

// item is an item of any type; which members count depends on it.
type item struct {
	Type      string    `json:"type"`
	ID        string    `json:"id"`
	Role      string    `json:"role"`
	Phase     string    `json:"phase"`
	Content   content   `json:"content"`
	CallID    string    `json:"call_id"`
	Name      string    `json:"name"`
	Namespace string    `json:"namespace"`
	Arguments wire.Span `json:"arguments"`
	Input     wire.Span `json:"input"`
	Output    content   `json:"output"`
	Summary   content   `json:"summary"`
	Encrypted string    `json:"encrypted_content"`
	Tools     []tool    `json:"tools"`
	Result    string    `json:"result"` // an image in base64
	Format    string    `json:"output_format"`

	from, to int64 // where it lies in the body
}

// reset makes it as new, but for the memory of its parts.
func (it *item) reset() {
	*it = item{
		Content: content{parts: it.Content.parts[:0]},
		Output:  content{parts: it.Output.parts[:0]},
		Summary: content{parts: it.Summary.parts[:0]},
	}
}

func (it *item) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain item
	it.from = dec.InputOffset()
	err := json.UnmarshalDecode(dec, (*plain)(it))
	it.to = dec.InputOffset()
	return err
}

// at is the path of an element.
func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// add appends a message.
func (d *decoder) add(role llm.Role, parts ...llm.Part) {
	d.results = false
	d.r.Messages = append(d.r.Messages, llm.Message{Role: role, Parts: parts})
}

// assistant adds parts to the assistant's turn that is in progress, or to a new one.
func (d *decoder) assistant(parts ...llm.Part) {
	if n := len(d.r.Messages); n > 0 && d.r.Messages[n-1].Role == llm.Assistant {
		last := &d.r.Messages[n-1]
		last.Parts = append(last.Parts, parts...)
		return
	}
	d.add(llm.Assistant, parts...)
}

// result adds what a tool brought: results that stand together are one message.
func (d *decoder) result(r *llm.ToolResult) {
	if d.results {
		last := &d.r.Messages[len(d.r.Messages)-1]
		last.Parts = append(last.Parts, r)
		return
	}
	d.add(llm.User, r)
	d.results = true
}

func (d *decoder) item(it *item, path string) error {
	switch it.Type {
	case "message", "":
		return d.message(it, path)
	case "function_call", "custom_tool_call":
		return d.call(it, path)
	case "function_call_output", "custom_tool_call_output":
		return d.output(it, path)
	case "reasoning":
		d.thinking(it)
	case "additional_tools":
		for i := range it.Tools {
			if err := d.tool(&d.extra, &it.Tools[i], at(path+".tools", i)); err != nil {
				return err
			}
		}
	case "image_generation_call":
		if it.Result == "" {
			d.opaque(it)
			return nil
		}
		d.assistant(&llm.Media{Kind: llm.Image, MIME: pictureMIME(it.Format), Data: it.Result})
	case "web_search_call":
		d.unsaid("input[].web_search_call", "what was found is in the words that follow")
	case "configuration_update":
		d.unsaid("input[].configuration_update", "settings hold for the whole request")
	default:
		d.opaque(it)
	}
	return nil
}

// opaque keeps an item that only this format knows, as whoever's it is.
func (d *decoder) opaque(it *item) {
	part := &llm.Opaque{
		Origin: llm.Responses, Raw: d.raw(it.from, it.to),
		Needed: "an input item of the type " + llm.SafeID(it.Type, maxNameBytes),
	}
	if strings.HasSuffix(it.Type, "_call") {
		d.assistant(part)
		return
	}
	d.add(llm.User, part)
}

func (d *decoder) message(it *item, path string) error {
	role := llm.Role(it.Role)
	switch role {
	case llm.System, llm.Developer, llm.User, llm.Assistant:
	case "":
		return &llm.DecodeError{Path: path, Reason: "neither a type nor a role is given"}
	default:
		return &llm.DecodeError{Path: path + ".role", Reason: "an unknown role: " + it.Role}
	}
	parts, err := d.content(&it.Content, path+".content", role)
	if err != nil {
		return err
	}
	if it.Phase != "" {
		d.unsaid("input[].phase", "a label of the vendor's own models")
	}
	if role == llm.Assistant {
		d.assistant(parts...)
	} else {
		d.add(role, parts...)
	}
	return nil
}

func (d *decoder) call(it *item, path string) error {
	call := &llm.ToolCall{ID: it.CallID, Name: flatten(it.Namespace, it.Name)}
	if call.ID == "" {
		call.ID = it.ID
	}
	if call.ID == "" {
		return &llm.DecodeError{Path: path + ".call_id", Reason: "missing"}
	}
	if it.Name == "" {
		return &llm.DecodeError{Path: path + ".name", Reason: "missing"}
	}
	if it.Type == "custom_tool_call" {
		call.Arguments = wire.WrapInput(d.texts.At(it.Input))
	} else {
		call.Arguments = d.texts.At(it.Arguments)
	}
	d.assistant(call)
	return nil
}

func (d *decoder) output(it *item, path string) error {
	if it.CallID == "" {
		return &llm.DecodeError{Path: path + ".call_id", Reason: "missing"}
	}
	r := &llm.ToolResult{ID: it.CallID, Name: flatten(it.Namespace, it.Name)}
	parts, err := d.content(&it.Output, path+".output", llm.User)
	if err != nil {
		return err
	}
	r.Content = parts
	if text, ok := onlyText(parts); ok {
		if found, ok := imagesIn(text); ok {
			r.Content = found
		}
	}
	d.result(r)
	return nil
}

// onlyText returns the text of content that is nothing else.
func onlyText(parts []llm.Part) (string, bool) {
	if len(parts) != 1 {
		return "", false
	}
	text, ok := parts[0].(*llm.Text)
	if !ok {
		return "", false
	}
	return text.Text, true
}

// imagesIn reads a tool's output that is content in a string: some clients send an image
// so. Anything but a list of texts and images, with an image in it, is the text that it is.
func imagesIn(output string) ([]llm.Part, bool) {
	if !strings.HasPrefix(strings.TrimLeft(output, " \t\r\n"), "[") || !strings.Contains(output, "input_image") {
		return nil, false
	}
	d := decoder{texts: wire.Texts{Body: []byte(output)}}
	var found []part
	if wire.Decode(d.texts.Body, &found) != nil {
		return nil, false
	}
	var (
		parts  []llm.Part
		images int
	)
	for i := range found {
		p := &found[i]
		switch {
		case p.Type == "input_text" || p.Type == "output_text" || p.Type == "text":
			parts = append(parts, &llm.Text{Text: d.texts.At(p.Text.Span)})
		case p.Type == "input_image" && isAddress(string(p.ImageURL)):
			images++
			parts = append(parts, p.image())
		default:
			return nil, false
		}
	}
	return parts, images > 0
}

// isAddress reports whether an image can be had by what is said to be its address.
func isAddress(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "data:image/")
}

func (d *decoder) thinking(it *item) {
	t := &llm.Thinking{ID: it.ID, Text: d.joined(&it.Summary)}
	if t.Text == "" {
		t.Text = d.joined(&it.Content)
	}
	if it.Encrypted != "" {
		t.Signature, t.Origin, t.Redacted = unmark(it.Encrypted)
	}
	if t.Text == "" && t.Signature == "" && t.ID == "" {
		return
	}
	d.assistant(t)
}
