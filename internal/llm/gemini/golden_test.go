package gemini_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/gemini"
	"github.com/understudyhq/understudy/internal/sse"
)

var update = flag.Bool("update", false, "write the wanted results in testdata")

// resultMark parts a golden file into what is given and what is wanted.
const resultMark = "\n=== "

// TestCodec_DoesAsInTestdata runs each file's input through what its name begins with.
func TestCodec_DoesAsInTestdata(t *testing.T) {
	t.Parallel()
	ways := map[string]func(*testing.T, string) string{
		"request": decodedRequest, "answer": decodedAnswer, "stream": decodedStream, "error": decodedError,
	}
	files, err := filepath.Glob("testdata/*.golden")
	require.NoError(t, err)
	ran := map[string]bool{}
	for _, name := range files {
		kind, _, _ := strings.Cut(filepath.Base(name), "_")
		way := ways[kind]
		if way == nil {
			continue
		}
		ran[kind] = true
		t.Run(strings.TrimSuffix(filepath.Base(name), ".golden"), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(name)
			require.NoError(t, err)
			given, _, _ := strings.Cut(string(content), resultMark)
			compare(t, name, string(content), given+resultMark+way(t, given))
		})
	}
	require.Len(t, ran, len(ways))
}

func compare(t *testing.T, name, want, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(got), 0o600))
		return
	}
	require.Equal(t, want, got)
}

func decodedRequest(t *testing.T, given string) string {
	t.Helper()
	r, err := gemini.Codec{}.DecodeRequest([]byte(given))
	if err != nil {
		return "error\n" + err.Error() + "\n"
	}
	return "request\n" + dump(t, r)
}

func decodedAnswer(t *testing.T, given string) string {
	t.Helper()
	events, err := gemini.Codec{}.DecodeAnswer([]byte(given))
	if err != nil {
		return "error\n" + err.Error() + "\n"
	}
	return "answer\n" + dump(t, llm.Collect(events))
}

func decodedStream(t *testing.T, given string) string {
	t.Helper()
	var b strings.Builder
	for _, e := range streamed(t, []byte(given)) {
		b.WriteString(line(t, e))
	}
	return "events\n" + b.String()
}

func decodedError(t *testing.T, given string) string {
	t.Helper()
	return "failure\n" + dump(t, gemini.Codec{}.DecodeError(429, []byte(given)))
}

// streamed decodes a stream of events.
func streamed(t *testing.T, stream []byte) []llm.Event {
	t.Helper()
	var (
		scanner sse.Scanner
		events  []llm.Event
	)
	d := gemini.Codec{}.StreamDecoder()
	take := func(e sse.Event) (err error) {
		events, err = d.Decode(events, e.Name, e.Data)
		return err
	}
	require.NoError(t, scanner.Feed(stream, take))
	require.NoError(t, scanner.Close(take))
	return d.Close(events)
}

// dump shows a value with the types of its parts.
func dump(t *testing.T, v any) string {
	t.Helper()
	switch v := v.(type) {
	case *llm.Request:
		shown := *v
		shown.Messages = nil
		var b strings.Builder
		for _, m := range v.Messages {
			b.WriteString(string(m.Role) + "\n" + parts(t, m.Parts, "  "))
		}
		return b.String() + indent(t, shown)
	case *llm.Answer:
		shown := *v
		shown.Parts = nil
		return parts(t, v.Parts, "  ") + indent(t, shown)
	default:
		return indent(t, v)
	}
}

func parts(t *testing.T, all []llm.Part, margin string) string {
	t.Helper()
	var b strings.Builder
	for _, p := range all {
		shown := p
		var content []llm.Part
		if r, ok := p.(*llm.ToolResult); ok {
			copied := *r
			content, copied.Content = r.Content, nil
			shown = &copied
		}
		kind := strings.TrimPrefix(fmt.Sprintf("%T", p), "*llm.")
		fmt.Fprintf(&b, "%s%s %s\n%s", margin, kind, compact(t, shown), parts(t, content, margin+"  "))
	}
	return b.String()
}

// compact shows the members that are set.
func compact(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, json.Unmarshal(raw, &all))
	raw, err = json.Marshal(set(all))
	require.NoError(t, err)
	return string(raw)
}

func indent(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, []byte(compact(t, v)), "", "  "))
	return b.String() + "\n"
}

func set(all map[string]any) map[string]any {
	for name, v := range all {
		inner, isObject := v.(map[string]any)
		switch {
		case isObject && name != "Schema" && name != "Raw":
			if len(set(inner)) == 0 {
				delete(all, name)
			}
		case v == nil, v == "", v == false, v == 0.0:
			delete(all, name)
		}
	}
	return all
}

func line(t *testing.T, e llm.Event) string {
	t.Helper()
	kinds := []string{"", "Start", "PartStart", "Delta", "Signed", "PartEnd", "Finish", "Failed"}
	index := e.Index
	shown := e
	shown.Kind, shown.Index = 0, 0
	return fmt.Sprintf("%s %d %s\n", kinds[e.Kind], index, compact(t, shown))
}

