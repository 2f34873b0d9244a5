package messages

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/llm"
)

func TestEncodeRequest_IsUndoneByDecodeRequest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := sayable(t)
		body, lost, err := Codec{}.EncodeRequest([]byte("before"), want, llm.Target{Compatible: true})
		require.NoError(t, err)
		require.Empty(t, lost)
		require.Equal(t, "before", string(body[:6]))
		got, err := Codec{}.DecodeRequest(body[6:])
		require.NoError(t, err, string(body))
		require.Equal(t, want, got, string(body))
	})
}

func TestEncodeRequest_LosesOnlyWhatLossesLists(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := anything(t)
		before := dumpJSON(t, r)
		body, lost, err := Codec{}.EncodeRequest(nil, r, llm.Target{Compatible: rapid.Bool().Draw(t, "compatible")})
		require.NoError(t, err)
		require.Subset(t, Codec{}.Losses(), lost)
		require.Equal(t, before, dumpJSON(t, r), "the request is not changed")
		requireValid(t, body)
	})
}

func dumpJSON(t require.TestingT, v any) string {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// requireValid holds a body against what the vendor demands of conversations.
func requireValid(t require.TestingT, body []byte) {
	var v struct {
		MaxTokens int64 `json:"max_tokens"`
		Thinking  struct {
			Type   string `json:"type"`
			Budget int64  `json:"budget_tokens"`
		} `json:"thinking"`
		Choice struct {
			Type string `json:"type"`
		} `json:"tool_choice"`
		Messages []struct {
			Role    string           `json:"role"`
			Content []map[string]any `json:"content"`
		} `json:"messages"`
	}
	require.NoError(t, json.Unmarshal(body, &v), string(body))
	require.NotEmpty(t, v.Messages)
	if v.Thinking.Type == "enabled" {
		require.GreaterOrEqual(t, v.Thinking.Budget, int64(minBudget))
		require.Less(t, v.Thinking.Budget, v.MaxTokens)
	}
	if v.Thinking.Type == "enabled" || v.Thinking.Type == "adaptive" {
		require.NotContains(t, []string{"any", "tool"}, v.Choice.Type)
	}
	require.Equal(t, "user", v.Messages[len(v.Messages)-1].Role)
	due, seen := []any{}, map[any]bool{}
	for _, m := range v.Messages {
		require.NotEmpty(t, m.Content)
		results := []any{}
		for i, b := range m.Content {
			switch b["type"] {
			case kindToolUse:
				require.Equal(t, "assistant", m.Role)
				require.False(t, seen[b["id"]], "ids are unique")
				seen[b["id"]] = true
			case kindResult:
				require.Len(t, results, i, "results come first")
				results = append(results, b["tool_use_id"])
			case kindThinking, kindRedacted:
				require.Equal(t, "assistant", m.Role)
				require.Less(t, i, len(m.Content)-1, "no thought ends a turn")
			}
		}
		require.Equal(t, due, results, "each call has its result in the next turn")
		due = []any{}
		for _, b := range m.Content {
			if b["type"] == kindToolUse {
				due = append(due, b["id"])
			}
		}
	}
	require.Empty(t, due)
}

func TestLosses_CanAllOccur(t *testing.T) {
	t.Parallel()
	met := map[llm.Loss]bool{}
	requests := []*llm.Request{kitchenSink()}
	add := func(change func(*llm.Request)) {
		r := &llm.Request{Model: "claude-opus-4-8", Messages: []llm.Message{{Role: llm.User, Parts: parts(text("hi"))}}}
		change(r)
		requests = append(requests, r)
	}
	add(func(r *llm.Request) { r.Sampling.TopP = number(0.5) })
	add(func(r *llm.Request) {
		r.Model, r.Tools = "claude-opus-4-1", []llm.Tool{{Kind: llm.Function, Name: "t", Strict: yes()}}
	})
	add(func(r *llm.Request) {
		r.Tools, r.Choice = []llm.Tool{{Kind: llm.Function, Name: "t"}}, llm.ToolChoice{Mode: llm.Required}
		r.Reasoning.Level = llm.LevelMinimal
	})
	add(func(r *llm.Request) { r.Model, r.Reasoning.Show = "m", yes() })
	add(func(r *llm.Request) { r.Output.Kind = llm.OutputJSON })
	add(func(r *llm.Request) { r.UserID = string(make([]byte, 300)) })
	for _, r := range requests {
		_, lost, err := Codec{}.EncodeRequest(nil, r, llm.Target{})
		require.NoError(t, err)
		for _, l := range lost {
			met[l] = true
		}
	}
	for _, l := range (Codec{}).Losses() {
		require.True(t, met[l], l.Path)
	}
}

func TestStreamEncoder_SaysWhatEncodeAnswerSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := answerEvents(t, true)
		reply := aReply()
		reply.Request.Reasoning.Show = maybe(t, rapid.Bool(), "show")
		got, whole := accumulate(t, encodeStream(events, reply))
		require.True(t, whole)
		var want map[string]any
		require.NoError(t, json.Unmarshal(Codec{}.EncodeAnswer(nil, llm.Collect(events), reply), &want))
		require.Equal(t, want, got)
	})
}

func TestStreamDecoder_ReadsWhatDecodeAnswerReads(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := answerEvents(t, false)
		streamed, err := tryStream(encodeStream(events, aReply()))
		require.NoError(t, err)
		whole, err := Codec{}.DecodeAnswer(Codec{}.EncodeAnswer(nil, llm.Collect(events), aReply()))
		require.NoError(t, err)
		require.Equal(t, llm.Collect(whole), llm.Collect(streamed))
	})
}

// What the format can say of an answer survives it.
func TestEncodeAnswer_IsUndoneByDecodeAnswer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := llm.Collect(answerEvents(t, false))
		var kept []llm.Part
		for _, p := range want.Parts {
			switch p := p.(type) {
			case *llm.Refusal, *llm.Media:
				continue
			case *llm.ToolCall:
				p.ID, p.Name = "call_1", "t"
			case *llm.Thinking:
				if p.Redacted && p.Signature == "" {
					continue
				}
			}
			kept = append(kept, p)
		}
		want.Parts, want.ID, want.Reason, want.StopSequence = kept, "msg_1", llm.Length, ""
		events, err := Codec{}.DecodeAnswer(Codec{}.EncodeAnswer(nil, want, aReply()))
		require.NoError(t, err)
		require.Equal(t, want, llm.Collect(events))
	})
}

func TestStreamEncoder_TakesAnySequence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := answerEvents(t, true)
		for range rapid.IntRange(0, 6).Draw(t, "moves") {
			i, j := rapid.IntRange(0, len(events)-1).Draw(t, "i"), rapid.IntRange(0, len(events)-1).Draw(t, "j")
			events[i], events[j] = events[j], events[i]
		}
		if rapid.Bool().Draw(t, "fails") {
			events = append([]llm.Event{{Kind: llm.Failed, Index: 0}}, events...)
		}
		accumulate(t, encodeStream(events, aReply()))
	})
}
