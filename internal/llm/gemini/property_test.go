package gemini_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/gemini"
)

// TestEncodeRequest_LosesOnlyWhatTheTableSays: whatever the request, the body is valid and
// every loss is in the table. The kitchen sink loses each of them once.
func TestEncodeRequest_LosesOnlyWhatTheTableSays(t *testing.T) {
	t.Parallel()
	table := gemini.Codec{}.Losses()
	r := kitchenSink()
	r.Model = "gemini-3-pro"
	_, lost := encode(t, r)
	require.Equal(t, table, lost)

	rapid.Check(t, func(rt *rapid.T) {
		sink, r := kitchenSink(), &llm.Request{Model: rapid.SampledFrom([]string{"gemini-3-pro", "gemini-2.5-pro", "big"}).Draw(rt, "model")}
		some := func() bool { return rapid.Bool().Draw(rt, "some") }
		for range rapid.IntRange(0, 6).Draw(rt, "messages") {
			m := rapid.SampledFrom(sink.Messages).Draw(rt, "message")
			m.Role = rapid.SampledFrom([]llm.Role{llm.System, llm.Developer, llm.User, llm.Assistant}).Draw(rt, "role")
			m.Parts = rapid.SliceOfN(rapid.SampledFrom(m.Parts), 0, 4).Draw(rt, "parts")
			r.Messages = append(r.Messages, m)
		}
		r.Tools = rapid.SliceOfN(rapid.SampledFrom(sink.Tools), 0, 3).Draw(rt, "tools")
		r.Choice.Mode = rapid.SampledFrom([]llm.ChoiceMode{llm.Auto, llm.None, llm.Required, llm.Named, llm.ChoiceDefault}).Draw(rt, "choice")
		r.Choice.Allowed = rapid.SliceOfN(rapid.SampledFrom([]string{"read", "exec", "web_search"}), 0, 2).Draw(rt, "allowed")
		if some() {
			r.Sampling, r.Stop = sink.Sampling, sink.Stop
		}
		if some() {
			r.Output, r.Reasoning = sink.Output, sink.Reasoning
		}
		if some() {
			r.Metadata, r.Store, r.UserID, r.Safety = sink.Metadata, sink.Store, sink.UserID, sink.Safety
		}
		body, lost, err := gemini.Codec{}.EncodeRequest(nil, r, llm.Target{})
		if err != nil {
			require.ErrorAs(t, err, new(*llm.UnsupportedError))
			return
		}
		require.True(t, json.Valid(body), string(body))
		require.Subset(t, table, lost)
		_, err = gemini.Codec{}.DecodeRequest(body)
		require.NoError(t, err)
	})
}

// TestDecodeRequest_UndoesEncodeRequest: what this format can say comes back as it was.
func TestDecodeRequest_UndoesEncodeRequest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		want := drawSayable(rt)
		body, lost, err := gemini.Codec{}.EncodeRequest(nil, want, llm.Target{})
		require.NoError(t, err)
		require.Empty(t, lost)
		got, err := gemini.Codec{}.DecodeRequest(body)
		require.NoError(t, err)
		want.Model = ""
		require.Equal(t, want, got, string(body))
	})
}

// drawSayable draws a request in the order that this format wants: turns of the model and
// the user by turns, results before all else.
func drawSayable(rt *rapid.T) *llm.Request {
	text := rapid.StringMatching(`[a-zé"\\\n<😀]{1,9}`)
	signature := func() *llm.Thinking { return &llm.Thinking{Signature: "b3du", Origin: llm.Gemini} }
	some := func(label string) bool { return rapid.Bool().Draw(rt, label) }
	r := &llm.Request{Model: "gemini-3-pro"}
	if some("system") {
		r.Messages = append(r.Messages, said(llm.System, words(text.Draw(rt, "instruction")), words("b")))
	}
	r.Messages = append(r.Messages, said(llm.User, words(text.Draw(rt, "question"))))
	for range rapid.IntRange(0, 4).Draw(rt, "turns") {
		model, user := said(llm.Assistant, signature(), words(text.Draw(rt, "answer"))), said(llm.User)
		if some("thought") {
			model.Parts = append(model.Parts, &llm.Thinking{Text: text.Draw(rt, "thought"), Signature: "YQ==", Origin: llm.Gemini})
		}
		for i := range rapid.IntRange(0, 3).Draw(rt, "calls") {
			id := rapid.StringMatching(`[a-z]{3}`).Draw(rt, "id") + string(rune('a'+i))
			if i == 0 {
				model.Parts = append(model.Parts, signature())
			}
			model.Parts = append(model.Parts, &llm.ToolCall{ID: id, Name: "f", Arguments: rapid.SampledFrom([]string{"", "{}", `{"a": [1.0]}`}).Draw(rt, "args")})
			user.Parts = append(user.Parts, drawResult(rt, id))
		}
		if some("opaque") {
			model.Parts = append(model.Parts, &llm.Opaque{Origin: llm.Gemini, Raw: json.RawMessage(`{"executableCode":{"code":"1"}}`)})
		}
		user.Parts = append(user.Parts, words(text.Draw(rt, "more")))
		if some("media") {
			user.Parts = append(user.Parts, &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n"},
				&llm.Media{Kind: llm.File, MIME: "text/plain", Text: text.Draw(rt, "document")},
				&llm.Media{Kind: llm.Video, MIME: "video/mp4", URL: "gs://a/b.mp4"},
				&llm.Media{Kind: llm.Audio, MIME: "audio/wav", FileID: "files/a", Origin: llm.Gemini})
		}
		r.Messages = append(r.Messages, model, user)
	}
	drawSettings(rt, r)
	return r
}

