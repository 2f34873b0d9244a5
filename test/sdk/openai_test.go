package sdk_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

// openAI returns a client that tries once.
func (c client) openAI(more ...option.RequestOption) openai.Client {
	options := []option.RequestOption{
		option.WithBaseURL(c.url + "/v1"), option.WithAPIKey(c.key), option.WithHTTPClient(c.http), option.WithMaxRetries(0),
	}
	return openai.NewClient(append(options, more...)...)
}

func openAIRefusal(err error) (refusal, bool) {
	var (
		whole    *openai.Error
		inStream *ssestream.StreamError
		failed   *responseFailedError
	)
	switch {
	case errors.As(err, &whole):
		return refusal{status: whole.StatusCode, kind: whole.Type, code: whole.Code, message: whole.Message}, true
	case errors.As(err, &inStream):
		var body struct {
			Error struct{ Type, Code, Message string }
		}
		if json.Unmarshal(inStream.Event.Data, &body) != nil {
			return refusal{}, false
		}
		return refusal{kind: body.Error.Type, code: body.Error.Code, message: body.Error.Message}, true
	case errors.As(err, &failed):
		return refusal{code: failed.code, message: failed.message}, true
	default:
		return refusal{}, false
	}
}

func chatParams(model string, turns []string) openai.ChatCompletionNewParams {
	params := openai.ChatCompletionNewParams{Model: model}
	for i, turn := range turns {
		if i%2 == 0 {
			params.Messages = append(params.Messages, openai.UserMessage(turn))
		} else {
			params.Messages = append(params.Messages, openai.AssistantMessage(turn))
		}
	}
	return params
}

func askChat(ctx context.Context, c client, q question) (answer, error) {
	sdk := c.openAI()
	completion, err := sdk.Chat.Completions.New(ctx, q.chat())
	if err != nil {
		return answer{}, err
	}
	return chatAnswer(completion), nil
}

func streamChat(ctx context.Context, c client, q question) (answer, error) {
	completion, err := accumulateChat(ctx, c, q.chat())
	if err == nil && completion.Choices[0].FinishReason == "" {
		err = errUnfinished
	}
	return chatAnswer(completion), err
}

// accumulateChat streams a completion, usage included, and puts it together.
func accumulateChat(ctx context.Context, c client, params openai.ChatCompletionNewParams) (*openai.ChatCompletion, error) {
	sdk := c.openAI()
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := sdk.Chat.Completions.NewStreaming(ctx, params)
	defer stream.Close()
	var whole openai.ChatCompletionAccumulator
	for stream.Next() {
		if !whole.AddChunk(stream.Current()) {
			return &whole.ChatCompletion, errMisfit
		}
	}
	return &whole.ChatCompletion, stream.Err()
}

func chatAnswer(c *openai.ChatCompletion) answer {
	a := answer{input: c.Usage.PromptTokens, cached: c.Usage.PromptTokensDetails.CachedTokens}
	if len(c.Choices) > 0 {
		a.text = c.Choices[0].Message.Content
	}
	return a
}

func TestOpenAI_AnswersUnderEveryNameOfAModel(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.OpenAIChat, setup{}, func(t *testing.T, g *gateway) {
		sdk := g.openAI()
		names := []string{openAIModel, "understudy-large"}
		for _, provider := range g.upstream.names {
			names = append(names, provider+"/"+openAIModel, provider+"/understudy-large")
		}
		for _, name := range names {
			completion, err := sdk.Chat.Completions.New(t.Context(), chatParams(name, []string{"echo: all the world"}))
			require.NoError(t, err, name)
			require.Equal(t, "all the world", completion.Choices[0].Message.Content, name)
			require.Equal(t, "understudy-large", completion.Model, name)
		}
	})
}

func TestOpenAI_StreamsAWholeCompletion(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.OpenAIChat, setup{}, func(t *testing.T, g *gateway) {
		params := chatParams(openAIModel, []string{"echo: all the world is a stage"})
		sdk := g.openAI()
		plain, err := sdk.Chat.Completions.New(t.Context(), params)
		require.NoError(t, err)
		streamed, err := accumulateChat(t.Context(), g.client, params)
		require.NoError(t, err)
		require.Equal(t, "all the world is a stage", streamed.Choices[0].Message.Content)
		require.Equal(t, "stop", streamed.Choices[0].FinishReason)
		require.Positive(t, streamed.Usage.PromptTokens)
		require.Equal(t, plain.Usage.TotalTokens, streamed.Usage.TotalTokens)
	})
}

// weather is a tool that the model is asked to call.
func weather() shared.FunctionDefinitionParam {
	return shared.FunctionDefinitionParam{
		Name: "get_weather", Description: openai.String("Tells the weather"), Parameters: weatherSchema(),
	}
}

func weatherSchema() map[string]any {
	return map[string]any{
		"type":       "object",
		"properties": map[string]any{"city": map[string]any{"type": "string"}, "days": map[string]any{"type": "integer"}},
		"required":   []string{"city", "days"},
	}
}

