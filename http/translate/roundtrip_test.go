package translate_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/providers"
)

// The generators draw what every format can say; docs/formats.md lists the rest. What formats
// say in different shapes is compared by its gist.

// sentence draws words: texts of white space alone are nothing to some vendors.
func sentence(t *rapid.T, label string) string {
	return rapid.StringMatching(`[A-Za-z][a-z \n"\\{}<>&é😀]{0,12}[a-z.]`).Draw(t, label)
}

// conversation draws a request that each of the formats can say.
func conversation(t *rapid.T, pair route) *llm.Request {
	r := &llm.Request{Model: "m", MaxTokens: ptr(int64(30_000)), Stream: rapid.Bool().Draw(t, "stream")}
	for range rapid.IntRange(0, 2).Draw(t, "instructions") {
		r.Messages = append(r.Messages, said(llm.System, words(sentence(t, "instruction"))))
	}
	called := 0
	for range rapid.IntRange(1, 4).Draw(t, "turns") {
		r.Messages = append(r.Messages, said(llm.User, userParts(t)...))
		answer := said(llm.Assistant, words(sentence(t, "answer")))
		var results []llm.Part
		for range rapid.IntRange(0, 3).Draw(t, "calls") {
			called++
			id := fmt.Sprintf("call_%d", called)
			args := rapid.SampledFrom([]string{`{}`, `{"a":1}`, `{"b":["x",null,{"c":1.5}],"a":"é\n"}`}).Draw(t, "arguments")
			answer.Parts = append(answer.Parts, &llm.ToolCall{ID: id, Name: "tool_0", Arguments: args})
			results = append(results, &llm.ToolResult{ID: id, Content: []llm.Part{words(sentence(t, "result"))}})
		}
		r.Messages = append(r.Messages, answer)
		if len(results) > 0 {
			r.Messages = append(r.Messages, said(llm.User, results...))
		}
	}
	r.Messages = append(r.Messages, said(llm.User, words(sentence(t, "last"))))
	settings(t, r, pair)
	return r
}

