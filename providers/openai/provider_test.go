package openai_test

import (
	"testing"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/openai"
	"github.com/understudyhq/understudy/providers/providertest"
)

func TestProvider_Conforms(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Case{
		Provider: openai.Provider{},
		Formats:  []providers.Format{providers.OpenAIChat, providers.OpenAIResponses},
		URLs: []providertest.URL{
			{Call: providers.Call{Format: providers.OpenAIChat, Operation: providers.Generate, Model: "gpt-5.5"}, Path: "/chat/completions"},
			{Call: providers.Call{Format: providers.OpenAIChat, Operation: providers.Generate, Model: "gpt-5.5", Stream: true}, Path: "/chat/completions"},
			{Call: providers.Call{Format: providers.OpenAIChat, Operation: providers.Complete, Model: "babbage"}, Path: "/completions"},
			{Call: providers.Call{Format: providers.OpenAIChat, Operation: providers.Embed, Model: "embed"}, Path: "/embeddings"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.Generate, Model: "gpt-5.5"}, Path: "/responses"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.Compact, Model: "gpt-5.5"}, Path: "/responses/compact"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.CountTokens, Model: "gpt-5.5"}, Path: "/responses/input_tokens"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.Retrieve, Resource: "resp_1"}, Path: "/responses/resp_1"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.Delete, Resource: "a/b c?%2F"}, Path: "/responses/a%2Fb%20c%3F%252F"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.Cancel, Resource: "resp_1"}, Path: "/responses/resp_1/cancel"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.ListInput, Resource: "resp_1"}, Path: "/responses/resp_1/input_items"},
			{Call: providers.Call{Operation: providers.ListModels}, Path: "/models"},
		},
		Header:     "Authorization",
		Value:      "Bearer " + providertest.Secret().Reveal(),
		ModelList:  `{"object":"list","data":[{"id":"gpt-5.5","object":"model"},{"object":"model"},{"id":"o9"}]}`,
		ModelNames: []string{"gpt-5.5", "o9"},
	})
}
