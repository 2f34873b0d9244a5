package responses

import (
	"bytes"
	"encoding/json"

	"github.com/understudyhq/understudy/internal/jsonwalk"
	"github.com/understudyhq/understudy/internal/llm"
)

// Input returns the member input of a request's body as raw JSON, nil if it has none. body
// must be a JSON object. What is returned is a part of body.
func Input(body []byte) json.RawMessage {
	var input []byte
	w := jsonwalk.Walk{JSON: body}
	if !w.Enter('{') {
		return nil
	}
	w.Members(func(name, value []byte) {
		if string(name) == "input" {
			input = value
		}
	})
	return input
}

// AppendItems returns an input with an answer's items behind it: what a later request that
// names this answer as its previous one continues from. input is that of the request, as
// Input returns it: a string, an array or nothing. The result is a JSON array that shares no
// memory with input.
//
// The items are as a client would send them back: without the ids that the answer gave them,
// which mean nothing to anybody else, and with every signature, marked for its origin,
// whether the client wanted to see it or not. Tools have the names and kinds that r's
// request gave them. An answer that broke off adds what came before.
func AppendItems(input []byte, a *llm.Answer, r llm.Reply) []byte {
	w := writer{make([]byte, 0, len(input)+answerSize(a)+64)}
	w.b = appendInput(append(w.b, '['), input)
	for i, p := range a.Parts {
		appendAnswerPart(&w, p, i, r.Request)
	}
	w.close(']')
	return w.b
}

func answerSize(a *llm.Answer) int { return partsSize(a.Parts) }

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

func appendAnswerPart(w *writer, p llm.Part, index int, r *llm.Request) {
	switch p := p.(type) {
	case *llm.Text:
		if p.Text != "" {
			assistantItem(w, "output_text", "text", p.Text)
		}
	case *llm.Refusal:
		assistantItem(w, "refusal", "refusal", p.Text)
	case *llm.Thinking:
		thinkingItem(w, p)
	case *llm.ToolCall:
		o := (&reply{Reply: llm.Reply{Request: r}}).item(llm.Event{Part: llm.ToolCallPart, ID: p.ID, Name: p.Name}, index)
		o.text = []byte(p.Arguments)
		switch {
		case o.kind == custom:
			o.text = []byte(unwrapInput(p.Arguments))
		case len(o.text) == 0:
			o.text = []byte("{}")
		}
		w.open('{')
		o.call(w, completed)
		w.close('}')
	}
}

func assistantItem(w *writer, kind, member, text string) {
	w.open('{')
	w.plain("type", "message")
	w.plain("role", "assistant")
	w.name("content")
	w.open('[')
	w.open('{')
	w.plain("type", kind)
	w.text(member, text)
	w.close('}')
	w.close(']')
	w.close('}')
}

func thinkingItem(w *writer, t *llm.Thinking) {
	if t.Text == "" && t.Signature == "" {
		return
	}
	w.open('{')
	w.plain("type", "reasoning")
	w.name("summary")
	w.open('[')
	if t.Text != "" {
		w.open('{')
		w.plain("type", "summary_text")
		w.text("text", t.Text)
		w.close('}')
	}
	w.close(']')
	if t.Signature != "" {
		w.text("encrypted_content", mark(t.Signature, t.Origin, t.Redacted))
	}
	w.close('}')
}

// WithHistory returns a request's body whose input begins with the items of earlier turns,
// as AppendItems returned them (empty = none), and which names no previous response any
// more. Everything else in it is as it was. body is not changed. Its errors are
// *llm.DecodeError: the body or its input is not what the format wants.
func WithHistory(body, items []byte) ([]byte, error) {
	w := jsonwalk.Walk{JSON: body}
	if !w.Enter('{') {
		return nil, &llm.DecodeError{Reason: "a JSON object is expected"}
	}
	items = bytes.TrimSpace(items)
	if len(items) > 0 && (items[0] != '[' || len(items) < 2) {
		return nil, &llm.DecodeError{Path: "previous_response_id", Reason: "its items are no array"}
	}
	input := bytes.TrimSpace(Input(body))
	if len(input) > 0 && input[0] != '[' && input[0] != '"' && !bytes.Equal(input, []byte("null")) {
		return nil, &llm.DecodeError{Path: "input", Reason: "neither a string nor an array"}
	}
	out := writer{make([]byte, 0, len(body)+len(items)+96)}
	out.b = append(out.b, '{')
	w.Members(func(name, value []byte) {
		switch string(name) {
		case "input", "previous_response_id":
		default:
			out.next()
			out.b = append(append(append(out.b, '"'), name...), '"', ':')
			out.b = append(out.b, value...)
		}
	})
	out.name("input")
	out.b = append(out.b, '[')
	out.b = appendInput(out.b, items)
	before := len(out.b)
	if before > 0 && out.b[before-1] != '[' {
		out.b = append(out.b, ',')
	}
	with := appendInput(out.b, input)
	if len(with) == len(out.b) { // there is nothing to add
		with = with[:before]
	}
	out.b = append(with, "]}"...)
	return out.b, nil
}
