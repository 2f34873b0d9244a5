package gemini

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
)

// EncodeRequest implements llm.Codec. The model and whether to stream are the path's
// business; the model's name also decides how thinking is said: see generationOf.
func (Codec) EncodeRequest(dst []byte, r *llm.Request, _ llm.Target) (body []byte, lost []llm.Loss, err error) {
	e := encoder{writer: writer{b: slices.Grow(dst, size(r))}, request: r, model: generationOf(r.Model)}
	e.raw("{")
	if err := e.conversation(false); err != nil {
		return nil, nil, err
	}
	if err := e.tools(); err != nil {
		return nil, nil, err
	}
	if err := e.settings(); err != nil {
		return nil, nil, err
	}
	e.raw("}")
	return e.b, e.lost.list(), nil
}

// encoder writes one request.
type encoder struct {
	writer
	request *llm.Request
	model   generation
	lost    losses
}

// size estimates how many bytes r comes to, not much less.
func size(r *llm.Request) int {
	n := 1024
	for i := range r.Messages {
		for _, p := range r.Messages[i].Parts {
			n += 40 + sizeOf(p)
		}
	}
	for i := range r.Tools {
		n += 64 + len(r.Tools[i].Description) + len(r.Tools[i].Schema)
	}
	return n + n/16 // escapes
}

func sizeOf(p llm.Part) int {
	switch p := p.(type) {
	case *llm.Text:
		return len(p.Text)
	case *llm.ToolCall:
		return 140 + len(p.Arguments)
	case *llm.Media:
		return 40 + len(p.Data) + len(p.Text)*4/3
	case *llm.Thinking:
		return 32 + len(p.Signature)
	case *llm.Opaque:
		return len(p.Raw)
	case *llm.ToolResult:
		n := 100
		for _, c := range p.Content {
			n += sizeOf(c)
		}
		return n
	default:
		return 0
	}
}

func (e *encoder) tools() error {
	if len(e.request.Tools) == 0 {
		return nil
	}
	e.member(`"tools":`)
	e.raw("[")
	functions := false
	for i := range e.request.Tools {
		t := &e.request.Tools[i]
		e.lost.when(t.Cache != nil, lostCache)
		if t.Kind != llm.Function && t.Kind != llm.Custom {
			continue
		}
		if !functions {
			functions = true
			e.raw(`{"functionDeclarations":[`)
		}
		e.next()
		e.function(t)
	}
	if functions {
		e.raw("]}")
	}
	for i := range e.request.Tools {
		if err := e.hosted(&e.request.Tools[i]); err != nil {
			return err
		}
	}
	e.raw("]")
	e.choice()
	return nil
}

func (e *encoder) function(t *llm.Tool) {
	schema := t.Schema
	if t.Kind == llm.Custom {
		schema = llm.CustomSchema()
		e.lost.when(len(t.Raw) > 0, lostGrammar)
	}
	e.lost.when(t.Strict != nil && *t.Strict, lostStrict)
	e.raw("{")
	e.str(`"name":`, toolName(t.Name))
	if t.Description != "" {
		e.str(`"description":`, t.Description)
	}
	// The field for plain JSON schema; its older brother takes a dialect of OpenAPI 3.0.
	if isObject([]byte(schema)) {
		e.member(`"parametersJsonSchema":`)
		e.accepted([]byte(schema))
	}
	e.raw("}")
}

// hosted says a tool that the vendor runs.
func (e *encoder) hosted(t *llm.Tool) error {
	own := t.Origin == llm.Gemini && isObject([]byte(t.Raw))
	switch {
	case t.Kind == llm.Function, t.Kind == llm.Custom:
		return nil
	case own:
		e.next()
		e.value(t.Raw)
	case t.Kind == llm.WebSearch:
		e.lost.when(hasSettings(t.Raw), lostSearchSettings)
		e.next()
		e.raw(`{"googleSearch":{}}`)
	default:
		return unsupported("the tool " + t.Name)
	}
	return nil
}

// hasSettings reports whether another vendor's search tool says more than what it is.
func hasSettings(raw json.RawMessage) bool {
	if !isObject([]byte(raw)) {
		return false
	}
	for _, m := range members([]byte(raw)) {
		if m.name != "type" && m.name != "name" && m.value.Kind() != 'n' {
			return true
		}
	}
	return false
}

// choice says which functions may or must be called. VALIDATED is AUTO narrowed to some
// functions (ai.google.dev/gemini-api/docs/function-calling).
func (e *encoder) choice() {
	c := e.request.Choice
	allowed := c.Allowed
	mode := map[llm.ChoiceMode]string{llm.Auto: "AUTO", llm.None: "NONE", llm.Required: "ANY", llm.Named: "ANY"}[c.Mode]
	if c.Mode == llm.Named {
		allowed = []string{c.Name}
	}
	all := e.functionNames()
	functions := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !slices.Contains(allowed, name) })
	switch {
	case mode == "":
		return
	case c.Mode == llm.None:
		functions = nil
	case len(functions) < len(allowed), mode == "ANY" && len(all) == 0:
		e.lost.add(lostChoice)
		if len(functions) == 0 {
			return
		}
	}
	if mode == "AUTO" && len(functions) > 0 {
		mode = "VALIDATED"
	}
	e.member(`"toolConfig":`)
	e.raw(`{"functionCallingConfig":{"mode":"` + mode + `"`)
	for i, name := range functions {
		functions[i] = toolName(name)
	}
	if len(functions) > 0 {
		e.strings(`"allowedFunctionNames":`, functions)
	}
	e.raw("}}")
}

