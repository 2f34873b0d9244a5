package simulator

import (
	"encoding/json"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers/simulator/prompt"
	"github.com/understudyhq/understudy/providers/simulator/refusal"
)

// geminiHandler returns what serves an action on a model.
func geminiHandler(model, action string) (handler, bool) {
	serve, ok := map[string]func(*exchange, string) *refusal.Failure{
		"generateContent":       (*exchange).generateContent,
		"streamGenerateContent": (*exchange).streamGenerateContent,
		"countTokens":           (*exchange).countContent,
		"embedContent":          (*exchange).embedContent,
		"batchEmbedContents":    (*exchange).batchEmbedContents,
	}[action]
	if !ok {
		return nil, false
	}
	return func(x *exchange) *refusal.Failure {
		if !x.upstream.serves(model) {
			return refusal.UnknownModel(model)
		}
		return serve(x, model)
	}, true
}

func (x *exchange) generateContent(model string) *refusal.Failure {
	p, refused := x.geminiPrompt(model, x.body)
	if refused != nil {
		return refused
	}
	x.pace(p.Marks)
	r := x.reply(p)
	x.send(x.content(p, x.geminiPart(r), geminiFinish(r), geminiUsage(r.Usage)))
	return nil
}

// streamGenerateContent sends events if alt=sse is in the query, else a JSON array bit by bit.
func (x *exchange) streamGenerateContent(model string) *refusal.Failure {
	p, refused := x.geminiPrompt(model, x.body)
	if refused != nil {
		return refused
	}
	x.pace(p.Marks)
	r := x.reply(p)
	frame := arrayFrame
	if x.r.URL.Query().Get("alt") == "sse" {
		x.startStream("text/event-stream")
		frame = eventFrame
	} else {
		x.startStream("application/json; charset=UTF-8")
	}
	running := prompt.Usage{Input: r.Usage.Input, Cached: r.Usage.Cached}
	if r.Call == nil { // a call is sent whole, as Gemini does
		said := 0
		for piece := range r.Pieces() {
			said += len(piece)
			running.Output = prompt.CountTokens(r.Text[:said])
			x.chunk(frame(x.chunks, false, marshal(x.content(p, object{"text": piece}, "", geminiUsage(running)))))
		}
		r.Text = ""
	}
	x.chunk(frame(x.chunks, true, marshal(x.content(p, x.geminiPart(r), geminiFinish(r), geminiUsage(r.Usage)))))
	return nil
}

// eventFrame makes one answer an event.
func eventFrame(_ int, _ bool, answer []byte) []byte {
	return slices.Concat([]byte("data: "), answer, []byte("\r\n\r\n"))
}

// arrayFrame makes an answer, counted from 0, an element of a JSON array.
func arrayFrame(index int, last bool, answer []byte) []byte {
	lead, end := ",\r\n", ""
	if index == 0 {
		lead = "["
	}
	if last {
		end = "]\n"
	}
	return slices.Concat([]byte(lead), answer, []byte(end))
}

// content returns one answer; finish is empty in all but the last of a stream.
func (x *exchange) content(p *prompt.Prompt, part object, finish string, usage object) object {
	candidate := object{"content": object{"role": "model", "parts": []object{part}}, "index": 0}
	if finish != "" {
		candidate["finishReason"] = finish
	}
	return object{
		"candidates":    []object{candidate},
		"usageMetadata": usage,
		"modelVersion":  p.Model,
		"responseId":    x.name,
	}
}

func (x *exchange) geminiPart(r prompt.Reply) object {
	if r.Call == nil {
		return object{"text": r.Text}
	}
	return object{"functionCall": object{
		"id": x.id("call_"), "name": r.Call.Name, "args": json.RawMessage(r.Call.Args),
	}}
}

func geminiFinish(r prompt.Reply) string {
	if r.Truncated {
		return "MAX_TOKENS"
	}
	return "STOP"
}

func geminiUsage(u prompt.Usage) object {
	o := object{
		"promptTokenCount":     u.Input,
		"candidatesTokenCount": u.Output,
		"totalTokenCount":      u.Input + u.Output,
		"promptTokensDetails":  []object{{"modality": "TEXT", "tokenCount": u.Input}},
	}
	if u.Cached > 0 {
		o["cachedContentTokenCount"] = u.Cached
		o["cacheTokensDetails"] = []object{{"modality": "TEXT", "tokenCount": u.Cached}}
	}
	return o
}

func (x *exchange) countContent(model string) *refusal.Failure {
	body := x.body
	if whole := body.Get("generateContentRequest"); whole.Exists() {
		body = whole
	}
	p, refused := x.geminiPrompt(model, body)
	if refused != nil {
		return refused
	}
	x.pace(p.Marks)
	n := p.InputTokens()
	x.send(object{"totalTokens": n, "promptTokensDetails": []object{{"modality": "TEXT", "tokenCount": n}}})
	return nil
}

func (x *exchange) geminiPrompt(model string, body gjson.Result) (*prompt.Prompt, *refusal.Failure) {
	contents := body.Get("contents")
	if !contents.IsArray() || !contents.Get("0").IsObject() {
		return nil, refusal.Invalid("contents", "* GenerateContentRequest.contents: contents is not specified")
	}
	p := x.newPrompt(model)
	settings := either(body, "generationConfig", "generation_config")
	p.Limit = settings.Get("maxOutputTokens").Int()
	if p.Schema = settings.Get("responseJsonSchema"); !p.Schema.Exists() {
		p.Schema = settings.Get("responseSchema")
	}
	calling := either(body, "toolConfig", "tool_config").Get("functionCallingConfig")
	p.Choice = prompt.Choice{Forbidden: calling.Get("mode").Str == "NONE", Required: calling.Get("mode").Str == "ANY"}
	if p.Choice.Required {
		p.Choice.Name = calling.Get("allowedFunctionNames.0").Str
	}
	p.Begin("system")
	addDeclarations(p, body.Get("tools"))
	p.AddContent(either(body, "systemInstruction", "system_instruction").Get("parts"), p.AddOther)
	p.End()
	contents.ForEach(func(_, c gjson.Result) bool {
		speaker := prompt.RoleUser
		if r := c.Get("role"); r.Exists() {
			speaker = prompt.Role(r.Str)
		}
		p.Begin(speaker)
		p.AddContent(c.Get("parts"), func(part gjson.Result) { addPart(p, part) })
		p.End()
		return true
	})
	return p, nil
}

func addDeclarations(p *prompt.Prompt, tools gjson.Result) {
	tools.ForEach(func(_, t gjson.Result) bool {
		p.Count(t.Raw)
		either(t, "functionDeclarations", "function_declarations").ForEach(func(_, f gjson.Result) bool {
			schema := f.Get("parametersJsonSchema")
			if !schema.Exists() {
				schema = f.Get("parameters")
			}
			p.Tools = append(p.Tools, prompt.Tool{Name: f.Get("name").Str, Schema: schema})
			return true
		})
		return true
	})
}

// addPart adds a part that is no text.
func addPart(p *prompt.Prompt, part gjson.Result) {
	if call := part.Get("functionCall"); call.Exists() {
		p.Count(call.Get("name").Str)
		p.Count(call.Get("args").Raw)
		return
	}
	if result := part.Get("functionResponse"); result.Exists() {
		p.AddResult(result.Get("response").Raw)
		return
	}
	p.AddOther(part)
}

// either returns the member a, or b where the client spells it so: Gemini takes both.
func either(o gjson.Result, a, b string) gjson.Result {
	if v := o.Get(a); v.Exists() {
		return v
	}
	return o.Get(b)
}
