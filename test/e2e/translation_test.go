package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

// speaking makes the rig's one provider speak one format only, which another one's may be.
func speaking(f providers.Format) func(*config.Config) {
	return func(c *config.Config) { c.Providers[0].Formats = []string{string(f)} }
}

// vendor returns the kind of provider that speaks a format.
func vendor(f providers.Format) string {
	switch f {
	case providers.Anthropic:
		return config.KindAnthropic
	case providers.Gemini:
		return config.KindGemini
	default:
		return config.KindOpenAI
	}
}

// pair is a client of one dialect at an upstream of another format.
type pair struct {
	in, out dialect
}

func (p pair) String() string { return p.in.name + " at " + p.out.name }

func (p pair) setup() setup {
	return setup{kinds: []string{vendor(p.out.format)}, adjust: speaking(p.out.format)}
}

// pairs are all that have to be translated.
func pairs() []pair {
	var all []pair
	for _, in := range dialects() {
		for _, out := range formats() {
			if in.format != out.format {
				all = append(all, pair{in, out})
			}
		}
	}
	return all
}

// textOf returns the words of an answer in the dialect, streamed or not.
func (d dialect) textOf(body []byte, stream bool) string {
	paths := map[providers.Format][2]string{
		providers.OpenAIChat:      {"choices.0.message.content", "choices.0.delta.content"},
		providers.OpenAIResponses: {"output.0.content.0.text", "delta"},
		providers.Anthropic:       {"content.0.text", "delta.text"},
		providers.Gemini:          {"candidates.0.content.parts.0.text", "candidates.0.content.parts.0.text"},
	}[d.format]
	if !stream {
		return gjson.GetBytes(body, paths[0]).Str
	}
	var text strings.Builder
	for _, data := range d.data(body) {
		text.WriteString(gjson.Get(data, paths[1]).Str)
	}
	return text.String()
}

// data returns what a stream's events hold.
func (d dialect) data(body []byte) []string {
	var all []string
	if d.array {
		for _, element := range gjson.ParseBytes(body).Array() {
			all = append(all, element.Raw)
		}
		return all
	}
	for line := range bytes.Lines(body) {
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			all = append(all, strings.TrimSpace(string(data)))
		}
	}
	return all
}

func TestTranslation_EveryClientIsServedByEveryUpstream(t *testing.T) {
	t.Parallel()
	for _, p := range pairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			r := start(t, p.setup())
			for _, stream := range []bool{false, true} {
				got := r.ask(p.in, stream)
				require.NoError(t, got.err)
				require.Equal(t, http.StatusOK, got.status, string(got.body))
				require.Equal(t, "word1 word2 word3", p.in.textOf(got.body, stream), string(got.body))
				contentType := "application/json"
				if stream && !p.in.array {
					contentType = "text/event-stream"
				}
				require.Equal(t, contentType, got.header.Get("Content-Type"))
				asked, ok := dialectOf(r.lastRequest())
				require.True(t, ok)
				require.Equal(t, p.out.format, asked.format)
				require.Contains(t, string(r.lastRequest().Body), `"hi"`)
				require.Equal(t, secretOf("a"), r.lastRequest().Key)
			}
			records, err := r.gateway.Records(t.Context(), 1)
			require.NoError(t, err)
			require.Equal(t, p.in.format, records[0].FormatIn)
			require.Equal(t, p.out.format, records[0].FormatOut)
			require.EqualValues(t, 11, records[0].Usage.InputTokens)
			require.EqualValues(t, 4, records[0].Usage.CachedTokens)
		})
	}
}

// An upstream that answers whole where it was asked to stream, and the other way round, is
// no trouble of the client's.
func TestTranslation_TheClientGetsTheFormItAskedFor(t *testing.T) {
	t.Parallel()
	for _, p := range pairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			for _, stream := range []bool{false, true} {
				s := p.setup()
				s.script = func(fake.Request) fake.Reply { return p.out.good(!stream) }
				got := start(t, s).ask(p.in, stream)
				require.Equal(t, http.StatusOK, got.status, string(got.body))
				require.Equal(t, "word1 word2 word3", p.in.textOf(got.body, stream))
			}
		})
	}
}