func userParts(t *rapid.T) []llm.Part {
	parts := []llm.Part{words(sentence(t, "question"))}
	if rapid.Bool().Draw(t, "image") {
		parts = append(parts, &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBORw0KGgo="})
	}
	return parts
}

func settings(t *rapid.T, r *llm.Request, pair route) {
	for i := range rapid.IntRange(0, 3).Draw(t, "tools") {
		r.Tools = append(r.Tools, llm.Tool{
			Kind: llm.Function, Name: fmt.Sprintf("tool_%d", i), Description: sentence(t, "description"),
			Schema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`),
		})
	}
	if len(r.Tools) > 0 {
		r.Choice.Mode = rapid.SampledFrom([]llm.ChoiceMode{llm.ChoiceDefault, llm.Auto, llm.None, llm.Required, llm.Named}).Draw(t, "mode")
		if r.Choice.Mode == llm.Named {
			r.Choice.Name = "tool_0"
		}
	}
	if r.Choice.Mode != llm.Required && r.Choice.Mode != llm.Named { // which Anthropic's thinking excludes
		r.Reasoning.Level = rapid.SampledFrom([]llm.Level{"", llm.LevelNone, llm.LevelLow, llm.LevelMedium, llm.LevelHigh}).Draw(t, "level")
	}
	if rapid.Bool().Draw(t, "schema") {
		r.Output = llm.Output{
			Kind: llm.OutputSchema, Name: "answer", Strict: ptr(true),
			Schema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`),
		}
	}
	if !pair.has(providers.OpenAIResponses) {
		r.Stop = rapid.SampledFrom([][]string{nil, {"END"}, {"a", "b"}}).Draw(t, "stop")
	}
	if !pair.has(providers.Gemini) {
		r.UserID = rapid.SampledFrom([]string{"", "user-1"}).Draw(t, "user")
	}
}

func (r route) has(f providers.Format) bool { return r.in == f || r.out == f }

// gist is what a request means, as lines.
func gist(t require.TestingT, r *llm.Request, pair route) []string {
	lines := []string{
		fmt.Sprintf("max %d stop %q schema %s %s", *r.MaxTokens, r.Stop, r.Output.Kind, compact(t, r.Output.Schema)),
		fmt.Sprintf("reasoning %q choice %q %q", r.Reasoning.AsLevel(), r.Choice.Mode, r.Choice.Name),
	}
	if r.UserID != "" && !pair.has(providers.Anthropic) { // Anthropic is always given one
		lines = append(lines, "user "+r.UserID)
	}
	for _, tool := range r.Tools {
		lines = append(lines, fmt.Sprintf("tool %s %s %q %s", tool.Kind, tool.Name, tool.Description, compact(t, tool.Schema)))
	}
	for _, m := range r.Messages {
		who := string(m.Role)
		if m.Role == llm.Developer {
			who = string(llm.System)
		}
		for _, p := range m.Parts {
			if line := gistOf(t, p); line != "" {
				lines = append(lines, who+" "+line)
			}
		}
	}
	return lines
}

func gistOf(t require.TestingT, p llm.Part) string {
	switch p := p.(type) {
	case *llm.Text:
		return fmt.Sprintf("says %q", p.Text)
	case *llm.Media:
		return fmt.Sprintf("shows %s %s %s", p.Kind, p.MIME, p.Data)
	case *llm.ToolCall:
		args := p.Arguments
		if args == "" { // Gemini and Anthropic make no difference
			args = "{}"
		}
		return fmt.Sprintf("calls %s %s %s", p.ID, p.Name, compact(t, []byte(args)))
	case *llm.ToolResult:
		var parts []string
		for _, c := range p.Content {
			parts = append(parts, gistOf(t, c))
		}
		return fmt.Sprintf("got %s %s", p.ID, strings.Join(parts, ", "))
	case *llm.Thinking:
		if p.Text != "" {
			return fmt.Sprintf("thinks %q", p.Text)
		}
		return "" // a signature, or the placeholder that Gemini wants for one
	default:
		return fmt.Sprintf("unexpected %T", p)
	}
}

// compact returns JSON with its members sorted, as no format keeps their order.
func compact(t require.TestingT, raw []byte) string {
	if len(raw) == 0 {
		return "-"
	}
	var v any
	require.NoError(t, json.Unmarshal(raw, &v), string(raw))
	out, err := json.Marshal(v)
	require.NoError(t, err)
	return string(out)
}

// TestRoundTrip_OfRequestsKeepsTheirMeaning takes a request to the upstream's format and back.
func TestRoundTrip_OfRequestsKeepsTheirMeaning(t *testing.T) {
	t.Parallel()
	for _, pair := range routes() {
		t.Run(pair.String(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				r := conversation(t, pair)
				asked, _, err := codecs()[pair.in].EncodeRequest(nil, r, llm.Target{})
				require.NoError(t, err)
				there := requestAs(t, asked, pair.in, pair.out)
				back := requestAs(t, there, pair.out, pair.in)
				meant := gist(t, requestOf(t, pair.in, asked), pair)
				require.Equal(t, meant, gist(t, requestOf(t, pair.out, there), pair), "there: %s", there)
				require.Equal(t, meant, gist(t, requestOf(t, pair.in, back), pair), "and back: %s", back)
			})
		})
	}
}

// requestAs translates a body from one format to another.
func requestAs(t require.TestingT, body []byte, from, to providers.Format) []byte {
	c, err := translate.Decode(from, body, false)
	require.NoError(t, err)
	out, _, err := c.Encode(translate.Upstream{Format: to, Model: "m", Stream: true})
	require.NoError(t, err)
	return out
}

func requestOf(t require.TestingT, f providers.Format, body []byte) *llm.Request {
	r, err := codecs()[f].DecodeRequest(body)
	require.NoError(t, err)
	return r
}

