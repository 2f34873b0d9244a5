package translate_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/chat"
	"github.com/understudyhq/understudy/internal/llm/gemini"
	"github.com/understudyhq/understudy/internal/llm/messages"
	"github.com/understudyhq/understudy/internal/llm/responses"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// codecs are those of the formats, in the order of documents.
func codecs() map[providers.Format]llm.Codec {
	return map[providers.Format]llm.Codec{
		providers.OpenAIChat: chat.Codec{}, providers.OpenAIResponses: responses.Codec{},
		providers.Anthropic: messages.Codec{}, providers.Gemini: gemini.Codec{},
	}
}

// scenario is one conversation: what a client asks and what its upstream answers.
type scenario struct {
	request llm.Request
	answer  llm.Answer
	// refused is the upstream's error in place of an answer, by format.
	refused map[providers.Format]string
	// cut ends the stream after so many of the upstream's events; 0 = it is whole.
	cut int
}

func ptr[T any](v T) *T { return &v }

func said(role llm.Role, parts ...llm.Part) llm.Message {
	return llm.Message{Role: role, Parts: parts}
}

func words(text string) *llm.Text { return &llm.Text{Text: text} }

func weather() llm.Tool {
	return llm.Tool{
		Kind: llm.Function, Name: "get_weather", Description: "Tells the weather.",
		Schema: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`),
	}
}

func call(id, city string) *llm.ToolCall {
	return &llm.ToolCall{ID: id, Name: "get_weather", Arguments: `{"city":"` + city + `"}`}
}

func brought(id, text string) *llm.ToolResult {
	return &llm.ToolResult{ID: id, Name: "get_weather", Content: []llm.Part{words(text)}}
}

// scenarios are the conversations that every pair of formats is tried with.
func scenarios() map[string]scenario {
	user := said(llm.User, words("What is the weather in Rome?"))
	base := llm.Request{Model: "m", MaxTokens: ptr(int64(4096)), Messages: []llm.Message{said(llm.System, words("Be brief.")), user}}
	with := func(change func(*llm.Request)) llm.Request {
		r := base
		r.Messages = append([]llm.Message(nil), base.Messages...)
		change(&r)
		return r
	}
	usage := llm.Usage{Input: 30, CacheRead: 10, Output: 7}
	answered := func(reason llm.FinishReason, parts ...llm.Part) llm.Answer {
		return llm.Answer{ID: "ans_1", Model: "upstream-model", Parts: parts, Reason: reason, Usage: usage}
	}
	sunny := answered(llm.Stop, words("It is sunny."))
	tools := func(r *llm.Request) { r.Tools = []llm.Tool{weather()} }
	return map[string]scenario{
		"text": {request: with(func(r *llm.Request) { r.Sampling.Temperature = ptr(0.5); r.Stop = []string{"END"} }), answer: sunny},
		"tools": {
			request: with(func(r *llm.Request) { tools(r); r.Choice = llm.ToolChoice{Mode: llm.Named, Name: "get_weather"} }),
			answer:  answered(llm.ToolCalls, words("Let me look."), call("call_rome", "Rome")),
		},
		"parallel-tools": {
			request: with(func(r *llm.Request) {
				tools(r)
				r.Messages = append(r.Messages,
					said(llm.Assistant, words("Both."), call("call_a", "Rome"), call("call_b", "Oslo")),
					said(llm.User, brought("call_a", "sunny"), brought("call_b", "snow"), words("And Bern?")))
			}),
			answer: answered(llm.ToolCalls, call("call_c", "Bern"), call("call_d", "Rome")),
		},
		"images": {
			request: with(func(r *llm.Request) {
				r.Messages[1] = said(llm.User, words("What is this?"), &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBORw0KGgo="})
			}),
			answer: answered(llm.Stop, words("A picture.")),
		},
		"thinking": {
			request: with(func(r *llm.Request) {
				r.Reasoning = llm.Reasoning{Level: llm.LevelMedium}
				r.MaxTokens = ptr(int64(20000))
			}),
			answer: answered(llm.Stop, &llm.Thinking{Text: "Rome is in Italy."}, words("It is sunny.")),
		},
		"structured-output": {
			request: with(func(r *llm.Request) {
				r.Output = llm.Output{
					Kind: llm.OutputSchema, Name: "weather", Strict: ptr(true),
					Schema: json.RawMessage(`{"type":"object","properties":{"sky":{"type":"string"}},"required":["sky"],"additionalProperties":false}`),
				}
			}),
			answer: answered(llm.Stop, words(`{"sky":"blue"}`)),
		},
		"long-history": {request: with(func(r *llm.Request) {
			tools(r)
			for i := range 3 {
				n := strconv.Itoa(i)
				r.Messages = append(r.Messages,
					said(llm.Assistant, words("Looking "+n), call("call_"+n, "City "+n)),
					said(llm.User, brought("call_"+n, "rain "+n)),
					said(llm.Assistant, words("Rain "+n+".")),
					said(llm.User, words("And the next?")))
			}
		}), answer: sunny},
		"error": {request: base, refused: map[providers.Format]string{
			providers.OpenAIChat:      `{"error":{"message":"Rate limit reached for m. Please try again in 7.66s.","type":"rate_limit_error","code":"rate_limit_exceeded","param":null}}`,
			providers.OpenAIResponses: `{"error":{"message":"Rate limit reached for m. Please try again in 7.66s.","type":"rate_limit_error","code":"rate_limit_exceeded","param":null}}`,
			providers.Anthropic:       `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your rate limit."},"request_id":"req_1"}`,
			providers.Gemini:          `{"error":{"code":429,"message":"Resource has been exhausted.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}`,
		}},
		"refusal": {request: base, answer: answered(llm.Refused, &llm.Refusal{Text: "I cannot help with that."})},
		"cut-off": {request: base, answer: answered(llm.Stop, words("It is sunny."), words("And warm.")), cut: 4},
	}
}

