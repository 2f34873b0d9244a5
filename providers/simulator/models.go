package simulator

import (
	"net/http"
	"slices"
	"strings"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/simulator/refusal"
)

// listing returns what serves a request for the list of models, or for one of them, if r
// is one.
func listing(r *http.Request) (handler, bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, false
	}
	if path := strings.TrimSuffix(r.URL.Path, "/"); path == "/v1/models" || path == "/v1beta/models" {
		return (*exchange).listModels, true
	}
	name, ok := cutModels(r.URL.Path)
	return func(x *exchange) *refusal.Failure { return x.describeModel(name) }, ok
}

func (x *exchange) listModels() *refusal.Failure {
	format := formatOf(x.r)
	entries := make([]object, len(x.upstream.models))
	for i, name := range x.upstream.models {
		entries[i] = modelEntry(format, name)
	}
	switch format {
	case providers.Gemini:
		x.send(object{"models": entries})
	case providers.Anthropic:
		list := object{"data": entries, "has_more": false, "first_id": nil, "last_id": nil}
		if n := len(entries); n > 0 {
			list["first_id"], list["last_id"] = x.upstream.models[0], x.upstream.models[n-1]
		}
		x.send(list)
	default:
		x.send(object{"object": "list", "data": entries})
	}
	return nil
}

func (x *exchange) describeModel(name string) *refusal.Failure {
	if !slices.Contains(x.upstream.models, name) {
		return refusal.UnknownModel(name)
	}
	x.send(modelEntry(formatOf(x.r), name))
	return nil
}

func modelEntry(format providers.Format, name string) object {
	switch format {
	case providers.Gemini:
		return object{
			"name":             "models/" + name,
			"version":          "1",
			"displayName":      name,
			"inputTokenLimit":  1048576,
			"outputTokenLimit": 65536,
			"supportedGenerationMethods": []string{
				"generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents",
			},
		}
	case providers.Anthropic:
		return object{"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
	default:
		return object{"id": name, "object": "model", "created": created, "owned_by": "understudy"}
	}
}
