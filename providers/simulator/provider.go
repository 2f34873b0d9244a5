package simulator

import (
	"cmp"
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
	path, err := providers.ResponsePath(call)
	switch {
	case err != nil:
		return nil, err
	case path != "":
		return providers.Endpoint(base, "/v1"+path, call.Query), nil
	}
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
	type key struct {
		format    providers.Format
		operation providers.Operation
	}
	path, ok := map[key]string{
		{providers.OpenAIChat, providers.Generate}:         "/v1/chat/completions",
		{providers.OpenAIChat, providers.Complete}:         "/v1/completions",
		{providers.OpenAIChat, providers.Embed}:            "/v1/embeddings",
		{providers.OpenAIResponses, providers.Generate}:    "/v1/responses",
		{providers.OpenAIResponses, providers.Compact}:     "/v1/responses/compact",
		{providers.OpenAIResponses, providers.CountTokens}: "/v1/responses/input_tokens",
		{providers.Anthropic, providers.Generate}:          "/v1/messages",
		{providers.Anthropic, providers.CountTokens}:       "/v1/messages/count_tokens",
	}[key{call.Format, call.Operation}]
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

// Classify goes by OpenAI's codes where an error has one of them, else by the status: a
// simulated error means what it says.
func (Provider) Classify(a providers.Answer) providers.Outcome {
	return providers.Classify(a, func(a providers.Answer) providers.Signals {
		e := gjson.GetBytes(a.Body, "error")
		s := providers.Signals{
			Message: e.Get("message").String(),
			Code:    cmp.Or(e.Get("code").Str, e.Get("status").Str, e.Get("type").Str),
			Kind:    kindOf(e.Get("code").Str),
		}
		if s.Kind != "" {
			return s
		}
		switch a.Status {
		case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
			s.Kind = providers.RequestFault
		case http.StatusServiceUnavailable:
			s.Kind = providers.Overloaded
		}
		return s
	})
}

// kindOf returns what a code of OpenAI's means; empty = the status decides.
func kindOf(code string) providers.Kind {
	switch code {
	case "previous_response_not_found", "invalid_encrypted_content":
		return providers.RequestFault
	case "insufficient_quota":
		return providers.OutOfFunds
	case "server_is_overloaded":
		return providers.Overloaded
	default:
		return ""
	}
}

// ModelNames reads the simulator's answer to ListModels.
func (Provider) ModelNames(body []byte) ([]string, error) {
	return providers.ReadModelNames(body, "data", "id")
}

// NextPage returns "": the simulator's list is one page.
func (Provider) NextPage([]byte) string { return "" }
