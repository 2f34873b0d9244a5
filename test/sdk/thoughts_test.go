package sdk_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
	"github.com/stretchr/testify/require"
	"google.golang.org/genai"

	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

const (
	thought   = "Let me see."
	signature = "c2lnbmF0dXJlIG9mIGEgdGhvdWdodA=="
)

// thoughtful is how a vendor answers with a thought before its words, whole and in events.
func thoughtful(f providers.Format) (whole string, events []string) {
	switch f {
	case providers.OpenAIChat:
		const form = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":`
		return `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"Let me see.","content":"Done."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16,"completion_tokens_details":{"reasoning_tokens":5}}}`,
			[]string{
				`data: ` + form + `[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":"Let me"},"finish_reason":null}]}`,
				`data: ` + form + `[{"index":0,"delta":{"reasoning_content":" see."},"finish_reason":null}]}`,
				`data: ` + form + `[{"index":0,"delta":{"content":"Done."},"finish_reason":null}]}`,
				`data: ` + form + `[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
				`data: ` + form + `[],"usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16,"completion_tokens_details":{"reasoning_tokens":5}}}`,
				`data: [DONE]`,
			}
	case providers.OpenAIResponses:
		const (
			reasoning = `{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Let me see."}],"encrypted_content":"` + signature + `"}`
			message   = `{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Done.","annotations":[]}]}`
			done      = `{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[` + reasoning + `,` + message + `],"usage":{"input_tokens":9,"output_tokens":7,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":16}}`
		)
		return done, []string{
			`data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"m","output":[]}}`,
			`data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}`,
			`data: {"type":"response.reasoning_summary_part.added","sequence_number":2,"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}`,
			`data: {"type":"response.reasoning_summary_text.delta","sequence_number":3,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Let me"}`,
			`data: {"type":"response.reasoning_summary_text.delta","sequence_number":4,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":" see."}`,
			`data: {"type":"response.reasoning_summary_text.done","sequence_number":5,"item_id":"rs_1","output_index":0,"summary_index":0,"text":"Let me see."}`,
			`data: {"type":"response.output_item.done","sequence_number":6,"output_index":0,"item":` + reasoning + `}`,
			`data: {"type":"response.output_item.added","sequence_number":7,"output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}`,
			`data: {"type":"response.output_text.delta","sequence_number":8,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"Done."}`,
			`data: {"type":"response.output_item.done","sequence_number":9,"output_index":1,"item":` + message + `}`,
			`data: {"type":"response.completed","sequence_number":10,"response":` + done + `}`,
		}
	case providers.Anthropic:
		return `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"Let me see.","signature":"` + signature + `"},{"type":"text","text":"Done."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":7}}`,
			[]string{
				"event: message_start\n" + `data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}`,
				"event: content_block_start\n" + `data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
				"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me"}}`,
				"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":" see."}}`,
				"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"` + signature + `"}}`,
				"event: content_block_stop\n" + `data: {"type":"content_block_stop","index":0}`,
				"event: content_block_start\n" + `data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
				"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Done."}}`,
				"event: content_block_stop\n" + `data: {"type":"content_block_stop","index":1}`,
				"event: message_delta\n" + `data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}`,
				"event: message_stop\n" + `data: {"type":"message_stop"}`,
			}
	default:
		const (
			usage = `,"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2,"thoughtsTokenCount":5,"totalTokenCount":16},"modelVersion":"m","responseId":"r1"}`
			words = `{"text":"Done.","thoughtSignature":"` + signature + `"}`
		)
		return `{"candidates":[{"content":{"role":"model","parts":[{"text":"Let me see.","thought":true},` + words + `]},"finishReason":"STOP","index":0}]` + usage,
			[]string{
				`data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Let me","thought":true}]},"index":0}]` + usage,
				`data: {"candidates":[{"content":{"role":"model","parts":[{"text":" see.","thought":true}]},"index":0}]` + usage,
				`data: {"candidates":[{"content":{"role":"model","parts":[` + words + `]},"finishReason":"STOP","index":0}]` + usage,
			}
	}
}

// thoughtfulReply is thoughtful as the vendor sends it.
func thoughtfulReply(f providers.Format, stream bool) fake.Reply {
	whole, events := thoughtful(f)
	if !stream {
		return fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(whole)}
	}
	reply := fake.Reply{Header: http.Header{"Content-Type": {"text/event-stream"}}}
	for _, e := range events {
		reply.Chunks = append(reply.Chunks, []byte(e+"\n\n"))
	}
	return reply
}

