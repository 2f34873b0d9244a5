package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/understudyhq/understudy"
)

// watch is all that looks on while a rig's gateway serves. Everything that it sees is searched
// for secrets when the rig ends.
type watch struct {
	t       *testing.T
	numbers *prometheus.Registry
	spans   *tracetest.InMemoryExporter
	tracers *sdktrace.TracerProvider
	folder  string // of captured requests
}

func newWatch(t *testing.T) *watch {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	return &watch{
		t: t, numbers: prometheus.NewRegistry(), folder: t.TempDir(),
		spans: spans, tracers: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)),
	}
}

func (w *watch) options() []understudy.Option {
	return []understudy.Option{understudy.WithRegisterer(w.numbers), understudy.WithTracerProvider(w.tracers)}
}

// gather takes the metrics in, which are gone when the gateway is.
func (w *watch) gather() {
	families, err := w.numbers.Gather()
	if err != nil {
		w.t.Errorf("metrics: %v", err)
	}
	inspect(w.t, "metric", fmt.Append(nil, families))
}

// inspect looks at everything that is left.
func (w *watch) inspect() {
	inspect(w.t, "span", fmt.Appendf(nil, "%+v", w.spans.GetSpans()))
	for _, text := range w.captures() {
		inspect(w.t, "capture", []byte(text))
	}
	if err := w.tracers.Shutdown(context.Background()); err != nil {
		w.t.Errorf("tracers: %v", err)
	}
}

// captures returns the captured requests, the oldest first.
func (w *watch) captures() []string {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.folder, "*"))
	require.NoError(w.t, err)
	var texts []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(w.t, err)
		texts = append(texts, string(text))
	}
	return texts
}
