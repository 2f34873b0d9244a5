package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// report is all that was measured; parts that were not are empty.
type report struct {
	Machine  machine      `json:"machine"`
	Proxy    []proxyRow   `json:"proxy,omitempty"`
	Observe  []observeRow `json:"observe,omitempty"`
	Engine   []engineRow  `json:"engine,omitempty"`
	Sessions *sessionsRow `json:"sessions,omitempty"`
	Streams  *streamsRow  `json:"streams,omitempty"`
	Sockets  *socketsRow  `json:"sockets,omitempty"`
	Sigterm  *sigtermRow  `json:"sigterm,omitempty"`
	Files    *filesRow    `json:"files,omitempty"`
	Changes  *changesRow  `json:"changes,omitempty"`

	Supervision []supervisionRow `json:"supervision,omitempty"`
}

// add takes over what part has.
func (r *report) add(part report) {
	r.Proxy = append(r.Proxy, part.Proxy...)
	r.Observe = append(r.Observe, part.Observe...)
	r.Engine = append(r.Engine, part.Engine...)
	r.Supervision = append(r.Supervision, part.Supervision...)
	if part.Sessions != nil {
		r.Sessions = part.Sessions
	}
	if part.Streams != nil {
		r.Streams = part.Streams
	}
	if part.Sockets != nil {
		r.Sockets = part.Sockets
	}
	if part.Sigterm != nil {
		r.Sigterm = part.Sigterm
	}
	if part.Files != nil {
		r.Files = part.Files
	}
	if part.Changes != nil {
		r.Changes = part.Changes
	}
}

// print writes r as tables for people.
func (r report) print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	printProxy(table, r.Proxy)
	printObserve(table, r.Observe)
	printEngine(table, r.Engine)
	printSupervision(table, r.Supervision)
	if s := r.Sessions; s != nil {
		fmt.Fprintf(table, "\nMemory per live session (%d of them): %.0f bytes of heap, %.0f of stacks, %.2f goroutines\n",
			s.Sessions, s.HeapBytes, s.StackBytes, s.Goroutines)
	}
	if s := r.Streams; s != nil {
		fmt.Fprintf(table, "\n%d streams of %v through the %s: %d failed\n", s.Streams, s.For, s.Via, s.Failed)
		fmt.Fprintf(table, "per open stream: %.1f KB resident, %.1f KB of heap and %.1f KB of stacks in %.1f goroutines; %.0f µs of CPU per chunk\n",
			s.ResidentBytes/1024, s.HeapBytes/1024, s.StackBytes/1024, s.Goroutines, s.CPUMicroseconds)
	}
	printSockets(table, r.Sockets)
	if s := r.Sigterm; s != nil {
		fmt.Fprintf(table, "\n%d stops by SIGTERM under load: %d requests answered in full, %d refused, %d not begun, none lost\n",
			s.Stops, s.Whole, s.Refused, s.NotBegun)
	}
	if f := r.Files; f != nil {
		fmt.Fprintf(table, "\n%d credential files: ready after %s ms; %s with %d files\n",
			f.Files, f.ReadyMilliseconds.text(0), f.FewReadyMilliseconds.text(0), fewFiles)
		fmt.Fprintf(table, "resident per credential beyond those: %s KB when ready, %s KB %v later\n",
			f.ResidentBytes.scaled(1024).text(1), f.SettledBytes.scaled(1024).text(1), filesSettle)
	}
	if c := r.Changes; c != nil {
		fmt.Fprintf(table, "\n%d edits of files in %v, %d changes applied: %d requests and %d streams, %d failed\n",
			c.Edits, c.For, c.Applied, c.Requests, c.Streams, c.Failed)
		fmt.Fprintf(table, "requests p50 %.1f ms, p99 %.1f ms (%.1f ms without edits); heap %.1f MB before, %.1f MB after; goroutines %d before, %d after\n",
			c.P50, c.P99, c.CalmP99, float64(c.Before.HeapBytes)/(1<<20), float64(c.After.HeapBytes)/(1<<20), c.Before.Goroutines, c.After.Goroutines)
	}
	_ = table.Flush() // standard output, or a test's buffer
}

