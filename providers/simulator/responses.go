package simulator

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers/simulator/prompt"
	"github.com/understudyhq/understudy/providers/simulator/refusal"
)

// question is a Responses request.
type question struct {
	prompt *prompt.Prompt
	before past
	input  []string // its own items, as JSON
}

// responses serves OpenAI's Responses.
func (x *exchange) responses() *refusal.Failure {
	q, refused := x.responsesQuestion()
	if refused != nil {
		return refused
	}
	x.pace(q.prompt.Marks)
	r := x.reply(q.prompt)
	items := x.outputItems(r)
	if q.prompt.Stream {
		x.streamResponse(q, r, items)
		return nil
	}
	answer := x.finalResponse(q.prompt, r, items)
	x.keep(q.before, q.input, answer)
	x.send(answer)
	return nil
}

// compact serves /v1/responses/compact: the user's messages and, for all the rest, one
// item that only the simulator can read.
func (x *exchange) compact() *refusal.Failure {
	q, refused := x.responsesQuestion()
	if refused != nil {
		return refused
	}
	x.pace(q.prompt.Marks)
	r := x.reply(q.prompt)
	output := x.userMessages()
	x.send(object{
		"id":         x.id("resp_"),
		"object":     "response.compaction",
		"created_at": created,
		"output":     append(output, x.compaction()),
		"usage":      responsesUsage(r.Usage),
	})
	return nil
}

// countInput serves /v1/responses/input_tokens.
func (x *exchange) countInput() *refusal.Failure {
	q, refused := x.responsesQuestion()
	if refused != nil {
		return refused
	}
	x.pace(q.prompt.Marks)
	x.send(object{"object": "response.input_tokens", "input_tokens": q.prompt.InputTokens()})
	return nil
}

func (x *exchange) responsesQuestion() (question, *refusal.Failure) {
	model, refused := x.model()
	if refused != nil {
		return question{}, refused
	}
	input := x.body.Get("input")
	if input.Type != gjson.String && !input.IsArray() {
		return question{}, refusal.Invalid("input", "Missing required parameter: 'input'.")
	}
	q := question{input: inputItems(input)}
	if refused := x.unreadable(q.input); refused != nil {
		return question{}, refused
	}
	if q.before, refused = x.past(); refused != nil {
		return question{}, refused
	}
	p := x.newPrompt(model)
	p.Stream = x.body.Get("stream").Bool()
	p.Limit = x.body.Get("max_output_tokens").Int()
	p.Schema = x.body.Get("text.format.schema")
	takeOpenAIChoice(p, x.body.Get("tool_choice"), "name")
	p.Begin("instructions")
	p.Count(x.body.Get("instructions").Str)
	x.body.Get("tools").ForEach(func(_, t gjson.Result) bool {
		p.Count(t.Raw)
		if t.Get("type").Str == "function" {
			p.Tools = append(p.Tools, prompt.Tool{Name: t.Get("name").Str, Schema: t.Get("parameters")})
		}
		return true
	})
	p.End()
	for _, items := range [][]string{q.before.items, q.input} {
		for _, item := range items {
			addItem(p, gjson.Parse(item))
		}
	}
	q.prompt = p
	return q, nil
}

// addItem adds one input item.
func addItem(p *prompt.Prompt, item gjson.Result) {
	kind := item.Get("type").Str
	switch {
	case isMessage(item):
		p.Begin(prompt.Role(item.Get("role").Str))
		p.AddContent(item.Get("content"), p.AddOther)
	case strings.HasSuffix(kind, "_call_output"):
		p.Begin(prompt.RoleTool)
		p.AddResult(prompt.TextOf(item.Get("output")))
	case strings.HasSuffix(kind, "_call"):
		p.Begin(prompt.RoleAssistant)
		p.Count(item.Get("name").Str)
		p.Count(item.Get("arguments").Str + item.Get("input").Str)
	case item.Get("encrypted_content").Exists():
		// Not the whole item: clients leave some of it out, or write it otherwise.
		p.Begin(prompt.Role(kind))
		p.AddOther(item.Get("encrypted_content"))
	default:
		p.Begin(prompt.Role(kind))
		p.AddOther(item)
	}
	p.End()
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
	return object{"id": x.id("cmp_"), "type": "compaction", "encrypted_content": x.credential.account.Encrypt(x.name)}
}

