package chat

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/llm"
)

func TestRequest_ComesBackAsItWas(t *testing.T) {
	t.Parallel()
	for _, target := range []llm.Target{{}, compatible()} {
		rapid.Check(t, func(t *rapid.T) {
			r := sayable(t, target)
			body, lost := encoded(t, r, target)
			require.Empty(t, lost)
			require.Equal(t, show(t, r), show(t, decoded(t, body)), body)
		})
	}
}

// TestEncodeRequest_IsValidWhateverTheRequest looks at what upstreams refuse: messages and
// results in the wrong places, empty content, losses that nobody has listed.
func TestEncodeRequest_IsValidWhateverTheRequest(t *testing.T) {
	t.Parallel()
	table := Codec{}.Losses()
	rapid.Check(t, func(t *rapid.T) {
		r, target := anyRequest(t), llm.Target{Compatible: rapid.Bool().Draw(t, "compatible")}
		before := show(t, r)
		body, lost, err := Codec{}.EncodeRequest([]byte("kept"), r, target)
		require.Equal(t, before, show(t, r), "it changes nothing")
		for _, l := range lost {
			require.Contains(t, table, l)
		}
		if err != nil {
			var unsupported *llm.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			require.Equal(t, "kept", string(body))
			return
		}
		rest, ok := strings.CutPrefix(string(body), "kept")
		require.True(t, ok)
		requireValid(t, rest, target)
	})
}

