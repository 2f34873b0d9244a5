package chat

import (
	"slices"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// EncodeRequest implements llm.Codec. A compatible upstream is sent only what nearly all of
// them know, since some refuse a body for one member more.
func (Codec) EncodeRequest(dst []byte, r *llm.Request, t llm.Target) ([]byte, []llm.Loss, error) {
	if r.PreviousResponseID != "" {
		return dst, nil, unsupported("a previous response's id")
	}
	if err := r.CheckNeeded(llm.Chat); err != nil {
		return dst, nil, err
	}
	e := requestEncoder{writer: writerTo(append(slices.Grow(dst, sizeOf(r)), '{')), r: r, t: t}
	e.names()
	e.Text("model", r.Model)
	e.messages()
	e.tools()
	e.settings()
	e.Close('}')
	if e.err != nil {
		return dst, nil, e.err
	}
	return e.B, e.told(), nil
}

func unsupported(what string) error {
	return &llm.UnsupportedError{Format: llm.Chat, What: what}
}

type requestEncoder struct {
	writer
	r *llm.Request
	t llm.Target

	customs map[string]bool // the tools that are said as custom ones
	allowed map[string]bool // the tools that the client narrows its choice to

	lost uint64 // a bit for each loss
	err  error  // the first thing that cannot be said
}

func (e *requestEncoder) names() {
	if !e.t.Compatible {
		e.customs = customsOf(e.r)
	}
	if names := e.r.Choice.Allowed; len(names) > 0 {
		e.allowed = make(map[string]bool, len(names))
		for _, name := range names {
			e.allowed[name] = true
		}
	}
}

func (e *requestEncoder) lose(l loss) { e.lost |= 1 << l }

func (e *requestEncoder) loseIf(lost bool, l loss) {
	if lost {
		e.lose(l)
	}
}

func (e *requestEncoder) refuse(what string) {
	if e.err == nil {
		e.err = unsupported(what)
	}
}

func (e *requestEncoder) told() []llm.Loss {
	var list []llm.Loss
	for l := range losses {
		if e.lost&(1<<l) != 0 {
			list = append(list, l.told())
		}
	}
	return list
}

// sizeOf guesses how long the body will be, so that it is allocated once.
func sizeOf(r *llm.Request) int {
	const member = 96
	n := 512
	for i := range r.Messages {
		n += member
		for _, p := range r.Messages[i].Parts {
			n += member + sizeOfPart(p)
		}
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		n += member + len(t.Name) + len(t.Description) + len(t.Schema) + len(t.Raw)
	}
	return n + len(r.Output.Schema) + n/16 // some characters are escaped
}

func sizeOfPart(p llm.Part) int {
	switch p := p.(type) {
	case *llm.Text:
		return len(p.Text)
	case *llm.Media:
		return len(p.Data) + len(p.URL) + len(p.Text)
	case *llm.ToolCall:
		return len(p.Arguments) + len(p.Arguments)/8 // JSON in a string: quotes are escaped
	case *llm.ToolResult:
		n := 0
		for _, c := range p.Content {
			n += 32 + sizeOfPart(c)
		}
		return n
	case *llm.Thinking:
		return len(p.Text)
	case *llm.Refusal:
		return len(p.Text)
	case *llm.Opaque:
		return len(p.Raw)
	default:
		return 0
	}
}

func (e *requestEncoder) settings() {
	r := e.r
	if r.MaxTokens != nil {
		// OpenAI's reasoning models take only the newer word, most compatible upstreams only
		// the older one.
		name := "max_completion_tokens"
		if e.t.Compatible {
			name = "max_tokens"
		}
		e.intp(name, r.MaxTokens)
	}
	e.stop()
	e.sampling()
	if level := r.Reasoning.AsLevel(); level != "" && level != llm.LevelAuto {
		e.Text("reasoning_effort", string(level))
	}
	e.loseIf(r.Reasoning.Show != nil, lostShow)
	e.loseIf(r.Reasoning.Summary != "", lostSummary)
	e.output()
	e.user()
	e.openAIOnly()
	e.loseIf(len(r.Safety) > 0, lostSafety)
	e.loseIf(len(r.Include) > 0, lostInclude)
	e.loseIf(r.Cache != nil, lostCache)
	if r.Stream {
		e.Literal("stream", "true")
		// Usage is always asked for: the gateway counts even if the client does not.
		e.Literal("stream_options", `{"include_usage":true}`)
	}
}

func (e *requestEncoder) stop() {
	stops := slices.DeleteFunc(slices.Clone(e.r.Stop), func(s string) bool { return s == "" })
	if len(stops) > maxStops && !e.t.Compatible {
		stops = stops[:maxStops]
		e.lose(lostStop)
	}
	if len(stops) == 0 {
		return
	}
	e.Texts("stop", stops)
}

func (e *requestEncoder) sampling() {
	s := &e.r.Sampling
	e.floatp("temperature", s.Temperature)
	e.floatp("top_p", s.TopP)
	e.floatp("frequency_penalty", s.FrequencyPenalty)
	e.floatp("presence_penalty", s.PresencePenalty)
	e.intp("seed", s.Seed)
	e.loseIf(s.TopK != nil, lostTopK)
	e.loseIf(s.Candidates != nil && *s.Candidates > 1, lostCandidates)
	e.loseIf(s.LogProbs != nil || s.TopLogProbs != nil, lostLogProbs)
}

func (e *requestEncoder) output() {
	o := &e.r.Output
	switch {
	case o.Kind == llm.OutputText:
		e.Literal("response_format", `{"type":"text"}`)
	case o.Kind == llm.OutputJSON, o.Kind == llm.OutputSchema && len(o.Schema) == 0:
		e.Literal("response_format", `{"type":"json_object"}`)
	case o.Kind == llm.OutputSchema:
		e.Literal("response_format", `{"type":"json_schema","json_schema":{`)
		e.Name("name") // is needed
		if o.Name == "" {
			e.str("answer")
		} else {
			e.str(llm.SafeID(o.Name, 64))
		}
		e.optional("description", o.Description)
		e.Raw("schema", o.Schema)
		e.boolp("strict", o.Strict)
		e.raw(`}}`)
	}
	if len(o.Modalities) > 0 {
		e.Texts("modalities", append([]string{"text"}, o.Modalities...))
	}
	if len(o.Audio) > 0 {
		e.Raw("audio", o.Audio)
	}
}

func (e *requestEncoder) user() {
	id := e.r.UserID
	if len(id) > maxKeyLength {
		id = llm.NewID("user_", id)
		e.lose(lostUserID)
	}
	e.optional("user", id)
}

// openAIOnly says what only OpenAI knows.
func (e *requestEncoder) openAIOnly() {
	r := e.r
	if e.t.Compatible {
		e.loseIf(r.Output.Verbosity != "", lostVerbosity)
		e.loseIf(len(r.Metadata) > 0, lostMetadata)
		e.loseIf(r.ServiceTier != "", lostServiceTier)
		e.loseIf(r.CacheKey != "", lostCacheKey)
		e.loseIf(r.Store != nil && *r.Store, lostStore)
		return
	}
	e.optional("verbosity", r.Output.Verbosity)
	key := r.CacheKey
	if len(key) > maxKeyLength { // the limit is the same, and one key is as good as another
		key = llm.NewID("key_", key)
	}
	e.optional("prompt_cache_key", key)
	e.boolp("store", r.Store)
	stored := r.Store != nil && *r.Store
	if len(r.Metadata) > 0 && stored { // OpenAI refuses notes on what it does not keep
		e.Name("metadata")
		e.B = wire.Append(e.B, r.Metadata)
	}
	e.loseIf(len(r.Metadata) > 0 && !stored, lostMetadata)
	switch r.ServiceTier {
	case "":
	case "auto", "default", "flex", "priority", "scale":
		e.optional("service_tier", r.ServiceTier)
	case "standard", "standard_only": // Gemini's and Anthropic's words
		e.optional("service_tier", "default")
	default:
		e.lose(lostServiceTier)
	}
}
