package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// maxTokens is more than any answer here has.
const maxTokens = 1024

// anthropic returns a client that tries once.
func (c client) anthropic(more ...option.RequestOption) anthropic.Client {
	options := []option.RequestOption{
		option.WithoutEnvironmentDefaults(),
		option.WithBaseURL(c.url), option.WithAPIKey(c.key), option.WithHTTPClient(c.http), option.WithMaxRetries(0),
	}
	return anthropic.NewClient(append(options, more...)...)
}

func anthropicRefusal(err error) (refusal, bool) {
	var e *anthropic.Error
	if !errors.As(err, &e) {
		return refusal{}, false
	}
	var body struct{ Error struct{ Message string } }
	if json.Unmarshal([]byte(e.RawJSON()), &body) != nil {
		return refusal{}, false
	}
	return refusal{status: e.StatusCode, kind: string(e.Type()), message: body.Error.Message}, true
}

func messageParams(model string, turns []string) anthropic.MessageNewParams {
	params := anthropic.MessageNewParams{Model: model, MaxTokens: maxTokens}
	for i, turn := range turns {
		if i%2 == 0 {
			params.Messages = append(params.Messages, anthropic.NewUserMessage(anthropic.NewTextBlock(turn)))
		} else {
			params.Messages = append(params.Messages, anthropic.NewAssistantMessage(anthropic.NewTextBlock(turn)))
		}
	}
	return params
}

func askMessage(ctx context.Context, c client, q question) (answer, error) {
	sdk := c.anthropic()
	message, err := sdk.Messages.New(ctx, q.message())
	if err != nil {
		return answer{}, err
	}
	return messageAnswer(message), nil
}

func streamMessage(ctx context.Context, c client, q question) (answer, error) {
	message, err := accumulateMessage(ctx, c, q.message())
	return messageAnswer(message), err
}

// accumulateMessage streams a message and puts it together.
func accumulateMessage(ctx context.Context, c client, params anthropic.MessageNewParams) (*anthropic.Message, error) {
	sdk := c.anthropic()
	stream := sdk.Messages.NewStreaming(ctx, params)
	defer stream.Close()
	var (
		message anthropic.Message
		last    string
	)
	for stream.Next() {
		event := stream.Current()
		if err := message.Accumulate(event); err != nil {
			return &message, errors.Join(errMisfit, err)
		}
		last = event.Type
	}
	if stream.Err() == nil && last != "message_stop" {
		return &message, errUnfinished
	}
	return &message, stream.Err()
}

func messageAnswer(m *anthropic.Message) answer {
	a := answer{
		input:  m.Usage.InputTokens + m.Usage.CacheCreationInputTokens + m.Usage.CacheReadInputTokens,
		cached: m.Usage.CacheReadInputTokens,
	}
	for _, block := range m.Content {
		a.text += block.Text
	}
	return a
}

func TestAnthropic_StreamsAWholeMessage(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.Anthropic, setup{}, func(t *testing.T, g *gateway) {
		params := messageParams(claudeModel, []string{"echo: all the world is a stage"})
		sdk := g.anthropic()
		plain, err := sdk.Messages.New(t.Context(), params)
		require.NoError(t, err)
		streamed, err := accumulateMessage(t.Context(), g.client, params)
		require.NoError(t, err)
		require.Equal(t, "all the world is a stage", messageAnswer(streamed).text)
		require.Equal(t, anthropic.StopReasonEndTurn, streamed.StopReason)
		require.Equal(t, plain.Usage.OutputTokens, streamed.Usage.OutputTokens)
		require.Equal(t, messageAnswer(plain).input, messageAnswer(streamed).input)
	})
}

func TestAnthropic_CallsAToolAndReadsItsResult(t *testing.T) {
	t.Parallel()
	modes := map[string]func(context.Context, client, anthropic.MessageNewParams) (*anthropic.Message, error){
		"plain": func(ctx context.Context, c client, params anthropic.MessageNewParams) (*anthropic.Message, error) {
			sdk := c.anthropic()
			return sdk.Messages.New(ctx, params)
		},
		"streamed": accumulateMessage,
	}
	onEveryUpstream(t, providers.Anthropic, setup{}, func(t *testing.T, g *gateway) {
		for name, complete := range modes {
			params := messageParams(claudeModel, []string{"call get_weather"})
			params.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
				Name:        "get_weather",
				InputSchema: anthropic.ToolInputSchemaParam{Properties: weatherSchema()["properties"], Required: []string{"city", "days"}},
			}}}
			asked, err := complete(t.Context(), g.client, params)
			require.NoError(t, err, name)
			require.Equal(t, anthropic.StopReasonToolUse, asked.StopReason, name)
			require.Len(t, asked.Content, 1, name)
			call := asked.Content[0].AsToolUse()
			require.Equal(t, "get_weather", call.Name, name)
			requireWeatherArguments(t, string(call.Input))

			params.Messages = append(params.Messages, asked.ToParam(),
				anthropic.NewUserMessage(anthropic.NewToolResultBlock(call.ID, "sunny", false)))
			told, err := complete(t.Context(), g.client, params)
			require.NoError(t, err, name)
			require.Equal(t, anthropic.StopReasonEndTurn, told.StopReason, name)
			require.Contains(t, messageAnswer(told).text, "sunny", name)
		}
	})
}

