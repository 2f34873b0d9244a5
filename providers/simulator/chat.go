package simulator

import (
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers/simulator/prompt"
	"github.com/understudyhq/understudy/providers/simulator/refusal"
)

// chat serves OpenAI's chat completions.
func (x *exchange) chat() *refusal.Failure {
	p, refused := x.chatPrompt()
	if refused != nil {
		return refused
	}
	x.pace(p.Marks)
	r := x.reply(p)
	if p.Stream {
		x.streamChat(p, r)
		return nil
	}
	x.send(object{
		"id":      x.id("chatcmpl-"),
		"object":  "chat.completion",
		"created": created,
		"model":   p.Model,
		"choices": []object{{
			"index":         0,
			"message":       x.chatMessage(r),
			"logprobs":      nil,
			"finish_reason": finishReason(r),
		}},
		"usage":              chatUsage(r.Usage),
		"service_tier":       "default",
		"system_fingerprint": "fp_simulator",
	})
	return nil
}

func (x *exchange) chatPrompt() (*prompt.Prompt, *refusal.Failure) {
	model, refused := x.model()
	if refused != nil {
		return nil, refused
	}
	messages := x.body.Get("messages")
	if !messages.IsArray() || !messages.Get("0").IsObject() {
		return nil, refusal.Invalid("messages", "'messages' must be an array that is not empty.")
	}
	p := x.newPrompt(model)
	p.Stream = x.body.Get("stream").Bool()
	p.Limit = max(x.body.Get("max_tokens").Int(), x.body.Get("max_completion_tokens").Int())
	p.Schema = x.body.Get("response_format.json_schema.schema")
	takeOpenAIChoice(p, x.body.Get("tool_choice"), "function.name")
	p.Begin("tools")
	x.body.Get("tools").ForEach(func(_, t gjson.Result) bool {
		p.Count(t.Raw)
		if f := t.Get("function"); f.Exists() {
			p.Tools = append(p.Tools, prompt.Tool{Name: f.Get("name").String(), Schema: f.Get("parameters")})
		}
		return true
	})
	p.End()
	messages.ForEach(func(_, m gjson.Result) bool {
		addChatMessage(p, m)
		return true
	})
	return p, nil
}

func addChatMessage(p *prompt.Prompt, m gjson.Result) {
	speaker := prompt.Role(m.Get("role").Str)
	p.Begin(speaker)
	if speaker == prompt.RoleTool {
		p.AddResult(prompt.TextOf(m.Get("content")))
	} else {
		p.AddContent(m.Get("content"), p.AddOther)
	}
	m.Get("tool_calls").ForEach(func(_, c gjson.Result) bool {
		p.Count(c.Get("function.name").Str)
		p.Count(c.Get("function.arguments").Str)
		return true
	})
	p.End()
}

// takeOpenAIChoice reads a tool_choice, in which path leads to the name of a forced tool.
func takeOpenAIChoice(p *prompt.Prompt, c gjson.Result, path string) {
	p.Choice = prompt.Choice{
		Forbidden: c.Str == "none",
		Required:  c.Str == "required",
		Name:      c.Get(path).Str,
	}
}

func (x *exchange) chatMessage(r prompt.Reply) object {
	if r.Call == nil {
		return object{"role": prompt.RoleAssistant, "content": r.Text, "refusal": nil, "annotations": []any{}}
	}
	return object{"role": prompt.RoleAssistant, "content": nil, "refusal": nil, "tool_calls": []object{{
		"id":       x.id("call_"),
		"type":     "function",
		"function": object{"name": r.Call.Name, "arguments": r.Call.Args},
	}}}
}

func (x *exchange) streamChat(p *prompt.Prompt, r prompt.Reply) {
	withUsage := x.body.Get("stream_options.include_usage").Bool()
	form := func(choices []object) object {
		o := object{
			"id":                 x.id("chatcmpl-"),
			"object":             "chat.completion.chunk",
			"created":            created,
			"model":              p.Model,
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
	for piece := range r.Pieces() {
		x.fill(t, quote(piece))
	}
	x.event("", choice(object{}, finishReason(r)))
	if withUsage {
		last := form([]object{})
		last["usage"] = chatUsage(r.Usage)
		x.event("", last)
	}
	x.done()
}

// chatDeltas returns the delta that opens an answer and the one, with a hole, that carries
// a piece of it.
func (x *exchange) chatDeltas(r prompt.Reply) (first, more object) {
	if r.Call == nil {
		return object{"role": prompt.RoleAssistant, "content": "", "refusal": nil}, object{"content": hole}
	}
	first = object{"role": prompt.RoleAssistant, "content": nil, "refusal": nil, "tool_calls": []object{{
		"index":    0,
		"id":       x.id("call_"),
		"type":     "function",
		"function": object{"name": r.Call.Name, "arguments": ""},
	}}}
	more = object{"tool_calls": []object{{"index": 0, "function": object{"arguments": hole}}}}
	return first, more
}

func finishReason(r prompt.Reply) string {
	switch {
	case r.Call != nil:
		return "tool_calls"
	case r.Truncated:
		return "length"
	default:
		return "stop"
	}
}

func chatUsage(u prompt.Usage) object {
	return object{
		"prompt_tokens":     u.Input,
		"completion_tokens": u.Output,
		"total_tokens":      u.Input + u.Output,
		"prompt_tokens_details": object{
			"cached_tokens":      u.Cached,
			"cache_write_tokens": u.Input - u.Cached,
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
func (x *exchange) complete() *refusal.Failure {
	model, refused := x.model()
	if refused != nil {
		return refused
	}
	p := x.newPrompt(model)
	p.Stream = x.body.Get("stream").Bool()
	p.Limit = x.body.Get("max_tokens").Int()
	p.Begin(prompt.RoleUser)
	switch input := x.body.Get("prompt"); {
	case input.Type == gjson.String:
		p.AddText(input.Str)
	case input.Get("0").Type == gjson.String:
		input.ForEach(func(_, text gjson.Result) bool {
			p.AddText(text.Str)
			return true
		})
	default:
		p.AddText(input.Raw) // token numbers, or nothing
	}
	p.End()
	x.pace(p.Marks)
	r := x.reply(p)
	if p.Stream {
		x.streamCompletion(p, r)
		return nil
	}
	answer := x.completion(p, object{"index": 0, "text": r.Text, "logprobs": nil, "finish_reason": finishReason(r)})
	answer["usage"] = chatUsage(r.Usage)
	x.send(answer)
	return nil
}

func (x *exchange) completion(p *prompt.Prompt, choices ...object) object {
	if choices == nil {
		choices = []object{}
	}
	return object{
		"id":      x.id("cmpl-"),
		"object":  "text_completion",
		"created": created,
		"model":   p.Model,
		"choices": choices,
	}
}

func (x *exchange) streamCompletion(p *prompt.Prompt, r prompt.Reply) {
	x.startStream(eventStream)
	t := newTemplate("", x.completion(p, object{"index": 0, "text": hole, "logprobs": nil, "finish_reason": nil}))
	for piece := range r.Pieces() {
		x.fill(t, quote(piece))
	}
	x.event("", x.completion(p, object{"index": 0, "text": "", "logprobs": nil, "finish_reason": finishReason(r)}))
	if x.body.Get("stream_options.include_usage").Bool() {
		last := x.completion(p)
		last["usage"] = chatUsage(r.Usage)
		x.event("", last)
	}
	x.done()
}