func printSockets(table io.Writer, s *socketsRow) {
	if s == nil {
		return
	}
	fmt.Fprintf(table, "\nPer idle WebSocket (%d of them): %.1f KB resident, %.1f KB of heap and %.1f KB of stacks in %.2f goroutines\n",
		s.Idle, s.ResidentBytes/1024, s.HeapBytes/1024, s.StackBytes/1024, s.Goroutines)
	fmt.Fprintf(table, "CPU per event of %d streams: %s µs over an event stream, %s over a WebSocket, ratio %s\n",
		s.Streams, s.Events.text(1), s.Frames.text(1), s.Ratio.text(2))
	fmt.Fprintf(table, "%d of %d turns went upstream as deltas (%.0f %%): %d bytes in place of %d\n",
		s.Deltas, s.Turns, 100*s.DeltaShare, s.DeltaBytes, s.WholeBytes)
}

func printProxy(table io.Writer, rows []proxyRow) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(table, "\nPer relayed request, median of the rounds (lowest–highest)")
	fmt.Fprintln(table, "load\tthrough\tCPU µs\tratio of CPU\trequests/s\tallocations\tbytes allocated\t")
	for _, row := range rows {
		printRelayed(table, row.Load, roleProxy, row.Proxy, "1")
		printRelayed(table, "", roleGateway, row.Gateway, row.CPURatio.text(2))
	}
}

func printObserve(table io.Writer, rows []observeRow) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(table, "\nPer request through the gateway, without and with access log, metrics and records")
	fmt.Fprintln(table, "load\tgateway\tCPU µs\tratio of CPU\trequests/s\tallocations\tbytes allocated\t")
	for _, row := range rows {
		printRelayed(table, row.Load, "quiet", row.Quiet, "1")
		printRelayed(table, "", "observed", row.Observed, row.CPURatio.text(3))
	}
}

func printRelayed(table io.Writer, load, through string, r relayed, ratio string) {
	fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.0f\t%.0f\t%.0f\t\n", load, through,
		r.CPUMicroseconds.text(0), ratio, r.RequestsPerSecond.Median, r.Allocations.Median, r.AllocBytes.Median)
}

func printEngine(table io.Writer, rows []engineRow) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(table, "\nPer acquire + first byte + report, median of the rounds (lowest–highest)")
	fmt.Fprintln(table, "credentials\tof them resting\tlive sessions\trecorded\tns\tCPU ns\tratio of CPU\tallocations\tbytes allocated\t")
	for _, row := range rows {
		fmt.Fprintf(table, "%d\t%d\t%d\t%t\t%s\t%s\t%s\t%.1f\t%.0f\t\n", row.Credentials, row.Resting, row.Sessions, row.Recorded,
			row.WallNanoseconds.text(0), row.CPUNanoseconds.text(0), row.CPURatio.text(2), row.Allocations.Median, row.AllocBytes.Median)
	}
}

func printSupervision(table io.Writer, rows []supervisionRow) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(table, "\nRequests over %d credentials, %d a second, with and without trouble in one more\n", healthyCredentials, healthyPerSecond)
	fmt.Fprintln(table, "trouble\trequests\tfailed\tp50 ms without\twith\tp99 ms without\twith\tratio of p99, by round\tthe same past the gateway\tmemory MB\t")
	for _, row := range rows {
		past := "-"
		if row.PastP99Ratio.Max > 0 {
			past = row.PastP99Ratio.text(2)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%s\t%s\t%+.0f\t\n", row.Trouble, row.Requests, row.Failed,
			row.CalmP50, row.TroubleP50, row.CalmP99, row.TroubleP99, row.P99Ratio.text(2), past, float64(row.PeakBytes)/(1<<20))
	}
}

// text formats s with so many decimals.
func (s spread) text(decimals int) string {
	return fmt.Sprintf("%.*f (%.*f–%.*f)", decimals, s.Median, decimals, s.Min, decimals, s.Max)
}

// machine is where and when figures were measured.
type machine struct {
	At     time.Time `json:"at"`
	System string    `json:"system"`
	Go     string    `json:"go"`
	CPUs   int       `json:"cpus"`
	Model  string    `json:"model"` // empty where the system does not say
}

func thisMachine(now time.Time) machine {
	return machine{
		At: now.UTC().Truncate(time.Second), System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), CPUs: runtime.GOMAXPROCS(0), Model: cpuModel(),
	}
}

// String is part of fmt.Stringer.
func (m machine) String() string {
	return fmt.Sprintf("%s, %s, %s, %d CPUs %s", m.At.Format(time.DateOnly), m.Go, m.System, m.CPUs, m.Model)
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(info) {
		if name, value, ok := strings.Cut(string(line), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
