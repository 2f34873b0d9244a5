package simulator

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/providertest"
)

func TestProvider_Conforms(t *testing.T) {
	t.Parallel()
	at := func(f providers.Format, op providers.Operation, path string) providertest.URL {
		return providertest.URL{Call: providers.Call{Format: f, Operation: op, Model: "big"}, Path: path}
	}
	about := func(op providers.Operation, id, path string) providertest.URL {
		return providertest.URL{Call: providers.Call{Format: providers.OpenAIResponses, Operation: op, Resource: id}, Path: path}
	}
	providertest.Run(t, providertest.Case{
		Provider: Provider{},
		Formats:  providers.AllFormats(),
		URLs: []providertest.URL{
			at(providers.OpenAIChat, providers.Generate, "/v1/chat/completions"),
			at(providers.OpenAIChat, providers.Complete, "/v1/completions"),
			at(providers.OpenAIChat, providers.Embed, "/v1/embeddings"),
			at(providers.OpenAIResponses, providers.Generate, "/v1/responses"),
			at(providers.OpenAIResponses, providers.Compact, "/v1/responses/compact"),
			at(providers.OpenAIResponses, providers.CountTokens, "/v1/responses/input_tokens"),
			at(providers.Anthropic, providers.Generate, "/v1/messages"),
			at(providers.Anthropic, providers.CountTokens, "/v1/messages/count_tokens"),
			at(providers.Gemini, providers.Generate, "/v1beta/models/big:generateContent"),
			{
				Call: providers.Call{Format: providers.Gemini, Operation: providers.Generate, Model: "a/b c", Stream: true},
				Path: "/v1beta/models/a/b%20c:streamGenerateContent",
			},
			at(providers.Gemini, providers.CountTokens, "/v1beta/models/big:countTokens"),
			at(providers.Gemini, providers.Embed, "/v1beta/models/big:embedContent"),
			at(providers.Gemini, providers.BatchEmbed, "/v1beta/models/big:batchEmbedContents"),
			at(providers.OpenAIChat, providers.ListModels, "/v1/models"),
			about(providers.Retrieve, "resp_1", "/v1/responses/resp_1"),
			about(providers.Delete, "resp_1", "/v1/responses/resp_1"),
			about(providers.Cancel, "resp_1", "/v1/responses/resp_1/cancel"),
			about(providers.ListInput, "a/b c?d", "/v1/responses/a%2Fb%20c%3Fd/input_items"),
		},
		Header:     "Authorization",
		Value:      "Bearer " + providertest.Secret().Reveal(),
		ModelList:  `{"object":"list","data":[{"id":"big","object":"model"},{"id":"small","object":"model"}]}`,
		ModelNames: []string{"big", "small"},
	})
}

func TestProvider_ClassifiesWhatTheUpstreamAnswers(t *testing.T) {
	t.Parallel()
	tests := map[int]struct {
		kind  providers.Kind
		scope providers.Scope
	}{
		400: {providers.RequestFault, providers.ScopeModel},
		401: {providers.Unauthorized, providers.ScopeCredential},
		402: {providers.OutOfFunds, providers.ScopeCredential},
		403: {providers.Forbidden, providers.ScopeCredential},
		404: {providers.RequestFault, providers.ScopeModel},
		409: {providers.RequestFault, providers.ScopeModel},
		413: {providers.RequestFault, providers.ScopeModel},
		422: {providers.RequestFault, providers.ScopeModel},
		429: {providers.RateLimited, providers.ScopeModel},
		500: {providers.Transient, providers.ScopeModel},
		503: {providers.Overloaded, providers.ScopeModel},
		529: {providers.Overloaded, providers.ScopeModel},
	}
	for status, want := range tests {
		u := New(withFaults(Fault{Status: status, Headers: map[string]string{"Retry-After": "7"}}))
		for _, d := range dialogs() {
			a := post(t, u, d.path, d.body("", "hi"))
			require.Equal(t, status, a.status)
			o := Provider{}.Classify(providers.Answer{
				Call:   providers.Call{Format: d.format, Operation: providers.Generate, Model: "big"},
				Status: a.status, Header: a.header, Body: []byte(a.body), Now: time.Unix(0, 0),
			})
			require.Equal(t, want.kind, o.Kind, "%s %d", d.format, status)
			require.Equal(t, want.scope, o.Scope, "%s %d", d.format, status)
			if want.kind == providers.RateLimited {
				require.Equal(t, 7*time.Second, o.RetryAfter)
			}
		}
	}
}

func TestProvider_ReachesEveryRouteOfTheUpstream(t *testing.T) {
	t.Parallel()
	u := New(options())
	for _, format := range providers.AllFormats() {
		for _, operation := range []providers.Operation{
			providers.Generate, providers.Complete, providers.Embed, providers.BatchEmbed,
			providers.CountTokens, providers.Compact,
		} {
			path, ok := pathOf(providers.Call{Format: format, Operation: operation, Model: "big"})
			if !ok {
				continue
			}
			a := post(t, u, path, `{"model":"big"}`)
			require.NotEqual(t, http.StatusNotFound, a.status, "%s %s: %s", format, operation, a.body)
		}
	}
}