func (x *exchange) userMessages() []object {
	var all []object
	add := func(text string) {
		all = append(all, object{
			"id":      x.id("msg_") + "_" + strconv.Itoa(len(all)),
			"type":    "message",
			"status":  "completed",
			"role":    prompt.RoleUser,
			"content": []object{{"type": "input_text", "text": text}},
		})
	}
	input := x.body.Get("input")
	if input.Type == gjson.String {
		add(input.Str)
	}
	input.ForEach(func(_, item gjson.Result) bool {
		if isMessage(item) && prompt.Role(item.Get("role").Str) == prompt.RoleUser {
			add(prompt.TextOf(item.Get("content")))
		}
		return true
	})
	return all
}

// outputItems returns what an answer consists of. It begins with hidden reasoning if the
// client wants it.
func (x *exchange) outputItems(r prompt.Reply) []object {
	if x.wantsCompaction() {
		return []object{x.compaction()}
	}
	var items []object
	for _, included := range x.body.Get("include").Array() {
		if included.Str == "reasoning.encrypted_content" {
			items = append(items, object{
				"id": x.id("rs_"), "type": "reasoning", "summary": []any{}, "encrypted_content": x.credential.account.Encrypt(x.name),
			})
			break
		}
	}
	return append(items, x.outputItem(r, itemStatus(r)))
}

// outputItem returns the item that holds an answer, or, while it is in progress, the empty
// one that announces it.
func (x *exchange) outputItem(r prompt.Reply, status string) object {
	done := status != "in_progress"
	if r.Call != nil {
		item := object{
			"id":        x.id("fc_"),
			"type":      "function_call",
			"status":    status,
			"call_id":   x.id("call_"),
			"name":      r.Call.Name,
			"arguments": "",
		}
		if done {
			item["arguments"] = r.Call.Args
		}
		return item
	}
	item := object{
		"id":      x.id("msg_"),
		"type":    "message",
		"status":  status,
		"role":    prompt.RoleAssistant,
		"content": []object{},
	}
	if done {
		item["content"] = []object{outputText(r.Text)}
	}
	return item
}

func itemStatus(r prompt.Reply) string {
	if r.Truncated {
		return "incomplete"
	}
	return "completed"
}

func outputText(text string) object {
	return object{"type": "output_text", "text": text, "annotations": []any{}, "logprobs": []any{}}
}

func (x *exchange) finalResponse(p *prompt.Prompt, r prompt.Reply, items []object) object {
	answer := x.response(p, "completed", items)
	answer["usage"] = responsesUsage(r.Usage)
	if r.Truncated {
		answer["status"] = "incomplete"
		answer["incomplete_details"] = object{"reason": "max_output_tokens"}
	}
	return answer
}

// response returns the object that answers and events carry. It repeats what the client set.
func (x *exchange) response(p *prompt.Prompt, status string, output []object) object {
	o := object{
		"id":                 x.id("resp_"),
		"object":             "response",
		"created_at":         created,
		"status":             status,
		"error":              nil,
		"incomplete_details": nil,
		"model":              p.Model,
		"output":             output,
		"truncation":         "disabled",
		"usage":              nil,
		"service_tier":       "default",
	}
	settings := map[string]string{
		"background":           "false",
		"instructions":         "null",
		"max_output_tokens":    "null",
		"metadata":             "{}",
		"parallel_tool_calls":  "true",
		"previous_response_id": "null",
		"prompt_cache_key":     "null",
		"reasoning":            `{"effort":null,"summary":null}`,
		"store":                "true",
		"temperature":          "1",
		"text":                 `{"format":{"type":"text"}}`,
		"tool_choice":          `"auto"`,
		"tools":                "[]",
		"top_p":                "1",
		"user":                 "null",
	}
	for name, value := range settings {
		if set := x.body.Get(name); set.Exists() {
			value = set.Raw
		}
		o[name] = json.RawMessage(value)
	}
	switch conversation := x.body.Get("conversation"); {
	case conversation.Type == gjson.String:
		o["conversation"] = object{"id": conversation.Str}
	case conversation.IsObject():
		o["conversation"] = json.RawMessage(conversation.Raw)
	}
	return o
}

func responsesUsage(u prompt.Usage) object {
	return object{
		"input_tokens":          u.Input,
		"input_tokens_details":  object{"cached_tokens": u.Cached, "cache_write_tokens": u.Input - u.Cached},
		"output_tokens":         u.Output,
		"output_tokens_details": object{"reasoning_tokens": 0},
		"total_tokens":          u.Input + u.Output,
	}
}
