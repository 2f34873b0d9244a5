package responses

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/llm"
)

// What the format can say comes back as it was.
func TestRequest_RoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := sayable(rt)
		body, lost, err := Codec{}.EncodeRequest(nil, r, llm.Target{})
		require.NoError(rt, err)
		require.Empty(rt, lost)
		back, err := Codec{}.DecodeRequest(body)
		require.NoError(rt, err, string(body))
		require.Equal(rt, describe(t, r), describe(t, back), string(body))
		again, _, err := Codec{}.EncodeRequest(nil, back, llm.Target{})
		require.NoError(rt, err)
		require.Equal(rt, string(body), string(again))
	})
}

var words1 = rapid.StringMatching(`[a-zA-Z0-9 "\\\n\t{}é😀<>&]{1,20}`)

func oneOf[T any](t *rapid.T, values ...T) T { return rapid.SampledFrom(values).Draw(t, "one") }

func maybe(t *rapid.T) bool { return rapid.Bool().Draw(t, "maybe") }

// sayable makes a request that the format can say in the form that its decoder would give it.
func sayable(t *rapid.T) *llm.Request {
	r := &llm.Request{
		Model: oneOf(t, "gpt-5.5", "m(high)", ""), Stream: maybe(t), Store: ptr(maybe(t)),
		UserID: oneOf(t, "", "u"), CacheKey: oneOf(t, "", "k"), ServiceTier: oneOf(t, "", "flex", "auto"),
		PreviousResponseID: oneOf(t, "", "resp_1"),
		Reasoning:          oneOf(t, llm.Reasoning{}, llm.Reasoning{Level: llm.LevelHigh}, llm.Reasoning{Level: llm.LevelNone}, llm.Reasoning{Level: "odd", Summary: "concise", Show: ptr(true)}),
		Output: oneOf(t, llm.Output{}, llm.Output{Kind: llm.OutputText}, llm.Output{Kind: llm.OutputJSON, Verbosity: "low"},
			llm.Output{Kind: llm.OutputSchema, Name: "n", Description: "d", Schema: []byte(`{"type":"object"}`), Strict: ptr(false)}),
	}
	r.StreamUsage = r.Stream
	if maybe(t) {
		r.Metadata = map[string]string{"a": words1.Draw(t, "value"), "b\n": ""}
	}
	if maybe(t) {
		r.MaxTokens, r.Sampling.Temperature, r.Sampling.TopP = ptr(int64(16)), ptr(0.3), ptr(1.0)
	}
	if r.Reasoning.Said() && !r.Reasoning.Off() && !*r.Store {
		r.Include = []string{encryptedContent}
	}
	sayableTools(t, r)
	sayableMessages(t, r)
	return r
}

func sayableTools(t *rapid.T, r *llm.Request) {
	if maybe(t) {
		return
	}
	r.Tools = []llm.Tool{
		{Kind: llm.Function, Name: "f", Description: oneOf(t, "", "d\"\n"), Schema: []byte(`{"type":"object","properties":{"a":{}}}`), Strict: ptr(maybe(t))},
		{Kind: llm.Custom, Name: "c", Origin: llm.Responses, Raw: []byte(`{"type":"custom","name":"c","format":{"type":"text"}}`)},
		{Kind: llm.WebSearch, Name: "web_search", Origin: llm.Responses, Raw: []byte(`{"type":"web_search","filters":null}`)},
		{Kind: llm.Builtin, Name: "mcp:s", Origin: llm.Responses, Raw: []byte(`{"type":"mcp","server_label":"s"}`)},
	}
	r.Choice = oneOf(t, llm.ToolChoice{}, llm.ToolChoice{Mode: llm.Auto}, llm.ToolChoice{Mode: llm.None}, llm.ToolChoice{Mode: llm.Named, Name: "c"},
		llm.ToolChoice{Mode: llm.Named, Name: "web_search"}, llm.ToolChoice{Mode: llm.Required, Allowed: []string{"f", "c", "mcp:s"}})
	r.Parallel = oneOf(t, nil, ptr(false))
}