func TestTranslation_FailsOverBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	for _, p := range pairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			overloaded := fake.Reply{Header: http.Header{"Content-Type": {"text/event-stream"}}, Chunks: append(p.out.handshake(), p.out.overloaded())}
			garbage := fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"a":`)}
			for name, reply := range map[string]fake.Reply{"a status": fake.Error(string(p.out.format), 500), "an event": overloaded, "garbage": garbage} {
				s := p.setup()
				s.script = first(reply)
				r := start(t, s)
				got := r.ask(p.in, true)
				require.Equal(t, http.StatusOK, got.status, name)
				require.Equal(t, "word1 word2 word3", p.in.textOf(got.body, true), name)
				require.Equal(t, []string{"a", "b"}, r.served(), name)
			}
		})
	}
}

// What the upstream says of a failure reaches the client in its own format, status and all.
func TestTranslation_TellsTheUpstreamsErrorsInTheClientsFormat(t *testing.T) {
	t.Parallel()
	for _, p := range pairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			for _, status := range []int{400, 403, 429, 500} {
				reply := fake.Error(string(p.out.format), status)
				reply.Header.Set("Retry-After", "7")
				s := p.setup()
				s.script = func(fake.Request) fake.Reply { return reply }
				for _, stream := range []bool{false, true} {
					got := start(t, s).ask(p.in, stream)
					require.Equal(t, status, got.status, string(got.body))
					message := gjson.GetBytes(got.body, "error.message").Str
					require.NotEmpty(t, message, string(got.body))
					require.Contains(t, string(reply.Body), message)
					if status != 400 {
						require.NotEmpty(t, got.header.Get("Retry-After"), status)
					} else {
						require.Equal(t, "false", got.header.Get("X-Should-Retry"))
					}
				}
			}
		})
	}
}

// Trouble behind the first byte is told inside the stream.
func TestTranslation_TellsTroubleInsideTheStream(t *testing.T) {
	t.Parallel()
	for _, p := range pairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			opening, pieces, _ := p.out.opening()
			cut := opening
			cut.CutAfter = pieces
			unfinished := opening
			unfinished.EndAfter = pieces
			failed := opening
			failed.Chunks = append(append([][]byte(nil), opening.Chunks[:pieces]...), p.out.overloaded())
			for name, reply := range map[string]fake.Reply{"cut": cut, "unfinished": unfinished, "failed": failed} {
				s := p.setup()
				reply.ChunkDelay = time.Millisecond // the client has the first piece before there is trouble
				s.script = func(fake.Request) fake.Reply { return reply }
				inBubble(t, s, func(t *testing.T, r *rig) {
					got := r.ask(p.in, true)
					require.NoError(t, got.err)
					require.Equal(t, http.StatusOK, got.status, name)
					require.Contains(t, p.in.textOf(got.body, true), "word1", name)
					data := p.in.data(got.body)
					last := data[len(data)-1]
					require.Truef(t, gjson.Get(last, "error").Exists() || gjson.Get(last, "response.error").Exists(), "%s: %s", name, got.body)
					require.NotContains(t, string(got.body), "[DONE]")
					require.Equal(t, []string{"a"}, r.served(), name)
				})
			}
		})
	}
}

func TestTranslation_NamesWhatItCannotSay(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in, out      providers.Format
		target, body string
		says         string
	}{
		"a tool of the vendor": {
			providers.OpenAIResponses, providers.OpenAIChat, "/v1/responses",
			`{"model":"m","input":"hi","tools":[{"type":"computer_use_preview","display_width":1,"display_height":1,"environment":"browser"}]}`, "computer_use_preview",
		},
		"an uploaded file": {
			providers.Anthropic, providers.Gemini, "/v1/messages",
			`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"file_1"}}]}]}`, "file",
		},
		"what cannot be read": {
			providers.OpenAIChat, providers.Anthropic, "/v1/chat/completions",
			`{"model":"m","messages":[{"role":"user","content":7}]}`, "messages[0].content",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{kinds: []string{vendor(tt.out)}, adjust: speaking(tt.out)})
			got := r.post(tt.target, tt.body)
			require.Equal(t, http.StatusBadRequest, got.status, string(got.body))
			require.Contains(t, string(got.body), tt.says)
			require.Contains(t, string(got.body), "not_translatable")
			require.Equal(t, "false", got.header.Get("X-Should-Retry"))
			require.Empty(t, r.upstream.Requests())
			require.Empty(t, r.view("a").Reason, "no credential is to blame")
		})
	}
}

// A request that one upstream cannot be asked goes to one that speaks the client's format.
func TestTranslation_LeavesWhatItCannotSayToTheClientsOwnFormat(t *testing.T) {
	t.Parallel()
	r := start(t, setup{kinds: []string{config.KindGemini, config.KindAnthropic}})
	got := r.post("/v1/messages", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"file_1"}}]}]}`)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	require.Equal(t, []string{"anthropic-a"}, r.served())
}