// TestPairs_AsInTheGoldenFiles shows, for each pair of formats, what a client's request is
// for its upstream, and what the upstream's answer is for the client, streamed and not.
func TestPairs_AsInTheGoldenFiles(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios() {
		for in := range codecs() {
			for out := range codecs() {
				if in == out {
					continue
				}
				t.Run(name+"/"+string(in)+"-to-"+string(out), func(t *testing.T) {
					t.Parallel()
					requireGolden(t, filepath.Join("testdata", name, string(in)+"-to-"+string(out)+".golden"), s.play(t, in, out))
				})
			}
		}
	}
}

// play returns everything that goes over the wires, client's and upstream's.
func (s scenario) play(t *testing.T, in, out providers.Format) []byte {
	t.Helper()
	var text bytes.Buffer
	section := func(title string, body []byte) {
		text.WriteString("== " + title + "\n" + pretty(body) + "\n")
	}
	asked, _, err := codecs()[in].EncodeRequest(nil, &s.request, llm.Target{})
	section("client asks", asked)
	if err != nil {
		section("client cannot say it", []byte(err.Error()))
		return text.Bytes()
	}
	c, err := translate.Decode(in, asked, false)
	require.NoError(t, err)
	body, lost, err := c.Encode(translate.Upstream{Format: out, Model: "upstream-model"})
	if err != nil {
		message, _ := translate.Message(err)
		section("client is told", []byte(message))
		return text.Bytes()
	}
	section("upstream is asked", body)
	for _, l := range lost {
		text.WriteString("lost: " + l.Path + ": " + l.Reason + "\n")
	}
	if refused, ok := s.refused[out]; ok {
		f := translate.Failure(out, in, 429, []byte(refused))
		section("upstream refuses", []byte(refused))
		told, err := json.Marshal(f)
		require.NoError(t, err)
		section("which means", told)
		return text.Bytes()
	}
	s.playAnswers(t, c, out, section)
	return text.Bytes()
}

func (s scenario) playAnswers(t *testing.T, c *translate.Call, out providers.Format, section func(string, []byte)) {
	t.Helper()
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	reply := llm.Reply{Request: &llm.Request{Model: "upstream-model", StreamUsage: true}, CreatedAt: at}
	if s.cut == 0 {
		whole := codecs()[out].EncodeAnswer(nil, &s.answer, reply)
		section("upstream answers", whole)
		got, err := c.Answer(out, translate.Client{ID: "req", At: at}).Whole(whole)
		require.NoError(t, err)
		section("client gets", got)
	}
	var streamed []byte
	encoder := codecs()[out].StreamEncoder(reply)
	for i, e := range s.answer.Events() {
		if s.cut == 0 || i < s.cut {
			streamed = encoder.Encode(streamed, e)
		}
	}
	section("upstream streams", streamed)
	answer := c.Answer(out, translate.Client{Stream: true, ID: "req", At: at})
	var (
		scanner sse.Scanner
		got     []byte
	)
	take := func(e sse.Event) error {
		err := answer.Take(e)
		got = append(got, answer.Out()...)
		return err
	}
	require.NoError(t, scanner.Feed(streamed, take))
	require.NoError(t, scanner.Close(take))
	answer.Close()
	section("client is streamed", append(got, answer.Out()...))
}

// pretty indents what is JSON.
func pretty(body []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") == nil {
		return b.String()
	}
	return strings.TrimRight(strings.ReplaceAll(string(body), "\r\n", "\n"), "\n")
}

func requireGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}
