package gemini

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// DecodeRequest implements llm.Codec. Cached content and continuations are refused: what
// they stand for is only known to Google.
func (Codec) DecodeRequest(body []byte) (*llm.Request, error) {
	const many = 1024
	// A content has parts, so this is how many there are, unless texts speak of them.
	in := request{Contents: make([]content, 0, min(bytes.Count(body, []byte(`"parts"`)), many))}
	if err := wire.Decode(body, &in); err != nil {
		return nil, err
	}
	return in.canonical()
}

func (in *request) canonical() (*llm.Request, error) {
	const elsewhere = "it is held by Google, and this request goes to an upstream of another format"
	switch {
	case in.CachedContent != "":
		return nil, &llm.DecodeError{Path: "cachedContent", Reason: elsewhere}
	case in.ContinuationToken != "":
		return nil, &llm.DecodeError{Path: "continuationToken", Reason: elsewhere}
	}
	d := decoder{request: &llm.Request{Model: in.Model, Metadata: in.Labels, ServiceTier: serviceTier(in.ServiceTier)}}
	d.unsaid("", in.Rest)
	if isObjectOrArray(in.SafetySettings) {
		d.request.Safety = json.RawMessage(in.SafetySettings)
	}
	d.instruction(in.SystemInstruction.Parts)
	if err := d.contents(in.Contents); err != nil {
		return nil, err
	}
	d.tools(in.Tools)
	d.choice(in.ToolConfig)
	d.config(&in.GenerationConfig)
	return d.request, nil
}

// decoder fills a canonical request.
type decoder struct {
	request *llm.Request
	pairs   pairing
	// open is the message of the model that further contents of the model go to.
	open bool
}

// unsaid lists the members of rest, which lie in the object at path.
func (d *decoder) unsaid(path string, rest jsontext.Value) {
	for _, m := range members(rest) {
		if m.value.Kind() != 'n' {
			d.lose(joined(path, m.name), "no other format has it")
		}
	}
}

func (d *decoder) lose(path, reason string) {
	d.request.Unsaid = append(d.request.Unsaid, llm.Loss{Path: path, Reason: reason})
}

