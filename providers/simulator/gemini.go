package simulator

import (
	"encoding/json"
	"slices"

	"github.com/tidwall/gjson"
)

// geminiHandler returns what serves an action on a model.
func geminiHandler(model, action string) (handler, bool) {
	serve, ok := map[string]func(*exchange, string) *failure{
		"generateContent":       (*exchange).generateContent,
		"streamGenerateContent": (*exchange).streamGenerateContent,
		"countTokens":           (*exchange).countContent,
		"embedContent":          (*exchange).embedContent,
		"batchEmbedContents":    (*exchange).batchEmbedContents,
	}[action]
	if !ok {
		return nil, false
	}
	return func(x *exchange) *failure {
		if !x.upstream.serves(model) {
			return unknownModel(model)
		}
		return serve(x, model)
	}, true
}

func (x *exchange) generateContent(model string) *failure {
	p, refused := x.geminiPrompt(model, x.body)
	if refused != nil {
		return refused
	}
	x.pace(p.marks)
	r := x.reply(p)
	x.send(x.content(p, r.part(x), r.geminiFinish(), r.usage.gemini()))
	return nil
}

// streamGenerateContent sends events if alt=sse is in the query, else a JSON array bit by bit.
func (x *exchange) streamGenerateContent(model string) *failure {
	p, refused := x.geminiPrompt(model, x.body)
	if refused != nil {
		return refused
	}
	x.pace(p.marks)
	r := x.reply(p)
	frame := arrayFrame
	if x.r.URL.Query().Get("alt") == "sse" {
		x.startStream("text/event-stream")
		frame = eventFrame
	} else {
		x.startStream("application/json; charset=UTF-8")
	}
	running := usage{input: r.usage.input, cached: r.usage.cached}
	if r.call == nil { // a call is sent whole, as Gemini does
		said := 0
		for piece := range r.pieces() {
			said += len(piece)
			running.output = countTokens(r.text[:said])
			x.chunk(frame(x.chunks, false, marshal(x.content(p, object{"text": piece}, "", running.gemini()))))
		}
		r.text = ""
	}
	x.chunk(frame(x.chunks, true, marshal(x.content(p, r.part(x), r.geminiFinish(), r.usage.gemini()))))
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
func (x *exchange) content(p *prompt, part object, finish string, usage object) object {
	candidate := object{"content": object{"role": "model", "parts": []object{part}}, "index": 0}
	if finish != "" {
		candidate["finishReason"] = finish
	}
	return object{
		"candidates":    []object{candidate},
		"usageMetadata": usage,
		"modelVersion":  p.model,
		"responseId":    x.name,
	}
}

func (r reply) part(x *exchange) object {
	if r.call == nil {
		return object{"text": r.text}
	}
	return object{"functionCall": object{
		"id": x.id("call_"), "name": r.call.name, "args": json.RawMessage(r.call.args),
	}}
}

func (r reply) geminiFinish() string {
	if r.truncated {
		return "MAX_TOKENS"
	}
	return "STOP"
}

func (u usage) gemini() object {
	o := object{
		"promptTokenCount":     u.input,
		"candidatesTokenCount": u.output,
		"totalTokenCount":      u.input + u.output,
		"promptTokensDetails":  []object{{"modality": "TEXT", "tokenCount": u.input}},
	}
	if u.cached > 0 {
		o["cachedContentTokenCount"] = u.cached
		o["cacheTokensDetails"] = []object{{"modality": "TEXT", "tokenCount": u.cached}}
	}
	return o
}

func (x *exchange) countContent(model string) *failure {
	body := x.body
	if whole := body.Get("generateContentRequest"); whole.Exists() {
		body = whole
	}
	p, refused := x.geminiPrompt(model, body)
	if refused != nil {
		return refused
	}
	x.pace(p.marks)
	n := p.inputTokens()
	x.send(object{"totalTokens": n, "promptTokensDetails": []object{{"modality": "TEXT", "tokenCount": n}}})
	return nil
}

func (x *exchange) geminiPrompt(model string, body gjson.Result) (*prompt, *failure) {
	contents := body.Get("contents")
	if !contents.IsArray() || !contents.Get("0").IsObject() {
		return nil, invalid("contents", "* GenerateContentRequest.contents: contents is not specified")
	}
	p := x.newPrompt(model)
	settings := either(body, "generationConfig", "generation_config")
	p.limit = settings.Get("maxOutputTokens").Int()
	if p.schema = settings.Get("responseJsonSchema"); !p.schema.Exists() {
		p.schema = settings.Get("responseSchema")
	}
	calling := either(body, "toolConfig", "tool_config").Get("functionCallingConfig")
	p.choice = choice{forbidden: calling.Get("mode").Str == "NONE", required: calling.Get("mode").Str == "ANY"}
	if p.choice.required {
		p.choice.name = calling.Get("allowedFunctionNames.0").Str
	}
	p.begin("system")
	p.addDeclarations(body.Get("tools"))
	p.addContent(either(body, "systemInstruction", "system_instruction").Get("parts"), p.addOther)
	p.end()
	contents.ForEach(func(_, c gjson.Result) bool {
		speaker := roleUser
		if r := c.Get("role"); r.Exists() {
			speaker = role(r.Str)
		}
		p.begin(speaker)
		p.addContent(c.Get("parts"), p.addPart)
		p.end()
		return true
	})
	return p, nil
}

func (p *prompt) addDeclarations(tools gjson.Result) {
	tools.ForEach(func(_, t gjson.Result) bool {
		p.count(t.Raw)
		either(t, "functionDeclarations", "function_declarations").ForEach(func(_, f gjson.Result) bool {
			schema := f.Get("parametersJsonSchema")
			if !schema.Exists() {
				schema = f.Get("parameters")
			}
			p.tools = append(p.tools, tool{f.Get("name").Str, schema})
			return true
		})
		return true
	})
}

// addPart adds a part that is no text.
func (p *prompt) addPart(part gjson.Result) {
	if call := part.Get("functionCall"); call.Exists() {
		p.count(call.Get("name").Str)
		p.count(call.Get("args").Raw)
		return
	}
	if result := part.Get("functionResponse"); result.Exists() {
		p.addResult(result.Get("response").Raw)
		return
	}
	p.addOther(part)
}

// either returns the member a, or b where the client spells it so: Gemini takes both.
func either(o gjson.Result, a, b string) gjson.Result {
	if v := o.Get(a); v.Exists() {
		return v
	}
	return o.Get(b)
}
