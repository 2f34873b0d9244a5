package responses

import "github.com/understudyhq/understudy/internal/llm"

// kitchenSink holds all that the format can say.
func kitchenSink() *llm.Request {
	return &llm.Request{
		Model: "gpt-5.5", Stream: true, StreamUsage: true,
		Messages: []llm.Message{
			{Role: llm.System, Parts: []llm.Part{say("Be brief.")}},
			{Role: llm.Developer, Parts: []llm.Part{say("Use metric units."), say("Say please.")}},
			user(
				say("What is this?"),
				&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBORw0K", Detail: "high"},
				&llm.Media{Kind: llm.Image, URL: "https://x.example/a.jpg"},
				&llm.Media{Kind: llm.Image, FileID: "file-1", Origin: llm.Responses},
				&llm.Media{Kind: llm.File, MIME: "application/pdf", Data: "JVBERi0=", Name: "a.pdf"},
				&llm.Media{Kind: llm.File, URL: "https://x.example/b.pdf"},
				&llm.Media{Kind: llm.Audio, MIME: "audio/wav", Data: "UklGRg=="},
			),
			assistant(
				&llm.Thinking{ID: "rs_1", Text: "Two tools.", Signature: "gAAAA", Origin: llm.Responses},
				say("I look it up."),
				toolCall("call_1", "get_weather", `{"city":"Paris"}`),
				toolCall("call_2", "apply_patch", `{"input":"*** Begin Patch\n"}`),
			),
			user(
				toolResult("call_1", say("sunny")),
				toolResult("call_2", say("done"), &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBORw0K"}),
			),
			assistant(&llm.Refusal{Text: "No more."}),
			user(say("Go on.")),
		},
		Tools: []llm.Tool{
			{Kind: llm.Function, Name: "get_weather", Description: "Tells the weather.", Schema: []byte(`{"type":"object","properties":{"city":{"type":"string"}}}`), Strict: ptr(true)},
			{Kind: llm.Custom, Name: "apply_patch", Description: "Edits files.", Origin: llm.Responses, Raw: []byte(`{"type":"custom","name":"apply_patch","description":"Edits files.","format":{"type":"grammar","syntax":"lark","definition":"start: x"}}`)},
			{Kind: llm.WebSearch, Name: "web_search", Origin: llm.Responses, Raw: []byte(`{"type":"web_search","search_context_size":"low"}`)},
			{Kind: llm.Builtin, Name: "image_generation", Origin: llm.Responses, Raw: []byte(`{"type":"image_generation"}`)},
		},
		Choice:    llm.ToolChoice{Mode: llm.Required, Allowed: []string{"get_weather", "apply_patch", "web_search", "image_generation"}},
		Parallel:  ptr(false),
		MaxTokens: ptr(int64(4096)),
		Sampling:  llm.Sampling{Temperature: ptr(0.7), TopP: ptr(0.9)},
		Reasoning: llm.Reasoning{Level: llm.LevelHigh, Summary: "auto", Show: ptr(true)},
		Output: llm.Output{
			Kind: llm.OutputSchema, Name: "weather", Description: "What it is like.",
			Schema: []byte(`{"type":"object","properties":{}}`), Strict: ptr(true), Verbosity: "low",
		},
		UserID: "user-1", Metadata: map[string]string{"b": "2", "a": "1"}, ServiceTier: "flex", CacheKey: "key",
		Store: ptr(false), Include: []string{encryptedContent},
	}
}

// foreign holds what other formats can say: a request as it comes from Claude Code, and
// more.
func foreign() *llm.Request {
	return &llm.Request{
		Model: "gpt-5.5", Stream: true,
		Messages: []llm.Message{
			{Role: llm.System, Parts: []llm.Part{say("You are an agent."), &llm.Text{Text: "Rules.", Cache: &llm.Cache{TTL: "1h"}}}},
			user(say("<system-reminder>x</system-reminder>"), say(""), &llm.Text{Text: "Fix it.", Cache: &llm.Cache{}}),
			assistant(
				&llm.Thinking{Text: "Hm.", Signature: "c2ln", Origin: llm.Messages},
				toolCall("toolu_01:odd id/with signs", "mcp__server__with_a_name_that_is_longer_than_the_vendor_takes_it_to_be", ``),
				say("Meanwhile."),
			),
			user(say("Wait."), toolResult("toolu_01:odd id/with signs", say("ok"))),
			assistant(toolCall("toolu_02", "ls", `{"path":"."}`)),
			user(&llm.ToolResult{ID: "toolu_02", Content: []llm.Part{say("no such file")}, Failed: true}),
			{Role: llm.System, Parts: []llm.Part{say("A note in the middle.")}},
			user(&llm.ToolResult{ID: "toolu_lost", Name: "cat", Content: []llm.Part{say("contents")}}),
			user(&llm.Media{Kind: llm.File, Text: "plain words", Name: "notes.txt", MIME: "text/plain"}),
		},
		Tools: []llm.Tool{
			{Kind: llm.Function, Name: "mcp__server__with_a_name_that_is_longer_than_the_vendor_takes_it_to_be", Schema: []byte(`{"type":"object","properties":{}}`)},
			{Kind: llm.Function, Name: "ls"},
			{Kind: llm.WebSearch, Name: "web_search", Origin: llm.Messages, Raw: []byte(`{"type":"web_search_20250305","name":"web_search","max_uses":5}`)},
		},
		Choice:    llm.ToolChoice{Mode: llm.Auto},
		MaxTokens: ptr(int64(1)),
		Stop:      []string{"END"},
		Sampling:  llm.Sampling{TopK: ptr(int64(40)), Temperature: ptr(1.0)},
		Reasoning: llm.Reasoning{Budget: ptr(int64(10000))},
		UserID:    `{"device_id":"0000000000000000000000000000000000000000000000000000000000000000","account_uuid":"","session_id":"s"}`,
	}
}
