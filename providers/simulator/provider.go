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
	switch call.Format {
	case providers.OpenAIChat:
		return chatPath(call.Operation)
	case providers.OpenAIResponses:
		return responsesPath(call.Operation)
	case providers.Anthropic:
		return messagesPath(call.Operation)
	case providers.Gemini:
		action, ok := geminiAction(call)
		return "/v1beta/models/" + escapeModel(call.Model) + ":" + action, ok
	default:
		return "", false
	}
}

func chatPath(op providers.Operation) (string, bool) {
	switch op {
	case providers.Generate:
		return "/v1/chat/completions", true
	case providers.Complete:
		return "/v1/completions", true
	case providers.Embed:
		return "/v1/embeddings", true
	default:
		return "", false
	}
}

func responsesPath(op providers.Operation) (string, bool) {
	switch op {
	case providers.Generate:
		return "/v1/responses", true
	case providers.Compact:
		return "/v1/responses/compact", true
	case providers.CountTokens:
		return "/v1/responses/input_tokens", true
	default:
		return "", false
	}
}

func messagesPath(op providers.Operation) (string, bool) {
	switch op {
	case providers.Generate:
		return "/v1/messages", true
	case providers.CountTokens:
		return "/v1/messages/count_tokens", true
	default:
		return "", false
	}
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