func requireValid(t *rapid.T, body string, target llm.Target) {
	var in struct {
		Messages []struct {
			Role       string            `json:"role"`
			Content    json.RawMessage   `json:"content"`
			Refusal    string            `json:"refusal"`
			ToolCallID string            `json:"tool_call_id"`
			Thoughts   *string           `json:"reasoning_content"`
			ToolCalls  []json.RawMessage `json:"tool_calls"`
		} `json:"messages"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &in), body)
	var open []string // calls that may be answered here
	for _, m := range in.Messages {
		require.NotEqual(t, "[]", string(m.Content), body)
		require.NotContains(t, string(m.Content), "[null")
		require.NotContains(t, string(m.Content), `"text":""`)
		switch m.Role {
		case "tool":
			require.Contains(t, open, m.ToolCallID, body)
			continue
		case "assistant":
			require.True(t, string(m.Content) != "null" || len(m.ToolCalls) > 0, body)
			require.True(t, target.Compatible || m.Thoughts == nil, body)
		case "developer":
			require.False(t, target.Compatible, body)
		}
		open = nil
		for _, raw := range m.ToolCalls {
			var call struct {
				ID string `json:"id"`
			}
			require.NoError(t, json.Unmarshal(raw, &call))
			require.LessOrEqual(t, len(call.ID), maxIDLength)
			open = append(open, call.ID)
		}
	}
	_, err := Codec{}.DecodeRequest([]byte(body))
	require.True(t, err == nil || len(in.Messages) == 0, "%v: %s", err, body)
}

// told is what a client can make of an answer in this format: kinds of parts have no order
// among each other, and what follows each other is one.
type told struct {
	ID, Model, Text, Thoughts, Refusal string
	Calls                              []llm.Part // and what is signed before them
	Media                              []llm.Part
	Reason                             llm.FinishReason
	Usage                              llm.Usage
	Failure                            *llm.Failure
}

func toldOf(a *llm.Answer) told {
	v := told{ID: a.ID, Model: a.Model, Reason: a.Reason, Usage: a.Usage, Failure: a.Failure}
	if a.Failure != nil { // then only that counts
		return told{Failure: a.Failure}
	}
	for _, p := range a.Parts {
		switch p := p.(type) {
		case *llm.Text:
			v.Text += p.Text
		case *llm.Refusal:
			v.Refusal += p.Text
		case *llm.Thinking:
			v.Thoughts += p.Text
			if p.Text == "" {
				v.Calls = append(v.Calls, p)
			}
		case *llm.ToolCall:
			v.Calls = append(v.Calls, p)
		case *llm.Media:
			v.Media = append(v.Media, p)
		}
	}
	slices.SortStableFunc(v.Media, func(a, b llm.Part) int {
		return strings.Compare(string(b.(*llm.Media).Kind), string(a.(*llm.Media).Kind)) // image, audio
	})
	return v
}

// TestStream_TellsWhatTheWholeAnswerTells: collected, what a client is streamed is what it
// would have been sent as a whole; and decoded, both are the same answer.
func TestStream_TellsWhatTheWholeAnswerTells(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t)
		a := llm.Collect(events)
		body := Codec{}.EncodeAnswer(nil, a, reply())
		require.True(t, json.Valid(body), string(body))
		stream := streamOf(events)
		if a.Failure == nil {
			require.Equal(t, withoutObject(t, body), accumulated(t, stream), stream)
		}

		whole, err := Codec{}.DecodeAnswer(body)
		require.NoError(t, err)
		pieces, err := streamed(stream)
		require.NoError(t, err)
		require.Equal(t, toldOf(llm.Collect(whole)), toldOf(llm.Collect(pieces)), stream)
	})
}

func withoutObject(t require.TestingT, body []byte) map[string]any {
	var v map[string]any
	require.NoError(t, json.Unmarshal(body, &v))
	delete(v, "object")
	choice := v["choices"].([]any)[0].(map[string]any)
	delete(choice, "logprobs")
	message := choice["message"].(map[string]any)
	for _, name := range []string{"content", "refusal"} {
		if message[name] == nil {
			message[name] = ""
		}
	}
	return v
}

// accumulated puts the chunks of a stream together as the official libraries do, and sees
// to it that they can: ids the same all over, calls counted from 0, one finish, one [DONE].
func accumulated(t require.TestingT, stream string) map[string]any {
	const end = "data: [DONE]\n\n"
	require.True(t, strings.HasSuffix(stream, end))
	require.Equal(t, 1, strings.Count(stream, end))
	message := map[string]any{"content": "", "refusal": ""}
	choice := map[string]any{"index": 0.0, "message": message}
	v := map[string]any{"choices": []any{choice}}
	for _, line := range strings.Split(strings.TrimSuffix(strings.TrimSuffix(stream, end), "\n\n"), "\n\n") {
		var c map[string]any
		require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &c), line)
		require.Equal(t, "chat.completion.chunk", c["object"])
		for _, name := range []string{"id", "model", "created"} {
			require.Contains(t, []any{nil, c[name]}, v[name])
			v[name] = c[name]
		}
		require.Nil(t, v["usage"], "usage comes last")
		if c["usage"] != nil {
			require.Empty(t, c["choices"])
			v["usage"] = c["usage"]
			continue
		}
		piece := c["choices"].([]any)[0].(map[string]any)
		require.Nil(t, choice["finish_reason"], "nothing follows the finish")
		if piece["finish_reason"] != nil {
			choice["finish_reason"] = piece["finish_reason"]
		}
		for name, value := range piece["delta"].(map[string]any) {
			accumulate(t, message, name, value)
		}
	}
	return v
}

func accumulate(t require.TestingT, message map[string]any, name string, value any) {
	switch value := value.(type) {
	case string:
		before, _ := message[name].(string)
		message[name] = before + value
	case []any:
		list, _ := message[name].([]any)
		for _, element := range value {
			element := element.(map[string]any)
			index := int(element["index"].(float64))
			if name == "tool_calls" {
				delete(element, "index")
			}
			if index == len(list) {
				list = append(list, element)
				continue
			}
			require.Equal(t, len(list)-1, index, "only the last call goes on")
			last := list[index].(map[string]any)["function"].(map[string]any)
			last["arguments"] = last["arguments"].(string) + element["function"].(map[string]any)["arguments"].(string)
		}
		message[name] = list
	default:
		message[name] = value
	}
}

// TestLosses_CanAllOccur finds every entry of the table in random requests, or in those made
// for it.
func TestLosses_CanAllOccur(t *testing.T) {
	t.Parallel()
	found := map[llm.Loss]bool{}
	for _, target := range []llm.Target{{}, compatible()} {
		r := kitchenSink()
		_, lost := encoded(t, r, target)
		for _, l := range lost {
			found[l] = true
		}
	}
	table := Codec{}.Losses()
	require.Len(t, table, int(losses))
	paths := map[string]bool{}
	for _, l := range table {
		require.True(t, found[l], "%s never occurs", l.Path)
		require.False(t, paths[l.Path], "%s is listed twice", l.Path)
		paths[l.Path] = true
	}
	require.Len(t, found, len(table))
}
