package responses

import (
	"bytes"

	"github.com/understudyhq/understudy/internal/jsonwalk"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// AppendItems returns what an answer adds to its conversation: the items of its request's
// input and, behind them, its own, as JSON values with commas between them, without
// brackets. input is the request's own, raw: a string, an array or nothing. The result shares
// no memory with it.
//
// The items are as a client would send them back: without the ids that the answer gave them,
// which mean nothing to anybody else, and with every signature, marked for its origin,
// whether the client wanted to see it or not. Tools have the names and kinds that r's
// request gave them. An answer that broke off adds what came before.
func AppendItems(input []byte, a *llm.Answer, r llm.Reply) []byte {
	w := wire.Writer{B: make([]byte, 0, len(input)+partsSize(a.Parts)+64)}
	w.B = appendInput(w.B, input)
	for i, p := range a.Parts {
		appendAnswerPart(&w, p, i, r.Request)
	}
	return w.B
}

// appendInput appends the items of an input, without brackets; a string is one item.
func appendInput(dst, input []byte) []byte {
	input = bytes.TrimSpace(input)
	switch {
	case len(input) < 2:
		return dst
	case input[0] == '[':
		items := bytes.TrimSpace(input[1 : len(input)-1])
		return append(dst, items...)
	case input[0] == '"' && len(input) > 2: // not an empty one
		dst = append(dst, `{"type":"message","role":"user","content":`...)
		return append(append(dst, input...), '}')
	default: // null, ""
		return dst
	}
}

func appendAnswerPart(w *wire.Writer, p llm.Part, index int, r *llm.Request) {
	switch p := p.(type) {
	case *llm.Text:
		if p.Text != "" {
			assistantItem(w, "output_text", "text", p.Text)
		}
	case *llm.Refusal:
		assistantItem(w, "refusal", "refusal", p.Text)
	case *llm.Thinking:
		thinkingItem(w, p)
	case *llm.Media:
		if p.Kind == llm.Image && p.Data != "" {
			pictureItem(w, p)
		}
	case *llm.ToolCall:
		o := (&reply{Reply: llm.Reply{Request: r}}).item(llm.Event{Part: llm.ToolCallPart, ID: p.ID, Name: p.Name}, index)
		o.text = []byte(p.Arguments)
		switch {
		case o.kind == custom:
			o.text = []byte(wire.UnwrapInput(p.Arguments))
		case len(o.text) == 0:
			o.text = []byte("{}")
		}
		w.Open('{')
		o.call(w, completed)
		w.Close('}')
	}
}

func assistantItem(w *wire.Writer, kind, member, text string) {
	w.Open('{')
	w.Plain("type", "message")
	w.Plain("role", "assistant")
	w.Name("content")
	w.Open('[')
	w.Open('{')
	w.Plain("type", kind)
	w.Text(member, text)
	w.Close('}')
	w.Close(']')
	w.Close('}')
}

func thinkingItem(w *wire.Writer, t *llm.Thinking) {
	if t.Text == "" && t.Signature == "" {
		return
	}
	w.Open('{')
	w.Plain("type", "reasoning")
	w.Name("summary")
	w.Open('[')
	if t.Text != "" {
		w.Open('{')
		w.Plain("type", "summary_text")
		w.Text("text", t.Text)
		w.Close('}')
	}
	w.Close(']')
	if t.Signature != "" {
		w.Text("encrypted_content", mark(t.Signature, t.Origin, t.Redacted))
	}
	w.Close('}')
}

// WithHistory returns a request's body whose input begins with the items of earlier turns,
// as AppendItems returns them, those of several turns with commas between them, and which
// names no previous response any more. Everything else in it is as it was. body is not
// changed. Its errors are *llm.DecodeError: the body or its input is not what the format
// wants.
func WithHistory(body, items []byte) ([]byte, error) {
	w := jsonwalk.Walk{JSON: body}
	if !w.Enter('{') {
		return nil, &llm.DecodeError{Reason: "a JSON object is expected"}
	}
	var input []byte
	out := wire.Writer{B: make([]byte, 0, len(body)+len(items)+96)}
	out.B = append(out.B, '{')
	w.Members(func(name, value []byte) {
		switch string(name) {
		case "input":
			input = value
		case "previous_response_id":
		default:
			out.Literal(string(name), string(value))
		}
	})
	if len(input) > 0 && input[0] != '[' && input[0] != '"' && input[0] != 'n' {
		return nil, &llm.DecodeError{Path: "input", Reason: "neither a string nor an array"}
	}
	out.Name("input")
	out.B = append(out.B, '[')
	out.B = append(out.B, bytes.TrimSpace(items)...)
	if own := appendInput(nil, input); len(own) > 0 {
		out.Next()
		out.B = append(out.B, own...)
	}
	out.B = append(out.B, "]}"...)
	return out.B, nil
}
