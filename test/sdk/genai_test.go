package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genai"

	"github.com/understudyhq/understudy/providers"
)

// genai returns a client. This SDK tries once unless told otherwise.
func (c client) genai(ctx context.Context) (*genai.Client, error) {
	return genai.NewClient(ctx, &genai.ClientConfig{
		APIKey: c.key, Backend: genai.BackendGeminiAPI, HTTPClient: c.http,
		HTTPOptions: genai.HTTPOptions{BaseURL: c.url},
	})
}

// mustGenAI is genai for tests that do not care about its errors.
func (c client) mustGenAI(t *testing.T) *genai.Client {
	t.Helper()
	sdk, err := c.genai(t.Context())
	require.NoError(t, err)
	return sdk
}

// genaiRefusal finds the gateway's own code where Google puts such things.
func genaiRefusal(err error) (refusal, bool) {
	var e genai.APIError
	if !errors.As(err, &e) {
		return refusal{}, false
	}
	refused := refusal{status: e.Code, kind: e.Status, message: e.Message}
	for _, detail := range e.Details {
		if detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo" {
			refused.code, _ = detail["reason"].(string)
		}
	}
	return refused, true
}

func contents(turns []string) []*genai.Content {
	var all []*genai.Content
	for i, turn := range turns {
		var role genai.Role = genai.RoleUser
		if i%2 == 1 {
			role = genai.RoleModel
		}
		all = append(all, genai.NewContentFromText(turn, role))
	}
	return all
}

func askContent(ctx context.Context, c client, q question) (answer, error) {
	sdk, err := c.genai(ctx)
	if err != nil {
		return answer{}, err
	}
	response, err := sdk.Models.GenerateContent(ctx, q.model, q.contents(), q.config())
	if err != nil {
		return answer{}, err
	}
	a := answer{text: response.Text()}
	a.count(response.UsageMetadata)
	return a, nil
}

func streamContent(ctx context.Context, c client, q question) (answer, error) {
	sdk, err := c.genai(ctx)
	if err != nil {
		return answer{}, err
	}
	var (
		a      answer
		finish genai.FinishReason
	)
	for chunk, err := range sdk.Models.GenerateContentStream(ctx, q.model, q.contents(), q.config()) {
		if err != nil {
			return a, err
		}
		a.text += chunk.Text()
		a.count(chunk.UsageMetadata)
		finish = chunk.Candidates[0].FinishReason
	}
	if finish == "" {
		return a, errUnfinished
	}
	return a, nil
}

// count takes over usage, which grows from chunk to chunk.
func (a *answer) count(u *genai.GenerateContentResponseUsageMetadata) {
	if u != nil {
		a.input, a.cached = int64(u.PromptTokenCount), int64(u.CachedContentTokenCount)
	}
}

func TestGenAI_StreamsWholeContent(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.Gemini, setup{}, func(t *testing.T, g *gateway) {
		const text = "echo: all the world is a stage"
		plain, err := askContent(t.Context(), g.client, question{model: geminiModel, turns: []string{text}})
		require.NoError(t, err)
		require.Equal(t, "all the world is a stage", plain.text)
		require.Positive(t, plain.input)
		streamed, err := streamContent(t.Context(), g.client, question{model: geminiModel, turns: []string{text}})
		require.NoError(t, err)
		require.Equal(t, plain.text, streamed.text)
		require.Equal(t, plain.input, streamed.input)
	})
}

