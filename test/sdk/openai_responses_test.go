package sdk_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

func responseParams(model string, turns []string) responses.ResponseNewParams {
	var input responses.ResponseInputParam
	for i, turn := range turns {
		role := responses.EasyInputMessageRoleUser
		if i%2 == 1 {
			role = responses.EasyInputMessageRoleAssistant
		}
		input = append(input, responses.ResponseInputItemParamOfMessage(turn, role))
	}
	return responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfInputItemList: input}}
}

func askResponse(ctx context.Context, c client, q question) (answer, error) {
	sdk := c.openAI()
	response, err := sdk.Responses.New(ctx, q.response())
	if err != nil {
		return answer{}, err
	}
	return responseAnswer(response), nil
}

func streamResponse(ctx context.Context, c client, q question) (answer, error) {
	told, err := readResponse(ctx, c, q.response())
	if told.completed == nil {
		return answer{text: told.text}, err
	}
	return responseAnswer(told.completed), err
}

func responseAnswer(r *responses.Response) answer {
	return answer{text: r.OutputText(), input: r.Usage.InputTokens, cached: r.Usage.InputTokensDetails.CachedTokens}
}

// responseStream is what the events of a streamed response tell.
type responseStream struct {
	text      string // of the deltas
	arguments string // likewise
	kinds     []string
	numbers   []int64
	completed *responses.Response // nil unless the stream came to a good end
}

// responseFailedError is the event that ends a stream in failure.
type responseFailedError struct{ id, code, message string }

func (e *responseFailedError) Error() string {
	return fmt.Sprintf("response %s failed: %s", e.id, e.code)
}

// readResponse streams a response. The SDK hands failure over as an event like any other;
// here it is an error.
func readResponse(ctx context.Context, c client, params responses.ResponseNewParams) (responseStream, error) {
	sdk := c.openAI()
	stream := sdk.Responses.NewStreaming(ctx, params)
	defer stream.Close()
	var told responseStream
	for stream.Next() {
		event := stream.Current()
		told.kinds = append(told.kinds, event.Type)
		told.numbers = append(told.numbers, event.SequenceNumber)
		switch event.Type {
		case "response.output_text.delta":
			told.text += event.Delta
		case "response.function_call_arguments.delta":
			told.arguments += event.Delta
		case "response.completed":
			told.completed = &event.Response
		case "response.failed":
			return told, &responseFailedError{id: event.Response.ID, code: string(event.Response.Error.Code), message: event.Response.Error.Message}
		}
	}
	if stream.Err() == nil && told.completed == nil {
		return told, errUnfinished
	}
	return told, stream.Err()
}

func TestOpenAIResponses_StreamsToResponseCompleted(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.OpenAIResponses, setup{}, func(t *testing.T, g *gateway) {
		params := responseParams(openAIModel, []string{"echo: all the world is a stage"})
		sdk := g.openAI()
		plain, err := sdk.Responses.New(t.Context(), params)
		require.NoError(t, err)
		require.Equal(t, responses.ResponseStatusCompleted, plain.Status)

		told, err := readResponse(t.Context(), g.client, params)
		require.NoError(t, err)
		require.Equal(t, "all the world is a stage", told.text)
		require.Equal(t, told.text, told.completed.OutputText())
		require.Equal(t, plain.OutputText(), told.completed.OutputText())
		require.Equal(t, plain.Usage.TotalTokens, told.completed.Usage.TotalTokens)
		require.Equal(t, "response.created", told.kinds[0])
		require.Equal(t, "response.completed", told.kinds[len(told.kinds)-1])
		for i, number := range told.numbers {
			require.EqualValues(t, i, number, "sequence numbers count up from 0")
		}
	})
}

func TestOpenAIResponses_CallsAToolAndReadsItsResult(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.OpenAIResponses, setup{}, func(t *testing.T, g *gateway) {
		sdk := g.openAI()
		params := responseParams(openAIModel, []string{"call get_weather"})
		params.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("get_weather", weatherSchema(), true)}
		asked, err := sdk.Responses.New(t.Context(), params)
		require.NoError(t, err)
		require.Len(t, asked.Output, 1)
		call := asked.Output[0].AsFunctionCall()
		require.Equal(t, "get_weather", call.Name)
		requireWeatherArguments(t, call.Arguments)

		streamed, err := readResponse(t.Context(), g.client, params)
		require.NoError(t, err)
		require.Equal(t, call.Arguments, streamed.arguments)
		require.Equal(t, call.Arguments, streamed.completed.Output[0].AsFunctionCall().Arguments)

		result := responses.ResponseInputItemParamOfFunctionCallOutput("sunny")
		result.OfFunctionCallOutput.CallID = openai.String(call.CallID)
		params.Input.OfInputItemList = append(params.Input.OfInputItemList,
			responses.ResponseInputItemParamOfFunctionCall(call.Arguments, call.CallID, call.Name), result)
		told, err := sdk.Responses.New(t.Context(), params)
		require.NoError(t, err)
		require.Contains(t, told.OutputText(), "sunny")
		again, err := readResponse(t.Context(), g.client, params)
		require.NoError(t, err)
		require.Equal(t, told.OutputText(), again.text)
	})
}

