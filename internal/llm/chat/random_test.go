package chat

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// Generators of canonical requests and events.

func maybe[T any](t *rapid.T, label string, g *rapid.Generator[T]) *T {
	if !rapid.Bool().Draw(t, label+"?") {
		return nil
	}
	v := g.Draw(t, label)
	return &v
}

func wordOfLetters(t *rapid.T, label string) string {
	return rapid.StringMatching(`[a-z_]{1,8}`).Draw(t, label)
}

func textOf(t *rapid.T) string {
	return rapid.OneOf(rapid.StringN(1, 20, -1), rapid.Just("line\n\"quoted\" \\ é\u2028")).Draw(t, "text")
}

// sayable draws a request that the format can say to a target to the last bit.
func sayable(t *rapid.T, target llm.Target) *llm.Request {
	g := sayableRequests{T: t, target: target, r: &llm.Request{Model: wordOfLetters(t, "model")}}
	g.tools()
	g.conversation()
	g.settings()
	return g.r
}

type sayableRequests struct {
	*rapid.T
	target  llm.Target
	r       *llm.Request
	calls   int
	customs []string
}

func (g *sayableRequests) tools() {
	for i := range rapid.IntRange(0, 3).Draw(g.T, "tools") {
		tool := llm.Tool{
			Kind: llm.Function, Name: fmt.Sprintf("f%d", i), Description: wordOfLetters(g.T, "description"),
			Schema: []byte(`{"type":"object"}`), Strict: maybe(g.T, "strict", rapid.Bool()),
		}
		if !g.target.Compatible && rapid.Bool().Draw(g.T, "custom") {
			tool.Kind, tool.Schema, tool.Strict = llm.Custom, nil, nil
			g.customs = append(g.customs, tool.Name)
		}
		g.r.Tools = append(g.r.Tools, tool)
	}
	if len(g.r.Tools) == 0 {
		return
	}
	g.r.Parallel = maybe(g.T, "parallel", rapid.Bool())
	g.r.Choice.Mode = rapid.SampledFrom([]llm.ChoiceMode{"", llm.Auto, llm.None, llm.Required, llm.Named}).Draw(g.T, "mode")
	switch g.r.Choice.Mode {
	case llm.Named:
		g.r.Choice.Name = g.r.Tools[0].Name
	case llm.Auto, llm.Required:
		if !g.target.Compatible && rapid.Bool().Draw(g.T, "allowed") {
			g.r.Choice.Allowed = []string{g.r.Tools[0].Name}
		}
	}
}

func (g *sayableRequests) conversation() {
	for range rapid.IntRange(1, 4).Draw(g.T, "turns") {
		role := rapid.SampledFrom([]llm.Role{llm.User, llm.System}).Draw(g.T, "role")
		if role == llm.System && !g.target.Compatible && rapid.Bool().Draw(g.T, "developer") {
			role = llm.Developer
		}
		m := llm.Message{Role: role, Name: rapid.SampledFrom([]string{"", "ann"}).Draw(g.T, "name")}
		for range rapid.IntRange(1, 3).Draw(g.T, "parts") {
			m.Parts = append(m.Parts, g.part(role))
		}
		g.r.Messages = append(g.r.Messages, m)
		if rapid.Bool().Draw(g.T, "answered") {
			g.answer()
		}
	}
}

func (g *sayableRequests) part(role llm.Role) llm.Part {
	parts := []llm.Part{
		&llm.Text{Text: textOf(g.T)},
		&llm.Opaque{Origin: llm.Chat, Raw: []byte(`{"type":"other","x":[1,"a"]}`)},
		&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n", Detail: "low"},
		&llm.Media{Kind: llm.Image, URL: "https://example.com/" + wordOfLetters(g.T, "path")},
		&llm.Media{Kind: llm.Audio, MIME: "audio/wav", Data: "c291bmQ="},
		&llm.Media{Kind: llm.File, MIME: "application/pdf", Data: "cGRm", Name: "a.pdf"},
		&llm.Media{Kind: llm.File, FileID: "file-1", Origin: llm.Chat},
	}
	if role != llm.User {
		parts = parts[:2]
	} else {
		parts[1].(*llm.Opaque).Needed = `a part of the type "other"`
	}
	return rapid.SampledFrom(parts).Draw(g.T, "part")
}

