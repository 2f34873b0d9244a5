package messages

import (
	"encoding/json"
	"fmt"

	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/llm"
)

// words is text that is more than white space.
func words() *rapid.Generator[string] {
	return rapid.Map(rapid.StringN(0, 20, -1), func(s string) string { return "w" + s })
}

func name() *rapid.Generator[string] { return rapid.StringMatching(`[A-Za-z0-9_-]{1,40}`) }

func maybe[T any](t *rapid.T, g *rapid.Generator[T], label string) *T {
	return rapid.Ptr(g, true).Draw(t, label)
}

func cacheMark(t *rapid.T) *llm.Cache {
	ttl := maybe(t, rapid.SampledFrom([]string{"", "5m", "1h"}), "ttl")
	if ttl == nil {
		return nil
	}
	return &llm.Cache{TTL: *ttl}
}

func object(t *rapid.T) string {
	b, err := json.Marshal(rapid.MapOfN(name(), words(), 0, 3).Draw(t, "object"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sayable is a request of which the format can say everything.
func sayable(t *rapid.T) *llm.Request {
	r := &llm.Request{
		Model:     rapid.SampledFrom([]string{"m", "claude-opus-5", "claude-haiku-4-5"}).Draw(t, "model"),
		Stream:    rapid.Bool().Draw(t, "stream"),
		MaxTokens: count(rapid.Int64Range(2000, 64000).Draw(t, "max_tokens")),
		UserID:    words().Draw(t, "user"),
		Stop:      rapid.SliceOfN(words(), 0, 2).Draw(t, "stop"),
		Sampling: llm.Sampling{
			Temperature: maybe(t, rapid.Float64Range(0, 1), "temperature"),
			TopP:        maybe(t, rapid.Float64Range(0, 1), "top_p"), TopK: maybe(t, rapid.Int64Range(1, 500), "top_k"),
		},
		ServiceTier: rapid.SampledFrom([]string{"", "auto", "standard_only"}).Draw(t, "tier"),
		Cache:       cacheMark(t),
	}
	if len(r.Stop) == 0 {
		r.Stop = nil
	}
	if rapid.Bool().Draw(t, "schema") {
		r.Output = llm.Output{Kind: llm.OutputSchema, Schema: json.RawMessage(`{"type":"object","properties":{}}`)}
	}
	sayReasoning(t, r)
	sayTools(t, r)
	sayMessages(t, r)
	return r
}

func sayReasoning(t *rapid.T, r *llm.Request) {
	switch {
	case rapid.Bool().Draw(t, "quiet"):
		return
	case rapid.Bool().Draw(t, "off"):
		r.Reasoning.Level = llm.LevelNone
		return
	case r.Model == "claude-opus-5":
		r.Reasoning.Level = rapid.SampledFrom([]llm.Level{
			llm.LevelAuto, llm.LevelLow, llm.LevelMedium, llm.LevelHigh, llm.LevelXHigh, llm.LevelMax,
		}).Draw(t, "level")
	default:
		r.Reasoning.Budget = count(rapid.Int64Range(minBudget, *r.MaxTokens-1).Draw(t, "budget"))
	}
	r.Reasoning.Show = maybe(t, rapid.Bool(), "show")
}

func sayTools(t *rapid.T, r *llm.Request) {
	for i, n := range rapid.SliceOfNDistinct(name(), 0, 3, rapid.ID[string]).Draw(t, "tools") {
		r.Tools = append(r.Tools, llm.Tool{
			Kind: llm.Function, Name: fmt.Sprint(n, i), Description: rapid.String().Draw(t, "description"),
			Schema: json.RawMessage(`{"type":"object","properties":` + object(t) + `}`), Strict: maybe(t, rapid.Bool(), "strict"), Cache: cacheMark(t),
		})
	}
	if len(r.Tools) == 0 {
		return
	}
	r.Choice.Mode = rapid.SampledFrom([]llm.ChoiceMode{llm.Auto, llm.None, llm.Required, llm.Named}).Draw(t, "choice")
	if r.Choice.Mode == llm.Named {
		r.Choice.Name = r.Tools[0].Name
	}
	if r.Choice.Mode == llm.Required || r.Choice.Mode == llm.Named {
		r.Reasoning = llm.Reasoning{}
	}
	if r.Choice.Mode != llm.None {
		r.Parallel = maybe(t, rapid.Bool(), "parallel")
	}
}

func sayMessages(t *rapid.T, r *llm.Request) {
	if rapid.Bool().Draw(t, "system") {
		r.Messages = append(r.Messages, llm.Message{Role: llm.System, Parts: parts(&llm.Text{Text: words().Draw(t, "system"), Cache: cacheMark(t)})})
	}
	r.Messages = append(r.Messages, llm.Message{Role: llm.User, Parts: userParts(t)})
	calls := 0
	for range rapid.IntRange(0, 3).Draw(t, "turns") {
		assistant := llm.Message{Role: llm.Assistant}
		user := llm.Message{Role: llm.User}
		for range rapid.IntRange(0, 2).Draw(t, "thoughts") {
			assistant.Parts = append(assistant.Parts, thought(t))
		}
		assistant.Parts = append(assistant.Parts, text(words().Draw(t, "text")))
		for range rapid.IntRange(0, 2).Draw(t, "calls") {
			calls++
			id := fmt.Sprint("call_", calls)
			assistant.Parts = append(assistant.Parts, &llm.ToolCall{ID: id, Name: name().Draw(t, "name"), Arguments: object(t), Cache: cacheMark(t)})
			result := &llm.ToolResult{ID: id, Failed: rapid.Bool().Draw(t, "failed"), Cache: cacheMark(t)}
			if rapid.Bool().Draw(t, "content") {
				result.Content = userParts(t)
			}
			user.Parts = append(user.Parts, result)
		}
		user.Parts = append(user.Parts, userParts(t)...)
		r.Messages = append(r.Messages, assistant, user)
	}
}

func thought(t *rapid.T) llm.Part {
	signature := rapid.StringMatching(`[A-Za-z0-9+/]{4,12}`).Draw(t, "signature")
	if rapid.Bool().Draw(t, "redacted") {
		return &llm.Thinking{Signature: signature, Origin: llm.Messages, Redacted: true}
	}
	return &llm.Thinking{Text: rapid.String().Draw(t, "thought"), Signature: signature, Origin: llm.Messages}
}

func userParts(t *rapid.T) []llm.Part {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) llm.Part {
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0:
			return &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBORw0KGgo=", Cache: cacheMark(t)}
		case 1:
			return &llm.Media{Kind: llm.Image, URL: "https://example.com/" + name().Draw(t, "url")}
		case 2:
			return &llm.Media{Kind: llm.File, MIME: pdf, Data: "JVBERi0xLjQ=", Name: words().Draw(t, "title")}
		case 3:
			return &llm.Media{Kind: llm.File, MIME: plainText, Text: words().Draw(t, "document"), Cache: cacheMark(t)}
		case 4:
			return &llm.Media{Kind: llm.Image, FileID: name().Draw(t, "file"), Origin: llm.Messages}
		case 5:
			return &llm.Opaque{Origin: llm.Messages, Raw: json.RawMessage(`{"type":"new_block","n":` + object(t) + `}`)}
		default:
			return &llm.Text{Text: words().Draw(t, "text"), Cache: cacheMark(t)}
		}
	}), 1, 3).Draw(t, "parts")
}