func reply() llm.Reply {
	return llm.Reply{
		Request: &llm.Request{Model: "asked-for"}, ID: "made-up", CreatedAt: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC),
	}
}

// TestEncodeRequest_SaysTheWholeCanonicalForm holds a request with everything in it.
func TestEncodeRequest_SaysTheWholeCanonicalForm(t *testing.T) {
	t.Parallel()
	for name, model := range map[string]string{"modern": "gemini-3-pro", "legacy": "gemini-2.5-flash"} {
		r := kitchenSink()
		r.Model = model
		before := dump(t, r)
		body, lost, err := gemini.Codec{}.EncodeRequest([]byte("kept:"), r, llm.Target{})
		require.NoError(t, err)
		require.Equal(t, before, dump(t, r), "the request is as it was")
		body, ok := bytes.CutPrefix(body, []byte("kept:"))
		require.True(t, ok)
		file := "testdata/encode_" + name + ".golden"
		want, err := os.ReadFile(file)
		require.True(t, err == nil || *update)
		compare(t, file, string(want), pretty(t, body)+"=== lost\n"+lines(lost))
	}
}

func lines(lost []llm.Loss) string {
	var b strings.Builder
	for _, l := range lost {
		b.WriteString(l.Path + ": " + l.Reason + "\n")
	}
	return b.String()
}

func pretty(t *testing.T, body []byte) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, body, "", "  "), string(body))
	return b.String() + "\n"
}

func ptr[T any](v T) *T { return &v }