// thinker is a way to ask a model to think, and to go on with what it has thought.
type thinker struct {
	name   string
	stream bool
	// think asks, and returns what was thought and said, and how to go on.
	think func(t *testing.T, c client) (thought, said string, goOn func())
}

func thinkers() []thinker {
	var all []thinker
	for _, stream := range []bool{false, true} {
		mode := map[bool]string{false: "", true: " stream"}[stream]
		all = append(all,
			thinker{"anthropic-sdk-go messages" + mode, stream, func(t *testing.T, c client) (string, string, func()) { return thinkInMessages(t, c, stream) }},
			thinker{"genai chat" + mode, stream, func(t *testing.T, c client) (string, string, func()) { return thinkInContents(t, c, stream) }},
			thinker{"openai-go responses" + mode, stream, func(t *testing.T, c client) (string, string, func()) { return thinkInResponses(t, c, stream) }},
		)
	}
	return all
}

func thinkInMessages(t *testing.T, c client, stream bool) (thought, said string, goOn func()) {
	t.Helper()
	sdk := c.anthropic()
	ask := func(params anthropic.MessageNewParams) (*anthropic.Message, error) {
		if stream {
			return accumulateMessage(t.Context(), c, params)
		}
		return sdk.Messages.New(t.Context(), params)
	}
	params := messageParams(claudeModel, []string{"think"})
	params.MaxTokens = 4 * maxTokens
	params.Thinking = anthropic.ThinkingConfigParamOfEnabled(2 * maxTokens)
	message, err := ask(params)
	require.NoError(t, err)
	require.EqualValues(t, 9, message.Usage.InputTokens)
	require.EqualValues(t, 7, message.Usage.OutputTokens)
	for _, block := range message.Content { // Gemini signs what follows a thought: that is a block of its own
		thought += block.Thinking
	}
	return thought, messageAnswer(message).text, func() {
		params.Messages = append(params.Messages, message.ToParam(), anthropic.NewUserMessage(anthropic.NewTextBlock("and?")))
		_, err := ask(params)
		require.NoError(t, err)
	}
}

func thinkInContents(t *testing.T, c client, stream bool) (thought, said string, goOn func()) {
	t.Helper()
	settings := &genai.GenerateContentConfig{ThinkingConfig: &genai.ThinkingConfig{IncludeThoughts: true, ThinkingBudget: genai.Ptr[int32](2048)}}
	chat, err := c.mustGenAI(t).Chats.Create(t.Context(), geminiModel, settings, nil)
	require.NoError(t, err)
	read := func(r *genai.GenerateContentResponse) {
		for _, p := range r.Candidates[0].Content.Parts {
			if p.Thought {
				thought += p.Text
			} else {
				said += p.Text
			}
		}
	}
	ask := func(text string) {
		if !stream {
			r, err := chat.SendMessage(t.Context(), genai.Part{Text: text})
			require.NoError(t, err)
			require.EqualValues(t, 16, r.UsageMetadata.TotalTokenCount)
			read(r)
			return
		}
		for r, err := range chat.SendMessageStream(t.Context(), genai.Part{Text: text}) {
			require.NoError(t, err)
			read(r)
		}
	}
	ask("think")
	return thought, said, func() { ask("and?") }
}

func thinkInResponses(t *testing.T, c client, stream bool) (thought, said string, goOn func()) {
	t.Helper()
	sdk := c.openAI()
	ask := func(params responses.ResponseNewParams) *responses.Response {
		if stream {
			told, err := readResponse(t.Context(), c, params)
			require.NoError(t, err)
			return told.completed
		}
		response, err := sdk.Responses.New(t.Context(), params)
		require.NoError(t, err)
		return response
	}
	params := responseParams(openAIModel, []string{"think"})
	params.Store = openai.Bool(false)
	params.Include = []responses.ResponseIncludable{responses.ResponseIncludableReasoningEncryptedContent}
	params.Reasoning = shared.ReasoningParam{Effort: shared.ReasoningEffortLow, Summary: shared.ReasoningSummaryAuto}
	response := ask(params)
	require.EqualValues(t, 16, response.Usage.TotalTokens)
	var kept []responses.ResponseInputItemUnionParam
	for _, item := range response.Output[:len(response.Output)-1] {
		reasoning := item.AsReasoning()
		for _, s := range reasoning.Summary {
			thought += s.Text
		}
		again := reasoning.ToParam()
		kept = append(kept, responses.ResponseInputItemUnionParam{OfReasoning: &again})
	}
	return thought, response.OutputText(), func() {
		params.Input.OfInputItemList = append(params.Input.OfInputItemList, kept...)
		params.Input.OfInputItemList = append(params.Input.OfInputItemList,
			responses.ResponseInputItemParamOfMessage(response.OutputText(), responses.EasyInputMessageRoleAssistant),
			responses.ResponseInputItemParamOfMessage("and?", responses.EasyInputMessageRoleUser))
		ask(params)
	}
}