// anything is a request with whatever the canonical form has.
func anything(t *rapid.T) *llm.Request {
	r := sayable(t)
	sink := kitchenSink()
	flip := func(label string, set func()) {
		if rapid.Bool().Draw(t, label) {
			set()
		}
	}
	flip("messages", func() { r.Messages = append(r.Messages, sink.Messages...) })
	flip("tools", func() { r.Tools = append(r.Tools, sink.Tools...) })
	flip("choice", func() {
		r.Choice = llm.ToolChoice{Mode: rapid.SampledFrom([]llm.ChoiceMode{llm.Required, llm.Named, llm.None, ""}).Draw(t, "mode"), Name: "t"}
	})
	flip("allowed", func() { r.Choice.Allowed = []string{"t"} })
	flip("sampling", func() { r.Sampling = sink.Sampling })
	flip("output", func() { r.Output = sink.Output })
	flip("json", func() { r.Output.Kind = llm.OutputJSON })
	flip("reasoning", func() {
		r.Reasoning = llm.Reasoning{Level: rapid.SampledFrom([]llm.Level{"", llm.LevelAuto, llm.LevelMinimal, llm.LevelXHigh, llm.LevelMax, "odd"}).Draw(t, "level"), Show: yes(), Summary: "concise"}
	})
	flip("budget", func() { r.Reasoning = llm.Reasoning{Budget: count(rapid.Int64().Draw(t, "budget"))} })
	flip("max", func() { r.MaxTokens = maybe(t, rapid.Int64(), "max") })
	flip("rest", func() {
		r.UserID, r.Metadata, r.ServiceTier, r.CacheKey = sink.UserID, sink.Metadata, sink.ServiceTier, sink.CacheKey
		r.Safety, r.Store, r.Include = sink.Safety, sink.Store, sink.Include
	})
	return r
}

