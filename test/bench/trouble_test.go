package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
)

// post asks a handler as the driver does.
func post(h http.Handler, method, path, model string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, bodyOf(model, 0))
	request.Header.Set("Authorization", "Bearer "+clientKey)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request)
	return w
}

func TestTroubledGateway_HasTroubleWithOneOnly(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newUpstream(upstreamScript{chunks: 3}))
	defer server.Close()
	r, err := troubledGateway(server.URL, server.URL, 3)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.end(context.Background())) }()
	require.Equal(t, http.StatusInternalServerError, post(r.handler, http.MethodPost, "/v1/chat/completions", troublePanic).Code)
	crashed, err := strconv.Atoi(post(r.handler, http.MethodGet, pathCrash, "").Body.String())
	require.NoError(t, err)
	require.Positive(t, crashed)
	refused := post(r.handler, http.MethodPost, "/v1/chat/completions", troubleHeaders)
	require.Equal(t, http.StatusBadGateway, refused.Code, "headers have a bound: %s", refused.Body)
	for range 6 {
		healthy := post(r.handler, http.MethodPost, "/v1/chat/completions", modelChat)
		require.Equal(t, http.StatusOK, healthy.Code)
		require.Equal(t, string(chatAnswer()), healthy.Body.String())
	}
}

func TestEditedFiles_AreAlwaysValid(t *testing.T) {
	t.Parallel()
	files := editedFiles{folder: t.TempDir(), upstream: "127.0.0.1:1"}
	require.NoError(t, files.write())
	for n := 1; n <= 50; n++ {
		edits := 0
		require.NoError(t, files.edit(t.Context(), n, 0, &edits))
		require.Equal(t, n, edits)
		loaded, err := config.LoadAll(files.main(), nil)
		require.NoError(t, err)
		require.Empty(t, loaded.Bad)
		enabled := 0
		for _, c := range loaded.Config.Providers[0].Credentials {
			if !c.Disabled {
				enabled++
			}
		}
		require.Greater(t, enabled, changesKept/2)
	}
}

func TestCredentialFiles_AreOfEveryKind(t *testing.T) {
	t.Parallel()
	file, err := writeCredentials(t.TempDir(), "127.0.0.1:1", 7)
	require.NoError(t, err)
	loaded, err := config.LoadAll(file, nil)
	require.NoError(t, err)
	require.Empty(t, loaded.Bad)
	kinds := map[string]int{}
	for _, c := range loaded.Config.Providers[0].Credentials {
		kind, _, _ := strings.Cut(c.ID, "-")
		kinds[kind]++
	}
	require.Equal(t, map[string]int{"key": 3, "login": 2, "service": 2}, kinds)
}

func TestPercentile_IsOfTheSortedValues(t *testing.T) {
	t.Parallel()
	values := []float64{5, 1, 4, 2, 3}
	require.InDelta(t, 3, percentile(values, 0.5), 0)
	require.InDelta(t, 5, percentile(values, 0.99), 0)
	require.InDelta(t, 5, values[0], 0, "they keep their order")
	require.Zero(t, percentile(nil, 0.5))
}
