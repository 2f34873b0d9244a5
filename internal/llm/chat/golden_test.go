package chat

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

var update = flag.Bool("update", false, "write the wanted results in testdata")

// resultMark parts a golden file into what comes in and what is made of it.
const resultMark = "\n=== "

func golden(t *testing.T, folder string, result func(t *testing.T, input string) string) {
	t.Helper()
	files, err := filepath.Glob("testdata/" + folder + "/*.golden")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".golden"), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(name)
			require.NoError(t, err)
			input, want, _ := strings.Cut(string(content), resultMark)
			got := result(t, input)
			if *update {
				require.NoError(t, os.WriteFile(name, []byte(input+resultMark+got), 0o600))
				return
			}
			require.Equal(t, want, got)
		})
	}
}

func TestDecodeRequest_AsInTestdata(t *testing.T) {
	t.Parallel()
	golden(t, "request", func(t *testing.T, input string) string {
		t.Helper()
		r, err := Codec{}.DecodeRequest([]byte(input))
		if err != nil {
			return "error\n" + err.Error() + "\n"
		}
		return "canonical\n" + show(t, r)
	})
}

// TestEncodeRequest_AsInTestdata encodes a request that has something of everything.
func TestEncodeRequest_AsInTestdata(t *testing.T) {
	t.Parallel()
	golden(t, "encode", func(t *testing.T, input string) string {
		t.Helper()
		target := llm.Target{Compatible: strings.HasPrefix(input, "compatible")}
		r := kitchenSink()
		before := show(t, r)
		body, lost := encoded(t, r, target)
		require.Equal(t, before, show(t, r), "it changes nothing")
		var b strings.Builder
		b.WriteString("body\n" + indented(t, body) + "=== losses\n")
		for _, l := range lost {
			b.WriteString(l.Path + ": " + l.Reason + "\n")
		}
		return b.String()
	})
}

// reply is what the encoders of golden answers know.
func reply() llm.Reply {
	return llm.Reply{
		Request: &llm.Request{
			Model: "asked", StreamUsage: true,
			Tools: []llm.Tool{{Kind: llm.Custom, Name: "shell"}},
		},
		ID: "reply", CreatedAt: time.Unix(1764000000, 0),
	}
}

// TestAnswer_AsInTestdata decodes an upstream's answer, and writes it for a client.
func TestAnswer_AsInTestdata(t *testing.T) {
	t.Parallel()
	golden(t, "answer", func(t *testing.T, input string) string {
		t.Helper()
		events, err := Codec{}.DecodeAnswer([]byte(input))
		if err != nil {
			return "error\n" + err.Error() + "\n"
		}
		body := Codec{}.EncodeAnswer(nil, llm.Collect(events), reply())
		return "events\n" + showEvents(t, events) + "=== client\n" + indented(t, string(body))
	})
}

// TestStream_AsInTestdata decodes an upstream's stream, and writes it for a client.
func TestStream_AsInTestdata(t *testing.T) {
	t.Parallel()
	golden(t, "stream", func(t *testing.T, input string) string {
		t.Helper()
		events, err := streamed(input + "\n\n")
		end := ""
		if err != nil {
			end = "error " + err.Error() + "\n"
		}
		e := Codec{}.StreamEncoder(reply())
		var out []byte
		for _, event := range events {
			out = e.Encode(out, event)
		}
		return "events\n" + showEvents(t, events) + end + "=== client\n" + string(out)
	})
}

// TestDecodeError_AsInTestdata decodes bodies of errors; the first line is the status.
func TestDecodeError_AsInTestdata(t *testing.T) {
	t.Parallel()
	golden(t, "error", func(t *testing.T, input string) string {
		t.Helper()
		line, body, _ := strings.Cut(input, "\n")
		status, err := strconv.Atoi(line)
		require.NoError(t, err)
		require.True(t, status == 0 || http.StatusText(status) != "")
		return "failure\n" + indented(t, marshal(t, Codec{}.DecodeError(status, []byte(body))))
	})
}