// TestOpenAIResponses_GoOnByTheirIDs: upstreams of other formats keep nothing, so the gateway
// does.
func TestOpenAIResponses_GoOnByTheirIDs(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.OpenAIResponses, setup{}, func(t *testing.T, g *gateway) {
		sdk := g.openAI()
		first, err := sdk.Responses.New(t.Context(), responseParams(openAIModel, []string{"all the world is a stage"}))
		require.NoError(t, err)
		require.Contains(t, first.OutputText(), "answer 1 of")
		params := responseParams(openAIModel, []string{"and then?"})
		params.PreviousResponseID = openai.String(first.ID)
		second, err := readResponse(t.Context(), g.client, params)
		require.NoError(t, err)
		require.Contains(t, second.text, "answer 2 of")
		params.PreviousResponseID = openai.String(second.completed.ID)
		third, err := sdk.Responses.New(t.Context(), params)
		require.NoError(t, err)
		require.Contains(t, third.OutputText(), "answer 3 of")
		require.Greater(t, third.Usage.InputTokens, second.completed.Usage.InputTokens)

		params.PreviousResponseID = openai.String("resp_unknown")
		_, err = sdk.Responses.New(t.Context(), params)
		refused, typed := openAIRefusal(err)
		require.True(t, typed)
		require.Equal(t, "previous_response_not_found", refused.code)
	})
}

func TestOpenAIResponses_CountsInputTokens(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.OpenAIResponses, setup{}, func(t *testing.T, g *gateway) {
		var header http.Header
		sdk := g.observed(func(r *http.Response) { header = r.Header }).openAI()
		const text = "all the world is a stage"
		response, err := sdk.Responses.New(t.Context(), responseParams(openAIModel, []string{text}))
		require.NoError(t, err)
		counted, err := sdk.Responses.InputTokens.Count(t.Context(), responses.InputTokenCountParams{
			Model: openai.String(openAIModel),
			Input: responses.InputTokenCountParamsInputUnion{OfString: openai.String(text)},
		})
		require.NoError(t, err)
		requireCount(t, g, header, response.Usage.InputTokens, counted.InputTokens)
	})
}

func TestOpenAIResponses_Compacts(t *testing.T) {
	t.Parallel()
	onEveryRelay(t, providers.OpenAIResponses, setup{}, func(t *testing.T, g *gateway) {
		sdk := g.openAI()
		compacted, err := sdk.Responses.Compact(t.Context(), responses.ResponseCompactParams{
			Model: openAIModel,
			Input: responses.ResponseCompactParamsInputUnion{OfString: openai.String("all the world is a stage")},
		})
		require.NoError(t, err)
		last := compacted.Output[len(compacted.Output)-1]
		require.Equal(t, "compaction", last.Type)
		require.NotEmpty(t, last.EncryptedContent)
	})
}

// TestResponses_AreFoundWhereTheyWereMade: each credential is asked for what it made, in turn
// and without affinity.
func TestResponses_AreFoundWhereTheyWereMade(t *testing.T) {
	t.Parallel()
	wander := setup{change: func(c *config.Config) { c.Routing.SessionAffinity = false }}
	onEveryRelay(t, providers.OpenAIResponses, wander, func(t *testing.T, g *gateway) {
		sdk, ctx := g.openAI(), t.Context()
		for range credentialsPerProvider + 1 {
			first, err := sdk.Responses.New(ctx, responseParams(openAIModel, []string{"all the world is a stage"}))
			require.NoError(t, err)
			next := responseParams(openAIModel, []string{"merely players"})
			next.PreviousResponseID = openai.String(first.ID)
			second, err := sdk.Responses.New(ctx, next)
			require.NoError(t, err)
			for _, made := range []*responses.Response{first, second} {
				again, err := sdk.Responses.Get(ctx, made.ID, responses.ResponseGetParams{})
				require.NoError(t, err)
				require.Equal(t, made.OutputText(), again.OutputText())
				items, err := sdk.Responses.InputItems.List(ctx, made.ID, responses.InputItemListParams{Limit: openai.Int(1)})
				require.NoError(t, err)
				require.Len(t, items.Data, 1)
			}
			require.NoError(t, sdk.Responses.Delete(ctx, first.ID))
			_, err = sdk.Responses.Get(ctx, first.ID, responses.ResponseGetParams{})
			var gone *openai.Error
			require.ErrorAs(t, err, &gone)
			require.Equal(t, http.StatusNotFound, gone.StatusCode)
		}
	})
}