func kitchenSink() *llm.Request {
	schema := json.RawMessage(`{"$schema":"x","title":"T","type":"object","properties":{"title":{"type":"string","title":"of the property"},"n":{"enum":["required","title"]}},"required":["title","gone"]}`)
	cache := &llm.Cache{}
	return &llm.Request{
		Messages: []llm.Message{
			{Role: llm.System, Parts: []llm.Part{&llm.Text{Text: "You are an agent.", Cache: cache}, &llm.Text{}}},
			{Role: llm.Developer, Parts: []llm.Part{&llm.Text{Text: "Be brief."}}},
			{Role: llm.User, Name: "ann", Parts: []llm.Part{
				&llm.Text{Text: "Look at \"these\":\n"}, &llm.Media{Kind: llm.Image, Data: "iVBORw0KGgo=", Detail: "high", Name: "a.png"},
				&llm.Media{Kind: llm.Image, URL: "https://example.org/b.jpg"}, &llm.Media{Kind: llm.File, MIME: "text/plain", Text: "plain"},
				&llm.Media{Kind: llm.Video, MIME: "video/mp4", FileID: "https://generativelanguage.googleapis.com/v1beta/files/f", Origin: llm.Gemini},
			}},
			{Role: llm.Assistant, Parts: []llm.Part{
				&llm.Thinking{Text: "unsigned"}, &llm.Thinking{Text: "foreign", Signature: "c2ln", Origin: llm.Messages},
				&llm.Thinking{Text: "own", Signature: "b3du", Origin: llm.Gemini}, &llm.Thinking{Signature: "b2Y=", Origin: llm.Gemini},
				&llm.Text{Text: "I will."},
				&llm.ToolCall{ID: "toolu_1", Name: "read", Arguments: `{"path":"a"}`}, &llm.ToolCall{ID: "call with space", Name: "read", Arguments: `broken`},
				&llm.ToolCall{ID: "toolu_3", Name: "ns__list"}, &llm.ToolCall{ID: "toolu_4", Name: "never_answered"},
				&llm.Opaque{Origin: llm.Gemini, Raw: json.RawMessage(`{"executableCode":{"code":"1"}}`)}, &llm.Opaque{Origin: llm.Responses, Raw: json.RawMessage(`{}`)},
			}},
			{Role: llm.System, Parts: []llm.Part{&llm.Text{Text: "It is late."}}},
			{Role: llm.User, Parts: []llm.Part{
				&llm.Text{Text: "While you are at it"}, &llm.ToolResult{ID: "toolu_1", Content: []llm.Part{&llm.Text{Text: "first try"}}},
				&llm.ToolResult{ID: "call with space", Failed: true, Content: []llm.Part{&llm.Text{Text: "no such file"}}},
				&llm.ToolResult{ID: "toolu_3", Structured: true, Content: []llm.Part{&llm.Text{Text: `{"files":[1]}`}, &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n"}}},
				&llm.ToolResult{ID: "toolu_1", Content: []llm.Part{&llm.Text{Text: "second"}, &llm.Text{Text: "try"}, &llm.Media{Kind: llm.Image, MIME: "image/png", URL: "https://example.org/c.png"}}},
				&llm.ToolResult{ID: "orphan", Name: "lost", Content: []llm.Part{&llm.Text{Text: "found"}}},
			}},
			{Role: llm.Assistant, Parts: []llm.Part{&llm.Refusal{Text: "No."}}},
			{Role: llm.User, Parts: []llm.Part{&llm.Text{Text: "Why?"}}},
			{Role: llm.Assistant, Parts: []llm.Part{&llm.Text{Text: "Because"}}},
		},
		Tools: []llm.Tool{
			{Kind: llm.Function, Name: "read", Description: "Reads.", Schema: schema, Strict: ptr(true), Cache: cache},
			{Kind: llm.Function, Name: "ns__list", Namespace: "ns"},
			{Kind: llm.Custom, Name: "exec", Raw: json.RawMessage(`{"type":"custom"}`), Origin: llm.Responses},
			{Kind: llm.WebSearch, Name: "web_search", Raw: json.RawMessage(`{"type":"web_search_20250305","name":"web_search","max_uses":3}`), Origin: llm.Messages},
			{Kind: llm.Builtin, Name: "codeExecution", Raw: json.RawMessage(`{"codeExecution":{}}`), Origin: llm.Gemini},
		},
		Choice: llm.ToolChoice{Mode: llm.Required, Allowed: []string{"read", "web_search"}}, Parallel: ptr(false),
		MaxTokens: ptr(int64(1000)), Stop: []string{"1", "2", "3", "4", "5", "6"},
		Sampling: llm.Sampling{
			Temperature: ptr(0.5), TopP: ptr(0.9), TopK: ptr(int64(40)), FrequencyPenalty: ptr(0.1), PresencePenalty: ptr(-0.1),
			Seed: ptr(int64(1) << 40), Candidates: ptr(int64(2)), LogProbs: ptr(true), TopLogProbs: ptr(int64(3)),
		},
		Reasoning: llm.Reasoning{Level: llm.LevelMax, Summary: "auto"},
		Output: llm.Output{
			Kind: llm.OutputSchema, Name: "n", Description: "d", Schema: json.RawMessage(`{"type":"object","title":"kept"}`),
			Strict: ptr(false), Verbosity: "low", Modalities: []string{"image"}, Audio: json.RawMessage(`{"voice":"ash"}`),
		},
		UserID: "u", Metadata: map[string]string{"k": "v"}, ServiceTier: "scale", CacheKey: "c",
		Safety: json.RawMessage(`[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]`), Cache: cache,
		Store: ptr(true), Include: []string{"reasoning.encrypted_content"},
	}
}

// TestEncodeAnswer_IsAsInTestdata holds an answer with every part, whole and as streams.
func TestEncodeAnswer_IsAsInTestdata(t *testing.T) {
	t.Parallel()
	a := &llm.Answer{
		ID: "msg_1", Model: "claude",
		Parts: []llm.Part{
			&llm.Thinking{Text: "Let me see.", Signature: "c2ln", Origin: llm.Messages}, &llm.Thinking{Signature: "cmVk", Origin: llm.Messages, Redacted: true},
			&llm.Thinking{Signature: "b3du", Origin: llm.Gemini}, &llm.Text{Text: "Here\nit is: <ü>"}, &llm.Refusal{Text: "No more."},
			&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n"},
			&llm.ToolCall{ID: "toolu_1", Name: "read", Arguments: "{\n \"path\": \"a\"\r\n}"}, &llm.ToolCall{Name: "list"},
			&llm.Thinking{Signature: "bGFzdA==", Origin: llm.Gemini},
		},
		Reason: llm.ToolCalls, Usage: llm.Usage{Input: 100, CacheRead: 80, CacheWrite: 5, Output: 30, Reasoning: 10},
	}
	failed := []llm.Event{
		{Kind: llm.PartStart, Part: llm.TextPart},
		{Kind: llm.Delta, Text: "a"},
		{Kind: llm.Failed, Failure: &llm.Failure{Status: 529, Type: "overloaded_error", Message: "Overloaded", RetryAfter: 1500 * time.Millisecond}},
		{Kind: llm.Delta, Text: "late"},
	}
	array := reply()
	array.Array = true
	got := "=== whole\n" + pretty(t, gemini.Codec{}.EncodeAnswer(nil, a, reply())) +
		"=== events\n" + visible(stream(reply(), a.Events())) + "=== array\n" + visible(stream(array, a.Events())) +
		"=== failed\n" + visible(stream(reply(), failed)) + "=== failed array\n" + visible(stream(array, failed)) +
		"=== failed whole\n" + pretty(t, gemini.Codec{}.EncodeAnswer(nil, llm.Collect(failed), reply()))
	const file = "testdata/encode_answer.golden"
	want, err := os.ReadFile(file)
	require.True(t, err == nil || *update)
	compare(t, file, string(want), got)
}

func stream(r llm.Reply, events []llm.Event) []byte {
	s := gemini.Codec{}.StreamEncoder(r)
	var dst []byte
	for _, e := range events {
		dst = s.Encode(dst, e)
	}
	return dst
}

// visible shows carriage returns as \r.
func visible(b []byte) string { return strings.ReplaceAll(string(b), "\r", `\r`) }
