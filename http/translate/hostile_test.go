package translate_test

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// deep is JSON that is nested more than any parser here goes.
func deep() string { return strings.Repeat(`{"a":[`, 5_000) + strings.Repeat(`]}`, 5_000) }

// hostile are values that may stand where others are meant to.
func hostile() []string {
	return []string{
		`null`, `true`, `""`, `[]`, `{}`, `[null]`, `{"":null}`, `[[[]]]`, `-0`, `1e999999`, `-1e-999999`, `0.1`,
		`99999999999999999999999999`, `-9223372036854775809`, `1` + strings.Repeat("0", 400),
		"\"\xff\xfe\xed\xa0\x80\"", `"\ud800"`, `"\u0000"`, `"data:image/png;base64,"`, `"data:,"`,
	}
}

// span is where a value lies, or a name with its value.
type span struct{ from, to int }

// spansOf returns where the values of a body without white space lie, and its members.
func spansOf(t testing.TB, body []byte) (values, members []span) {
	t.Helper()
	type container struct {
		at, member int
		object     bool
		name       bool // a name comes next
	}
	var stack []container
	d := json.NewDecoder(bytes.NewReader(body))
	ended := func(from, to int) {
		values = append(values, span{from, to})
		if n := len(stack); n > 0 && stack[n-1].object {
			members = append(members, span{stack[n-1].member, to})
			stack[n-1].name = true
		}
	}
	for {
		from := int(d.InputOffset())
		token, err := d.Token()
		if err == io.EOF {
			return values, members
		}
		require.NoError(t, err)
		to := int(d.InputOffset())
		for body[from] == ',' || body[from] == ':' {
			from++
		}
		n := len(stack)
		switch delim, _ := token.(json.Delim); {
		case delim == '{' || delim == '[':
			stack = append(stack, container{at: from, object: delim == '{', name: delim == '{'})
		case delim != 0:
			top := stack[n-1]
			stack = stack[:n-1]
			ended(top.at, to)
		case n > 0 && stack[n-1].name:
			stack[n-1].name, stack[n-1].member = false, from
		default:
			ended(from, to)
		}
	}
}

// mutations returns a body with each of its values replaced by each of the hostile ones, and
// with each of its members given twice.
func mutations(t testing.TB, body []byte) [][]byte {
	t.Helper()
	var all [][]byte
	values, members := spansOf(t, body)
	for _, s := range values {
		for _, h := range hostile() {
			all = append(all, slices.Concat(body[:s.from], []byte(h), body[s.to:]))
		}
	}
	for _, s := range members {
		name, _, _ := bytes.Cut(body[s.from:s.to], []byte(`":`))
		for _, h := range []string{`null`, `{}`, `7`} {
			twice := slices.Concat(name, []byte(`":`+h+`,`))
			all = append(all, slices.Concat(body[:s.from], twice, body[s.from:]))
			again := slices.Concat([]byte(`,`), name, []byte(`":`+h))
			all = append(all, slices.Concat(body[:s.to], again, body[s.to:]))
		}
	}
	return all
}

