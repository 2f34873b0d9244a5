package tracing

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/providers"
)

// recording returns a tracer, and what returns its spans by name.
func recording(t *testing.T) (*Tracer, func() map[string]tracetest.SpanStub) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	p := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.Background())) })
	return New(p, "v1"), func() map[string]tracetest.SpanStub {
		spans := map[string]tracetest.SpanStub{}
		for _, s := range exporter.GetSpans() {
			spans[s.Name] = s
		}
		return spans
	}
}

func attributes(s tracetest.SpanStub) map[string]any {
	m := map[string]any{}
	for _, a := range s.Attributes {
		m[string(a.Key)] = a.Value.AsInterface()
	}
	return m
}

func lease(kind string) actors.Lease {
	u := &providers.Upstream{Name: "up", Kind: kind, Base: &url.URL{Scheme: "https", Host: "api.test:8443"}}
	return actors.Lease{Credential: &providers.Credential{ID: "a", Upstream: u, Secret: providers.NewSecret("hidden")}, Model: "gpt", Why: actors.WhyBound, Waited: 2 * time.Second}
}

func TestTracer_TellsOfARequest(t *testing.T) {
	t.Parallel()
	tracer, spans := recording(t)
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions?key=hidden", http.NoBody)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r.Header.Set("Tracestate", "vendor=1")
	q := tracer.Begin(r, "/v1/chat/completions", "r1")
	q.Acquire("main").End(lease("openai"), "")
	q.Acquire("none").End(actors.Lease{}, "model_cooldown")
	a := q.Attempt(lease("openai"), providers.Generate, providers.OpenAIChat, true)
	require.Equal(t, a.span, trace.SpanFromContext(a.Context(context.Background())))
	h := http.Header{"Traceparent": {"of the client"}, "Tracestate": {"of=another"}}
	a.Inject(h)
	a.Answered(providers.OpenAIChat, []byte(`{"model":"gpt-2030"}`))
	a.Answered(providers.OpenAIChat, []byte(`{"model":"later"}`))
	a.End(providers.Outcome{Kind: providers.Success, Status: 200, Usage: providers.Usage{InputTokens: 9, OutputTokens: 8, CachedTokens: 7, CacheWriteTokens: 6}}, time.Second)
	q.End(&actors.Record{FormatIn: providers.OpenAIChat, Operation: providers.Generate, Asked: "main", Attempts: make([]actors.AttemptRecord, 1)}, 200, "")

	got := spans()
	inbound, acquire, attempt := got["POST /v1/chat/completions"], got["acquire"], got["chat gpt"]
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", inbound.SpanContext.TraceID().String())
	require.Equal(t, "b7ad6b7169203331", inbound.Parent.SpanID().String())
	require.Equal(t, inbound.SpanContext.SpanID(), acquire.Parent.SpanID())
	require.Equal(t, inbound.SpanContext.SpanID(), attempt.Parent.SpanID())
	require.Equal(t, trace.SpanKindServer, inbound.SpanKind)
	require.Equal(t, trace.SpanKindClient, attempt.SpanKind)
	require.Equal(t, []string{"00-0af7651916cd43dd8448eb211c80319c-" + attempt.SpanContext.SpanID().String() + "-01"}, h["Traceparent"])
	require.Equal(t, []string{"vendor=1"}, h["Tracestate"])
	require.Equal(t, map[string]any{
		"http.request.method": "POST", "http.route": "/v1/chat/completions", "http.response.status_code": int64(200),
		"gen_ai.operation.name": "chat", "gen_ai.request.model": "main",
		"understudy.request_id": "r1", "understudy.format_in": "openai-chat", "understudy.attempts": int64(1),
	}, attributes(inbound))
	require.Equal(t, map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt", "gen_ai.request.stream": true,
		"gen_ai.response.model": "gpt-2030", "gen_ai.response.time_to_first_chunk": 1.0, "http.response.status_code": int64(200),
		"gen_ai.usage.input_tokens": int64(9), "gen_ai.usage.output_tokens": int64(8), "gen_ai.usage.cache_read.input_tokens": int64(7), "gen_ai.usage.cache_creation.input_tokens": int64(6),
		"server.address": "api.test", "server.port": int64(8443),
		"understudy.format_out": "openai-chat", "understudy.provider": "up", "understudy.credential": "a", "understudy.why": "bound",
	}, attributes(attempt))
	require.Equal(t, map[string]any{"gen_ai.request.model": "none", "error.type": "model_cooldown"}, attributes(acquire), "the second one")
	require.Equal(t, codes.Error, acquire.Status.Code)
}