func sayableMessages(t *rapid.T, r *llm.Request) {
	if maybe(t) {
		r.Messages = append(r.Messages, llm.Message{Role: llm.System, Parts: []llm.Part{say(words1.Draw(t, "system"))}})
	}
	for turn := range rapid.IntRange(0, 4).Draw(t, "turns") {
		parts := []llm.Part{}
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			parts = append(parts, sayableInput(t, true))
		}
		r.Messages = append(r.Messages, llm.Message{Role: oneOf(t, llm.User, llm.Developer, llm.System), Parts: parts})
		if maybe(t) {
			sayableTurn(t, r, digits(turn))
		}
	}
	if len(r.Messages) > 0 && maybe(t) {
		r.Messages = append(r.Messages, user(&llm.Opaque{
			Origin: llm.Responses, Raw: []byte(`{"type":"item_reference","id":"x"}`), Needed: "an input item of the type item_reference",
		}))
	}
}

func sayableInput(t *rapid.T, audio bool) llm.Part {
	parts := []llm.Part{
		say(words1.Draw(t, "text")), &llm.Media{Kind: llm.Image, URL: "https://x.example/a.png", Detail: oneOf(t, "", "auto", "original")},
		&llm.Media{Kind: llm.Image, MIME: "image/webp", Data: "AAAA"}, &llm.Media{Kind: llm.Image, FileID: "f", Origin: llm.Responses},
		&llm.Media{Kind: llm.File, MIME: "text/csv", Data: "AAAA", Name: "a.csv"}, &llm.Media{Kind: llm.File, URL: "https://x.example/b"},
		&llm.Media{Kind: llm.File, FileID: "f", Origin: llm.Responses, Detail: "low"},
	}
	if audio {
		parts = append(parts, &llm.Media{Kind: llm.Audio, MIME: "audio/mpeg", Data: "AAAA"})
	}
	return rapid.SampledFrom(parts).Draw(t, "part")
}

// sayableTurn adds a turn of the assistant's and what its calls have brought.
func sayableTurn(t *rapid.T, r *llm.Request, id string) {
	var said, results []llm.Part
	for i := range rapid.IntRange(1, 4).Draw(t, "items") {
		callID := "call_" + id + "_" + digits(i)
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			said = append(said, &llm.Thinking{ID: oneOf(t, "", "rs_1"), Text: words1.Draw(t, "thought"), Signature: "c2ln", Origin: llm.Responses})
		case 1:
			said = append(said, &llm.Refusal{Text: words1.Draw(t, "refusal")})
		case 2:
			content := []llm.Part{}
			for range rapid.IntRange(0, 2).Draw(t, "content") {
				content = append(content, sayableInput(t, false))
			}
			call := toolCall(callID, "f", oneOf(t, `{"a":1}`, `{"broken`))
			if len(r.Tools) > 0 && maybe(t) {
				call = toolCall(callID, "c", string(wrapped(words1.Draw(t, "input"))))
			}
			said = append(said, call)
			results = append(results, &llm.ToolResult{ID: callID, Content: content})
		case 3:
			said = append(said, &llm.Media{Kind: llm.Image, MIME: "image/jpeg", Data: "AAAA"})
		}
	}
	r.Messages = append(r.Messages, assistant(append(said, say(words1.Draw(t, "words")))...))
	if len(results) > 0 {
		r.Messages = append(r.Messages, user(results...))
	}
}

func wrapped(text string) []byte {
	b, _ := json.Marshal(text)
	return slices.Concat([]byte(`{"input":`), unescapeHTML(b), []byte("}"))
}

// unescapeHTML undoes what only encoding/json escapes.
func unescapeHTML(b []byte) []byte {
	return []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b)))
}

