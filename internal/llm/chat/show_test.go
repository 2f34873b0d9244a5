package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/sse"
)

// show tells v, a part of the canonical form, as JSON without what is zero; parts are told
// with their type.
func show(t require.TestingT, v any) string {
	part := func(p llm.Part) ([]byte, error) {
		name := strings.TrimPrefix(fmt.Sprintf("%T", p), "*llm.")
		if r, ok := p.(*llm.ToolResult); ok {
			content := make([]json.RawMessage, len(r.Content))
			for i, c := range r.Content {
				content[i] = json.RawMessage(showLine(t, &c))
			}
			return jsonv2.Marshal(map[string]any{name: struct {
				ID, Name   string
				Content    []json.RawMessage
				Structured bool
				Failed     bool
				Cache      *llm.Cache
			}{r.ID, r.Name, content, r.Structured, r.Failed, r.Cache}}, jsonv2.OmitZeroStructFields(true))
		}
		return []byte(`{"` + name + `":` + marshal(t, p) + `}`), nil
	}
	b, err := jsonv2.Marshal(v, jsonv2.OmitZeroStructFields(true), jsonv2.Deterministic(true),
		jsonv2.WithMarshalers(jsonv2.MarshalFunc(func(p *llm.Part) ([]byte, error) { return part(*p) })))
	require.NoError(t, err)
	return indented(t, string(b))
}

func marshal(t require.TestingT, v any) string {
	b, err := jsonv2.Marshal(v, jsonv2.OmitZeroStructFields(true), jsonv2.Deterministic(true),
		jsonv2.WithMarshalers(jsonv2.MarshalFunc(func(d time.Duration) ([]byte, error) { return []byte(`"` + d.String() + `"`), nil })))
	require.NoError(t, err)
	return string(b)
}

func showLine(t require.TestingT, v any) string {
	var b bytes.Buffer
	require.NoError(t, json.Compact(&b, []byte(show(t, v))))
	return b.String()
}

func indented(t require.TestingT, body string) string {
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, []byte(body), "", "  "), body)
	return b.String() + "\n"
}

// showEvents tells one event a line.
func showEvents(t require.TestingT, events []llm.Event) string {
	names := []string{"", "Start", "PartStart", "Delta", "Signed", "PartEnd", "Finish", "Failed"}
	parts := []string{"", "text", "thinking", "refusal", "tool call", "media"}
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%s %d", names[e.Kind], e.Index)
		if e.Part != 0 {
			b.WriteString(" " + parts[e.Part])
		}
		e.Kind, e.Index, e.Part = 0, 0, 0
		if rest := marshal(t, e); rest != "{}" {
			b.WriteString(" " + rest)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// streamed decodes a stream given as its bytes.
func streamed(stream string) ([]llm.Event, error) {
	d := Codec{}.StreamDecoder()
	var (
		events  []llm.Event
		scanner sse.Scanner
	)
	take := func(e sse.Event) error {
		var err error
		events, err = d.Decode(events, e.Name, e.Data)
		return err
	}
	if err := scanner.Feed([]byte(stream), take); err != nil {
		return events, err
	}
	if err := scanner.Close(take); err != nil {
		return events, err
	}
	return d.Close(events), nil
}

// chunks decodes a stream of events given as their data.
func chunks(t *testing.T, data ...string) []llm.Event {
	t.Helper()
	events, err := streamed("data: " + strings.Join(data, "\n\ndata: ") + "\n\n")
	require.NoError(t, err)
	return events
}

func ptr[T any](v T) *T { return &v }

func decoded(t require.TestingT, body string) *llm.Request {
	r, err := Codec{}.DecodeRequest([]byte(body))
	require.NoError(t, err)
	return r
}

// encoded returns r as a body, without what it takes for granted.
func encoded(t require.TestingT, r *llm.Request, target llm.Target) (string, []llm.Loss) {
	body, lost, err := Codec{}.EncodeRequest(nil, r, target)
	require.NoError(t, err)
	require.True(t, json.Valid(body), string(body))
	return string(body), lost
}

// messagesOf returns the messages of an encoded request.
func messagesOf(t require.TestingT, r *llm.Request, target llm.Target) string {
	body, _ := encoded(t, r, target)
	return member(t, body, "messages")
}

func member(t require.TestingT, body, name string) string {
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(body), &members))
	return string(members[name])
}
