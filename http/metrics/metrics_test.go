package metrics

import (
	"bufio"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/providers"
)

var update = flag.Bool("update", false, "write golden files")

// configured returns credentials of an upstream with the model gpt, also called main.
func configured(ids ...string) []*providers.Credential {
	u := &providers.Upstream{Name: "up", Models: []providers.Model{{Name: "gpt", Aliases: []string{"main"}}}}
	var list []*providers.Credential
	for _, id := range ids {
		list = append(list, &providers.Credential{ID: providers.CredentialID(id), Upstream: u})
	}
	return list
}

// served is the record of a request that b has served after a has failed.
func served(model string) *actors.Record {
	return &actors.Record{
		FormatIn: providers.OpenAIChat, FormatOut: providers.Anthropic, Asked: model, Used: model, Outcome: providers.Success,
		Attempts: []actors.AttemptRecord{
			{Credential: "a", Provider: "up", Outcome: providers.Overloaded},
			{Credential: "b", Provider: "up", Outcome: providers.Success},
		},
		FirstByte: time.Second, Total: 2 * time.Second, Overhead: time.Millisecond,
		Usage: providers.Usage{InputTokens: 100, OutputTokens: 7, CachedTokens: 60, CacheWriteTokens: 5},
	}
}

// exposed returns the lines that a scrape gets, without those of the process.
func exposed(t *testing.T, m *Metrics) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	require.Equal(t, http.StatusOK, w.Code)
	var lines []string
	for scanner := bufio.NewScanner(w.Body); scanner.Scan(); {
		if line := scanner.Text(); strings.Contains(line, namespace+"_") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestMetrics_CountsRequests(t *testing.T) {
	t.Parallel()
	m := New("v1")
	m.Configured(configured("a", "b"))
	m.Served(served("main"))
	m.Served(served("main"))
	refused := served("nowhere")
	refused.Attempts, refused.Outcome, refused.Used, refused.FormatOut, refused.FirstByte, refused.Usage = nil, "", "", "", 0, providers.Usage{}
	m.Served(refused)
	m.Refused(providers.Gemini, 401)
	m.Refused(providers.Gemini, 200)
	lines := exposed(t, m)
	for _, want := range []string{
		`understudy_build_info{version="v1"} 1`,
		`understudy_requests_total{credential="b",format_in="openai-chat",format_out="anthropic",model="main",outcome="success"} 2`,
		`understudy_requests_total{credential="none",format_in="openai-chat",format_out="none",model="other",outcome="rejected"} 1`,
		`understudy_requests_total{credential="none",format_in="gemini",format_out="none",model="none",outcome="rejected"} 1`,
		`understudy_requests_total{credential="none",format_in="gemini",format_out="none",model="none",outcome="answered"} 1`,
		`understudy_attempts_total{credential="a",outcome="overloaded",provider="up"} 2`,
		`understudy_attempts_total{credential="b",outcome="success",provider="up"} 2`,
		`understudy_tokens_total{credential="b",kind="input",model="main"} 200`,
		`understudy_tokens_total{credential="b",kind="output",model="main"} 14`,
		`understudy_tokens_total{credential="b",kind="cached",model="main"} 120`,
		`understudy_tokens_total{credential="b",kind="cache_write",model="main"} 10`,
		`understudy_request_duration_seconds_sum{format_in="openai-chat",model="main"} 4`,
		`understudy_request_duration_seconds_count{format_in="openai-chat",model="main"} 2`,
		`understudy_first_byte_seconds_count{format_in="openai-chat",model="main"} 2`,
		`understudy_gateway_overhead_seconds_count{format_in="openai-chat"} 3`,
	} {
		require.Contains(t, lines, want)
	}
}

func TestMetrics_HistogramsAreNative(t *testing.T) {
	t.Parallel()
	m := New("")
	m.Configured(configured("a", "b"))
	m.Served(served("gpt"))
	families, err := m.registry.Gather()
	require.NoError(t, err)
	found := 0
	for _, f := range families {
		if strings.HasSuffix(f.GetName(), "_seconds") && f.GetMetric()[0].GetHistogram() != nil {
			found++
			require.NotEmpty(t, f.GetMetric()[0].GetHistogram().GetPositiveSpan(), f.GetName())
		}
	}
	require.Equal(t, 3, found)
}

func TestMetrics_LabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := New("")
	m.Configured(configured("a", "b"))
	for i := range 10 * maxModels {
		made := served(fmt.Sprintf("made-up-%d", i))
		made.Outcome = providers.Transient // an upstream that takes any name has failed
		made.Attempts[1].Credential = providers.CredentialID(fmt.Sprintf("gone-%d", i))
		m.Served(made)
		m.Served(served(fmt.Sprintf("listed-%d", i)))
	}
	m.Served(served("gpt"))
	m.Served(served("not \xff valid"))
	lines := exposed(t, m)
	require.Equal(t, maxModels+3, count(lines, "understudy_requests_total{"), "each that served, those that did not fit, gpt, and all the made-up ones together")
	require.Contains(t, lines, fmt.Sprintf(`understudy_requests_total{credential="other",format_in="openai-chat",format_out="anthropic",model="other",outcome="transient"} %d`, 10*maxModels))
	require.Equal(t, 3, count(lines, "understudy_attempts_total{"))
	require.LessOrEqual(t, len(m.series.Load().attempts), 3)
}

