package simulator

import (
	"github.com/tidwall/gjson"
)

// chat serves OpenAI's chat completions.
func (x *exchange) chat() *failure {
	p, refused := x.chatPrompt()
	if refused != nil {
		return refused
	}
	x.pace(p.marks)
	r := x.reply(p)
	if p.stream {
		x.streamChat(p, r)
		return nil
	}
	x.send(object{
		"id":      x.id("chatcmpl-"),
		"object":  "chat.completion",
		"created": created,
		"model":   p.model,
		"choices": []object{{
			"index":         0,
			"message":       x.chatMessage(r),
			"logprobs":      nil,
			"finish_reason": r.finishReason(),
		}},
		"usage":              r.usage.chat(),
		"service_tier":       "default",
		"system_fingerprint": "fp_simulator",
	})
	return nil
}

func (x *exchange) chatPrompt() (*prompt, *failure) {
	model, refused := x.model()
	if refused != nil {
		return nil, refused
	}
	messages := x.body.Get("messages")
	if !messages.IsArray() || !messages.Get("0").IsObject() {
		return nil, invalid("messages", "'messages' must be an array that is not empty.")
	}
	p := x.newPrompt(model)
	p.stream = x.body.Get("stream").Bool()
	p.limit = max(x.body.Get("max_tokens").Int(), x.body.Get("max_completion_tokens").Int())
	p.schema = x.body.Get("response_format.json_schema.schema")
	p.takeOpenAIChoice(x.body.Get("tool_choice"), "function.name")
	p.begin("tools")
	x.body.Get("tools").ForEach(func(_, t gjson.Result) bool {
		p.count(t.Raw)
		if f := t.Get("function"); f.Exists() {
			p.tools = append(p.tools, tool{f.Get("name").String(), f.Get("parameters")})
		}
		return true
	})
	p.end()
	messages.ForEach(func(_, m gjson.Result) bool {
		p.addChatMessage(m)
		return true
	})
	return p, nil
}

func (p *prompt) addChatMessage(m gjson.Result) {
	p.begin(role(m.Get("role").Str))
	if p.open.role == roleTool {
		p.addResult(textOf(m.Get("content")))
	} else {
		p.addContent(m.Get("content"), p.addOther)
	}
	m.Get("tool_calls").ForEach(func(_, c gjson.Result) bool {
		p.count(c.Get("function.name").Str)
		p.count(c.Get("function.arguments").Str)
		return true
	})
	p.end()
}

// takeOpenAIChoice reads a tool_choice, in which path leads to the name of a forced tool.
func (p *prompt) takeOpenAIChoice(c gjson.Result, path string) {
	p.choice = choice{
		forbidden: c.Str == "none",
		required:  c.Str == "required",
		name:      c.Get(path).Str,
	}
}

func (x *exchange) chatMessage(r reply) object {
	if r.call == nil {
		return object{"role": roleAssistant, "content": r.text, "refusal": nil, "annotations": []any{}}
	}
	return object{"role": roleAssistant, "content": nil, "refusal": nil, "tool_calls": []object{{
		"id":       x.id("call_"),
		"type":     "function",
		"function": object{"name": r.call.name, "arguments": r.call.args},
	}}}
}

func (x *exchange) streamChat(p *prompt, r reply) {
	withUsage := x.body.Get("stream_options.include_usage").Bool()
	form := func(choices []object) object {
		o := object{
			"id":                 x.id("chatcmpl-"),
			"object":             "chat.completion.chunk",
			"created":            created,
			"model":              p.model,
			"choices":            choices,
			"service_tier":       "default",
			"system_fingerprint": "fp_simulator",
		}
		if withUsage {
			o["usage"] = nil
		}
		return o
	}
	choice := func(delta object, finish any) object {
		return form([]object{{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}})
	}
	x.startStream(eventStream)
	first, more := x.chatDeltas(r)
	x.event("", choice(first, nil))
	t := newTemplate("", choice(more, nil))
	for piece := range r.pieces() {
		x.fill(t, quote(piece))
	}
	x.event("", choice(object{}, r.finishReason()))
	if withUsage {
		last := form([]object{})
		last["usage"] = r.usage.chat()
		x.event("", last)
	}
	x.done()
}

// chatDeltas returns the delta that opens an answer and the one, with a hole, that carries
// a piece of it.
func (x *exchange) chatDeltas(r reply) (first, more object) {
	if r.call == nil {
		return object{"role": roleAssistant, "content": "", "refusal": nil}, object{"content": hole}
	}
	first = object{"role": roleAssistant, "content": nil, "refusal": nil, "tool_calls": []object{{
		"index":    0,
		"id":       x.id("call_"),
		"type":     "function",
		"function": object{"name": r.call.name, "arguments": ""},
	}}}
	more = object{"tool_calls": []object{{"index": 0, "function": object{"arguments": hole}}}}
	return first, more
}

func (r reply) finishReason() string {
	switch {
	case r.call != nil:
		return "tool_calls"
	case r.truncated:
		return "length"
	default:
		return "stop"
	}
}

func (u usage) chat() object {
	return object{
		"prompt_tokens":     u.input,
		"completion_tokens": u.output,
		"total_tokens":      u.input + u.output,
		"prompt_tokens_details": object{
			"cached_tokens":      u.cached,
			"cache_write_tokens": u.input - u.cached,
			"audio_tokens":       0,
		},
		"completion_tokens_details": object{
			"reasoning_tokens":           0,
			"audio_tokens":               0,
			"accepted_prediction_tokens": 0,
			"rejected_prediction_tokens": 0,
		},
	}
}

// complete serves OpenAI's legacy completions.
func (x *exchange) complete() *failure {
	model, refused := x.model()
	if refused != nil {
		return refused
	}
	p := x.newPrompt(model)
	p.stream = x.body.Get("stream").Bool()
	p.limit = x.body.Get("max_tokens").Int()
	p.begin(roleUser)
	switch input := x.body.Get("prompt"); {
	case input.Type == gjson.String:
		p.addText(input.Str)
	case input.Get("0").Type == gjson.String:
		input.ForEach(func(_, text gjson.Result) bool {
			p.addText(text.Str)
			return true
		})
	default:
		p.addText(input.Raw) // token numbers, or nothing
	}
	p.end()
	x.pace(p.marks)
	r := x.reply(p)
	if p.stream {
		x.streamCompletion(p, r)
		return nil
	}
	answer := x.completion(p, object{"index": 0, "text": r.text, "logprobs": nil, "finish_reason": r.finishReason()})
	answer["usage"] = r.usage.chat()
	x.send(answer)
	return nil
}

func (x *exchange) completion(p *prompt, choices ...object) object {
	if choices == nil {
		choices = []object{}
	}
	return object{
		"id":      x.id("cmpl-"),
		"object":  "text_completion",
		"created": created,
		"model":   p.model,
		"choices": choices,
	}
}

func (x *exchange) streamCompletion(p *prompt, r reply) {
	x.startStream(eventStream)
	t := newTemplate("", x.completion(p, object{"index": 0, "text": hole, "logprobs": nil, "finish_reason": nil}))
	for piece := range r.pieces() {
		x.fill(t, quote(piece))
	}
	x.event("", x.completion(p, object{"index": 0, "text": "", "logprobs": nil, "finish_reason": r.finishReason()}))
	if x.body.Get("stream_options.include_usage").Bool() {
		last := x.completion(p)
		last["usage"] = r.usage.chat()
		x.event("", last)
	}
	x.done()
}
