package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/understudyhq/understudy/http/tracing"
	"github.com/understudyhq/understudy/providers"
)

// traced returns a server that makes spans, and the spans.
func traced(t *testing.T, pool *fakePool) (*Server, *tracetest.InMemoryExporter) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	p := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.Background())) })
	return New(Options{Pool: pool, Logger: slog.New(slog.DiscardHandler), Live: live(), Tracer: tracing.New(p, "v1")}), exporter
}

// spansOf returns spans as "name: attribute of that key".
func spansOf(e *tracetest.InMemoryExporter, key string) []string {
	list := []string{}
	for _, s := range e.GetSpans() {
		line := s.Name
		for _, a := range s.Attributes {
			if string(a.Key) == key {
				line += ": " + a.Value.String()
			}
		}
		list = append(list, line)
	}
	return list
}

func TestTracing_ASpanForEachAttempt(t *testing.T) {
	t.Parallel()
	for _, e := range endpoints() {
		pool := newPool(answer(503, "application/json", `{"error":{}}`), goodStream(e.format))
		s, exporter := traced(t, pool)
		require.Equal(t, 200, send(s, "POST", e.path, e.body).Code)
		operation := "chat m"
		if e.format == providers.Gemini {
			operation = "generate_content m"
		}
		got := spansOf(exporter, "error.type")
		require.Len(t, got, 5)
		require.Equal(t, []string{"acquire", operation + ": transient", "acquire", operation}, got[:4])
		named := spansOf(exporter, "gen_ai.response.model")[3]
		require.True(t, strings.HasPrefix(named, operation+": "), "%s: %s", e.format, named)
	}
}

func TestTracing_TheUpstreamHearsOfTheAttempt(t *testing.T) {
	t.Parallel()
	const client = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var told []string
	rt := transport(func(r *http.Request) (*http.Response, error) {
		told = append(told, r.Header.Get("Traceparent"))
		return good(providers.OpenAIChat)(r)
	})
	pool := newPool(rt)
	s, exporter := traced(t, pool)
	send(s, "POST", "/v1/chat/completions", chatBody, "Traceparent", client)
	spans := exporter.GetSpans()
	require.Equal(t, "00-0af7651916cd43dd8448eb211c80319c-"+spans[1].SpanContext.SpanID().String()+"-01", told[0])

	send(newTestServer(pool, live()), "POST", "/v1/chat/completions", chatBody, "Traceparent", client)
	require.Equal(t, client, told[1], "without spans of our own it passes as it came")
}

func TestTracing_RefusalsAndChecks(t *testing.T) {
	t.Parallel()
	s, exporter := traced(t, newPool())
	send(s, "GET", "/healthz", "")
	send(s, "POST", "/v1/chat/completions", "{")
	send(s, "POST", "/v1/chat/completions", chatBody)
	send(s, "GET", "/nowhere/at/all", "")
	require.Equal(t, []string{
		"POST /v1/chat/completions: invalid_json", "acquire: no_credential_available", "POST /v1/chat/completions: no_credential_available", "GET: unknown_route",
	}, spansOf(exporter, "error.type"))
}
