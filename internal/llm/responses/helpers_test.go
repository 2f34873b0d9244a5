package responses

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	jsonx "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/sse"
)

func ptr[T any](v T) *T { return &v }

func decodeRequest(t *testing.T, body string) *llm.Request {
	t.Helper()
	r, err := Codec{}.DecodeRequest([]byte(body))
	require.NoError(t, err)
	return r
}

func encodeRequest(t *testing.T, r *llm.Request) (body string, lost []llm.Loss) {
	t.Helper()
	b, lost, err := Codec{}.EncodeRequest(nil, r, llm.Target{})
	require.NoError(t, err)
	require.True(t, json.Valid(b), string(b))
	return string(b), lost
}

// user and assistant make messages of texts or parts.
func user(parts ...llm.Part) llm.Message { return llm.Message{Role: llm.User, Parts: parts} }

func assistant(parts ...llm.Part) llm.Message {
	return llm.Message{Role: llm.Assistant, Parts: parts}
}

func say(s string) *llm.Text { return &llm.Text{Text: s} }

func toolCall(id, name, arguments string) *llm.ToolCall {
	return &llm.ToolCall{ID: id, Name: name, Arguments: arguments}
}

func toolResult(id string, content ...llm.Part) *llm.ToolResult {
	return &llm.ToolResult{ID: id, Content: content}
}

// wireEvent is one event of a stream.
type wireEvent struct{ name, data string }

func scan(t require.TestingT, stream []byte) []wireEvent {
	var (
		events []wireEvent
		s      sse.Scanner
	)
	require.NoError(t, s.Feed(stream, func(e sse.Event) error {
		events = append(events, wireEvent{string(e.Name), string(e.Data)})
		return nil
	}))
	return events
}

// decodeStream reads events, given by their data, as an upstream would send them.
func decodeStream(t require.TestingT, data ...string) []llm.Event {
	var (
		d   = Codec{}.StreamDecoder()
		out []llm.Event
		err error
	)
	for _, one := range data {
		out, err = d.Decode(out, []byte(gjson.Get(one, "type").Str), []byte(one))
		require.NoError(t, err, one)
	}
	return d.Close(out)
}

func encodeStream(events []llm.Event, r llm.Reply) []byte {
	var (
		s   = Codec{}.StreamEncoder(r)
		out []byte
	)
	for _, e := range events {
		out = s.Encode(out, e)
	}
	return out
}

// reply answers a request that says nothing.
func replyTo(r *llm.Request) llm.Reply {
	if r == nil {
		r = &llm.Request{Model: "m"}
	}
	return llm.Reply{Request: r, ID: "0123456789abcdef01234567"}
}

// streamed is what a client makes of a stream.
type streamed struct {
	types    []string
	items    []string // as their last events have them
	terminal string   // the type of the last event
	response string   // of the last event
}

// accumulate reads a stream as a strict client would.
func accumulate(t require.TestingT, stream []byte) streamed {
	var (
		a     streamed
		open  = -1 // the item in progress
		parts = map[string]string{}
	)
	for n, e := range scan(t, stream) {
		require.Empty(t, a.terminal, "an event after the end: %s", e.name)
		require.True(t, json.Valid([]byte(e.data)), e.data)
		v := gjson.Parse(e.data)
		require.Equal(t, e.name, v.Get("type").Str)
		require.Equal(t, int64(n), v.Get("sequence_number").Int(), "the numbers have no gaps")
		a.types = append(a.types, strings.TrimPrefix(e.name, "response."))
		if v.Get("output_index").Exists() && e.name != "response.output_item.added" {
			require.Equal(t, int64(open), v.Get("output_index").Int(), "an event of an item that is not open")
		}
		switch e.name {
		case "response.created", "response.in_progress":
			require.Less(t, n, 2)
			require.Equal(t, "in_progress", v.Get("response.status").Str)
		case "response.output_item.added":
			require.Equal(t, -1, open, "the item before is still open")
			open = len(a.items)
			require.Equal(t, int64(open), v.Get("output_index").Int())
			parts = map[string]string{"id": v.Get("item.id").Str}
		case "response.output_item.done":
			require.Equal(t, parts["id"], v.Get("item.id").Str)
			requireWhole(t, parts, v.Get("item"))
			a.items = append(a.items, v.Get("item").Raw)
			open = -1
		case "response.completed", "response.incomplete", "response.failed":
			require.Equal(t, -1, open)
			a.terminal, a.response = e.name, v.Get("response").Raw
		default:
			requireOrdered(t, parts, v)
		}
	}
	require.NotEmpty(t, a.terminal, "no end")
	require.Equal(t, a.items, rawItems(a.response))
	return a
}