func (g *sayableRequests) answer() {
	m := llm.Message{Role: llm.Assistant}
	if g.target.Compatible && rapid.Bool().Draw(g.T, "thought") {
		m.Parts = append(m.Parts, &llm.Thinking{Text: textOf(g.T)})
	}
	for range rapid.IntRange(0, 2).Draw(g.T, "texts") {
		m.Parts = append(m.Parts, &llm.Text{Text: textOf(g.T)})
	}
	if !g.target.Compatible && rapid.Bool().Draw(g.T, "refusal") {
		m.Parts = append(m.Parts, &llm.Refusal{Text: textOf(g.T)})
	}
	var results llm.Message
	for range rapid.IntRange(0, 2).Draw(g.T, "calls") {
		g.calls++
		id, name, args := fmt.Sprintf("call_%d", g.calls), "undefined", rapid.SampledFrom([]string{`{"a": 1}`, `{"broken`}).Draw(g.T, "args")
		if len(g.customs) > 0 && rapid.Bool().Draw(g.T, "custom") {
			name, args = g.customs[0], string(append(wire.AppendString([]byte(`{"input":`), textOf(g.T)), '}'))
		}
		m.Parts = append(m.Parts, &llm.ToolCall{ID: id, Name: name, Arguments: args})
		result := &llm.ToolResult{ID: id, Content: []llm.Part{&llm.Text{Text: textOf(g.T)}}}
		if g.target.Compatible && rapid.Bool().Draw(g.T, "image") {
			result.Content = append(result.Content, &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n"})
		}
		results.Role = llm.User
		results.Parts = append(results.Parts, result)
	}
	if len(m.Parts) == 0 {
		m.Parts = []llm.Part{&llm.Text{Text: "a"}}
	}
	g.r.Messages = append(g.r.Messages, m)
	if len(results.Parts) > 0 {
		g.r.Messages = append(g.r.Messages, results)
	}
}

func (g *sayableRequests) settings() {
	t, r := g.T, g.r
	r.Stream = rapid.Bool().Draw(t, "stream")
	r.StreamUsage = r.Stream
	r.MaxTokens = maybe(t, "max", rapid.Int64())
	r.Stop = rapid.SliceOfN(rapid.StringN(1, 3, -1), 0, 4).Draw(t, "stop")
	if len(r.Stop) == 0 {
		r.Stop = nil
	}
	number := rapid.Float64Range(-2, 2)
	r.Sampling = llm.Sampling{
		Temperature: maybe(t, "temperature", number), TopP: maybe(t, "top_p", number),
		FrequencyPenalty: maybe(t, "frequency", number), PresencePenalty: maybe(t, "presence", number), Seed: maybe(t, "seed", rapid.Int64()),
	}
	r.Reasoning.Level = rapid.SampledFrom([]llm.Level{"", llm.LevelNone, llm.LevelMinimal, llm.LevelHigh, llm.LevelMax}).Draw(t, "level")
	r.Output.Kind = rapid.SampledFrom([]llm.OutputKind{"", llm.OutputText, llm.OutputJSON, llm.OutputSchema}).Draw(t, "output")
	if r.Output.Kind == llm.OutputSchema {
		r.Output.Name, r.Output.Description = wordOfLetters(t, "schema"), wordOfLetters(t, "description")
		r.Output.Schema, r.Output.Strict = []byte(`{"type":"object"}`), maybe(t, "strict", rapid.Bool())
	}
	if rapid.Bool().Draw(t, "modalities") {
		r.Output.Modalities, r.Output.Audio = []string{"audio"}, []byte(`{"voice":"alloy"}`)
	}
	r.UserID = rapid.StringN(0, 16, maxKeyLength).Draw(t, "user")
	if g.target.Compatible {
		return
	}
	r.Output.Verbosity = rapid.SampledFrom([]string{"", "low"}).Draw(t, "verbosity")
	r.CacheKey = rapid.SampledFrom([]string{"", "key"}).Draw(t, "key")
	r.ServiceTier = rapid.SampledFrom([]string{"", "auto", "flex"}).Draw(t, "tier")
	r.Store = maybe(t, "store", rapid.Bool())
	if r.Store != nil && *r.Store {
		r.Metadata = map[string]string{"a": textOf(t)}
	}
}

// anyRequest draws a request of whatever the canonical form can hold.
func anyRequest(t *rapid.T) *llm.Request {
	r := &llm.Request{Model: "m", Stream: rapid.Bool().Draw(t, "stream")}
	roles := []llm.Role{llm.System, llm.Developer, llm.User, llm.User, llm.Assistant, llm.Assistant}
	for range rapid.IntRange(0, 8).Draw(t, "messages") {
		m := llm.Message{Role: rapid.SampledFrom(roles).Draw(t, "role"), Name: rapid.SampledFrom([]string{"", "ann"}).Draw(t, "name")}
		for range rapid.IntRange(0, 4).Draw(t, "parts") {
			m.Parts = append(m.Parts, anyPart(t, m.Role))
		}
		r.Messages = append(r.Messages, m)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "tools") {
		r.Tools = append(r.Tools, llm.Tool{
			Kind: rapid.SampledFrom([]llm.ToolKind{llm.Function, llm.Function, llm.Custom, llm.WebSearch, llm.Builtin}).Draw(t, "kind"),
			Name: fmt.Sprintf("f%d", i), Cache: maybe(t, "cache", rapid.Just(llm.Cache{})),
			Raw: rapid.SampledFrom([][]byte{nil, []byte(`{"type":"x"}`)}).Draw(t, "raw"), Origin: anyFormat(t),
		})
	}
	r.Choice.Mode = rapid.SampledFrom([]llm.ChoiceMode{"", llm.Auto, llm.Required, llm.Named}).Draw(t, "mode")
	r.Choice.Name = "f0"
	r.Choice.Allowed = rapid.SampledFrom([][]string{nil, {"f0"}}).Draw(t, "allowed")
	r.Stop = rapid.SliceOfN(rapid.StringN(0, 1, -1), 0, 6).Draw(t, "stop")
	one := rapid.Int64Range(0, 3)
	r.Sampling = llm.Sampling{TopK: maybe(t, "k", one), Candidates: maybe(t, "n", one), TopLogProbs: maybe(t, "logprobs", one)}
	r.Reasoning = llm.Reasoning{
		Budget: maybe(t, "budget", rapid.Int64()), Show: maybe(t, "show", rapid.Bool()),
		Summary: rapid.SampledFrom([]string{"", "auto"}).Draw(t, "summary"),
	}
	r.Output = llm.Output{Kind: rapid.SampledFrom([]llm.OutputKind{"", llm.OutputSchema}).Draw(t, "output"), Verbosity: rapid.SampledFrom([]string{"", "low"}).Draw(t, "verbosity")}
	r.UserID = rapid.StringN(0, 70, -1).Draw(t, "user")
	r.ServiceTier = rapid.SampledFrom([]string{"", "standard_only", "odd"}).Draw(t, "tier")
	r.Store = maybe(t, "store", rapid.Bool())
	if rapid.Bool().Draw(t, "rest") {
		r.Metadata, r.CacheKey, r.Safety = map[string]string{"a": "b"}, "key", []byte(`[]`)
		r.Include, r.Cache = []string{"x"}, &llm.Cache{}
	}
	return r
}

func anyFormat(t *rapid.T) llm.Format {
	return rapid.SampledFrom([]llm.Format{llm.Chat, llm.Responses, llm.Messages, llm.Gemini}).Draw(t, "format")
}

func anyPart(t *rapid.T, role llm.Role) llm.Part {
	id := rapid.SampledFrom([]string{"1", "2", "an id that is not safe"}).Draw(t, "id")
	cache := maybe(t, "cache", rapid.Just(llm.Cache{}))
	words := rapid.StringN(0, 3, -1).Draw(t, "words")
	signature := rapid.SampledFrom([]string{"", "c2ln"}).Draw(t, "signature")
	parts := []llm.Part{
		&llm.Text{Text: words, Cache: cache},
		&llm.Opaque{Origin: anyFormat(t), Raw: []byte(`{"type":"other"}`)},
	}
	switch role {
	case llm.Assistant:
		parts = append(parts,
			&llm.ToolCall{ID: id, Name: "f0", Arguments: words, Cache: cache},
			&llm.Thinking{Text: words, Signature: signature, Origin: anyFormat(t), Redacted: words == ""},
			&llm.Thinking{Signature: signature, Origin: anyFormat(t)},
			&llm.Refusal{Text: words})
	case llm.User:
		parts = append(parts,
			&llm.Media{Kind: llm.Image, Data: "aW1n", Name: words, Cache: cache},
			&llm.Media{Kind: llm.File, FileID: "f", Origin: anyFormat(t)},
			&llm.Media{Kind: llm.Video, URL: "https://example.com"},
			&llm.ToolResult{ID: id, Content: []llm.Part{
				&llm.Text{Text: words}, &llm.Media{Kind: llm.Image, URL: "https://example.com", Cache: cache},
			}, Failed: rapid.Bool().Draw(t, "failed"), Cache: cache},
			&llm.ToolResult{ID: id, Content: []llm.Part{&llm.Text{Text: words}}})
	}
	return rapid.SampledFrom(parts).Draw(t, "part")
}

// anyEvents draws events in any order, ended, or not, somewhere.
func anyEvents(t *rapid.T) []llm.Event {
	usage := &llm.Usage{Input: 9, CacheRead: 4, CacheWrite: 2, Output: 7, Reasoning: 3}
	events := []llm.Event{{Kind: llm.Start, ID: rapid.SampledFrom([]string{"", "id"}).Draw(t, "id"), Model: "m"}}
	for range rapid.IntRange(0, 24).Draw(t, "events") {
		index := rapid.IntRange(0, 4).Draw(t, "index")
		e := llm.Event{Index: index, Kind: rapid.SampledFrom([]llm.EventKind{
			llm.PartStart, llm.PartStart, llm.Delta, llm.Delta, llm.Delta, llm.Signed, llm.PartEnd,
		}).Draw(t, "kind")}
		switch e.Kind {
		case llm.PartStart:
			e.Part = rapid.SampledFrom([]llm.PartKind{
				llm.TextPart, llm.ThinkingPart, llm.RefusalPart, llm.ToolCallPart, llm.ToolCallPart, llm.MediaPart,
			}).Draw(t, "part")
			switch e.Part {
			case llm.ToolCallPart:
				e.ID = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "call")
				e.Name = rapid.SampledFrom([]string{"f", "g", "shell"}).Draw(t, "tool")
			case llm.MediaPart:
				e.Media = rapid.SampledFrom([]*llm.Media{
					{Kind: llm.Image, MIME: "image/png", Data: "aW1n"}, {Kind: llm.Audio, Data: "c291bmQ="},
				}).Draw(t, "media")
			case llm.ThinkingPart:
				e.Redacted = rapid.Bool().Draw(t, "redacted")
			}
		case llm.Delta:
			e.Text = rapid.SampledFrom([]string{"", "a", `"b`, "{}", "\n"}).Draw(t, "text")
		case llm.Signed:
			e.Text, e.Origin = "c2ln", anyFormat(t)
		}
		events = append(events, e)
	}
	if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
		return append(events, llm.Event{Kind: llm.Failed, Failure: &llm.Failure{Type: "t", Code: "c", Message: "m", Param: "p"}})
	}
	return append(events, llm.Event{Kind: llm.Finish, Usage: usage, Reason: rapid.SampledFrom([]llm.FinishReason{
		llm.Stop, llm.StopSequence, llm.Length, llm.ToolCalls, llm.Filtered, llm.Refused, llm.Paused, llm.Broken, "",
	}).Draw(t, "reason")})
}