func TestTranslation_AFallbackMaySpeakAnotherFormat(t *testing.T) {
	t.Parallel()
	r := start(t, setup{
		kinds: []string{config.KindOpenAI, config.KindAnthropic}, ids: []string{"a"},
		script: func(q fake.Request) fake.Reply {
			if q.Key == secretOf("openai-a") {
				return fake.Error("openai-chat", 500)
			}
			return answerTo(q)
		},
		adjust: func(c *config.Config) {
			c.Providers[0].Models = []config.Model{{Name: "m", Fallback: []string{"n"}}}
			c.Providers[1].Models = []config.Model{{Name: "n"}}
		},
	})
	d := dialects()[0]
	got := r.ask(d, true)
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, "word1 word2 word3", d.textOf(got.body, true))
	require.Equal(t, []string{"openai-a", "anthropic-a"}, r.served())
}

// The client's headers of its own format stay behind; all others and the configured ones go
// along.
func TestTranslation_SendsTheHeadersOfTheUpstreamsFormat(t *testing.T) {
	t.Parallel()
	r := start(t, setup{kinds: []string{config.KindAnthropic}})
	got := r.post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
		"OpenAI-Organization", "org", "X-Stainless-Lang", "js", "User-Agent", "mine/1", "X-Trace", "t")
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	h := r.lastRequest().Header
	require.Empty(t, h.Get("OpenAI-Organization"))
	require.Empty(t, h.Get("X-Stainless-Lang"))
	require.Equal(t, "mine/1", h.Get("User-Agent"))
	require.Equal(t, "t", h.Get("X-Trace"))
	require.Equal(t, "2023-06-01", h.Get("Anthropic-Version"))
	require.Equal(t, "application/json", h.Get("Content-Type"))
}

// Row TR71: a suffix is said in the form of whatever the upstream speaks.
func TestTranslation_SaysASuffixInTheUpstreamsForm(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string][2]string{
		config.KindAnthropic: {"thinking.budget_tokens", "24576"},
		config.KindGemini:    {"generationConfig.thinkingConfig", ""},
	} {
		r := start(t, setup{kinds: []string{kind}})
		require.Equal(t, http.StatusOK, r.post("/v1/chat/completions", `{"model":"m(high)","reasoning_effort":"low","messages":[{"role":"user","content":"hi"}]}`).status)
		said := gjson.GetBytes(r.lastRequest().Body, want[0])
		require.True(t, said.Exists(), string(r.lastRequest().Body))
		if want[1] != "" {
			require.Equal(t, want[1], said.Raw)
		}
		require.NotContains(t, r.lastRequest().Path+string(r.lastRequest().Body), "(high)")
	}
}

