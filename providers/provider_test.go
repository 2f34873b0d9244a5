package providers_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestOperation_HasAMethod(t *testing.T) {
	t.Parallel()
	tests := map[providers.Operation]string{
		providers.Generate: http.MethodPost, providers.Complete: http.MethodPost, providers.Embed: http.MethodPost,
		providers.BatchEmbed: http.MethodPost, providers.CountTokens: http.MethodPost, providers.Compact: http.MethodPost,
		providers.ListModels: http.MethodGet, providers.Retrieve: http.MethodGet, providers.ListInput: http.MethodGet,
		providers.Delete: http.MethodDelete, providers.Cancel: http.MethodPost,
	}
	for o, want := range tests {
		require.Equal(t, want, o.Method(), o)
	}
}

// pathOnly is a provider that serves everything at its base.
type pathOnly struct{ providers.Provider }

func (pathOnly) URL(base *url.URL, call providers.Call) (*url.URL, error) {
	return providers.Endpoint(base, "/"+call.Model, call.Query), nil
}

func TestCredential_ServesAtItsOwnBaseIfItHasOne(t *testing.T) {
	t.Parallel()
	base := func(host string) *url.URL { return &url.URL{Scheme: "https", Host: host} }
	c := providers.Credential{Upstream: &providers.Upstream{Provider: pathOnly{}, Base: base("upstream.example")}}
	call := providers.Call{Model: "m", Query: "a=1"}
	u, err := c.URL(call)
	require.NoError(t, err)
	require.Equal(t, "https://upstream.example/m?a=1", u.String())
	c.Base = base("own.example")
	u, err = c.URL(call)
	require.NoError(t, err)
	require.Equal(t, "https://own.example/m?a=1", u.String())
}