func TestGenAI_CallsAFunctionAndReadsItsResponse(t *testing.T) {
	t.Parallel()
	settings := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
		Name: "get_weather", ParametersJsonSchema: weatherSchema(),
	}}}}}
	onEveryUpstream(t, providers.Gemini, setup{}, func(t *testing.T, g *gateway) {
		sdk := g.mustGenAI(t)
		chat, err := sdk.Chats.Create(t.Context(), geminiModel, settings, nil)
		require.NoError(t, err)
		asked, err := chat.SendMessage(t.Context(), genai.Part{Text: "call get_weather"})
		require.NoError(t, err)
		require.Len(t, asked.FunctionCalls(), 1)
		call := asked.FunctionCalls()[0]
		require.Equal(t, "get_weather", call.Name)
		arguments, err := json.Marshal(call.Args)
		require.NoError(t, err)
		requireWeatherArguments(t, string(arguments))

		text := ""
		told := chat.SendMessageStream(t.Context(), genai.Part{FunctionResponse: &genai.FunctionResponse{
			ID: call.ID, Name: call.Name, Response: map[string]any{"output": "sunny"},
		}})
		for chunk, err := range told {
			require.NoError(t, err)
			text += chunk.Text()
		}
		require.Contains(t, text, "sunny")
	})
}

func TestGenAI_StreamsAFunctionCall(t *testing.T) {
	t.Parallel()
	settings := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
		Name: "get_weather", ParametersJsonSchema: weatherSchema(),
	}}}}}
	onEveryUpstream(t, providers.Gemini, setup{}, func(t *testing.T, g *gateway) {
		sdk := g.mustGenAI(t)
		var calls []*genai.FunctionCall
		for chunk, err := range sdk.Models.GenerateContentStream(t.Context(), geminiModel, genai.Text("call get_weather"), settings) {
			require.NoError(t, err)
			calls = append(calls, chunk.FunctionCalls()...)
		}
		require.Len(t, calls, 1)
		require.Equal(t, "get_weather", calls[0].Name)
	})
}

func TestGenAI_CountsTokens(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.Gemini, setup{}, func(t *testing.T, g *gateway) {
		const text = "all the world is a stage"
		said, err := askContent(t.Context(), g.client, question{model: geminiModel, turns: []string{text}})
		require.NoError(t, err)
		var header http.Header
		sdk := g.observed(func(r *http.Response) { header = r.Header }).mustGenAI(t)
		counted, err := sdk.Models.CountTokens(t.Context(), geminiModel, genai.Text(text), nil)
		require.NoError(t, err)
		requireCount(t, g, header, said.input, int64(counted.TotalTokens))
	})
}

func TestGenAI_EmbedsContents(t *testing.T) {
	t.Parallel()
	onEveryRelay(t, providers.Gemini, setup{}, func(t *testing.T, g *gateway) {
		texts := append(genai.Text("all the world"), genai.Text("is a stage")...)
		embedded, err := g.mustGenAI(t).Models.EmbedContent(t.Context(), "gemini-embedding", texts,
			&genai.EmbedContentConfig{OutputDimensionality: genai.Ptr[int32](32)})
		require.NoError(t, err)
		require.Len(t, embedded.Embeddings, 2)
		require.Len(t, embedded.Embeddings[0].Values, 32)
		require.NotEqual(t, embedded.Embeddings[0].Values, embedded.Embeddings[1].Values)
	})
}

func TestGenAI_ListsModelsPageByPage(t *testing.T) {
	t.Parallel()
	onEveryUpstream(t, providers.Gemini, setup{}, func(t *testing.T, g *gateway) {
		sdk := g.mustGenAI(t)
		page, err := sdk.Models.List(t.Context(), &genai.ListModelsConfig{PageSize: 2})
		require.NoError(t, err)
		require.Len(t, page.Items, 2)
		require.NotEmpty(t, page.NextPageToken)

		var names []string
		for model, err := range sdk.Models.All(t.Context()) {
			require.NoError(t, err)
			names = append(names, model.Name)
		}
		require.Subset(t, names, []string{"models/" + openAIModel, "models/" + geminiModel, "models/understudy-large"})

		model, err := sdk.Models.Get(t.Context(), geminiModel, nil)
		require.NoError(t, err)
		require.Equal(t, "models/"+geminiModel, model.Name)

		_, err = sdk.Models.Get(t.Context(), "unknown", nil)
		refused, typed := genaiRefusal(err)
		require.True(t, typed)
		refused.message = ""
		require.Equal(t, refusal{status: 404, kind: "NOT_FOUND", code: "model_not_found"}, refused)
	})
}
