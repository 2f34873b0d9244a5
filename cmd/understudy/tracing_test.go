package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWantsTraces_AsTheEnvironmentSays(t *testing.T) {
	t.Parallel()
	const endpoint, own = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	tests := map[string]struct {
		env  map[string]string
		want bool
		err  string
	}{
		"nothing":            {nil, false, ""},
		"endpoint":           {map[string]string{endpoint: "http://c"}, true, ""},
		"traces endpoint":    {map[string]string{own: "http://c"}, true, ""},
		"exporter":           {map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true, ""},
		"none":               {map[string]string{endpoint: "http://c", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		"disabled":           {map[string]string{endpoint: "http://c", "OTEL_SDK_DISABLED": "true"}, false, ""},
		"other exporter":     {map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, false, `OTEL_TRACES_EXPORTER: "zipkin"`},
		"protocol":           {map[string]string{endpoint: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, true, ""},
		"other protocol":     {map[string]string{endpoint: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, `OTEL_EXPORTER_OTLP_PROTOCOL: "grpc"`},
		"protocol of traces": {map[string]string{endpoint: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, true, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := wantsTraces(func(name string) string { return tt.env[name] })
			require.Equal(t, tt.want, got)
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.err)
			}
		})
	}
}

func TestNewTracers_SendTheirSpansAtTheEnd(t *testing.T) {
	var paths, bodies []string
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		paths, bodies = append(paths, r.URL.Path), append(bodies, string(body))
	}))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=mine")
	tracers, err := newTracers(t.Context(), os.Getenv, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, span := tracers.Tracer("test").Start(context.Background(), "a span")
	span.End()
	s := &service{tracers: tracers, logger: slog.New(slog.DiscardHandler)}
	s.endTracers()
	require.Equal(t, []string{"/v1/traces"}, paths)
	require.Contains(t, bodies[0], "a span")
	require.Contains(t, bodies[0], "mine", "the environment names the service")
	(&service{}).endTracers() // without any there is nothing to do
}
