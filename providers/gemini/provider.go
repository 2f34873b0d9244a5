// Package gemini is the adapter for the Gemini API.
package gemini

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers"
)

// DefaultBaseURL is where the Gemini API is served; the adapter adds /v1beta and what
// follows.
const DefaultBaseURL = "https://generativelanguage.googleapis.com"

// Provider is the adapter. The zero value is ready for use.
type Provider struct{}

// Formats implements providers.Provider.
func (Provider) Formats() []providers.Format { return []providers.Format{providers.Gemini} }

// URL implements providers.Provider. The model is part of the path; slashes in its name
// stay. A name that is empty or would lead out of the list of models is an error.
func (Provider) URL(base *url.URL, call providers.Call) (*url.URL, error) {
	if call.Operation == providers.ListModels {
		return providers.Endpoint(base, "/v1beta/models", call.Query), nil
	}
	path, err := ModelPath(call)
	if err != nil {
		return nil, err
	}
	return providers.Endpoint(base, "/v1beta"+path, call.Query), nil
}

// ModelPath returns where call is served below whatever holds the models, as
// /models/NAME:ACTION in escaped form. Its errors are those of URL.
func ModelPath(call providers.Call) (string, error) {
	action := actionOf(call)
	if action == "" {
		return "", providers.ErrUnsupported
	}
	model, err := escapeModel(call.Model)
	if err != nil {
		return "", fmt.Errorf("%s %q: %w", action, call.Model, err)
	}
	return "/models/" + model + ":" + action, nil
}

// actionOf returns what follows the model's name in the path, or "" if there is no such
// operation.
func actionOf(call providers.Call) string {
	if call.Format != providers.Gemini {
		return ""
	}
	switch call.Operation {
	case providers.Generate:
		if call.Stream {
			return "streamGenerateContent"
		}
		return "generateContent"
	case providers.CountTokens:
		return "countTokens"
	case providers.Embed:
		return "embedContent"
	case providers.BatchEmbed:
		return "batchEmbedContents"
	default:
		return ""
	}
}

func escapeModel(name string) (string, error) {
	if name == "" {
		return "", errors.New("no model name")
	}
	segments := strings.Split(name, "/")
	for i, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "", errors.New("not a model name")
		}
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/"), nil
}

// Authorize implements providers.Provider. An empty secret adds nothing.
func (Provider) Authorize(h http.Header, s providers.Secret) {
	if !s.Empty() {
		h.Set("X-Goog-Api-Key", s.Reveal())
	}
}

// ModelNames implements providers.Lister.
func (Provider) ModelNames(body []byte) ([]string, error) {
	names, err := providers.ReadModelNames(body, "models", "name")
	for i, name := range names {
		names[i] = strings.TrimPrefix(name, "models/")
	}
	return names, err
}

// NextPage implements providers.Lister.
func (Provider) NextPage(body []byte) string {
	token := gjson.GetBytes(body, "nextPageToken").String()
	if token == "" {
		return ""
	}
	return "pageToken=" + url.QueryEscape(token)
}