func TestAnthropic_CountsTokens(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.Anthropic, setup{}, func(t *testing.T, g *gateway) {
		var header http.Header
		sdk := g.observed(func(r *http.Response) { header = r.Header }).anthropic()
		params := messageParams(claudeModel, []string{"all the world is a stage"})
		message, err := sdk.Messages.New(t.Context(), params)
		require.NoError(t, err)
		counted, err := sdk.Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{
			Model: params.Model, Messages: params.Messages,
		})
		require.NoError(t, err)
		require.Positive(t, counted.InputTokens)
		requireCount(t, g, header, messageAnswer(message).input, counted.InputTokens)
	})
}

func TestAnthropic_ListsModelsPageByPage(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.Anthropic, setup{}, func(t *testing.T, g *gateway) {
		sdk := g.anthropic()
		var ids []string
		models := sdk.Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{Limit: anthropic.Int(2)})
		for models.Next() {
			ids = append(ids, models.Current().ID)
		}
		require.NoError(t, models.Err())
		require.Subset(t, ids, []string{openAIModel, claudeModel, "understudy-large"})
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(ids))), len(ids), "no model is listed twice")

		model, err := sdk.Models.Get(t.Context(), claudeModel, anthropic.ModelGetParams{})
		require.NoError(t, err)
		require.Equal(t, claudeModel, model.ID)

		_, err = sdk.Models.Get(t.Context(), "unknown", anthropic.ModelGetParams{})
		refused, typed := anthropicRefusal(err)
		require.True(t, typed)
		refused.message = ""
		require.Equal(t, refusal{status: 404, kind: "not_found_error"}, refused)
	})
}

func betaParams(model string, turns []string) anthropic.BetaMessageNewParams {
	params := anthropic.BetaMessageNewParams{
		Model: model, MaxTokens: maxTokens,
		Betas: []anthropic.AnthropicBeta{anthropic.AnthropicBetaPromptCaching2024_07_31, "made-up-2026-01-01"},
	}
	for i, turn := range turns {
		role := anthropic.BetaMessageParamRoleUser
		if i%2 == 1 {
			role = anthropic.BetaMessageParamRoleAssistant
		}
		params.Messages = append(params.Messages, anthropic.BetaMessageParam{
			Role: role, Content: []anthropic.BetaContentBlockParamUnion{anthropic.NewBetaTextBlock(turn)},
		})
	}
	return params
}

func askBetaMessage(ctx context.Context, c client, q question) (answer, error) {
	sdk := c.anthropic()
	message, err := sdk.Beta.Messages.New(ctx, q.beta())
	if err != nil {
		return answer{}, err
	}
	return betaAnswer(message), nil
}

func streamBetaMessage(ctx context.Context, c client, q question) (answer, error) {
	sdk := c.anthropic()
	stream := sdk.Beta.Messages.NewStreaming(ctx, q.beta())
	defer stream.Close()
	var (
		message anthropic.BetaMessage
		last    string
	)
	for stream.Next() {
		event := stream.Current()
		if err := message.Accumulate(event); err != nil {
			return betaAnswer(&message), errors.Join(errMisfit, err)
		}
		last = event.Type
	}
	if stream.Err() == nil && last != "message_stop" {
		return betaAnswer(&message), errUnfinished
	}
	return betaAnswer(&message), stream.Err()
}

func betaAnswer(m *anthropic.BetaMessage) answer {
	a := answer{
		input:  m.Usage.InputTokens + m.Usage.CacheCreationInputTokens + m.Usage.CacheReadInputTokens,
		cached: m.Usage.CacheReadInputTokens,
	}
	for _, block := range m.Content {
		a.text += block.Text
	}
	return a
}

func TestAnthropic_BetaQueryAndHeadersReachTheUpstream(t *testing.T) {
	t.Parallel()
	seen := make(chan *http.Request, 1)
	watched := upstream{providers: func(t *testing.T, faults [][]config.Fault) []config.Provider {
		vendor := []config.Provider{{Name: "anthropic", Kind: config.KindAnthropic}}
		return overHTTP(t, vendor, faults, func(r *http.Request) { seen <- r.Clone(context.Background()) })
	}}
	g := startGateway(t, watched, setup{})
	_, err := askBetaMessage(t.Context(), g.client, question{model: claudeModel, turns: []string{"echo: all the world"}})
	require.NoError(t, err)
	r := <-seen
	require.Equal(t, "true", r.URL.Query().Get("beta"))
	require.Equal(t, "prompt-caching-2024-07-31,made-up-2026-01-01", r.Header.Get("Anthropic-Beta"))
	require.Equal(t, "2023-06-01", r.Header.Get("Anthropic-Version"))
	require.Contains(t, r.Header.Get("X-Api-Key"), "secret-of-anthropic-")
	for name, values := range r.Header {
		require.NotContains(t, values, clientKey, name)
	}
}
