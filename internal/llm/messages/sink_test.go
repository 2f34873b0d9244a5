package messages

import (
	"encoding/json"

	"github.com/understudyhq/understudy/internal/llm"
)

// kitchenSink is a request with all that the format can say, and all that it cannot but for
// what it refuses.
func kitchenSink() *llm.Request {
	return &llm.Request{
		Model: "claude-sonnet-4-5", Stream: true,
		Messages: []llm.Message{
			{Role: llm.System, Parts: []llm.Part{&llm.Text{Text: "First.", Cache: &llm.Cache{TTL: "1h"}}, &llm.Text{Text: "Second."}}},
			{Role: llm.User, Name: "ann", Parts: []llm.Part{
				&llm.Text{Text: "Look:"}, &llm.Text{},
				&llm.Media{Kind: llm.Image, MIME: "image/jpg", Data: "/9j/4AAQ", Detail: "high", Name: "a.jpg"},
				&llm.Media{Kind: llm.Image, URL: "https://example.com/a.png", Cache: &llm.Cache{}},
				&llm.Media{Kind: llm.File, Data: "JVBERi0xLjQ=", Name: "a.pdf"},
				&llm.Media{Kind: llm.File, MIME: "text/csv; charset=utf-8", Data: "YSxiCjEsMg==", Name: "a.csv"},
				&llm.Opaque{Origin: llm.Gemini, Raw: json.RawMessage(`{"executableCode":{}}`)},
			}},
			{Role: llm.Developer, Parts: []llm.Part{&llm.Text{Text: "Third."}}},
			{Role: llm.Assistant, Parts: []llm.Part{
				&llm.Thinking{Text: "own", Signature: "EqQB", Origin: llm.Messages},
				&llm.Thinking{Text: "foreign", Signature: "CiQB", Origin: llm.Gemini},
				&llm.Thinking{Text: "unsigned"},
				&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBORw0KGgo="},
				&llm.ToolCall{ID: "call.1", Name: "ns.tool", Arguments: `{"a": 1}`},
				&llm.Text{Text: "Calling."},
				&llm.ToolCall{ID: "call_2", Name: "t", Arguments: `{"broken`, Cache: &llm.Cache{}},
				&llm.ToolCall{ID: "call_3", Name: "t"},
			}},
			{Role: llm.User, Parts: []llm.Part{
				&llm.Text{Text: "And?"},
				&llm.ToolResult{ID: "call_2", Failed: true, Content: []llm.Part{&llm.Text{Text: "no"}}},
				&llm.ToolResult{ID: "call.1", Name: "ns.tool", Content: []llm.Part{
					&llm.Text{Text: `{"ok":true}`}, &llm.Media{Kind: llm.Image, URL: "https://example.com/b.png"},
				}, Structured: true, Cache: &llm.Cache{TTL: "5m"}},
				&llm.ToolResult{ID: "call_9", Content: []llm.Part{&llm.Text{Text: "orphan"}}},
			}},
			{Role: llm.Assistant, Parts: []llm.Part{&llm.Refusal{Text: "I will not."}}},
			{Role: llm.User, Parts: []llm.Part{&llm.Text{Text: "Please."}}},
			{Role: llm.Assistant, Parts: []llm.Part{&llm.Text{Text: "Well,"}}},
		},
		Tools: []llm.Tool{
			{Kind: llm.Function, Name: "t", Description: "Does it.", Schema: json.RawMessage(`{"properties":{"a":{"type":"integer"}}}`), Strict: yes(), Cache: &llm.Cache{}},
			{Kind: llm.Function, Name: "ns.tool"},
			{Kind: llm.Custom, Name: "patch", Description: "Free text.", Raw: json.RawMessage(`{"type":"grammar"}`), Origin: llm.Responses},
			{Kind: llm.WebSearch, Name: "web_search", Raw: json.RawMessage(`{"type":"web_search","search_context_size":"low"}`), Origin: llm.Responses},
		},
		Choice: llm.ToolChoice{Mode: llm.Auto}, Parallel: no(),
		MaxTokens: count(20_000), Stop: []string{"END", "\n"},
		Sampling: llm.Sampling{
			Temperature: number(0.5), TopP: number(0.97), TopK: count(40), FrequencyPenalty: number(1), PresencePenalty: number(1),
			Seed: count(7), Candidates: count(2), LogProbs: yes(), TopLogProbs: count(3),
		},
		Reasoning: llm.Reasoning{Level: llm.LevelMax, Show: yes(), Summary: "detailed"},
		Output: llm.Output{
			Kind: llm.OutputSchema, Name: "answer", Description: "An answer.", Strict: no(), Verbosity: "low",
			Schema:     json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}`),
			Modalities: []string{"audio"}, Audio: json.RawMessage(`{"voice":"x"}`),
		},
		UserID: "user-1", Metadata: map[string]string{"k": "v"}, ServiceTier: "flex", CacheKey: "key",
		Safety: json.RawMessage(`[]`), Cache: &llm.Cache{}, StreamUsage: true, Store: yes(), Include: []string{"message.output_text.logprobs"},
	}
}

func yes() *bool                     { return flagged(true) }
func no() *bool                      { return flagged(false) }
func flagged(b bool) *bool           { return &b }
func count(n int64) *int64           { return &n }
func number(f float64) *float64      { return &f }
func text(s string) *llm.Text        { return &llm.Text{Text: s} }
func parts(p ...llm.Part) []llm.Part { return p }
