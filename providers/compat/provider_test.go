package compat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/compat"
	"github.com/understudyhq/understudy/providers/providertest"
)

func TestProvider_Conforms(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Case{
		Provider: compat.Provider{},
		Formats:  []providers.Format{providers.OpenAIChat},
		URLs: []providertest.URL{
			{Call: providers.Call{Format: providers.OpenAIChat, Operation: providers.Generate, Model: "vendor/model"}, Path: "/chat/completions"},
			{Call: providers.Call{Format: providers.OpenAIChat, Operation: providers.Complete, Model: "m"}, Path: "/completions"},
			{Call: providers.Call{Format: providers.OpenAIChat, Operation: providers.Embed, Model: "m"}, Path: "/embeddings"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.Generate, Model: "m"}, Path: "/responses"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.Compact, Model: "m"}, Path: "/responses/compact"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.CountTokens, Model: "m"}, Path: "/responses/input_tokens"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.Retrieve, Resource: "resp_1"}, Path: "/responses/resp_1"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.Delete, Resource: "a/b c?%2F"}, Path: "/responses/a%2Fb%20c%3F%252F"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.Cancel, Resource: "resp_1"}, Path: "/responses/resp_1/cancel"},
			{Call: providers.Call{Format: providers.OpenAIResponses, Operation: providers.ListInput, Resource: "resp_1"}, Path: "/responses/resp_1/input_items"},
			{Call: providers.Call{Operation: providers.ListModels}, Path: "/models"},
		},
		Header:     "Authorization",
		Value:      "Bearer " + providertest.Secret().Reveal(),
		ModelList:  `{"data":[{"id":"vendor/model"},{"id":"m"}]}`,
		ModelNames: []string{"vendor/model", "m"},
	})
}

func TestProvider_ReadsABareModelList(t *testing.T) {
	t.Parallel()
	names, err := compat.Provider{}.ModelNames([]byte(` [{"id":"a/b"},{"id":"c"}]`))
	require.NoError(t, err)
	require.Equal(t, []string{"a/b", "c"}, names)
}
