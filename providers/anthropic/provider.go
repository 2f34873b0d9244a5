// Package anthropic is the adapter for Anthropic's API.
package anthropic

import (
	"net/http"
	"net/url"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers"
)

// DefaultBaseURL is where Anthropic serves its API; the adapter adds /v1 and what follows.
const DefaultBaseURL = "https://api.anthropic.com"

// Provider is the adapter. The zero value is ready for use. It sets no header but the
// credential's: anthropic-version and anthropic-beta belong to the client, and a caller
// without one has to send a version itself.
type Provider struct{}

// Formats implements providers.Provider.
func (Provider) Formats() []providers.Format { return []providers.Format{providers.Anthropic} }

// URL implements providers.Provider.
func (Provider) URL(base *url.URL, call providers.Call) (*url.URL, error) {
	var path string
	switch {
	case call.Operation == providers.ListModels:
		path = "/v1/models"
	case call.Format != providers.Anthropic:
		return nil, providers.ErrUnsupported
	case call.Operation == providers.Generate:
		path = "/v1/messages"
	case call.Operation == providers.CountTokens:
		path = "/v1/messages/count_tokens"
	default:
		return nil, providers.ErrUnsupported
	}
	return providers.Endpoint(base, path, call.Query), nil
}

// Authorize implements providers.Provider. An empty secret adds nothing.
func (Provider) Authorize(h http.Header, s providers.Secret) {
	if !s.Empty() {
		h.Set("X-Api-Key", s.Reveal())
	}
}

// ModelNames implements providers.Lister.
func (Provider) ModelNames(body []byte) ([]string, error) {
	return providers.ReadModelNames(body, "data", "id")
}

// NextPage implements providers.Lister. It asks for the longest page there is.
func (Provider) NextPage(body []byte) string {
	last := gjson.GetBytes(body, "last_id").String()
	if last == "" || !gjson.GetBytes(body, "has_more").Bool() {
		return ""
	}
	return "after_id=" + url.QueryEscape(last) + "&limit=1000"
}