func TestTracer_TellsOfFailures(t *testing.T) {
	t.Parallel()
	for kind, want := range map[providers.Kind]codes.Code{providers.Overloaded: codes.Error, providers.Canceled: codes.Unset, providers.Success: codes.Unset} {
		tracer, spans := recording(t)
		q := tracer.Begin(httptest.NewRequest("BREW", "/", http.NoBody), "", "r1")
		q.Attempt(lease("other"), providers.Compact, providers.OpenAIResponses, false).End(providers.Outcome{Kind: kind}, 0)
		q.End(nil, 503, "overloaded")
		got := spans()
		require.Equal(t, want, got["compact gpt"].Status.Code, kind)
		require.Equal(t, codes.Error, got["BREW"].Status.Code)
		require.Equal(t, "_OTHER", attributes(got["BREW"])["http.request.method"])
		require.Equal(t, "overloaded", attributes(got["BREW"])["error.type"])
		require.Equal(t, "up", attributes(got["compact gpt"])["gen_ai.provider.name"])
	}
}

func TestTracer_ClientsFaultsAreNoErrors(t *testing.T) {
	t.Parallel()
	tracer, spans := recording(t)
	tracer.Begin(httptest.NewRequest(http.MethodPost, "/", http.NoBody), "/x", "r1").End(nil, 401, "invalid_api_key")
	require.Equal(t, codes.Unset, spans()["POST /x"].Status.Code)
	require.Equal(t, "invalid_api_key", attributes(spans()["POST /x"])["error.type"])
}

func TestNames_FollowTheConventions(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{"openai": "openai", "anthropic": "anthropic", "gemini": "gcp.gemini", "vertex": "gcp.vertex_ai", "openai-compatible": "up"} {
		require.Equal(t, want, providerOf(lease(kind).Credential.Upstream).Value.AsString())
	}
	for _, tt := range []struct {
		format    providers.Format
		operation providers.Operation
		want      string
	}{
		{providers.OpenAIChat, providers.Generate, "chat"},
		{providers.Anthropic, providers.Generate, "chat"},
		{providers.Gemini, providers.Generate, "generate_content"},
		{providers.OpenAIChat, providers.Complete, "text_completion"},
		{providers.Gemini, providers.BatchEmbed, "embeddings"},
		{providers.Anthropic, providers.CountTokens, "count_tokens"},
	} {
		require.Equal(t, attribute.StringValue(tt.want), operationOf(tt.format, tt.operation).Value)
	}
}

func TestModelOf_FindsTheNameInEveryFormat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		format providers.Format
		body   string
		want   string
	}{
		{providers.OpenAIChat, `{"model":"m"}`, "m"},
		{providers.OpenAIResponses, `{"model":"m"}`, "m"},
		{providers.OpenAIResponses, `{"type":"response.created","response":{"model":"m"}}`, "m"},
		{providers.Anthropic, `{"type":"message_start","message":{"model":"m"}}`, "m"},
		{providers.Anthropic, `{"model":"m"}`, "m"},
		{providers.Gemini, `{"modelVersion":"m"}`, "m"},
		{providers.Gemini, `{"model":"m"}`, ""},
		{providers.OpenAIChat, `{"model":7}`, ""},
		{providers.OpenAIChat, `{"model":"` + strings.Repeat("x", maxModelBytes+1) + `"}`, ""},
		{providers.OpenAIChat, `[DONE]`, ""},
	} {
		require.Equal(t, tt.want, modelOf(tt.format, []byte(tt.body)), tt.body)
	}
}

func FuzzModelOf(f *testing.F) {
	f.Add(`{"message":{"model":"m"}}`)
	f.Add(`{"model":`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, format := range providers.AllFormats() {
			require.LessOrEqual(t, len(modelOf(format, []byte(body))), maxModelBytes)
		}
	})
}

func TestTracer_NoneCostsNothing(t *testing.T) {
	require.Nil(t, New(nil, "v1"))
	var tracer *Tracer
	r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	l, h, ctx := lease("openai"), http.Header{}, context.Background()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		q := tracer.Begin(r, "/", "r1")
		q.Acquire("m").End(l, "")
		a := q.Attempt(l, providers.Generate, providers.OpenAIChat, false)
		_ = a.Context(ctx)
		a.Inject(h)
		a.Answered(providers.OpenAIChat, nil)
		a.End(providers.Outcome{}, 0)
		q.End(nil, 200, "")
	}))
	require.Empty(t, h)
}
