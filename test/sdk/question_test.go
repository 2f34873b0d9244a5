package sdk_test

import (
	"encoding/base64"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
	"google.golang.org/genai"
)

// question is what is asked of a model, in no SDK's words.
type question struct {
	model string
	turns []string       // the user's and the model's in turn
	image []byte         // a PNG that goes with the last turn; nil = none
	shape map[string]any // the schema of the answer; nil = any text
}

const pngType = "image/png"

func (q question) imageText() string { return base64.StdEncoding.EncodeToString(q.image) }

func (q question) imageURL() string { return "data:" + pngType + ";base64," + q.imageText() }

// lastTurn is the user's.
func (q question) lastTurn() string { return q.turns[len(q.turns)-1] }

func (q question) chat() openai.ChatCompletionNewParams {
	params := chatParams(q.model, q.turns)
	if q.image != nil {
		params.Messages[len(params.Messages)-1] = openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart(q.lastTurn()),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: q.imageURL()}),
		})
	}
	if q.shape != nil {
		params.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "answer", Schema: q.shape, Strict: openai.Bool(true)},
		}}
	}
	return params
}

func (q question) response() responses.ResponseNewParams {
	params := responseParams(q.model, q.turns)
	if q.image != nil {
		image := responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto)
		image.OfInputImage.ImageURL = openai.String(q.imageURL())
		items := params.Input.OfInputItemList
		items[len(items)-1] = responses.ResponseInputItemParamOfMessage(responses.ResponseInputMessageContentListParam{
			responses.ResponseInputContentParamOfInputText(q.lastTurn()), image,
		}, responses.EasyInputMessageRoleUser)
	}
	if q.shape != nil {
		params.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("answer", q.shape)
	}
	return params
}

func (q question) message() anthropic.MessageNewParams {
	params := messageParams(q.model, q.turns)
	if q.image != nil {
		last := &params.Messages[len(params.Messages)-1]
		last.Content = append(last.Content, anthropic.NewImageBlockBase64(pngType, q.imageText()))
	}
	if q.shape != nil {
		params.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: q.shape}
	}
	return params
}

func (q question) beta() anthropic.BetaMessageNewParams {
	params := betaParams(q.model, q.turns)
	if q.image != nil {
		last := &params.Messages[len(params.Messages)-1]
		last.Content = append(last.Content, anthropic.NewBetaImageBlock(anthropic.BetaBase64ImageSourceParam{
			Data: q.imageText(), MediaType: pngType,
		}))
	}
	if q.shape != nil {
		params.OutputConfig.Format = anthropic.BetaJSONOutputFormatParam{Schema: q.shape}
	}
	return params
}

func (q question) contents() []*genai.Content {
	all := contents(q.turns)
	if q.image != nil {
		last := all[len(all)-1]
		last.Parts = append(last.Parts, genai.NewPartFromBytes(q.image, pngType))
	}
	return all
}

func (q question) config() *genai.GenerateContentConfig {
	if q.shape == nil {
		return nil
	}
	return &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: q.shape}
}
