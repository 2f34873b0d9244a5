package simulator

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// responses serves OpenAI's Responses.
func (x *exchange) responses() *failure {
	p, refused := x.responsesPrompt()
	if refused != nil {
		return refused
	}
	x.pace(p.marks)
	r := x.reply(p)
	item := x.outputItem(r, r.itemStatus())
	if x.wantsCompaction() {
		item = x.compaction()
	}
	if p.stream {
		x.streamResponse(p, r, item)
		return nil
	}
	x.send(x.finalResponse(p, r, item))
	return nil
}

// compact serves /v1/responses/compact: the user's messages and, for all the rest, one
// item that only the simulator can read.
func (x *exchange) compact() *failure {
	p, refused := x.responsesPrompt()
	if refused != nil {
		return refused
	}
	x.pace(p.marks)
	r := x.reply(p)
	output := x.userMessages()
	x.send(object{
		"id":         x.id("resp_"),
		"object":     "response.compaction",
		"created_at": created,
		"output":     append(output, x.compaction()),
		"usage":      r.usage.responses(),
	})
	return nil
}

// countInput serves /v1/responses/input_tokens.
func (x *exchange) countInput() *failure {
	p, refused := x.responsesPrompt()
	if refused != nil {
		return refused
	}
	x.pace(p.marks)
	x.send(object{"object": "response.input_tokens", "input_tokens": p.inputTokens()})
	return nil
}

func (x *exchange) responsesPrompt() (*prompt, *failure) {
	model, refused := x.model()
	if refused != nil {
		return nil, refused
	}
	if id := x.body.Get("previous_response_id").Str; id != "" {
		return nil, invalid("previous_response_id", "Previous response with id '"+id+"' not found.")
	}
	input := x.body.Get("input")
	if input.Type != gjson.String && !input.IsArray() {
		return nil, invalid("input", "Missing required parameter: 'input'.")
	}
	p := x.newPrompt(model)
	p.stream = x.body.Get("stream").Bool()
	p.limit = x.body.Get("max_output_tokens").Int()
	p.schema = x.body.Get("text.format.schema")
	p.takeOpenAIChoice(x.body.Get("tool_choice"), "name")
	p.begin("instructions")
	p.count(x.body.Get("instructions").Str)
	x.body.Get("tools").ForEach(func(_, t gjson.Result) bool {
		p.count(t.Raw)
		if t.Get("type").Str == "function" {
			p.tools = append(p.tools, tool{t.Get("name").Str, t.Get("parameters")})
		}
		return true
	})
	p.end()
	if input.Type == gjson.String {
		p.begin(roleUser)
		p.addText(input.Str)
		p.end()
	} else {
		input.ForEach(func(_, item gjson.Result) bool {
			p.addItem(item)
			return true
		})
	}
	return p, nil
}

// addItem adds one input item.
func (p *prompt) addItem(item gjson.Result) {
	kind := item.Get("type").Str
	switch {
	case isMessage(item):
		p.begin(role(item.Get("role").Str))
		p.addContent(item.Get("content"), p.addOther)
	case strings.HasSuffix(kind, "_call_output"):
		p.begin(roleTool)
		p.addResult(textOf(item.Get("output")))
	case strings.HasSuffix(kind, "_call"):
		p.begin(roleAssistant)
		p.count(item.Get("name").Str)
		p.count(item.Get("arguments").Str + item.Get("input").Str)
	default:
		p.begin(role(kind))
		p.addOther(item)
	}
	p.end()
}

// isMessage reports whether an input item is a message; the type of one may be left out.
func isMessage(item gjson.Result) bool {
	kind := item.Get("type").Str
	return kind == "message" || kind == "" && item.Get("role").Exists()
}

// wantsCompaction reports whether the input ends with the item by which Codex asks for a
// compaction in place of an answer.
func (x *exchange) wantsCompaction() bool {
	items := x.body.Get("input").Array()
	return len(items) > 0 && items[len(items)-1].Get("type").Str == "compaction_trigger"
}

func (x *exchange) compaction() object {
	return object{"id": x.id("cmp_"), "type": "compaction", "encrypted_content": x.id("simulated-")}
}

func (x *exchange) userMessages() []object {
	var all []object
	add := func(text string) {
		all = append(all, object{
			"id":      x.id("msg_") + "_" + strconv.Itoa(len(all)),
			"type":    "message",
			"status":  "completed",
			"role":    roleUser,
			"content": []object{{"type": "input_text", "text": text}},
		})
	}
	input := x.body.Get("input")
	if input.Type == gjson.String {
		add(input.Str)
	}
	input.ForEach(func(_, item gjson.Result) bool {
		if isMessage(item) && role(item.Get("role").Str) == roleUser {
			add(textOf(item.Get("content")))
		}
		return true
	})
	return all
}

// outputItem returns the item that holds an answer, or, while it is in progress, the empty
// one that announces it.
func (x *exchange) outputItem(r reply, status string) object {
	done := status != "in_progress"
	if r.call != nil {
		item := object{
			"id":        x.id("fc_"),
			"type":      "function_call",
			"status":    status,
			"call_id":   x.id("call_"),
			"name":      r.call.name,
			"arguments": "",
		}
		if done {
			item["arguments"] = r.call.args
		}
		return item
	}
	item := object{
		"id":      x.id("msg_"),
		"type":    "message",
		"status":  status,
		"role":    roleAssistant,
		"content": []object{},
	}
	if done {
		item["content"] = []object{outputText(r.text)}
	}
	return item
}

func (r reply) itemStatus() string {
	if r.truncated {
		return "incomplete"
	}
	return "completed"
}

func outputText(text string) object {
	return object{"type": "output_text", "text": text, "annotations": []any{}, "logprobs": []any{}}
}

func (x *exchange) finalResponse(p *prompt, r reply, item object) object {
	answer := x.response(p, "completed", []object{item})
	answer["usage"] = r.usage.responses()
	if r.truncated {
		answer["status"] = "incomplete"
		answer["incomplete_details"] = object{"reason": "max_output_tokens"}
	}
	return answer
}

// response returns the object that answers and events carry. It repeats what the client set.
func (x *exchange) response(p *prompt, status string, output []object) object {
	o := object{
		"id":                   x.id("resp_"),
		"object":               "response",
		"created_at":           created,
		"status":               status,
		"background":           false,
		"error":                nil,
		"incomplete_details":   nil,
		"model":                p.model,
		"output":               output,
		"previous_response_id": nil,
		"truncation":           "disabled",
		"usage":                nil,
		"service_tier":         "default",
	}
	settings := map[string]string{
		"instructions":        "null",
		"max_output_tokens":   "null",
		"metadata":            "{}",
		"parallel_tool_calls": "true",
		"prompt_cache_key":    "null",
		"reasoning":           `{"effort":null,"summary":null}`,
		"store":               "true",
		"temperature":         "1",
		"text":                `{"format":{"type":"text"}}`,
		"tool_choice":         `"auto"`,
		"tools":               "[]",
		"top_p":               "1",
		"user":                "null",
	}
	for name, value := range settings {
		if set := x.body.Get(name); set.Exists() {
			value = set.Raw
		}
		o[name] = json.RawMessage(value)
	}
	return o
}

func (u usage) responses() object {
	return object{
		"input_tokens":          u.input,
		"input_tokens_details":  object{"cached_tokens": u.cached, "cache_write_tokens": u.input - u.cached},
		"output_tokens":         u.output,
		"output_tokens_details": object{"reasoning_tokens": 0},
		"total_tokens":          u.input + u.output,
	}
}
