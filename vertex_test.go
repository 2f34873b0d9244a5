package understudy_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// vertexUpstream answers as Vertex does, and refuses the token "expired".
type vertexUpstream struct {
	mu   sync.Mutex
	seen []string // path, query and authorization
}

func (v *vertexUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v.mu.Lock()
	v.seen = append(v.seen, r.URL.RequestURI()+" "+r.Header.Get("Authorization")+" "+r.Header.Get("X-Goog-Api-Key"))
	v.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") == "Bearer expired":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"code":401,"status":"UNAUTHENTICATED","details":[{"reason":"ACCESS_TOKEN_EXPIRED"}]}}`)
	case strings.HasSuffix(r.URL.Path, ":streamGenerateContent"):
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: "+string(body)+"\n\ndata: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n")
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}
}

func TestGateway_RelaysToVertex(t *testing.T) {
	t.Parallel()
	vertex := &vertexUpstream{}
	server := httptest.NewServer(vertex)
	t.Cleanup(server.Close)
	cfg, err := config.Parse("c.yaml", []byte(`
routing: {strategy: fill-first}
providers:
  - name: google
    kind: vertex
    base-url: `+server.URL+`
    project: example.com:my-project
    location: us-central1
    models: [{name: gemini-3-pro, alias: pro}]
    credentials: [{api-key: expired}, {api-key: good}]
`), nil)
	require.NoError(t, err)
	gw, err := understudy.New(cfg, understudy.WithTransport(server.Client().Transport))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, gw.Shutdown(context.Background())) })

	const body = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	const place = "/v1/projects/example.com:my-project/locations/us-central1/publishers/google/models/gemini-3-pro:"
	status, answer := post(t, gw, "/v1beta/models/pro:generateContent?key=client", body)
	require.Equal(t, http.StatusOK, status, answer)
	require.JSONEq(t, body, answer)
	require.Equal(t, []string{place + "generateContent Bearer expired ", place + "generateContent Bearer good "}, vertex.seen)

	status, answer = post(t, gw, "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse", body)
	require.Equal(t, http.StatusOK, status, answer)
	require.Equal(t, "data: "+body+"\n\ndata: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n", answer)
	status, answer = post(t, gw, "/v1beta/models/pro:countTokens", body)
	require.Equal(t, http.StatusOK, status, answer)
	require.Equal(t, []string{place + "streamGenerateContent?alt=sse Bearer good ", place + "countTokens Bearer good "}, vertex.seen[2:])

	lease, err := gw.Acquire(t.Context(), understudy.Request{Model: "pro", Format: providers.Gemini})
	require.NoError(t, err)
	u, err := lease.URL(providers.Call{Format: providers.Gemini, Operation: providers.Generate})
	require.NoError(t, err)
	require.Equal(t, server.URL+place+"generateContent", u.String())
	lease.Done(providers.Outcome{Kind: providers.Success})
}
