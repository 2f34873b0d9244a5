package responses

import (
	"slices"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// encoder makes a body of the canonical form.
type encoder struct {
	wire.Writer
	r      *llm.Request
	target llm.Target
	lost   losses

	pairs *llm.Pairs
}

// minTokens is the least that the vendor takes as a limit.
const minTokens = 16

// EncodeRequest appends r as an upstream's body to dst.
//
// What is chosen where the canonical form leaves it open: a first message of the system that
// is one text becomes instructions; store is false unless the client asked for it, since
// clients of other formats do not expect to be remembered; strict is false unless it was
// asked for, since this format's default is another than that of the rest; encrypted
// reasoning is asked for wherever the model is to reason, so that it can be given back.
//
// A call without a result is left out: the vendor refuses it, and what the tool would have
// brought is not to be invented.
func (Codec) EncodeRequest(dst []byte, r *llm.Request, t llm.Target) ([]byte, []llm.Loss, error) {
	if err := r.CheckNeeded(llm.Responses); err != nil {
		return dst, nil, err
	}
	e := encoder{Writer: wire.Writer{B: slices.Grow(dst, size(r))}, r: r, target: t}
	e.B = append(e.B, '{')
	e.Text("model", r.Model)
	if err := e.messages(); err != nil {
		return dst, nil, err
	}
	if err := e.tools(); err != nil {
		return dst, nil, err
	}
	if err := e.output(); err != nil {
		return dst, nil, err
	}
	e.reasoning()
	e.sampling()
	e.rest()
	e.Close('}')
	return e.B, e.lost.list(), nil
}

// size is about how long the body becomes.
func size(r *llm.Request) int {
	n := 1024
	for i := range r.Messages {
		n += 64 + partsSize(r.Messages[i].Parts)
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		n += 128 + len(t.Name) + len(t.Description) + len(t.Schema) + len(t.Raw)
	}
	return n + len(r.Output.Schema)
}

func partsSize(parts []llm.Part) int {
	n := 0
	for _, p := range parts {
		n += 96
		switch p := p.(type) {
		case *llm.Text:
			n += len(p.Text) + len(p.Text)/16 // escapes
		case *llm.ToolCall:
			n += len(p.Arguments) + len(p.Arguments)/4
		case *llm.ToolResult:
			n += partsSize(p.Content)
		case *llm.Media:
			n += len(p.Data) + len(p.URL) + len(p.Text)
		case *llm.Thinking:
			n += len(p.Text) + len(p.Signature)
		case *llm.Opaque:
			n += len(p.Raw)
		}
	}
	return n
}

func (e *encoder) output() error {
	o := &e.r.Output
	for _, m := range o.Modalities {
		if m != "text" {
			return unsupported("an answer in the form of " + m)
		}
	}
	e.lost.addIf(len(o.Audio) > 0, lostAudio)
	if o.Kind == "" && o.Verbosity == "" {
		return nil
	}
	e.Name("text")
	e.Open('{')
	switch o.Kind {
	case llm.OutputText:
		e.Literal("format", `{"type":"text"}`)
	case llm.OutputJSON:
		e.Literal("format", `{"type":"json_object"}`)
	case llm.OutputSchema:
		e.Name("format")
		e.Open('{')
		e.Plain("type", "json_schema")
		e.Text("name", schemaName(o.Name))
		if o.Description != "" {
			e.Text("description", o.Description)
		}
		e.Raw("schema", o.Schema)
		if o.Strict != nil {
			e.Bool("strict", *o.Strict)
		}
		e.Close('}')
	}
	if o.Verbosity != "" {
		e.Text("verbosity", o.Verbosity)
	}
	e.Close('}')
	return nil
}

// schemaName is the name of a schema, which the vendor demands.
func schemaName(name string) string {
	if name == "" {
		return "answer"
	}
	return llm.SafeID(name, maxNameBytes)
}

func (e *encoder) reasoning() {
	r := &e.r.Reasoning
	level := r.AsLevel()
	e.lost.addIf(r.Level == "" && r.Budget != nil && level.Budget() != *r.Budget, lostBudget)
	if level == llm.LevelAuto { // as if nothing had been said
		level = ""
	}
	summary := r.Summary
	if r.Show != nil {
		switch {
		case !*r.Show:
			summary = ""
		case summary == "" || summary == "none":
			summary = "auto"
		}
	}
	if level == "" && summary == "" {
		return
	}
	e.Name("reasoning")
	e.Open('{')
	if level != "" {
		e.Text("effort", string(level))
	}
	if summary != "" && summary != "none" {
		e.Text("summary", summary)
	}
	e.Close('}')
}

func (e *encoder) sampling() {
	s := &e.r.Sampling
	if limit := e.r.MaxTokens; limit != nil {
		n := *limit
		if n < minTokens && !e.target.Compatible {
			n = minTokens
			e.lost.add(lostMaxTokens)
		}
		e.Int("max_output_tokens", n)
	}
	if s.Temperature != nil {
		e.Float("temperature", *s.Temperature)
	}
	if s.TopP != nil {
		e.Float("top_p", *s.TopP)
	}
	e.lost.addIf(s.TopK != nil, lostTopK)
	e.lost.addIf(s.FrequencyPenalty != nil, lostFrequency)
	e.lost.addIf(s.PresencePenalty != nil, lostPresence)
	e.lost.addIf(s.Seed != nil, lostSeed)
	e.lost.addIf(s.Candidates != nil && *s.Candidates > 1, lostCandidates)
	e.lost.addIf(s.LogProbs != nil && *s.LogProbs, lostLogProbs)
	e.lost.addIf(s.TopLogProbs != nil && *s.TopLogProbs > 0, lostTopLogProbs)
	e.lost.addIf(len(e.r.Stop) > 0, lostStop)
}

func (e *encoder) rest() {
	r := e.r
	if include := e.include(); len(include) > 0 {
		e.Texts("include", include)
	}
	e.Bool("store", r.Store != nil && *r.Store)
	if r.PreviousResponseID != "" {
		e.Text("previous_response_id", r.PreviousResponseID)
	}
	if r.UserID != "" {
		e.Text("safety_identifier", shortName("user_", r.UserID))
	}
	if r.CacheKey != "" {
		e.Text("prompt_cache_key", shortName("key_", r.CacheKey))
	}
	e.metadata()
	e.tier()
	e.lost.addIf(len(r.Safety) > 0, lostSafety)
	e.lost.addIf(r.Cache != nil, lostCache)
	if r.Stream {
		e.Bool("stream", true)
	}
}

// include is what the client asked for, and reasoning that can be given back.
func (e *encoder) include() []string {
	r := e.r
	if r.Store != nil && *r.Store || !r.Reasoning.Said() || r.Reasoning.Off() || slices.Contains(r.Include, encryptedContent) {
		return r.Include
	}
	return append(slices.Clip(r.Include), encryptedContent)
}

// shortName keeps a name that fits, and makes another one of one that does not: what counts
// is that it is the same each time.
func shortName(prefix, name string) string {
	if len(name) <= maxIDBytes {
		return name
	}
	return llm.NewID(prefix, name)
}

func (e *encoder) metadata() {
	const maxEntries, maxName, maxValue = 16, 64, 512
	names := make([]string, 0, len(e.r.Metadata))
	for name, value := range e.r.Metadata {
		if len(name) <= maxName && len(value) <= maxValue {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = names[:min(len(names), maxEntries)]
	e.lost.addIf(len(names) < len(e.r.Metadata), lostMetadata)
	if len(names) == 0 {
		return
	}
	e.Name("metadata")
	e.Open('{')
	for _, name := range names {
		e.Next()
		e.B = wire.AppendMember(e.B, name, e.r.Metadata[name])
	}
	e.Close('}')
}

func (e *encoder) tier() {
	switch tier := e.r.ServiceTier; tier {
	case "":
	case "auto", "default", "flex", "scale", "priority":
		e.Plain("service_tier", tier)
	case "standard_only", "standard": // Anthropic's
		e.Plain("service_tier", "default")
	default:
		e.lost.add(lostTier)
	}
}