func joined(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// serviceTier returns a tier's word in lower case, without the enum's prefix.
func serviceTier(word string) string {
	word = strings.TrimPrefix(strings.ToLower(word), "service_tier_")
	if word == "unspecified" {
		return ""
	}
	return word
}

func (d *decoder) tools(tools []tool) {
	for i := range tools {
		t := &tools[i]
		for j := range t.FunctionDeclarations {
			d.declaration(indexed("tools", i)+indexed(".functionDeclarations", j), &t.FunctionDeclarations[j])
		}
		d.search("googleSearch", t.GoogleSearch)
		d.search("googleSearchRetrieval", t.GoogleSearchRetrieval)
		for _, m := range members(t.Rest) {
			if m.value.Kind() == 'n' {
				continue
			}
			d.request.Tools = append(d.request.Tools, llm.Tool{
				Kind: llm.Builtin, Name: m.name, Raw: wrapped(m.name, m.value), Origin: llm.Gemini,
			})
		}
	}
}

func (d *decoder) declaration(path string, f *declaration) {
	t := llm.Tool{Kind: llm.Function, Name: f.Name, Description: string(f.Description)}
	switch {
	case f.ParametersJSONSchema.Kind() == '{':
		t.Schema = json.RawMessage(f.ParametersJSONSchema)
	case f.Parameters.Kind() == '{':
		t.Schema = fromDialect(f.Parameters)
	}
	d.unsaid(path, f.Rest)
	d.request.Tools = append(d.request.Tools, t)
}

// search takes one of Google's two search tools, whose settings stay in Raw.
func (d *decoder) search(member string, settings jsontext.Value) {
	if settings.Kind() != '{' {
		return
	}
	d.request.Tools = append(d.request.Tools, llm.Tool{
		Kind: llm.WebSearch, Name: "web_search", Raw: wrapped(member, settings), Origin: llm.Gemini,
	})
}

func wrapped(name string, value jsontext.Value) json.RawMessage {
	w := writer{}
	w.raw("{")
	w.key(name)
	w.raw(string(value))
	w.raw("}")
	return w.b
}

func (d *decoder) choice(c toolConfig) {
	d.unsaid("toolConfig", c.Rest)
	calling := c.FunctionCallingConfig
	d.unsaid("toolConfig.functionCallingConfig", calling.Rest)
	choice := llm.ToolChoice{Allowed: calling.Allowed}
	switch mode := strings.ToUpper(calling.Mode); mode {
	case "AUTO", "VALIDATED":
		choice.Mode = llm.Auto
	case "NONE":
		choice = llm.ToolChoice{Mode: llm.None}
	case "ANY":
		choice.Mode = llm.Required
		if len(calling.Allowed) == 1 {
			choice = llm.ToolChoice{Mode: llm.Named, Name: calling.Allowed[0]}
		}
	case "", "MODE_UNSPECIFIED":
		if len(calling.Allowed) > 0 {
			choice.Mode = llm.Auto
		}
	default:
		d.lose("toolConfig.functionCallingConfig.mode", "an unknown mode")
		choice = llm.ToolChoice{}
	}
	d.request.Choice = choice
}

func (d *decoder) config(c *generationConfig) {
	r := d.request
	r.MaxTokens, r.Stop = c.MaxOutputTokens.pointer(), c.StopSequences
	r.Sampling = llm.Sampling{
		Temperature: c.Temperature, TopP: c.TopP, TopK: c.TopK.pointer(),
		FrequencyPenalty: c.FrequencyPenalty, PresencePenalty: c.PresencePenalty,
		Seed: c.Seed.pointer(), Candidates: c.CandidateCount.pointer(),
		LogProbs: c.ResponseLogprobs, TopLogProbs: c.Logprobs.pointer(),
	}
	d.thinking(&c.ThinkingConfig)
	d.output(c)
	d.unsaid("generationConfig", c.Rest)
}

func (n *integer) pointer() *int64 { return (*int64)(n) }

func (d *decoder) thinking(t *thinkingConfig) {
	level := llm.Level(strings.ToLower(t.ThinkingLevel))
	if level == "thinking_level_unspecified" {
		level = ""
	}
	d.request.Reasoning = llm.Reasoning{Level: level, Budget: t.ThinkingBudget.pointer(), Show: t.IncludeThoughts}
	d.unsaid("generationConfig.thinkingConfig", t.Rest)
}

func (d *decoder) output(c *generationConfig) {
	out := &d.request.Output
	mime := c.ResponseMIMEType
	schema := json.RawMessage(c.ResponseJSONSchema)
	if !isObject([]byte(schema)) {
		schema = nil
		if c.ResponseSchema.Kind() == '{' {
			schema = fromDialect(c.ResponseSchema)
		}
	}
	for i := range c.ResponseFormat {
		f := &c.ResponseFormat[i]
		d.unsaid(indexed("generationConfig.responseFormat", i), f.Rest)
		if f.Text == nil {
			continue
		}
		mime = strings.ToLower(strings.Replace(f.Text.MIMEType, "_", "/", 1))
		if f.Text.Schema.Kind() == '{' {
			schema = json.RawMessage(f.Text.Schema)
		}
	}
	switch {
	case schema != nil:
		out.Kind, out.Schema = llm.OutputSchema, schema
	case mime == "application/json":
		out.Kind = llm.OutputJSON
	case mime == "text/plain":
		out.Kind = llm.OutputText
	}
	if mime != "" && mime != "application/json" && mime != "text/plain" {
		d.lose("generationConfig.responseMimeType", "no other format has this type")
	}
	for _, m := range c.ResponseModalities {
		if m = strings.ToLower(m); m != "text" && m != "modality_unspecified" {
			out.Modalities = append(out.Modalities, m)
		}
	}
}