// kitchenSink is a request with something of everything that the format can say or loses.
func kitchenSink() *llm.Request {
	hour := &llm.Cache{TTL: "1h"}
	return &llm.Request{
		Model: "m", Stream: true,
		Messages: []llm.Message{
			{Role: llm.System, Parts: []llm.Part{&llm.Text{Text: "Be brief.", Cache: hour}, &llm.Text{}, &llm.Text{Text: "Be kind."}}},
			{Role: llm.Developer, Parts: []llm.Part{&llm.Text{Text: "Use tools."}}},
			{Role: llm.User, Name: "ann", Parts: []llm.Part{
				&llm.Text{Text: "Look:"},
				&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n", Detail: "original", Name: "a.png"},
				&llm.Media{Kind: llm.Image, URL: "https://example.com/a.png", Detail: "low"},
				&llm.Media{Kind: llm.Audio, MIME: "audio/mp3", Data: "c291bmQ="},
				&llm.Media{Kind: llm.File, MIME: "application/pdf", Data: "cGRm"},
				&llm.Media{Kind: llm.File, FileID: "file-1", Origin: llm.Chat},
				&llm.Media{Kind: llm.File, Text: "plain text", Name: "a.txt"},
				&llm.Opaque{Origin: llm.Chat, Raw: []byte(`{"type":"new","x":1}`)},
				&llm.Opaque{Origin: llm.Messages, Raw: []byte(`{"type":"search_result"}`)},
			}},
			{Role: llm.Assistant, Parts: []llm.Part{
				&llm.Thinking{Text: "I should look.", Signature: "c2ln", Origin: llm.Messages},
				&llm.Text{Text: "One moment."},
				&llm.Thinking{Signature: "Z29vZ2xl", Origin: llm.Chat},
				&llm.ToolCall{ID: "call_1", Name: "look", Arguments: `{"at":"a"}`},
				&llm.Text{Text: "And:"},
				&llm.ToolCall{ID: "toolu with spaces and far longer than forty characters", Name: "shell", Arguments: `{"input":"ls -l"}`},
				&llm.ToolCall{ID: "call_3", Name: "now"},
				&llm.ToolCall{ID: "call_4", Name: "never_answered"},
			}},
			{Role: llm.User, Parts: []llm.Part{
				&llm.Text{Text: "Go on."},
				&llm.ToolResult{ID: "call_1", Content: []llm.Part{
					&llm.Text{Text: "seen"}, &llm.Media{Kind: llm.Image, MIME: "image/jpeg", Data: "anBn"},
				}, Failed: true},
				&llm.ToolResult{ID: "toolu with spaces and far longer than forty characters", Content: []llm.Part{&llm.Text{Text: "a.txt"}}},
				&llm.ToolResult{ID: "call_3", Content: nil},
				&llm.ToolResult{ID: "nobody", Name: "lost", Content: []llm.Part{&llm.Text{Text: "found"}}},
			}},
			{Role: llm.Assistant, Parts: []llm.Part{&llm.Refusal{Text: "I will not."}}},
			{Role: llm.User, Parts: []llm.Part{&llm.Text{Text: "Why?"}}},
		},
		Tools: []llm.Tool{
			{Kind: llm.Function, Name: "look", Description: "Looks.", Schema: []byte(`{"type":"object","properties":{"at":{"type":"string"}}}`), Strict: ptr(true), Cache: hour},
			{Kind: llm.Function, Name: "now"},
			{Kind: llm.Custom, Name: "shell", Raw: []byte(`{"type":"custom","name":"shell","format":{}}`), Origin: llm.Responses},
		},
		Choice: llm.ToolChoice{Mode: llm.Auto, Allowed: []string{"look", "shell"}}, Parallel: ptr(false),
		MaxTokens: ptr(int64(1000)), Stop: []string{"a", "b", "c", "d", "", "e"},
		Sampling: llm.Sampling{
			Temperature: ptr(0.5), TopP: ptr(0.9), TopK: ptr(int64(40)), FrequencyPenalty: ptr(0.1), PresencePenalty: ptr(-0.1),
			Seed: ptr(int64(7)), Candidates: ptr(int64(2)), LogProbs: ptr(true), TopLogProbs: ptr(int64(3)),
		},
		Reasoning: llm.Reasoning{Budget: ptr(int64(10000)), Show: ptr(true), Summary: "auto"},
		Output:    llm.Output{Kind: llm.OutputSchema, Schema: []byte(`{"type":"object"}`), Verbosity: "low"},
		UserID:    `{"device_id":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}`,
		Metadata:  map[string]string{"a": "b"}, ServiceTier: "standard_only", CacheKey: "key",
		Safety: []byte(`[]`), Cache: hour, Store: ptr(true), Include: []string{"reasoning.encrypted_content"},
	}
}