// Whatever a request holds, what comes of it is valid, and what is lost is in the table.
func TestEncodeRequest_LosesOnlyWhatTheTableLists(t *testing.T) {
	t.Parallel()
	lossy := losing()
	rapid.Check(t, func(rt *rapid.T) {
		r := sayable(rt)
		for _, which := range rapid.SliceOf(rapid.IntRange(0, len(table)-1)).Draw(rt, "losing") {
			l := lossy[lost(which)]
			r.Messages = append(r.Messages, l.Messages...)
			r.Tools = append(r.Tools, l.Tools...)
			r.Cache, r.Stop, r.Safety = l.Cache, l.Stop, l.Safety
			if l.Sampling != (llm.Sampling{}) {
				r.Sampling = l.Sampling
			}
		}
		body, lost, err := Codec{}.EncodeRequest(nil, r, llm.Target{Compatible: maybe(rt)})
		require.NoError(rt, err)
		require.True(rt, json.Valid(body), string(body))
		require.NotContains(rt, string(body), `"content":[]`)
		for _, l := range lost {
			require.Contains(rt, table[:], l)
		}
	})
}

// anyEvents makes what a decoder may send: parts that interleave, ids and names that are not
// there, ends in the middle.
func anyEvents(t *rapid.T) []llm.Event {
	var events []llm.Event
	if maybe(t) {
		events = append(events, llm.Event{Kind: llm.Start, ID: oneOf(t, "", "msg_1", "resp_9", "an id/with signs"), Model: oneOf(t, "", "claude")})
	}
	for range rapid.IntRange(0, 20).Draw(t, "events") {
		e := llm.Event{Kind: oneOf(t, llm.PartStart, llm.Delta, llm.Delta, llm.Delta, llm.Signed, llm.PartEnd), Index: rapid.IntRange(0, 3).Draw(t, "index")}
		switch e.Kind {
		case llm.PartStart:
			e.Part = oneOf(t, llm.TextPart, llm.ThinkingPart, llm.RefusalPart, llm.ToolCallPart, llm.ToolCallPart, llm.MediaPart)
			switch e.Part {
			case llm.ToolCallPart:
				e.ID, e.Name = oneOf(t, "", "toolu_1", "call_2"), oneOf(t, "", "get_weather", "github__search", "github__run", "apply_patch", "other")
			case llm.ThinkingPart:
				e.Redacted = maybe(t)
			case llm.MediaPart:
				e.Media = oneOf(t, &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "AAAA"}, &llm.Media{Kind: llm.Image, URL: "https://x.example"}, &llm.Media{Kind: llm.Audio, Data: "AAAA"})
			}
		case llm.Delta:
			e.Text = oneOf(t, words1.Draw(t, "text"), `{"input":"`, `a\n\u00e9`, `"}`, ``)
		case llm.Signed:
			e.Text, e.Origin = "c2ln", oneOf(t, llm.Messages, llm.Gemini, llm.Responses)
		}
		events = append(events, e)
	}
	if maybe(t) {
		return append(events, llm.Event{Kind: llm.Failed, Failure: &llm.Failure{Status: 500, Message: "broke"}})
	}
	finish := llm.Event{Kind: llm.Finish, Reason: oneOf(t, llm.Stop, llm.StopSequence, llm.Length, llm.ToolCalls, llm.Filtered, llm.Refused, llm.Paused, llm.Broken)}
	if maybe(t) {
		finish.Usage = &llm.Usage{Input: 9, CacheRead: 3, CacheWrite: 1, Output: 5, Reasoning: 2}
	}
	return append(events, finish)
}

// A stream is valid, comes to the same as the whole answer, and is understood as the same.
func TestStream_AgreesWithTheWholeAnswer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		events := anyEvents(rt)
		r := replyTo(oneOf(rt, client(), &llm.Request{Model: "m"}))
		stream := encodeStream(events, r)
		whole := Codec{}.EncodeAnswer(nil, llm.Collect(events), r)
		require.Equal(rt, string(whole), accumulate(rt, stream).response)

		var data []string
		for _, e := range scan(rt, stream) {
			data = append(data, e.data)
		}
		read, err := Codec{}.DecodeAnswer(whole)
		require.NoError(rt, err)
		require.Equal(rt, describe(t, llm.Collect(read)), describe(t, llm.Collect(decodeStream(rt, data...))))
	})
}