// answerEvents is the events of an answer as a decoder may give them: parts interleave,
// begin without end and end late.
func answerEvents(t *rapid.T, wild bool) []llm.Event {
	events := []llm.Event{{Kind: llm.Start, ID: rapid.SampledFrom([]string{"", "msg_1", "chatcmpl-1"}).Draw(t, "id"), Model: "m"}}
	n := rapid.IntRange(0, 4).Draw(t, "parts")
	var queues [][]llm.Event
	for i := range n {
		queues = append(queues, partEvents(t, i, wild))
	}
	for len(queues) > 0 {
		i := rapid.IntRange(0, len(queues)-1).Draw(t, "next")
		events = append(events, queues[i][0])
		if queues[i] = queues[i][1:]; len(queues[i]) == 0 {
			queues = append(queues[:i], queues[i+1:]...)
		}
	}
	usage := llm.Usage{Input: 50, CacheRead: 20, CacheWrite: 10, Output: rapid.Int64Range(0, 9).Draw(t, "output"), Reasoning: rapid.Int64Range(0, 5).Draw(t, "reasoning")}
	return append(events, llm.Event{
		Kind: llm.Finish, Usage: &usage, StopSequence: rapid.SampledFrom([]string{"", "END"}).Draw(t, "sequence"),
		Reason: rapid.SampledFrom([]llm.FinishReason{
			"", llm.Stop, llm.StopSequence, llm.Length, llm.ToolCalls, llm.Filtered, llm.Refused, llm.Paused, llm.Broken,
		}).Draw(t, "reason"),
	})
}

func partEvents(t *rapid.T, index int, wild bool) []llm.Event {
	start := llm.Event{Kind: llm.PartStart, Index: index, Part: rapid.SampledFrom([]llm.PartKind{
		llm.TextPart, llm.ThinkingPart, llm.RefusalPart, llm.ToolCallPart, llm.MediaPart,
	}).Draw(t, "part")}
	deltas := rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "deltas")
	events := []llm.Event{}
	switch start.Part {
	case llm.ToolCallPart:
		start.ID, start.Name = rapid.SampledFrom([]string{"", "call_1", "a.b"}).Draw(t, "id"), rapid.SampledFrom([]string{"", "t"}).Draw(t, "name")
		if !wild {
			deltas = []string{`{"a":`, `"b"}`}
		}
	case llm.MediaPart:
		start.Media, deltas = &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBO"}, nil
	case llm.ThinkingPart:
		if start.Redacted = rapid.Bool().Draw(t, "redacted"); start.Redacted && !wild {
			deltas = nil
		}
	}
	events = append(events, start)
	for _, d := range deltas {
		events = append(events, llm.Event{Kind: llm.Delta, Index: index, Text: d})
	}
	if start.Part == llm.ThinkingPart && rapid.Bool().Draw(t, "signed") {
		events = append(events, llm.Event{
			Kind: llm.Signed, Index: index, Text: "sig", Origin: rapid.SampledFrom([]llm.Format{llm.Messages, llm.Gemini, llm.Responses}).Draw(t, "origin"),
		})
	}
	if rapid.Bool().Draw(t, "end") {
		events = append(events, llm.Event{Kind: llm.PartEnd, Index: index})
	}
	return events
}