func (e *encoder) functionNames() []string {
	var names []string
	for i := range e.request.Tools {
		if t := &e.request.Tools[i]; t.Kind == llm.Function || t.Kind == llm.Custom {
			names = append(names, t.Name)
		}
	}
	return names
}

func (w *writer) strings(name string, all []string) {
	w.member(name)
	w.raw("[")
	for _, s := range all {
		w.next()
		w.b = appendQuoted(w.b, s)
	}
	w.raw("]")
}

// settings says what is beside the conversation and the tools.
func (e *encoder) settings() error {
	r := e.request
	if r.PreviousResponseID != "" {
		return unsupported("a stored response to go on from")
	}
	e.lost.when(r.Parallel != nil && !*r.Parallel, lostParallel)
	e.lost.when(r.UserID != "", lostUserID)
	e.lost.when(len(r.Metadata) > 0, lostMetadata)
	e.lost.when(r.CacheKey != "", lostCacheKey)
	e.lost.when(r.Cache != nil, lostCache)
	e.lost.when(r.Store != nil && *r.Store, lostStore)
	e.lost.when(len(r.Include) > 0, lostInclude)

	before := len(e.b)
	e.member(`"generationConfig":`)
	e.raw("{")
	inner := len(e.b)
	e.sampling()
	e.output()
	e.thinking()
	if len(e.b) == inner {
		e.b = e.b[:before]
	} else {
		e.raw("}")
	}
	if isObjectOrArray([]byte(r.Safety)) && json.Valid(r.Safety) {
		e.member(`"safetySettings":`)
		e.value(r.Safety)
	}
	e.tier()
	return nil
}

func (e *encoder) tier() {
	switch tier := strings.ToLower(e.request.ServiceTier); tier {
	case "", "auto":
	case "flex", "priority", "standard":
		e.str(`"serviceTier":`, tier)
	case "default", "standard_only":
		e.str(`"serviceTier":`, "standard")
	default:
		e.lost.add(lostServiceTier)
	}
}

func (e *encoder) sampling() {
	const maxStops = 5 // of Google's
	r, s := e.request, &e.request.Sampling
	e.whole(`"maxOutputTokens":`, r.MaxTokens)
	if n := len(r.Stop); n > 0 {
		e.lost.when(n > maxStops, lostStop)
		e.strings(`"stopSequences":`, r.Stop[:min(n, maxStops)])
	}
	e.fraction(`"temperature":`, s.Temperature)
	e.fraction(`"topP":`, s.TopP)
	e.whole(`"topK":`, s.TopK)
	e.fraction(`"frequencyPenalty":`, s.FrequencyPenalty)
	e.fraction(`"presencePenalty":`, s.PresencePenalty)
	if s.Seed != nil && (*s.Seed > math.MaxInt32 || *s.Seed < math.MinInt32) {
		e.lost.add(lostSeed)
	} else {
		e.whole(`"seed":`, s.Seed)
	}
	// What the canonical answer has no place for is not asked for: it would only cost.
	if s.Candidates != nil && *s.Candidates > 1 {
		e.lost.add(lostCandidates)
	} else {
		e.whole(`"candidateCount":`, s.Candidates)
	}
	e.lost.when(s.LogProbs != nil && *s.LogProbs, lostLogProbs)
	e.lost.when(s.TopLogProbs != nil, lostTopLogProbs)
}

func (e *encoder) whole(name string, n *int64) {
	if n != nil {
		e.num(name, *n)
	}
}

func (e *encoder) fraction(name string, f *float64) {
	if f != nil {
		e.float(name, *f)
	}
}

func (e *encoder) output() {
	o := &e.request.Output
	e.lost.when(o.Name != "", lostOutputName)
	e.lost.when(o.Description != "", lostOutputDescription)
	e.lost.when(o.Strict != nil && !*o.Strict, lostOutputStrict)
	e.lost.when(o.Verbosity != "", lostVerbosity)
	e.lost.when(len(o.Audio) > 0, lostAudio)
	if o.Kind == llm.OutputJSON || o.Kind == llm.OutputSchema {
		e.str(`"responseMimeType":`, "application/json")
	}
	if o.Kind == llm.OutputSchema && isObject([]byte(o.Schema)) {
		e.member(`"responseJsonSchema":`)
		e.value(o.Schema)
	}
	if len(o.Modalities) > 0 {
		modalities := []string{"TEXT"}
		for _, m := range o.Modalities {
			modalities = append(modalities, strings.ToUpper(m))
		}
		e.strings(`"responseModalities":`, modalities)
	}
}
