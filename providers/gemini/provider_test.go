package gemini_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/gemini"
	"github.com/understudyhq/understudy/providers/providertest"
)

func TestProvider_Conforms(t *testing.T) {
	t.Parallel()
	call := func(o providers.Operation, model string) providers.Call {
		return providers.Call{Format: providers.Gemini, Operation: o, Model: model}
	}
	stream := call(providers.Generate, "gemini-3-pro")
	stream.Stream = true
	providertest.Run(t, providertest.Case{
		Provider: gemini.Provider{},
		Formats:  []providers.Format{providers.Gemini},
		URLs: []providertest.URL{
			{Call: call(providers.Generate, "gemini-3-pro"), Path: "/v1beta/models/gemini-3-pro:generateContent"},
			{Call: stream, Path: "/v1beta/models/gemini-3-pro:streamGenerateContent"},
			{Call: call(providers.Generate, "team/a b:c?d#é%2F"), Path: "/v1beta/models/team/a%20b:c%3Fd%23%C3%A9%252F:generateContent"},
			{Call: call(providers.CountTokens, "m"), Path: "/v1beta/models/m:countTokens"},
			{Call: call(providers.Embed, "m"), Path: "/v1beta/models/m:embedContent"},
			{Call: call(providers.BatchEmbed, "m"), Path: "/v1beta/models/m:batchEmbedContents"},
			{Call: providers.Call{Operation: providers.ListModels}, Path: "/v1beta/models"},
		},
		Header:     "X-Goog-Api-Key",
		Value:      providertest.Secret().Reveal(),
		ModelList:  `{"models":[{"name":"models/gemini-3-pro"},{"name":"tuned"}],"nextPageToken":"a b+c"}`,
		ModelNames: []string{"gemini-3-pro", "tuned"},
		NextPage:   "pageToken=a+b%2Bc",
	})
}

func TestProvider_RefusesNamesThatLeaveTheModels(t *testing.T) {
	t.Parallel()
	base := &url.URL{Scheme: "https", Host: "upstream.example"}
	for _, model := range []string{"", ".", "..", "../files", "a/../b", "/a", "a/", "a//b"} {
		_, err := gemini.Provider{}.URL(base, providers.Call{Format: providers.Gemini, Operation: providers.Generate, Model: model})
		require.Error(t, err, "%q", model)
		require.NotErrorIs(t, err, providers.ErrUnsupported, "%q", model)
	}
}
