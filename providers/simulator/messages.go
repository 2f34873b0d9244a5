package simulator

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers/simulator/prompt"
	"github.com/understudyhq/understudy/providers/simulator/refusal"
)

// messages serves Anthropic's Messages.
func (x *exchange) messages() *refusal.Failure {
	if x.body.Get("max_tokens").Int() < 1 {
		return refusal.Invalid("max_tokens", "max_tokens: Field required")
	}
	p, t, refused := x.messagesPrompt()
	if refused != nil {
		return refused
	}
	x.pace(p.Marks)
	r := x.reply(p)
	x.keepThread(t, x.contentBlock(r))
	if p.Stream {
		x.streamMessage(p, r)
		return nil
	}
	answer := x.message(p, x.usageOf(r, r.Usage.Output))
	answer["content"] = []object{x.contentBlock(r)}
	answer["stop_reason"] = stopReason(r)
	x.send(answer)
	return nil
}

// countMessages serves /v1/messages/count_tokens.
func (x *exchange) countMessages() *refusal.Failure {
	p, _, refused := x.messagesPrompt()
	if refused != nil {
		return refused
	}
	x.pace(p.Marks)
	x.send(object{"input_tokens": p.InputTokens()})
	return nil
}

func (x *exchange) messagesPrompt() (*prompt.Prompt, thread, *refusal.Failure) {
	model, refused := x.model()
	if refused != nil {
		return nil, thread{}, refused
	}
	messages := x.body.Get("messages")
	if !messages.IsArray() || !messages.Get("0").IsObject() {
		return nil, thread{}, refusal.Invalid("messages", "messages: at least one message is required")
	}
	past, refused := x.thread()
	if refused != nil {
		return nil, thread{}, refused
	}
	p := x.newPrompt(model)
	p.Stream = x.body.Get("stream").Bool()
	p.Limit = x.body.Get("max_tokens").Int()
	p.Schema = x.body.Get("output_config.format.schema")
	kind := x.body.Get("tool_choice.type").Str
	p.Choice = prompt.Choice{Forbidden: kind == "none", Required: kind == "any", Name: x.body.Get("tool_choice.name").Str}
	p.Begin("system")
	past.tools.ForEach(func(_, t gjson.Result) bool {
		p.Count(t.Raw)
		if schema := t.Get("input_schema"); schema.Exists() {
			p.Tools = append(p.Tools, prompt.Tool{Name: t.Get("name").Str, Schema: schema})
		}
		return true
	})
	p.AddContent(past.system, p.AddOther)
	p.End()
	add := func(_, m gjson.Result) bool {
		p.Begin(prompt.Role(m.Get("role").Str))
		p.AddContent(m.Get("content"), func(block gjson.Result) { addBlock(p, block) })
		p.End()
		return true
	}
	for _, m := range past.messages {
		add(gjson.Result{}, gjson.Parse(m))
	}
	messages.ForEach(add)
	return p, past, nil
}

// addBlock adds a content block that is no text.
func addBlock(p *prompt.Prompt, block gjson.Result) {
	switch block.Get("type").Str {
	case "tool_use":
		p.Count(block.Get("name").Str)
		p.Count(block.Get("input").Raw)
	case "tool_result":
		p.AddResult(prompt.TextOf(block.Get("content")))
	default:
		// Not the whole block: a cache_control in it moves on from turn to turn.
		p.AddOther(block.Get("source"))
		p.AddOther(block.Get("thinking"))
	}
}

func (x *exchange) message(p *prompt.Prompt, usage object) object {
	return object{
		"id":            x.id("msg_"),
		"type":          "message",
		"role":          prompt.RoleAssistant,
		"model":         p.Model,
		"content":       []object{},
		"stop_reason":   nil,
		"stop_sequence": nil,
		"usage":         usage,
	}
}

func (x *exchange) contentBlock(r prompt.Reply) object {
	if r.Call == nil {
		return object{"type": "text", "text": r.Text}
	}
	return object{"type": "tool_use", "id": x.id("toolu_"), "name": r.Call.Name, "input": json.RawMessage(r.Call.Args)}
}

func stopReason(r prompt.Reply) string {
	switch {
	case r.Call != nil:
		return "tool_use"
	case r.Truncated:
		return "max_tokens"
	default:
		return "end_turn"
	}
}

// usageOf returns usage in Anthropic's sense: input_tokens are those that the cache had
// nothing to do with. It writes only what a client marks with cache_control.
func (x *exchange) usageOf(r prompt.Reply, output int64) object {
	input, written := r.Usage.Input-r.Usage.Cached, int64(0)
	if x.marksCache() {
		input, written = 0, input
	}
	return object{
		"input_tokens":                input,
		"cache_creation_input_tokens": written,
		"cache_read_input_tokens":     r.Usage.Cached,
		"cache_creation":              object{"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
		"output_tokens":               output,
		"service_tier":                "standard",
	}
}

// marksCache reports whether the request sets cache_control anywhere. A prompt that speaks
// of it does not match: quotes inside a JSON string are escaped.
func (x *exchange) marksCache() bool { return strings.Contains(x.body.Raw, `"cache_control"`) }

func (x *exchange) streamMessage(p *prompt.Prompt, r prompt.Reply) {
	x.startStream(eventStream)
	send := func(name string, data object) {
		data["type"] = name
		x.event(name, data)
	}
	send("message_start", object{"message": x.message(p, x.usageOf(r, min(1, r.Usage.Output)))})
	start, delta := x.contentBlock(r), object{"type": "text_delta", "text": hole}
	if r.Call == nil {
		start["text"] = ""
	} else {
		start["input"] = object{}
		delta = object{"type": "input_json_delta", "partial_json": hole}
	}
	send("content_block_start", object{"index": 0, "content_block": start})
	send("ping", object{})
	const deltaEvent = "content_block_delta"
	t := newTemplate(deltaEvent, object{"type": deltaEvent, "index": 0, "delta": delta})
	for piece := range r.Pieces() {
		x.fill(t, quote(piece))
	}
	send("content_block_stop", object{"index": 0})
	send("message_delta", object{
		"delta": object{"stop_reason": stopReason(r), "stop_sequence": nil},
		"usage": x.usageOf(r, r.Usage.Output),
	})
	send("message_stop", object{})
}