// asksToThink finds in an upstream's request that the model is to think.
func asksToThink(f providers.Format) string {
	return map[providers.Format]string{
		providers.OpenAIChat: `"reasoning_effort"`, providers.OpenAIResponses: `"reasoning"`,
		providers.Anthropic: `"thinking"`, providers.Gemini: `"thinkingConfig"`,
	}[f]
}

// TestThoughts_ReachEverySDKAndGoBackToTheirMaker: what the vendor has signed comes back to it
// with the next turn, through any SDK.
func TestThoughts_ReachEverySDKAndGoBackToTheirMaker(t *testing.T) {
	t.Parallel()
	for _, th := range thinkers() {
		t.Run(th.name, func(t *testing.T) {
			t.Parallel()
			atEveryVendor(t, func(t *testing.T, f providers.Format) {
				g, vendor := startScripted(t, f, func(fake.Request) fake.Reply { return thoughtfulReply(f, th.stream) })
				got, said, goOn := th.think(t, g.client)
				require.Equal(t, thought, got)
				require.Equal(t, "Done.", said)
				require.Contains(t, string(vendor.Requests()[0].Body), asksToThink(f))

				goOn()
				require.Len(t, vendor.Requests(), 2)
				again := string(vendor.Requests()[1].Body)
				require.Contains(t, again, "Done.")
				if f == providers.OpenAIChat { // nothing is signed; upstreams of this kind take the words
					require.Contains(t, again, thought)
				} else {
					require.Equal(t, 1, strings.Count(again, signature), again)
				}
			})
		})
	}
}

// TestThoughts_ReachWhoeverReadsThemInChat: OpenAI's SDK has no name for them, but keeps them
// where such clients look.
func TestThoughts_ReachWhoeverReadsThemInChat(t *testing.T) {
	t.Parallel()
	modes := map[string]func(context.Context, client, openai.ChatCompletionNewParams) (string, error){
		"plain": func(ctx context.Context, c client, params openai.ChatCompletionNewParams) (string, error) {
			sdk := c.openAI()
			completion, err := sdk.Chat.Completions.New(ctx, params)
			if err != nil {
				return "", err
			}
			return completion.Choices[0].Message.JSON.ExtraFields["reasoning_content"].Raw(), nil
		},
		"stream": func(ctx context.Context, c client, params openai.ChatCompletionNewParams) (string, error) {
			sdk := c.openAI()
			stream := sdk.Chat.Completions.NewStreaming(ctx, params)
			defer stream.Close()
			var all string
			for stream.Next() {
				for _, choice := range stream.Current().Choices {
					var piece string
					if raw := choice.Delta.JSON.ExtraFields["reasoning_content"].Raw(); raw != "" {
						if err := json.Unmarshal([]byte(raw), &piece); err != nil {
							return "", err
						}
					}
					all += piece
				}
			}
			quoted, err := json.Marshal(all)
			if err == nil {
				err = stream.Err()
			}
			return string(quoted), err
		},
	}
	for name, ask := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atEveryVendor(t, func(t *testing.T, f providers.Format) {
				g, vendor := startScripted(t, f, func(fake.Request) fake.Reply { return thoughtfulReply(f, name == "stream") })
				params := chatParams(openAIModel, []string{"think"})
				params.ReasoningEffort = shared.ReasoningEffortLow
				got, err := ask(t.Context(), g.client, params)
				require.NoError(t, err)
				require.JSONEq(t, `"`+thought+`"`, got)
				require.Contains(t, string(vendor.Requests()[0].Body), asksToThink(f))
			})
		})
	}
}