func TestOpenAI_CallsAToolAndReadsItsResult(t *testing.T) {
	t.Parallel()
	modes := map[string]func(context.Context, client, openai.ChatCompletionNewParams) (*openai.ChatCompletion, error){
		"plain": func(ctx context.Context, c client, params openai.ChatCompletionNewParams) (*openai.ChatCompletion, error) {
			sdk := c.openAI()
			return sdk.Chat.Completions.New(ctx, params)
		},
		"streamed": accumulateChat,
	}
	onEveryUpstream(t, providers.OpenAIChat, setup{}, func(t *testing.T, g *gateway) {
		for name, complete := range modes {
			params := chatParams(openAIModel, []string{"call get_weather"})
			params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(weather())}
			asked, err := complete(t.Context(), g.client, params)
			require.NoError(t, err, name)
			require.Equal(t, "tool_calls", asked.Choices[0].FinishReason, name)
			require.Len(t, asked.Choices[0].Message.ToolCalls, 1, name)
			call := asked.Choices[0].Message.ToolCalls[0]
			require.Equal(t, "get_weather", call.Function.Name, name)
			require.NotEmpty(t, call.ID, name)
			requireWeatherArguments(t, call.Function.Arguments)

			params.Messages = append(params.Messages, asked.Choices[0].Message.ToParam(), openai.ToolMessage("sunny", call.ID))
			told, err := complete(t.Context(), g.client, params)
			require.NoError(t, err, name)
			require.Equal(t, "stop", told.Choices[0].FinishReason, name)
			require.Contains(t, told.Choices[0].Message.Content, "sunny", name)
		}
	})
}

// requireWeatherArguments checks that a call's arguments are whole and fit the tool's schema.
func requireWeatherArguments(t *testing.T, arguments string) {
	t.Helper()
	var decoded map[string]any
	require.NoError(t, json.Unmarshal([]byte(arguments), &decoded), arguments)
	require.IsType(t, "", decoded["city"])
	require.IsType(t, 0.0, decoded["days"])
	require.Len(t, decoded, 2)
}

func TestOpenAI_EmbedsAsFloatsAndAsBase64(t *testing.T) {
	t.Parallel()
	onEveryRelay(t, providers.OpenAIChat, setup{}, func(t *testing.T, g *gateway) {
		sdk := g.openAI()
		params := openai.EmbeddingNewParams{
			Model: embeddingModel, Dimensions: openai.Int(32),
			Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"all the world", "is a stage"}},
		}
		floats, err := sdk.Embeddings.New(t.Context(), params)
		require.NoError(t, err)
		require.Len(t, floats.Data, 2)
		require.Len(t, floats.Data[1].Embedding, 32)
		require.Positive(t, floats.Usage.PromptTokens)

		// The SDK has floats only in its types; who asks for base64 reads it by hand.
		params.EncodingFormat = openai.EmbeddingNewParamsEncodingFormatBase64
		var encoded struct {
			Data []struct{ Embedding string }
		}
		_, err = sdk.Embeddings.New(t.Context(), params, option.WithResponseBodyInto(&encoded))
		require.NoError(t, err)
		require.Len(t, encoded.Data, 2)
		for i, e := range encoded.Data {
			require.InDeltaSlice(t, floats.Data[i].Embedding, decodeVector(t, e.Embedding), 1e-6)
		}
	})
}

// decodeVector reads little-endian float32 values.
func decodeVector(t *testing.T, encoded string) []float64 {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	vector := make([]float64, len(raw)/4)
	for i := range vector {
		vector[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
	}
	return vector
}

func TestOpenAI_ListsModels(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.OpenAIChat, setup{}, func(t *testing.T, g *gateway) {
		sdk := g.openAI()
		var ids []string
		models := sdk.Models.ListAutoPaging(t.Context())
		for models.Next() {
			ids = append(ids, models.Current().ID)
		}
		require.NoError(t, models.Err())
		require.Subset(t, ids, []string{openAIModel, claudeModel, "understudy-large"})

		model, err := sdk.Models.Get(t.Context(), openAIModel)
		require.NoError(t, err)
		require.Equal(t, openAIModel, model.ID)

		_, err = sdk.Models.Get(t.Context(), "unknown")
		refused, typed := openAIRefusal(err)
		require.True(t, typed)
		refused.message = ""
		require.Equal(t, refusal{status: 404, kind: "invalid_request_error", code: "model_not_found"}, refused)
	})
}

func TestOpenAI_CompletesAPrompt(t *testing.T) {
	t.Parallel()
	onEveryRelay(t, providers.OpenAIChat, setup{}, func(t *testing.T, g *gateway) {
		sdk := g.openAI()
		params := openai.CompletionNewParams{
			Model:  openAIModel,
			Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("echo: all the world")},
		}
		completion, err := sdk.Completions.New(t.Context(), params)
		require.NoError(t, err)
		require.Equal(t, "all the world", completion.Choices[0].Text)

		stream := sdk.Completions.NewStreaming(t.Context(), params)
		defer stream.Close()
		text := ""
		for stream.Next() {
			for _, choice := range stream.Current().Choices {
				text += choice.Text
			}
		}
		require.NoError(t, stream.Err())
		require.Equal(t, "all the world", text)
	})
}
