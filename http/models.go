package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/listing"
	"github.com/understudyhq/understudy/providers"
)

// listDialect tells which client asks for /v1/models: three SDKs share the path.
func listDialect(r *http.Request) providers.Format {
	switch {
	case len(r.Header["Anthropic-Version"]) > 0:
		return providers.Anthropic
	case len(r.Header["X-Goog-Api-Key"]) > 0, hasKeyPair(r.URL.RawQuery):
		return providers.Gemini
	default:
		return providers.OpenAIChat
	}
}

// listModels lists what the client's key may use, in the order of names.
func (s *Server) listModels(in *inbound) error {
	models, err := s.allowedModels(in)
	if err != nil {
		return err
	}
	list, err := listing.All(in.format, models, in.r.URL.Query())
	if err != nil {
		return err
	}
	in.write(http.StatusOK, "application/json", list)
	return nil
}

// showModel describes one model.
func (s *Server) showModel(in *inbound) error {
	models, err := s.allowedModels(in)
	if err != nil {
		return err
	}
	model, err := listing.One(in.format, models, pathModel(in.r))
	if err != nil {
		return err
	}
	in.write(http.StatusOK, "application/json", model)
	return nil
}

func (s *Server) allowedModels(in *inbound) ([]actors.ModelInfo, error) {
	all, err := s.pool.Models(in.ctx)
	if err != nil {
		if in.isGone() {
			return nil, fault.ErrClientGone
		}
		return nil, fault.OfAcquire(causeOf(in.ctx, err), time.Now())
	}
	allowed := make([]actors.ModelInfo, 0, len(all))
	for _, m := range all {
		if in.key.allows(m.Name) {
			allowed = append(allowed, m)
		}
	}
	slices.SortFunc(allowed, func(a, b actors.ModelInfo) int { return strings.Compare(a.Name, b.Name) })
	return allowed, nil
}