func TestTranslation_CountsTokens(t *testing.T) {
	t.Parallel()
	const question = `{"model":"m","messages":[{"role":"user","content":"How many tokens are these words?"}]}`
	counting := func(q fake.Request) fake.Reply {
		body := `{"input_tokens":42}`
		if strings.HasSuffix(q.Path, ":countTokens") {
			body = `{"totalTokens":42}`
		}
		return fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
	}
	for kind, path := range map[string]string{config.KindOpenAI: "/v1/responses/input_tokens", config.KindGemini: "/v1beta/models/m:countTokens"} {
		r := start(t, setup{kinds: []string{kind}, script: counting})
		got := r.post("/v1/messages/count_tokens", question)
		require.Equal(t, http.StatusOK, got.status, string(got.body))
		require.JSONEq(t, `{"input_tokens":42}`, string(got.body))
		require.Empty(t, got.header.Get("X-Understudy-Estimate"))
		require.Equal(t, path, r.lastRequest().Path)
	}
	r := start(t, setup{kinds: []string{config.KindAnthropic}, script: counting})
	got := r.post("/v1beta/models/m:countTokens", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`)
	require.JSONEq(t, `{"totalTokens":42}`, string(got.body))
	require.NotContains(t, string(r.lastRequest().Body), "max_tokens", "that is no part of the question")

	compatible := start(t, setup{kinds: []string{config.KindOpenAICompatible}})
	got = compatible.post("/v1/messages/count_tokens", question)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	require.Equal(t, "tokens", got.header.Get("X-Understudy-Estimate"))
	require.InDelta(t, 12, gjson.GetBytes(got.body, "input_tokens").Num, 4)
	require.Empty(t, compatible.upstream.Requests(), "its format has no way to ask")
	require.Empty(t, compatible.view("a").Reason)
}

// A conversation that an upstream keeps nothing of goes on by the id of its last answer.
func TestTranslation_ContinuesConversationsByTheirAnswersIDs(t *testing.T) {
	t.Parallel()
	for _, out := range []dialect{dialects()[0], dialects()[2], dialects()[3]} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(out.name, " stream ", stream), func(t *testing.T) {
				t.Parallel()
				turn := 0
				r := start(t, setup{kinds: []string{vendor(out.format)}, adjust: speaking(out.format), script: func(q fake.Request) fake.Reply {
					turn++
					reply := out.good(stream)
					for i, chunk := range reply.Chunks { // each answer has an id of its own
						reply.Chunks[i] = bytes.ReplaceAll(chunk, []byte("fake"), fmt.Append(nil, "fake", turn))
					}
					reply.Body = bytes.ReplaceAll(reply.Body, []byte("fake"), fmt.Append(nil, "fake", turn))
					return reply
				}})
				ask := func(question, previous string) (id string) {
					t.Helper()
					body := fmt.Sprintf(`{"model":"m","stream":%t,"input":%q,"previous_response_id":%q}`, stream, question, previous)
					if previous == "" {
						body = fmt.Sprintf(`{"model":"m","stream":%t,"input":%q}`, stream, question)
					}
					got := r.post("/v1/responses", body)
					require.Equal(t, http.StatusOK, got.status, string(got.body))
					if !stream {
						return gjson.GetBytes(got.body, "id").Str
					}
					return gjson.Get(dialects()[1].data(got.body)[0], "response.id").Str
				}
				one := ask("first question", "")
				two := ask("second question", one)
				three := ask("third question", two)
				require.NotEqual(t, two, three)
				last := string(r.lastRequest().Body)
				for _, said := range []string{"first question", "second question", "third question"} {
					require.Equal(t, 1, strings.Count(last, said), last)
				}
				require.Equal(t, 2, strings.Count(last, "word1 word2 word3"), last)

				other := ask("another question", one)
				require.NotEmpty(t, other)
				require.NotContains(t, string(r.lastRequest().Body), "second question", "from there it goes another way")
			})
		}
	}
}

func TestTranslation_KeepsNothingThatWasNotToBeStored(t *testing.T) {
	t.Parallel()
	r := start(t, setup{kinds: []string{config.KindAnthropic}})
	got := r.post("/v1/responses", `{"model":"m","store":false,"input":"hi"}`)
	require.Equal(t, http.StatusOK, got.status)
	id := gjson.GetBytes(got.body, "id").Str
	for _, previous := range []string{id, "resp_unknown"} {
		got = r.post("/v1/responses", `{"model":"m","input":"and?","previous_response_id":"`+previous+`"}`)
		require.Equal(t, http.StatusNotFound, got.status)
		require.Contains(t, string(got.body), "previous_response_not_found")
	}
	require.Len(t, r.upstream.Requests(), 1)
}

// Reasoning that only its maker can read finds its way back to it through a client of another
// format, and goes to nobody else.
func TestTranslation_SignaturesGoBackToTheirMakerOnly(t *testing.T) {
	t.Parallel()
	const thought = `{"candidates":[{"content":{"role":"model","parts":[{"text":"Let me see.","thought":true,"thoughtSignature":"c2lnbmF0dXJl"},{"text":"Done."}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"modelVersion":"m","responseId":"r"}`
	r := start(t, setup{kinds: []string{config.KindGemini, config.KindAnthropic}, ids: []string{"a"}, script: func(q fake.Request) fake.Reply {
		if strings.Contains(q.Path, ":generateContent") {
			return fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(thought)}
		}
		return answerTo(q)
	}})
	got := r.post("/v1/messages", `{"model":"gemini/m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	require.NotContains(t, string(got.body), "c2lnbmF0dXJl", "a client must not take it for its own format's")
	content := gjson.GetBytes(got.body, "content").Raw
	require.Contains(t, content, `"thinking"`)

	next := func(model string) string {
		body := `{"model":"` + model + `","max_tokens":99,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":` + content + `},{"role":"user","content":"and?"}]}`
		require.Equal(t, http.StatusOK, r.post("/v1/messages", body).status)
		return string(r.lastRequest().Body)
	}
	require.Contains(t, next("gemini/m"), "c2lnbmF0dXJl")
	elsewhere := next("anthropic/m")
	require.NotContains(t, elsewhere, "thinking", "Anthropic would refuse what it has not signed")
	require.Contains(t, elsewhere, "Done.")

	// A gateway that has not translated yet does not look for them, until somebody refuses them.
	r = start(t, setup{kinds: []string{config.KindAnthropic}, ids: []string{"a"}, script: func(q fake.Request) fake.Reply {
		if bytes.Contains(q.Body, []byte(`"thinking"`)) {
			return fake.Error("anthropic", http.StatusBadRequest)
		}
		return answerTo(q)
	}})
	elsewhere = next("m")
	require.NotContains(t, elsewhere, "thinking", "Anthropic would refuse what it has not signed")
	require.Contains(t, elsewhere, "Done.")
}
