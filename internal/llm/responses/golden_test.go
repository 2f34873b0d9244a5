package responses

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

var update = flag.Bool("update", false, "write the wanted output in testdata")

// mark parts a golden file into the input and the wanted output.
const answerMark = "\n=== \n"

// golden compares what becomes of the input at the top of a file with what is below.
func golden(t *testing.T, name string, render func(t *testing.T, input string) string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	content, err := os.ReadFile(path)
	if !*update {
		require.NoError(t, err)
	}
	input, want, _ := strings.Cut(string(content), answerMark)
	got := render(t, input)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(input+answerMark+got), 0o600))
		return
	}
	require.Equal(t, want, got)
}

// goldens runs golden over the files of a kind.
func goldens(t *testing.T, kind string, render func(t *testing.T, input string) string) {
	t.Helper()
	files, err := filepath.Glob("testdata/" + kind + "_*.golden")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".golden")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, render)
		})
	}
}

func TestDecodeRequest_UnderstandsAsInTestdata(t *testing.T) {
	t.Parallel()
	goldens(t, "request", func(t *testing.T, input string) string {
		return describe(t, decodeRequest(t, input))
	})
}

func TestDecodeAnswer_UnderstandsAsInTestdata(t *testing.T) {
	t.Parallel()
	goldens(t, "answer", func(t *testing.T, input string) string {
		events, err := Codec{}.DecodeAnswer([]byte(input))
		require.NoError(t, err)
		return describe(t, llm.Collect(events))
	})
}

func TestStreamDecoder_UnderstandsAsInTestdata(t *testing.T) {
	t.Parallel()
	goldens(t, "stream", func(t *testing.T, input string) string {
		var (
			d   = Codec{}.StreamDecoder()
			out []llm.Event
			err error
		)
		for _, e := range scan(t, []byte(input+"\n\n")) {
			out, err = d.Decode(out, []byte(e.name), []byte(e.data))
			require.NoError(t, err)
		}
		out = d.Close(out)
		return describe(t, out) + describe(t, llm.Collect(out))
	})
}

func TestEncodeRequest_SaysAsInTestdata(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*llm.Request{
		"encode_kitchen_sink": kitchenSink(),
		"encode_foreign":      foreign(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, func(t *testing.T, _ string) string {
				body, lost, err := Codec{}.EncodeRequest(nil, r, llm.Target{})
				require.NoError(t, err)
				return indent(t, body) + describe(t, lost)
			})
		})
	}
}

func TestEncodeAnswer_SaysAsInTestdata(t *testing.T) {
	t.Parallel()
	for name, a := range answers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := replyTo(client())
			r.CreatedAt = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
			golden(t, "reply_"+name, func(t *testing.T, _ string) string {
				body := Codec{}.EncodeAnswer(nil, a, r)
				stream := encodeStream(a.Events(), r)
				require.JSONEq(t, string(body), accumulate(t, stream).response)
				return indent(t, body) + "\n" + string(stream)
			})
		})
	}
}

// client is a request whose tools are of every kind.
func client() *llm.Request {
	return &llm.Request{
		Model: "main", Stream: true, Include: []string{encryptedContent}, Store: ptr(false),
		Messages: []llm.Message{{Role: llm.System, Parts: []llm.Part{say("Be brief.")}}, user(say("Hello"))},
		Tools: []llm.Tool{
			{Kind: llm.Function, Name: "get_weather", Description: "Tells the weather.", Schema: []byte("{\n\"type\":\"object\"}"), Strict: ptr(true)},
			{Kind: llm.Function, Name: "github__search", Namespace: "github", Schema: []byte(`{"type":"object"}`)},
			{Kind: llm.Custom, Name: "github__run", Namespace: "github", Raw: []byte(`{"type":"custom","name":"run"}`), Origin: llm.Responses},
			{Kind: llm.Custom, Name: "apply_patch", Raw: []byte(`{"type":"custom","name":"apply_patch"}`), Origin: llm.Responses},
		},
		Metadata: map[string]string{"team": "a", "b\"": "c"},
		Choice:   llm.ToolChoice{Mode: llm.Named, Name: "get_weather"},
		Output:   llm.Output{Kind: llm.OutputSchema, Name: "answer", Schema: []byte(`{"type":"object"}`), Strict: ptr(true)},
	}
}

func answers() map[string]*llm.Answer {
	usage := llm.Usage{Input: 120, CacheRead: 100, CacheWrite: 7, Output: 30, Reasoning: 12}
	return map[string]*llm.Answer{
		"text": {ID: "msg_01ABC", Model: "claude-opus", Parts: []llm.Part{say("Hi \"there\"\n")}, Reason: llm.Stop, Usage: usage},
		"thinking_and_tools": {ID: "msg_02", Model: "claude-opus", Reason: llm.ToolCalls, Usage: usage, Parts: []llm.Part{
			&llm.Thinking{Text: "Let me see.", Signature: "c2ln", Origin: llm.Messages},
			&llm.Thinking{Signature: "ZGF0YQ==", Origin: llm.Messages, Redacted: true},
			say("I look it up."),
			toolCall("toolu_1", "get_weather", `{"city":"Paris"}`),
			toolCall("toolu_2", "github__search", ``),
			toolCall("toolu_3", "github__run", `{"input":"ls"}`),
			toolCall("toolu_4", "apply_patch", `{"input":"*** Begin Patch\n+\u00e9"}`),
		}},
		"cut_short":   {Parts: []llm.Part{say("One"), toolCall("call_1", "get_weather", `{"ci`)}, Reason: llm.Length, Usage: usage},
		"filtered":    {Parts: []llm.Part{say("One")}, Reason: llm.Filtered},
		"refused":     {Parts: []llm.Part{&llm.Refusal{Text: "I will not."}}, Reason: llm.Refused},
		"nothing":     {Model: "gemini-pro", Reason: llm.Stop},
		"broken":      {Reason: llm.Broken},
		"broken_off":  {Parts: []llm.Part{say("One")}, Failure: &llm.Failure{Status: 429, Message: "Slow down."}},
		"with_images": {Parts: []llm.Part{say("See:"), &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBORw0K"}, &llm.Media{Kind: llm.Image, URL: "https://x.example/i.png"}, &llm.Media{Kind: llm.Audio, Data: "AAAA"}}, Reason: llm.Stop},
	}
}