// reply draws an answer that each of the formats can say.
func reply(t *rapid.T, pair route) *llm.Answer {
	a := &llm.Answer{ID: "ans_1", Model: "up", Reason: llm.Stop}
	if rapid.Bool().Draw(t, "thought") {
		a.Parts = append(a.Parts, &llm.Thinking{Text: sentence(t, "thought")})
	}
	if rapid.Bool().Draw(t, "text") {
		a.Parts = append(a.Parts, words(sentence(t, "text")))
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "calls") {
		a.Reason = llm.ToolCalls
		args := rapid.SampledFrom([]string{`{}`, `{"a":1}`, `{"b":[null,"é\n"]}`}).Draw(t, "arguments")
		a.Parts = append(a.Parts, &llm.ToolCall{ID: fmt.Sprintf("call_%d", i), Name: "tool_0", Arguments: args})
	}
	if a.Reason == llm.Stop && rapid.Bool().Draw(t, "cut short") {
		a.Reason = llm.Length
	}
	tokens := rapid.Int64Range(0, 1000)
	a.Usage = llm.Usage{CacheRead: tokens.Draw(t, "cached"), Output: tokens.Draw(t, "output")}
	a.Usage.Input = a.Usage.CacheRead + tokens.Draw(t, "input")
	if !pair.has(providers.Anthropic) {
		a.Usage.Reasoning = min(a.Usage.Output, tokens.Draw(t, "reasoning"))
	}
	return a
}

// gistOfAnswer is what an answer means, as lines.
func gistOfAnswer(t require.TestingT, a *llm.Answer) []string {
	lines := []string{fmt.Sprintf("%s %+v", a.Reason, a.Usage)}
	for _, p := range a.Parts {
		if line := gistOf(t, p); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestRoundTrip_OfAnswersKeepsTheirMeaning takes an upstream's answer to the client, whole and
// streamed in every combination, and back.
func TestRoundTrip_OfAnswersKeepsTheirMeaning(t *testing.T) {
	t.Parallel()
	for _, pair := range routes() {
		t.Run(pair.String(), func(t *testing.T) {
			t.Parallel()
			back := route{pair.out, pair.in}
			rapid.Check(t, func(t *rapid.T) {
				a := reply(t, pair)
				meant := gistOfAnswer(t, a)
				for _, came := range []bool{false, true} {
					for _, goes := range []bool{false, true} {
						there := answerAs(t, pair, upstreamSays(pair.out, a, came), came, goes)
						require.Equal(t, meant, gistOfAnswer(t, answerOf(t, pair.in, there, goes)), "there: %s", there)
						again := answerAs(t, back, there, goes, came)
						require.Equal(t, meant, gistOfAnswer(t, answerOf(t, pair.out, again, came)), "and back: %s", again)
					}
				}
			})
		})
	}
}

func upstreamSays(f providers.Format, a *llm.Answer, stream bool) []byte {
	if stream {
		return streamIn(f, a)
	}
	return codecs()[f].EncodeAnswer(nil, a, llm.Reply{Request: &llm.Request{Model: "up"}, CreatedAt: time.Unix(1, 0)})
}

// wanting is a request of a client that wants to see all that there is.
func wanting(f providers.Format) string {
	switch f {
	case providers.OpenAIChat:
		return `{"model":"m","messages":[{"role":"user","content":"q"}],"stream":true,"stream_options":{"include_usage":true}}`
	case providers.OpenAIResponses:
		return `{"model":"m","input":"q","reasoning":{"summary":"auto"}}`
	default:
		return smallest(f)
	}
}

// answerAs translates an answer for a client of the pair.
func answerAs(t require.TestingT, pair route, body []byte, came, goes bool) []byte {
	c, err := translate.Decode(pair.in, []byte(wanting(pair.in)), false)
	require.NoError(t, err)
	if came && goes {
		out, ended, err := pump(c, pair.out, [][]byte{body})
		require.NoError(t, err)
		require.True(t, ended)
		return out
	}
	a := c.Answer(pair.out, translate.Client{Stream: goes, ID: "req", At: time.Unix(1, 0)})
	if !came {
		out, err := a.Whole(body)
		require.NoError(t, err)
		return slices.Clone(out)
	}
	for _, e := range eventsOf(t, body) {
		require.NoError(t, a.Take(e.wire()))
	}
	a.Close()
	return a.Collected()
}

// answerOf reads an answer of a format.
func answerOf(t require.TestingT, f providers.Format, body []byte, stream bool) *llm.Answer {
	if !stream {
		events, err := codecs()[f].DecodeAnswer(body)
		require.NoError(t, err)
		return llm.Collect(events)
	}
	decoder := codecs()[f].StreamDecoder()
	var (
		events []llm.Event
		err    error
	)
	for _, e := range eventsOf(t, body) {
		events, err = decoder.Decode(events, []byte(e.name), []byte(e.data.Raw))
		require.NoError(t, err)
	}
	return llm.Collect(decoder.Close(events))
}
