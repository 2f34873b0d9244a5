package simulator

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"
)

// messages serves Anthropic's Messages.
func (x *exchange) messages() *failure {
	if x.body.Get("max_tokens").Int() < 1 {
		return invalid("max_tokens", "max_tokens: Field required")
	}
	p, refused := x.messagesPrompt()
	if refused != nil {
		return refused
	}
	x.pace(p.marks)
	r := x.reply(p)
	if p.stream {
		x.streamMessage(p, r)
		return nil
	}
	answer := x.message(p, x.usageOf(r, r.usage.output))
	answer["content"] = []object{x.contentBlock(r)}
	answer["stop_reason"] = r.stopReason()
	x.send(answer)
	return nil
}

// countMessages serves /v1/messages/count_tokens.
func (x *exchange) countMessages() *failure {
	p, refused := x.messagesPrompt()
	if refused != nil {
		return refused
	}
	x.pace(p.marks)
	x.send(object{"input_tokens": p.inputTokens()})
	return nil
}

func (x *exchange) messagesPrompt() (*prompt, *failure) {
	model, refused := x.model()
	if refused != nil {
		return nil, refused
	}
	messages := x.body.Get("messages")
	if !messages.IsArray() || !messages.Get("0").IsObject() {
		return nil, invalid("messages", "messages: at least one message is required")
	}
	p := x.newPrompt(model)
	p.stream = x.body.Get("stream").Bool()
	p.limit = x.body.Get("max_tokens").Int()
	p.schema = x.body.Get("output_config.format.schema")
	kind := x.body.Get("tool_choice.type").Str
	p.choice = choice{forbidden: kind == "none", required: kind == "any", name: x.body.Get("tool_choice.name").Str}
	p.begin("system")
	x.body.Get("tools").ForEach(func(_, t gjson.Result) bool {
		p.count(t.Raw)
		if schema := t.Get("input_schema"); schema.Exists() {
			p.tools = append(p.tools, tool{t.Get("name").Str, schema})
		}
		return true
	})
	p.addContent(x.body.Get("system"), p.addOther)
	p.end()
	messages.ForEach(func(_, m gjson.Result) bool {
		p.begin(role(m.Get("role").Str))
		p.addContent(m.Get("content"), p.addBlock)
		p.end()
		return true
	})
	return p, nil
}

// addBlock adds a content block that is no text.
func (p *prompt) addBlock(block gjson.Result) {
	switch block.Get("type").Str {
	case "tool_use":
		p.count(block.Get("name").Str)
		p.count(block.Get("input").Raw)
	case "tool_result":
		p.addResult(textOf(block.Get("content")))
	default:
		// Not the whole block: a cache_control in it moves on from turn to turn.
		p.addOther(block.Get("source"))
		p.addOther(block.Get("thinking"))
	}
}

func (x *exchange) message(p *prompt, usage object) object {
	return object{
		"id":            x.id("msg_"),
		"type":          "message",
		"role":          roleAssistant,
		"model":         p.model,
		"content":       []object{},
		"stop_reason":   nil,
		"stop_sequence": nil,
		"usage":         usage,
	}
}

func (x *exchange) contentBlock(r reply) object {
	if r.call == nil {
		return object{"type": "text", "text": r.text}
	}
	return object{"type": "tool_use", "id": x.id("toolu_"), "name": r.call.name, "input": json.RawMessage(r.call.args)}
}

func (r reply) stopReason() string {
	switch {
	case r.call != nil:
		return "tool_use"
	case r.truncated:
		return "max_tokens"
	default:
		return "end_turn"
	}
}

// usageOf returns usage in Anthropic's sense: input_tokens are those that the cache had
// nothing to do with. It writes only what a client marks with cache_control.
func (x *exchange) usageOf(r reply, output int64) object {
	input, written := r.usage.input-r.usage.cached, int64(0)
	if x.marksCache() {
		input, written = 0, input
	}
	return object{
		"input_tokens":                input,
		"cache_creation_input_tokens": written,
		"cache_read_input_tokens":     r.usage.cached,
		"cache_creation":              object{"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
		"output_tokens":               output,
		"service_tier":                "standard",
	}
}

// marksCache reports whether the request sets cache_control anywhere. A prompt that speaks
// of it does not match: quotes inside a JSON string are escaped.
func (x *exchange) marksCache() bool { return strings.Contains(x.body.Raw, `"cache_control"`) }

func (x *exchange) streamMessage(p *prompt, r reply) {
	x.startStream(eventStream)
	send := func(name string, data object) {
		data["type"] = name
		x.event(name, data)
	}
	send("message_start", object{"message": x.message(p, x.usageOf(r, min(1, r.usage.output)))})
	start, delta := x.contentBlock(r), object{"type": "text_delta", "text": hole}
	if r.call == nil {
		start["text"] = ""
	} else {
		start["input"] = object{}
		delta = object{"type": "input_json_delta", "partial_json": hole}
	}
	send("content_block_start", object{"index": 0, "content_block": start})
	send("ping", object{})
	const deltaEvent = "content_block_delta"
	t := newTemplate(deltaEvent, object{"type": deltaEvent, "index": 0, "delta": delta})
	for piece := range r.pieces() {
		x.fill(t, quote(piece))
	}
	send("content_block_stop", object{"index": 0})
	send("message_delta", object{
		"delta": object{"stop_reason": r.stopReason(), "stop_sequence": nil},
		"usage": x.usageOf(r, r.usage.output),
	})
	send("message_stop", object{})
}
