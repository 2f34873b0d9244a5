package responses

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

// What is kept of one turn is understood in the next as the conversation that it was.
func TestAppendItems_AreTheNextTurnsHistory(t *testing.T) {
	t.Parallel()
	r := client()
	a := &llm.Answer{Reason: llm.ToolCalls, Parts: []llm.Part{
		&llm.Thinking{Text: "hm", Signature: "c2ln", Origin: llm.Messages},
		&llm.Thinking{Signature: "ZGF0YQ==", Origin: llm.Messages, Redacted: true},
		say("I look."), &llm.Refusal{Text: "no"}, &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "AAAA"},
		toolCall("1", "github__search", ""), toolCall("2", "apply_patch", `{"input":"x"}`),
	}}
	r.Store, r.Include = nil, nil // what it was not shown is kept all the same
	first := AppendItems([]byte(` "Hello" `), a, replyTo(r))
	second := AppendItems([]byte(`[{"type":"function_call_output","call_id":"1","output":"y"}]`), &llm.Answer{Parts: []llm.Part{say("Done.")}}, replyTo(r))

	body, err := WithHistory([]byte(`{"model":"m", "previous_response_id":"resp_1","input":"Thanks","tools":[{"type":"custom","name":"apply_patch"}]}`),
		append(append(first, ','), second...))
	require.NoError(t, err)
	require.True(t, json.Valid(body), string(body))
	next := decodeRequest(t, string(body))
	require.Empty(t, next.PreviousResponseID)
	require.Equal(t, []llm.Message{
		user(say("Hello")),
		assistant(a.Parts[0], a.Parts[1], a.Parts[2], a.Parts[3], a.Parts[4], toolCall("1", "github__search", "{}"), toolCall("2", "apply_patch", `{"input":"x"}`)),
		user(toolResult("1", say("y"))), assistant(say("Done.")), user(say("Thanks")),
	}, next.Messages)
}

func TestAppendItems_TakesAnyInput(t *testing.T) {
	t.Parallel()
	a := &llm.Answer{Parts: []llm.Part{say("b"), say(""), &llm.Thinking{}}}
	const said = `{"type":"message","role":"assistant","content":[{"type":"output_text","text":"b"}]}`
	for input, want := range map[string]string{
		``: said, `null`: said, `""`: said, `[]`: said, `[ ]`: said,
		`"a"`:            `{"type":"message","role":"user","content":"a"},` + said,
		" [{\"x\":1}\n]": `{"x":1},` + said,
	} {
		require.Equal(t, want, string(AppendItems([]byte(input), a, replyTo(nil))), input)
	}
	require.Empty(t, AppendItems(nil, &llm.Answer{}, replyTo(nil)))
}

func TestWithHistory_ChangesOnlyInputAndReference(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"a": 1 ,"previous_response_id":"r","input":[{"y":1}],"b":[1, 2]}`: `{"a":1,"b":[1, 2],"input":[{"x":1},{"y":1}]}`,
		`{}`:                          `{"input":[{"x":1}]}`,
		`{"input":null}`:              `{"input":[{"x":1}]}`,
		`{"input":[]}`:                `{"input":[{"x":1}]}`,
		`{"input":"old","input":"a"}`: `{"input":[{"x":1},{"type":"message","role":"user","content":"a"}]}`,
	} {
		before := body
		out, err := WithHistory([]byte(body), []byte(`{"x":1}`))
		require.NoError(t, err)
		require.Equal(t, want, string(out))
		require.Equal(t, before, body)
	}
	out, err := WithHistory([]byte(`{"input":[{"y":1}],"previous_response_id":"r"}`), nil)
	require.NoError(t, err)
	require.Equal(t, `{"input":[{"y":1}]}`, string(out))

	_, err = WithHistory([]byte(`[]`), nil)
	require.Equal(t, &llm.DecodeError{Reason: "a JSON object is expected"}, err)
	_, err = WithHistory([]byte(`{"input":{}}`), nil)
	require.Equal(t, &llm.DecodeError{Path: "input", Reason: "neither a string nor an array"}, err)
}
