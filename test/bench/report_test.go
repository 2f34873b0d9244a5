package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReport_PrintsOnlyWhatWasMeasured(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	report{}.print(&out)
	require.Empty(t, out.String())
}

func TestReport_PrintsEveryPart(t *testing.T) {
	t.Parallel()
	r := report{}
	r.add(report{Proxy: []proxyRow{{
		Load:     "300 B chat",
		Proxy:    relayed{CPUMicroseconds: spread{100, 90, 120}, RequestsPerSecond: spread{Median: 7000}},
		Gateway:  relayed{CPUMicroseconds: spread{130, 125, 140}, Allocations: spread{Median: 169}},
		CPURatio: spread{1.3, 1.25, 1.4},
	}}})
	r.add(report{Engine: []engineRow{{Credentials: 10, Sessions: 100000, CPUNanoseconds: spread{9000, 8000, 9900}}}})
	r.add(report{Sessions: &sessionsRow{Sessions: 100000, HeapBytes: 979.4}})
	r.add(report{Streams: &streamsRow{Via: "gateway", Streams: 1000, For: time.Minute, ResidentBytes: 2048}})
	r.add(report{Sigterm: &sigtermRow{Stops: 3, Whole: 576, NotBegun: 12}})
	var out strings.Builder
	r.print(&out)
	for _, want := range []string{
		"300 B chat", "100 (90–120)", "130 (125–140)", "1.30 (1.25–1.40)", "7000", "169",
		"9000 (8000–9900)", "979 bytes", "1000 streams of 1m0s through the gateway: 0 failed", "2.0 KB resident",
		"576 requests answered in full", "12 not begun",
	} {
		require.Contains(t, out.String(), want)
	}
}
