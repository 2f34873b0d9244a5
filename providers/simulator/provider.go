package simulator

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers"
)

// Provider is the adapter for simulated upstreams, in process or over HTTP. The zero value
// is ready.
type Provider struct{}

var (
	_ providers.Provider = Provider{}
	_ providers.Lister   = Provider{}
)

// Formats returns all four: the simulator prefers none.
func (Provider) Formats() []providers.Format { return providers.AllFormats() }

// URL returns base extended by the path that the format's own vendor uses.
func (Provider) URL(base *url.URL, call providers.Call) (*url.URL, error) {
	path, ok := pathOf(call)
	if !ok {
		return nil, fmt.Errorf("%s in format %s: %w", call.Operation, call.Format, providers.ErrUnsupported)
	}
	return providers.Endpoint(base, path, call.Query), nil
}

func pathOf(call providers.Call) (string, bool) {
	if call.Operation == providers.ListModels {
		return "/v1/models", true
	}
	if call.Format == providers.Gemini {
		action, ok := geminiAction(call)
		return "/v1beta/models/" + escapeModel(call.Model) + ":" + action, ok
	}
	type endpoint struct {
		format    providers.Format
		operation providers.Operation
	}
	path, ok := map[endpoint]string{
		{providers.OpenAIChat, providers.Generate}:         "/v1/chat/completions",
		{providers.OpenAIChat, providers.Complete}:         "/v1/completions",
		{providers.OpenAIChat, providers.Embed}:            "/v1/embeddings",
		{providers.OpenAIResponses, providers.Generate}:    "/v1/responses",
		{providers.OpenAIResponses, providers.Compact}:     "/v1/responses/compact",
		{providers.OpenAIResponses, providers.CountTokens}: "/v1/responses/input_tokens",
		{providers.Anthropic, providers.Generate}:          "/v1/messages",
		{providers.Anthropic, providers.CountTokens}:       "/v1/messages/count_tokens",
	}[endpoint{call.Format, call.Operation}]
	return path, ok
}

func geminiAction(call providers.Call) (string, bool) {
	switch call.Operation {
	case providers.Generate:
		if call.Stream {
			return "streamGenerateContent", true
		}
		return "generateContent", true
	case providers.CountTokens:
		return "countTokens", true
	case providers.Embed:
		return "embedContent", true
	case providers.BatchEmbed:
		return "batchEmbedContents", true
	default:
		return "", false
	}
}

// escapeModel escapes a model name for a path, but for the slashes it may hold.
func escapeModel(name string) string {
	return strings.ReplaceAll(url.PathEscape(name), "%2F", "/")
}

// Authorize sends the secret as a bearer token, which the simulator takes in every format.
func (Provider) Authorize(h http.Header, s providers.Secret) {
	h.Set("Authorization", "Bearer "+s.Reveal())
}

// Classify goes by the status alone: a simulated error means what its status says.
func (Provider) Classify(a providers.Answer) providers.Outcome {
	return providers.Classify(a, func(a providers.Answer) providers.Signals {
		s := providers.Signals{Message: gjson.GetBytes(a.Body, "error.message").String()}
		switch a.Status {
		case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
			s.Kind = providers.RequestFault
		case http.StatusServiceUnavailable:
			s.Kind = providers.Overloaded
		}
		return s
	})
}

// ModelNames reads the simulator's answer to ListModels.
func (Provider) ModelNames(body []byte) ([]string, error) {
	return providers.ReadModelNames(body, "data", "id")
}

// NextPage returns "": the simulator's list is one page.
func (Provider) NextPage([]byte) string { return "" }
