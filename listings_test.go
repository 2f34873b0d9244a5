package understudy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// listingUpstream answers model lists and nothing else.
func listingUpstream(status int) http.RoundTripper {
	return roundTrip(func(r *http.Request) *http.Response {
		w := httptest.NewRecorder()
		if strings.HasSuffix(r.URL.Path, "/models") && status == 200 {
			_, _ = io.WriteString(w, `{"data":[{"id":"listed-20250929"}]}`)
		} else {
			w.WriteHeader(status)
		}
		return w.Result()
	})
}

type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func TestListings_AnUpstreamWithoutModelsServesWhatItLists(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		served map[string]bool
	}{
		"a list that can be read": {200, map[string]bool{"listed-20250929": true, "listed": true, "else": false}},
		"no list":                 {404, map[string]bool{"listed": true, "else": true}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Default()
			cfg.Providers = []config.Provider{{Name: "up", Kind: config.KindOpenAI, Credentials: []config.Credential{{APIKey: "sk-1"}}}}
			inGateway(t, &cfg, func(t *testing.T, gw *understudy.Gateway) {
				synctest.Wait()
				for model, served := range tt.served {
					l, err := gw.Acquire(t.Context(), understudy.Request{Model: model, Format: providers.OpenAIChat})
					require.Equal(t, served, err == nil, model)
					if l != nil {
						l.Done(providers.Outcome{Kind: providers.Canceled})
					}
				}
			}, understudy.WithTransport(listingUpstream(tt.status)))
		})
	}
}
