package providers_test

import (
	"net/http"
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