func drawResult(rt *rapid.T, id string) *llm.ToolResult {
	res := &llm.ToolResult{ID: id, Name: "f", Failed: rapid.Bool().Draw(rt, "failed"), Structured: rapid.Bool().Draw(rt, "structured")}
	said := rapid.SampledFrom([]string{"", "plain \"text\"", `{"output":1}`}).Draw(rt, "said")
	if res.Structured {
		said = rapid.SampledFrom([]string{`{"a":1,"b":[]}`, `[1]`, `7`, `true`}).Draw(rt, "json")
	}
	if said != "" {
		res.Content = append(res.Content, words(said))
	}
	if rapid.Bool().Draw(rt, "image") {
		res.Content = append(res.Content, &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n"})
	}
	return res
}

func drawSettings(rt *rapid.T, r *llm.Request) {
	some := func(label string) bool { return rapid.Bool().Draw(rt, label) }
	if some("tools") {
		r.Tools = []llm.Tool{
			{Kind: llm.Function, Name: "f", Description: "d", Schema: json.RawMessage(`{"type":"object","properties":{"a":{}},"required":["a"]}`)},
			{Kind: llm.Function, Name: "g"},
			{Kind: llm.WebSearch, Name: "web_search", Raw: json.RawMessage(`{"googleSearch":{"x":1}}`), Origin: llm.Gemini},
			{Kind: llm.Builtin, Name: "urlContext", Raw: json.RawMessage(`{"urlContext":{}}`), Origin: llm.Gemini},
		}
		r.Choice = rapid.SampledFrom([]llm.ToolChoice{
			{},
			{Mode: llm.Auto},
			{Mode: llm.None},
			{Mode: llm.Required},
			{Mode: llm.Named, Name: "g"},
			{Mode: llm.Auto, Allowed: []string{"f"}},
			{Mode: llm.Required, Allowed: []string{"f", "g"}},
		}).Draw(rt, "choice")
	}
	if some("sampling") {
		r.MaxTokens, r.Stop = ptr(rapid.Int64().Draw(rt, "max")), []string{"a", "b"}
		r.Sampling = llm.Sampling{
			Temperature: ptr(rapid.Float64().Draw(rt, "temperature")), TopP: ptr(0.0), TopK: ptr(int64(1)), Seed: ptr(int64(-7)),
			FrequencyPenalty: ptr(0.5), PresencePenalty: ptr(-1.0), Candidates: ptr(int64(1)),
		}
	}
	r.Reasoning = rapid.SampledFrom([]llm.Reasoning{
		{}, {Level: llm.LevelLow}, {Budget: ptr(int64(512)), Show: ptr(true)}, {Show: ptr(false)}, {Level: llm.LevelMinimal, Show: ptr(true)},
	}).Draw(rt, "reasoning")
	r.Output = rapid.SampledFrom([]llm.Output{
		{}, {Kind: llm.OutputJSON}, {Kind: llm.OutputSchema, Schema: json.RawMessage(`{"type":"object","title":"kept"}`)}, {Modalities: []string{"image"}},
	}).Draw(rt, "output")
	r.ServiceTier = rapid.SampledFrom([]string{"", "flex", "priority", "standard"}).Draw(rt, "tier")
	if some("safety") {
		r.Safety = json.RawMessage(`[{"category":"X","threshold":"OFF"}]`)
	}
}

// TestLosses_AreInTheDocumentation holds the section of docs/formats.md against the table.
func TestLosses_AreInTheDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/formats.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Gemini\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	_, table, found := strings.Cut(section, "| what | why |\n| --- | --- |\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	var want []string
	for _, l := range (gemini.Codec{}).Losses() {
		want = append(want, "| `"+l.Path+"` | "+l.Reason+" |")
	}
	require.Equal(t, strings.Join(want, "\n"), strings.TrimRight(table, "\n"))
}
