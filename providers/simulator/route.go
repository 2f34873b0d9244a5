package simulator

import (
	"net/http"
	"strings"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/simulator/refusal"
)

// handler answers one kind of request. After a failure nothing was sent.
type handler func(*exchange) *refusal.Failure

// endpoint is a handler and what it wants.
type endpoint struct {
	handle   handler
	bodyless bool // the request's body, if there is one, means nothing
}

// route returns what serves a request, model lists excepted.
func route(r *http.Request) (endpoint, *refusal.Failure) {
	if e, ok := responseRoute(r); ok {
		return e, nil
	}
	h, ok := lookUp(r.URL.Path)
	_, _, isResource := responseResource(r)
	switch {
	case !ok && !isResource:
		return endpoint{}, &refusal.Failure{
			Status: http.StatusNotFound, Message: "Unknown request URL: " + r.Method + " " + r.URL.Path + ".", Code: "unknown_url",
		}
	case !ok || r.Method != http.MethodPost:
		return endpoint{}, &refusal.Failure{Status: http.StatusMethodNotAllowed, Message: "Not allowed to " + r.Method + " on " + r.URL.Path + "."}
	default:
		return endpoint{handle: h}, nil
	}
}

func lookUp(path string) (handler, bool) {
	switch path {
	case "/v1/chat/completions":
		return (*exchange).chat, true
	case "/v1/completions":
		return (*exchange).complete, true
	case "/v1/embeddings":
		return (*exchange).embed, true
	case "/v1/responses":
		return (*exchange).responses, true
	case "/v1/responses/compact":
		return (*exchange).compact, true
	case "/v1/responses/input_tokens":
		return (*exchange).countInput, true
	case "/v1/messages":
		return (*exchange).messages, true
	case "/v1/messages/count_tokens":
		return (*exchange).countMessages, true
	}
	model, action, ok := cutGeminiAction(path)
	if !ok {
		return nil, false
	}
	return geminiHandler(model, action)
}

// cutGeminiAction takes a path such as /v1beta/models/MODEL:ACTION apart. A model's name
// may hold slashes and colons.
func cutGeminiAction(path string) (model, action string, ok bool) {
	rest, ok := cutModels(path)
	i := strings.LastIndexByte(rest, ':')
	if !ok || i <= 0 {
		return "", "", false
	}
	return rest[:i], rest[i+1:], true
}

// cutModels returns what follows the model collection in path: newer Gemini SDKs use /v1.
func cutModels(path string) (string, bool) {
	if rest, ok := strings.CutPrefix(path, "/v1beta/models/"); ok {
		return rest, true
	}
	return strings.CutPrefix(path, "/v1/models/")
}

// formatOf tells a request's format from its path, even on an unknown route, so that it is
// refused in the shape that its client reads.
func formatOf(r *http.Request) providers.Format {
	path := r.URL.Path
	_, _, isAction := cutGeminiAction(path)
	switch {
	case strings.HasPrefix(path, "/v1/messages"):
		return providers.Anthropic
	case strings.HasPrefix(path, "/v1/responses"):
		return providers.OpenAIResponses
	case strings.HasPrefix(path, "/v1beta/"), isAction && r.Method == http.MethodPost:
		return providers.Gemini
	case strings.HasPrefix(path, "/v1/models"):
		return dialect(r)
	default:
		return providers.OpenAIChat
	}
}

// dialect tells who asks for models on the path that three vendors share.
func dialect(r *http.Request) providers.Format {
	switch {
	case r.Header.Get("Anthropic-Version") != "":
		return providers.Anthropic
	case r.Header.Get("X-Goog-Api-Key") != "", r.URL.Query().Has("key"):
		return providers.Gemini
	default:
		return providers.OpenAIChat
	}
}
