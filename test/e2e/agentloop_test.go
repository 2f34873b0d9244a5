package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/chat"
	"github.com/understudyhq/understudy/internal/llm/gemini"
	"github.com/understudyhq/understudy/internal/llm/messages"
	"github.com/understudyhq/understudy/internal/llm/responses"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

func codecOf(f providers.Format) llm.Codec {
	return map[providers.Format]llm.Codec{
		providers.OpenAIChat: chat.Codec{}, providers.OpenAIResponses: responses.Codec{},
		providers.Anthropic: messages.Codec{}, providers.Gemini: gemini.Codec{},
	}[f]
}

// agent is a client of one format that runs tools until it has its answers.
type agent struct {
	*rig
	d      dialect
	stream bool
	said   llm.Request
	log    []string // the transcript, in no format's words
}

// turn sends the conversation so far and takes the answer into it.
func (a *agent) turn(t *testing.T) *llm.Answer {
	t.Helper()
	a.said.Model, a.said.Stream = "m", a.stream
	body, _, err := codecOf(a.d.format).EncodeRequest(nil, &a.said, llm.Target{})
	require.NoError(t, err)
	got := a.post(a.d.target(a.stream), string(body))
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	answer := a.read(t, got.body)
	a.said.Messages = append(a.said.Messages, llm.Message{Role: llm.Assistant, Parts: answer.Parts})
	return answer
}

func (a *agent) read(t *testing.T, body []byte) *llm.Answer {
	t.Helper()
	codec := codecOf(a.d.format)
	if !a.stream {
		events, err := codec.DecodeAnswer(body)
		require.NoError(t, err)
		return llm.Collect(events)
	}
	var (
		scanner sse.Scanner
		events  []llm.Event
	)
	decoder := codec.StreamDecoder()
	take := func(e sse.Event) (err error) {
		events, err = decoder.Decode(events, e.Name, e.Data)
		return err
	}
	require.NoError(t, scanner.Feed(body, take))
	require.NoError(t, scanner.Close(take))
	return llm.Collect(decoder.Close(events))
}

func (a *agent) say(parts ...llm.Part) {
	a.said.Messages = append(a.said.Messages, llm.Message{Role: llm.User, Parts: parts})
}

// run goes round the loop n times, with each of three tools in turn. Every other answer is
// streamed.
func (a *agent) run(t *testing.T, n int) {
	t.Helper()
	tools := []string{"read_file", "list_folder", "run_tests"}
	a.said.Messages = []llm.Message{{Role: llm.System, Parts: []llm.Part{&llm.Text{Text: "You are a coding agent."}}}}
	for _, name := range tools {
		a.said.Tools = append(a.said.Tools, llm.Tool{
			Kind: llm.Function, Name: name, Description: "Does it.",
			Schema: []byte(`{"type":"object","properties":{"path":{"type":"string"},"depth":{"type":"integer"}},"required":["path"]}`),
		})
	}
	ids := map[string]bool{}
	for i := range n {
		for _, name := range tools {
			a.say(&llm.Text{Text: "call " + name})
			answer := a.turn(t)
			require.Equal(t, llm.ToolCalls, answer.Reason)
			require.Len(t, answer.Parts, 1)
			call, ok := answer.Parts[0].(*llm.ToolCall)
			require.True(t, ok)
			require.Equal(t, name, call.Name)
			require.False(t, ids[call.ID], "an id names one call of a conversation")
			ids[call.ID] = true
			result := fmt.Sprint(name, " brought ", i)
			a.say(&llm.ToolResult{ID: call.ID, Name: name, Content: []llm.Part{&llm.Text{Text: result}}})
			answer = a.turn(t)
			require.Equal(t, llm.Stop, answer.Reason)
			text, ok := answer.Parts[0].(*llm.Text)
			require.True(t, ok)
			require.Contains(t, text.Text, result, "the model has seen it")
			// Gemini has results as objects, which the simulator quotes as they are.
			quoted := strings.Replace(text.Text, `{"output":"`+result+`"}`, result, 1)
			a.log = append(a.log, call.Name, call.Arguments, result, quoted)
			a.stream = !a.stream
		}
	}
}

// An agent sees the same whichever format its upstream speaks: thirty turns with three tools
// each end with the transcript that they end with over the relay.
func TestAgentLoop_EndsAlikeOverEveryUpstream(t *testing.T) {
	t.Parallel()
	const turns = 30
	loop := func(t *testing.T, d dialect, out providers.Format) []string {
		t.Helper()
		r := start(t, setup{bubble: true, adjust: func(c *config.Config) {
			c.Providers = []config.Provider{{
				Name: "sim", Kind: config.KindSimulator, Formats: []string{string(out)},
				Models: []config.Model{{Name: "m"}}, Credentials: []config.Credential{{ID: "one"}},
			}}
		}})
		a := &agent{rig: r, d: d}
		a.run(t, turns)
		return a.log
	}
	for _, d := range formats() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			relayed := loop(t, d, d.format)
			require.Len(t, relayed, 4*3*turns)
			for _, out := range formats() {
				if out.format != d.format {
					require.Equal(t, relayed, loop(t, d, out.format), out.name)
				}
			}
		})
	}
}
