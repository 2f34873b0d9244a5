package anthropic_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/anthropic"
	"github.com/understudyhq/understudy/providers/providertest"
)

func TestProvider_Conforms(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Case{
		Provider: anthropic.Provider{},
		Formats:  []providers.Format{providers.Anthropic},
		URLs: []providertest.URL{
			{Call: providers.Call{Format: providers.Anthropic, Operation: providers.Generate, Model: "claude"}, Path: "/v1/messages"},
			{Call: providers.Call{Format: providers.Anthropic, Operation: providers.Generate, Model: "claude", Stream: true}, Path: "/v1/messages"},
			{Call: providers.Call{Format: providers.Anthropic, Operation: providers.CountTokens, Model: "claude"}, Path: "/v1/messages/count_tokens"},
			{Call: providers.Call{Operation: providers.ListModels}, Path: "/v1/models"},
		},
		Header:     "X-Api-Key",
		Value:      providertest.Secret().Reveal(),
		ModelList:  `{"data":[{"type":"model","id":"claude-a"},{"type":"model","id":"claude-b"}],"has_more":true,"first_id":"claude-a","last_id":"claude-b"}`,
		ModelNames: []string{"claude-a", "claude-b"},
		NextPage:   "after_id=claude-b&limit=1000",
	})
}

func TestProvider_EndsTheModelList(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"data":[],"has_more":false,"last_id":"claude-b"}`,
		`{"data":[],"has_more":true,"last_id":null}`,
		`{"data":[]}`,
	} {
		require.Empty(t, anthropic.Provider{}.NextPage([]byte(body)), body)
	}
}