func rawItems(response string) []string {
	var items []string
	for _, item := range gjson.Get(response, "output").Array() {
		items = append(items, item.Raw)
	}
	return items
}

// requireOrdered checks an event inside an item: pieces, then all of it once.
func requireOrdered(t require.TestingT, parts map[string]string, v gjson.Result) {
	kind := strings.TrimPrefix(v.Get("type").Str, "response.")
	require.Equal(t, parts["id"], v.Get("item_id").Str)
	stem, step := kind[:strings.LastIndexByte(kind, '.')], kind[strings.LastIndexByte(kind, '.')+1:]
	require.Empty(t, parts[stem+".done"], "%s after its end", kind)
	switch step {
	case "delta":
		require.NotEmpty(t, v.Get("delta").Str, "an empty piece")
		parts[stem] += v.Get("delta").Str
	case "done":
		parts[stem+".done"] = "yes"
		for _, member := range []string{"text", "refusal", "arguments", "input", "part.text", "part.refusal"} {
			if whole := v.Get(member); whole.Exists() && stem != "content_part" && stem != "reasoning_summary_part" {
				require.Equal(t, parts[stem], whole.Str)
			}
		}
	}
}

// requireWhole checks that an item is what its pieces were.
func requireWhole(t require.TestingT, parts map[string]string, item gjson.Result) {
	for stem, path := range map[string]string{
		"output_text": "content.0.text", "refusal": "content.0.refusal", "function_call_arguments": "arguments",
		"custom_tool_call_input": "input", "reasoning_summary_text": "summary.0.text",
	} {
		if pieces, ok := parts[stem]; ok {
			require.Equal(t, pieces, item.Get(path).Str)
			require.NotEmpty(t, parts[stem+".done"], "%s has no end", stem)
		}
	}
}

// describe shows a canonical value as the golden files do.
func describe(t *testing.T, v any) string {
	t.Helper()
	b, err := jsonx.Marshal(v, jsonx.Deterministic(true), jsonx.OmitZeroStructFields(true),
		jsonx.WithMarshalers(jsonx.JoinMarshalers(
			jsonx.MarshalToFunc(marshalPart[llm.Text]), jsonx.MarshalToFunc(marshalPart[llm.Media]),
			jsonx.MarshalToFunc(marshalPart[llm.ToolCall]), jsonx.MarshalToFunc(marshalPart[llm.ToolResult]),
			jsonx.MarshalToFunc(marshalPart[llm.Thinking]), jsonx.MarshalToFunc(marshalPart[llm.Refusal]),
			jsonx.MarshalToFunc(marshalPart[llm.Opaque]),
		)), jsontext.WithIndent("  "))
	require.NoError(t, err)
	return string(b) + "\n"
}

// marshalPart writes a part with its type.
func marshalPart[P any](enc *jsontext.Encoder, p *P) error {
	name := fmt.Sprintf("%T", p)
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	if err := enc.WriteToken(jsontext.String(name[strings.LastIndexByte(name, '.')+1:])); err != nil {
		return err
	}
	// Without the marshalers, which would come here again; contents are written by hand.
	content := any(p)
	if r, ok := content.(*llm.ToolResult); ok {
		content = struct {
			ID, Name string
			Content  []llm.Part
			Failed   bool
		}{r.ID, r.Name, r.Content, r.Failed}
		if err := jsonx.MarshalEncode(enc, content); err != nil {
			return err
		}
		return enc.WriteToken(jsontext.EndObject)
	}
	b, err := jsonx.Marshal(content, jsonx.OmitZeroStructFields(true), jsonx.Deterministic(true))
	if err != nil {
		return err
	}
	if err := enc.WriteValue(b); err != nil {
		return err
	}
	return enc.WriteToken(jsontext.EndObject)
}

func indent(t *testing.T, body []byte) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, body, "", "  "), string(body))
	return b.String() + "\n"
}

// quoted is a text as JSON.
func quoted(text string) []byte {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return b
}