// rich is a request with something of everything that the format can say.
func rich(t testing.TB, f providers.Format) []byte {
	t.Helper()
	r := &llm.Request{
		Model: "m", MaxTokens: ptr(int64(9000)), Stop: []string{"END"}, UserID: "u", Metadata: map[string]string{"a": "b"},
		Reasoning: llm.Reasoning{Budget: ptr(int64(2000)), Show: ptr(true)}, Tools: []llm.Tool{weather()}, Parallel: ptr(false),
		Choice: llm.ToolChoice{Mode: llm.Auto}, Sampling: llm.Sampling{TopP: ptr(0.99), Seed: ptr(int64(1))},
		Output: llm.Output{Kind: llm.OutputSchema, Name: "n", Schema: json.RawMessage(`{"type":"object","properties":{},"additionalProperties":false}`)},
		Messages: []llm.Message{
			said(llm.System, words("s")),
			said(llm.User, words("q"), &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBORw0KGgo="}, &llm.Media{Kind: llm.File, MIME: "application/pdf", Data: "cGRm", Name: "a.pdf"}),
			said(llm.Assistant, &llm.Thinking{Text: "hm", Signature: "c2ln", Origin: llm.Format(f)}, words("a"), call("call_1", "Rome"), call("call_2", "Oslo")),
			said(llm.User, brought("call_1", "sun"), &llm.ToolResult{ID: "call_2", Name: "get_weather", Failed: true, Content: []llm.Part{words("e")}}),
			said(llm.User, words("r")),
		},
	}
	return bodyIn(t, f, r)
}

// requireSane fails unless a request is refused in words of a sane length or becomes valid JSON
// in each of the other formats.
func requireSane(t testing.TB, in providers.Format, body []byte) {
	t.Helper()
	c, err := translate.Decode(in, body, false)
	if err != nil {
		var bad *llm.DecodeError
		require.ErrorAs(t, err, &bad)
		message, param := translate.Message(err)
		require.Less(t, len(message)+len(param), 1000)
		return
	}
	for _, out := range providers.AllFormats() {
		if out == in {
			continue
		}
		asked, _, err := c.Encode(translate.Upstream{Format: out, Model: "up"})
		if err != nil {
			var unsupported *llm.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			message, _ := translate.Message(err)
			require.Less(t, len(message), 1000)
			continue
		}
		require.True(t, json.Valid(asked), "%s: %s\n%s", out, body, asked)
	}
}

func TestHostile_RequestsAreRefusedOrMadeValid(t *testing.T) {
	t.Parallel()
	for _, in := range providers.AllFormats() {
		t.Run(string(in), func(t *testing.T) {
			t.Parallel()
			body := rich(t, in)
			all := mutations(t, body)
			require.Greater(t, len(all), 1000)
			for _, m := range all {
				requireSane(t, in, m)
			}
		})
	}
}

func TestHostile_NestingIsRefusedOrKept(t *testing.T) {
	t.Parallel()
	for _, in := range providers.AllFormats() {
		body := rich(t, in)
		values, _ := spansOf(t, body)
		for _, s := range values {
			requireSane(t, in, slices.Concat(body[:s.from], []byte(deep()), body[s.to:]))
		}
		for _, text := range []string{deep(), strings.Repeat("[", 1<<20), strings.Repeat(`{"messages":`, 1<<16)} {
			requireSane(t, in, []byte(text))
		}
	}
}

// share is a third of what is tried with an upstream's format: each of its three clients gets
// another one.
func (r route) share(t testing.TB, body []byte) [][]byte {
	t.Helper()
	n := slices.Index(slices.DeleteFunc(providers.AllFormats(), func(f providers.Format) bool { return f == r.out }), r.in)
	some := [][]byte{[]byte(deep())}
	for i, m := range mutations(t, body) {
		if i%3 == n {
			some = append(some, m)
		}
	}
	return some
}

// TestHostile_AnswersAreRefusedOrMadeValid is about upstreams: they may be sloppy, but the
// client gets JSON, or a stream as its format wants it.
func TestHostile_AnswersAreRefusedOrMadeValid(t *testing.T) {
	t.Parallel()
	for _, pair := range routes() {
		t.Run(pair.String(), func(t *testing.T) {
			t.Parallel()
			c := pair.decode(t, smallest(pair.in))
			answer := answers()[0]
			body := upstreamSays(pair.out, &answer, false)
			for _, m := range pair.share(t, body) {
				got, err := c.Answer(pair.out, translate.Client{ID: "req", At: time.Unix(1, 0)}).Whole(m)
				if err != nil {
					var bad *llm.DecodeError
					require.ErrorAs(t, err, &bad)
					require.Less(t, len(bad.Error()), 1000)
					continue
				}
				require.True(t, json.Valid(got), "%s\n%s", m, got)
			}
			events := eventsOf(t, upstreamSays(pair.out, &answer, true))
			for i, e := range events {
				if e.data.Raw == "[DONE]" || e.name == "response.in_progress" { // which is response.created again
					continue
				}
				for _, m := range pair.share(t, []byte(e.data.Raw)) {
					requireStream(t, pair, c, events, i, m)
				}
			}
		})
	}
}

// requireStream puts something in place of the i-th event of a stream.
func requireStream(t *testing.T, pair route, c *translate.Call, events []event, i int, instead []byte) {
	t.Helper()
	a := c.Answer(pair.out, translate.Client{Stream: true, ID: "req", At: time.Unix(1, 0)})
	var out []byte
	for j, e := range events {
		wire := e.wire()
		if j == i {
			wire = sse.Event{Name: wire.Name, Data: instead}
		}
		err := a.Take(wire)
		out = append(out, a.Out()...)
		if err != nil {
			break
		}
	}
	a.Close()
	requireValid(t, pair.in, append(out, a.Out()...), a.Finished())
}

// TestHostile_LongStringsTakeMemoryInProportion is not parallel: nothing may run beside it.
func TestHostile_LongStringsTakeMemoryInProportion(t *testing.T) {
	pairs := []route{chatToClaude, claudeToGemini, {providers.Gemini, providers.OpenAIResponses}, responsesToChat}
	for _, tt := range []struct {
		name, piece string
		mb          int
		factor      float64 // what one byte of it may become, by maxMemory
		pairs       []route
	}{
		{"at the body limit", "lorem ipsum dolor", bodyLimit, 1, pairs[:1]},
		{"plain", "lorem ipsum dolor", 1, 1, pairs},
		{"escaped", `\"\\\u00e9\n`, 1, 2, pairs},
		{"invalid UTF-8", "\xff", 1, 4, pairs}, // each byte becomes a replacement of three
	} {
		text := strings.Repeat(tt.piece, tt.mb<<20/len(tt.piece))
		for _, pair := range tt.pairs {
			body := []byte(strings.Replace(smallest(pair.in), `"q"`, `"`+text+`"`, 1))
			least := allocatedOnce(func() { pair.request(t, body) })
			require.LessOrEqual(t, float64(least)/float64(len(body)), tt.factor*maxMemory, "%s %s", tt.name, pair)
		}
	}
}
