package messages

import (
	"strings"
	"unicode"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// encoder writes one request.
type encoder struct {
	writer
	r    *llm.Request
	t    llm.Target
	gen  generation
	lost losses
}

// EncodeRequest implements llm.Codec. Where the vendor's models differ, it goes by the name
// of the request's model.
func (Codec) EncodeRequest(dst []byte, r *llm.Request, t llm.Target) ([]byte, []llm.Loss, error) {
	if r.PreviousResponseID != "" {
		return dst, nil, unsupported("an earlier answer that the upstream does not hold")
	}
	e := encoder{r: r, t: t, gen: generationOf(r.Model)}
	system, turns := e.converse()
	e.b = room(dst, size(r))
	e.open('{')
	e.text("model", r.Model)
	p := e.plan()
	e.whole("max_tokens", p.maxTokens)
	if r.Stream {
		e.flag("stream", true)
	}
	e.user()
	e.thinking(p)
	e.sampling(p)
	e.stop()
	e.tier()
	if r.Cache != nil {
		e.cache(r.Cache)
	}
	if err := e.tools(); err != nil {
		return dst, nil, err
	}
	if err := e.system(system); err != nil {
		return dst, nil, err
	}
	if err := e.turns(turns); err != nil {
		return dst, nil, err
	}
	e.close('}')
	e.rest()
	return e.b, e.lost.list(), nil
}

// room returns dst with room for n more bytes.
func room(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, len(dst)+n), dst...)
}

func unsupported(what string) error { return &llm.UnsupportedError{Format: llm.Messages, What: what} }

// size estimates how long the body will be.
func size(r *llm.Request) int {
	n := 1024
	for _, t := range r.Tools {
		n += len(t.Name) + len(t.Description) + len(t.Schema) + len(t.Raw) + 256
	}
	n += len(r.Output.Schema) + len(r.Output.Schema)/4
	for _, m := range r.Messages {
		n += 40 + sizeOf(m.Parts)
	}
	return n
}

func sizeOf(parts []llm.Part) int {
	n := 0
	for _, p := range parts {
		n += 72 // names and brackets
		switch p := p.(type) {
		case *llm.Text:
			n += len(p.Text) + len(p.Text)/16 // escapes
		case *llm.Media:
			n += len(p.Data) + len(p.URL) + len(p.Text) + len(p.Text)/16 + len(p.Name)
		case *llm.ToolCall:
			n += len(p.ID) + len(p.Name) + len(p.Arguments)
		case *llm.ToolResult:
			n += len(p.ID) + sizeOf(p.Content)
		case *llm.Thinking:
			n += len(p.Text) + len(p.Text)/16 + len(p.Signature)
		case *llm.Refusal:
			n += len(p.Text)
		case *llm.Opaque:
			n += len(p.Raw)
		}
	}
	return n
}

// maxUserBytes is the vendor's limit of metadata.user_id.
const maxUserBytes = 256

// user names the end user. Without one it is the conversation: what it began with does not
// change over its turns, so its requests have the same name.
func (e *encoder) user() {
	id := e.r.UserID
	switch {
	case id == "":
		id = llm.NewID("user_", firstWords(e.r))
	case len(id) > maxUserBytes:
		e.lost.note(lostUserID, true)
		id = llm.NewID("user_", id)
	}
	e.key("metadata")
	e.open('{')
	e.text("user_id", id)
	e.close('}')
}

func firstWords(r *llm.Request) string {
	for _, m := range r.Messages {
		if m.Role == llm.User {
			return textOf(m.Parts)
		}
	}
	return r.Model
}

func (e *encoder) stop() {
	begun := false
	for _, s := range e.r.Stop {
		if blank(s) && !e.t.Compatible {
			e.lost.note(lostStop, true)
			continue
		}
		if !begun {
			e.key("stop_sequences")
			e.open('[')
			begun = true
		}
		e.comma()
		e.b = wire.AppendString(e.b, s)
	}
	if begun {
		e.close(']')
	}
}

func blank(s string) bool { return strings.TrimFunc(s, unicode.IsSpace) == "" }

func (e *encoder) tier() {
	switch e.r.ServiceTier {
	case "":
	case "auto", "priority": // auto is priority where the organisation has it
		e.text("service_tier", "auto")
	case "default", "standard_only":
		e.text("service_tier", "standard_only")
	default:
		e.lost.note(lostServiceTier, true)
	}
}

func (e *encoder) cache(c *llm.Cache) {
	if c == nil {
		return
	}
	e.key("cache_control")
	e.open('{')
	e.text("type", "ephemeral")
	if c.TTL != "" {
		e.text("ttl", c.TTL)
	}
	e.close('}')
}

// rest notes what of the request the format has no word for.
func (e *encoder) rest() {
	r := e.r
	e.lost.note(lostOutputKind, r.Output.Kind == llm.OutputJSON)
	e.lost.note(lostOutputName, r.Output.Name != "")
	e.lost.note(lostOutputDescription, r.Output.Description != "")
	e.lost.note(lostOutputStrict, r.Output.Kind == llm.OutputSchema && r.Output.Strict != nil && !*r.Output.Strict)
	e.lost.note(lostVerbosity, r.Output.Verbosity != "")
	e.lost.note(lostModalities, len(r.Output.Modalities) > 0)
	e.lost.note(lostAudio, len(r.Output.Audio) > 0)
	e.lost.note(lostMetadata, len(r.Metadata) > 0)
	e.lost.note(lostCacheKey, r.CacheKey != "")
	e.lost.note(lostSafety, len(r.Safety) > 0)
	e.lost.note(lostStore, r.Store != nil && *r.Store)
	for _, what := range r.Include {
		// Signed thoughts are in every answer of this format.
		e.lost.note(lostInclude, what != "reasoning.encrypted_content")
	}
}