// A provider of the host's may have outcomes of its own.
func TestMetrics_CombinationsAreBounded(t *testing.T) {
	t.Parallel()
	m := New("")
	m.Configured(configured("a", "b"))
	for i := range maxRoutes + 100 {
		r := served("gpt")
		r.Attempts[1].Credential = providers.CredentialID(fmt.Sprint(i))
		m.Served(r)
	}
	require.LessOrEqual(t, len(m.series.Load().routes), maxRoutes+1)
	require.Equal(t, 2, count(exposed(t, m), "understudy_requests_total{"))
}

func count(lines []string, prefix string) int {
	n := 0
	for _, line := range lines {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

func TestMetrics_ARemovedCredentialTakesItsNumbersAlong(t *testing.T) {
	t.Parallel()
	m := New("")
	m.Configured(configured("a", "b"))
	m.Served(served("gpt"))
	m.Configured(configured("b"))
	lines := exposed(t, m)
	require.Zero(t, count(lines, `understudy_attempts_total{credential="a"`))
	require.Contains(t, lines, `understudy_attempts_total{credential="b",outcome="success",provider="up"} 1`)
	m.Served(served("gpt"))
	require.Contains(t, exposed(t, m), `understudy_requests_total{credential="b",format_in="openai-chat",format_out="anthropic",model="gpt",outcome="success"} 2`)
	m.Configured(nil)
	require.Zero(t, count(exposed(t, m), "understudy_tokens_total"))
}

// The golden file shows everything that is asked of a gateway when somebody scrapes.
func TestMetrics_ShowsTheState(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	resting := actors.ModelView{Name: "m"}
	resting.State.Until, resting.State.Kind = now.Add(time.Minute), providers.RateLimited
	state := State{
		Engine: actors.Snapshot{
			At: now, Sessions: 3, Attempts: 10, Overdue: 1, Failures: 2,
			Credentials: []actors.CredentialView{
				{ID: "a", Provider: "up", Status: "active", Models: []actors.ModelView{resting, {Name: "n"}}, Rests: map[providers.Kind]uint64{providers.RateLimited: 4}, Usage: providers.Usage{InputTokens: 100, CachedTokens: 25}, Windows: []providers.Quota{
					{Name: "requests", Limit: 10, Remaining: 4, Utilization: 0.6, ResetAt: now.Add(time.Hour)},
					{Name: "tokens", Remaining: 0, Utilization: -1},
					{Name: "unified", Remaining: -1, Utilization: -1, Status: "allowed"},
				}},
				{ID: "b", Provider: "up", Status: "disabled"},
			},
		},
		Vitals:   actors.Vitals{Actors: map[string]int{"session": 3, "router": 1}, Mailboxes: map[string]int{"router": 5}},
		InFlight: 7, Generation: 2, AppliedAt: now, Captures: map[string]uint64{"written": 1},
	}
	m := New("v1")
	m.Watch(func() State { return state })
	m.Asking(2)
	got := strings.Join(exposed(t, m), "\n") + "\n"
	golden := filepath.Join("testdata", "state.txt")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got)

	state.Engine = actors.Snapshot{} // it has ended
	require.Zero(t, count(exposed(t, m), "understudy_sessions"))
	require.Equal(t, 1, count(exposed(t, m), "understudy_in_flight_requests"))
}

func TestMetrics_TwoGatewaysInOneProcess(t *testing.T) {
	t.Parallel()
	one, two := New(""), New("")
	host := prometheus.NewRegistry()
	unregister, err := one.Register(host)
	require.NoError(t, err)
	_, err = two.Register(host)
	require.ErrorContains(t, err, "register metrics")
	second, err := two.Register(prometheus.WrapRegistererWith(prometheus.Labels{"gateway": "two"}, host))
	require.Error(t, err, "not beside one without the label")
	require.Nil(t, second)
	unregister()
	families, err := host.Gather()
	require.NoError(t, err)
	require.Empty(t, families)

	host = prometheus.NewRegistry()
	for _, m := range []*Metrics{one, two} {
		unregister, err := m.Register(prometheus.WrapRegistererWith(prometheus.Labels{"gateway": fmt.Sprintf("%p", m)}, host))
		require.NoError(t, err)
		t.Cleanup(unregister)
		m.Configured(configured("a", "b"))
		m.Served(served("gpt"))
	}
	families, err = host.Gather()
	require.NoError(t, err)
	found := false
	for _, f := range families {
		require.NotContains(t, f.GetName(), "go_", "a host has its own of the process")
		if f.GetName() == "understudy_requests_total" {
			found = true
			require.Len(t, f.GetMetric(), 2)
		}
	}
	require.True(t, found)
}

func TestMetrics_ManyAtOnce(t *testing.T) {
	t.Parallel()
	m := New("")
	m.Watch(func() State { return State{} })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 200 {
				m.Served(served("gpt"))
				if i%50 == 0 {
					m.Configured(configured("a", "b"))
					_, _ = m.registry.Gather()
				}
			}
		})
	}
	all.Wait()
	total := 0.0
	families, err := m.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "understudy_request_duration_seconds" {
			for _, metric := range f.GetMetric() {
				total += float64(metric.GetHistogram().GetSampleCount())
			}
		}
	}
	require.InDelta(t, 8*200, total, 0)
}

func TestMetrics_ServedAllocatesNothing(t *testing.T) {
	m := New("")
	m.Configured(configured("a", "b"))
	r := served("gpt")
	m.Served(r)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		m.Asking(1)
		m.Asking(-1)
		m.Served(r)
	}))
}

func BenchmarkServed(b *testing.B) {
	m := New("")
	m.Configured(configured("a", "b"))
	r := served("gpt")
	b.ReportAllocs()
	for b.Loop() {
		m.Served(r)
	}
}
