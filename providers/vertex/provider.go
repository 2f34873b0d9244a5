// Package vertex is the adapter for Gemini on Google Cloud's Vertex AI: the models and the
// format of the Gemini API, at an address that names a project and a location, for access
// tokens instead of keys.
package vertex

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/gemini"
)

// Provider is the adapter. The zero value is ready for use.
//
// It is no providers.Lister: the list that Vertex has leaves out models that it serves, all
// previews among them, and holds many that do not speak this format.
type Provider struct{}

// Base returns the base URL for project at location, which both are required. endpoint is
// where Vertex is served, without version; nil or empty = where Google serves the location.
func Base(endpoint *url.URL, project, location string) (*url.URL, error) {
	switch {
	case project == "" || project == "." || project == "..":
		return nil, fmt.Errorf("project: %q is not a project", project)
	case !isLocation(location):
		return nil, fmt.Errorf("location: %q is not a location", location)
	}
	if endpoint == nil || endpoint.Host == "" {
		endpoint = &url.URL{Scheme: "https", Host: host(location)}
	}
	return providers.Endpoint(endpoint, "/v1/projects/"+url.PathEscape(project)+"/locations/"+location, ""), nil
}

// isLocation reports whether s may be one: it becomes part of a host name.
func isLocation(s string) bool {
	return s != "" && strings.Trim(s, "-") == s && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

func host(location string) string {
	switch location {
	case "global":
		return "aiplatform.googleapis.com"
	case "us", "eu": // of several regions
		return "aiplatform." + location + ".rep.googleapis.com"
	default:
		return location + "-aiplatform.googleapis.com"
	}
}

// Formats implements providers.Provider.
func (Provider) Formats() []providers.Format { return []providers.Format{providers.Gemini} }

// URL implements providers.Provider. base is one that Base made. Embeddings are there for
// the models that Vertex serves in Gemini's form (gemini-embedding-2); the older ones have
// one of their own, which this adapter does not speak. Nothing embeds in batches.
func (Provider) URL(base *url.URL, call providers.Call) (*url.URL, error) {
	if call.Operation == providers.BatchEmbed {
		return nil, providers.ErrUnsupported
	}
	path, err := gemini.ModelPath(call)
	if err != nil {
		return nil, err
	}
	return providers.Endpoint(base, "/publishers/google"+path, call.Query), nil
}

// Authorize implements providers.Provider. An empty secret adds nothing.
func (Provider) Authorize(h http.Header, s providers.Secret) {
	if !s.Empty() {
		h.Set("Authorization", "Bearer "+s.Reveal())
	}
}
