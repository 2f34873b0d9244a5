// Package openai is the adapter for OpenAI's API: chat completions and the legacy routes
// beside them, responses, embeddings.
package openai

import (
	"net/http"
	"net/url"

	"github.com/understudyhq/understudy/providers"
)

// DefaultBaseURL is where OpenAI serves its API. It ends with the version, as the base of
// every upstream of this shape does.
const DefaultBaseURL = "https://api.openai.com/v1"

// Provider is the adapter. The zero value is ready for use.
type Provider struct{}

// Formats implements providers.Provider.
func (Provider) Formats() []providers.Format {
	return []providers.Format{providers.OpenAIChat, providers.OpenAIResponses}
}

// URL implements providers.Provider. For the operations on one response its id is part of
// the path; an id that is empty or would lead out of the responses is an error.
func (Provider) URL(base *url.URL, call providers.Call) (*url.URL, error) {
	path, err := providers.ResponsePath(call)
	if err != nil {
		return nil, err
	}
	if path == "" {
		path = endpoint(call)
	}
	if path == "" {
		return nil, providers.ErrUnsupported
	}
	return providers.Endpoint(base, path, call.Query), nil
}

// endpoint returns the path that serves call below the base, or "" if there is none.
func endpoint(call providers.Call) string {
	type route struct {
		format    providers.Format
		operation providers.Operation
	}
	if call.Operation == providers.ListModels {
		return "/models" // the list is the same for both formats
	}
	switch (route{call.Format, call.Operation}) {
	case route{providers.OpenAIChat, providers.Generate}:
		return "/chat/completions"
	case route{providers.OpenAIChat, providers.Complete}:
		return "/completions"
	case route{providers.OpenAIChat, providers.Embed}:
		return "/embeddings"
	case route{providers.OpenAIResponses, providers.Generate}:
		return "/responses"
	case route{providers.OpenAIResponses, providers.Compact}:
		return "/responses/compact"
	case route{providers.OpenAIResponses, providers.CountTokens}:
		return "/responses/input_tokens"
	default:
		return ""
	}
}

// Authorize implements providers.Provider. An empty secret adds nothing.
func (Provider) Authorize(h http.Header, s providers.Secret) {
	if !s.Empty() {
		h.Set("Authorization", "Bearer "+s.Reveal())
	}
}

// ModelNames implements providers.Lister.
func (Provider) ModelNames(body []byte) ([]string, error) {
	return providers.ReadModelNames(body, "data", "id")
}

// NextPage implements providers.Lister: OpenAI's list has one page.
func (Provider) NextPage([]byte) string { return "" }
