package quality

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers/simulator"
)

// called is a call of credential a, with its times in milliseconds.
func called(from, to, status int) simulator.Record {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	return simulator.Record{Credential: "a", StartedAt: at(from), EndedAt: at(to), Status: status, Whole: status != 0}
}

func TestWhileResting_CountsCallsAfterAFailureCameBack(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		calls []simulator.Record
		want  int
	}{
		"none":                          {nil, 0},
		"only successes":                {[]simulator.Record{called(0, 10, 200), called(5, 15, 200)}, 0},
		"after the rest":                {[]simulator.Record{called(0, 10, 503), called(1010, 1020, 200)}, 0},
		"within the rest":               {[]simulator.Record{called(0, 10, 503), called(1009, 1020, 503)}, 1},
		"several":                       {[]simulator.Record{called(0, 10, 503), called(20, 30, 503), called(40, 50, 0)}, 2},
		"began before the failure":      {[]simulator.Record{called(0, 10, 503), called(5, 900, 503), called(1010, 1020, 200)}, 0},
		"began in the same instant":     {[]simulator.Record{called(0, 10, 503), called(10, 20, 503)}, 0},
		"a success ends the rest":       {[]simulator.Record{called(0, 10, 503), called(20, 30, 200), called(40, 50, 200)}, 1},
		"a success that was under way":  {[]simulator.Record{called(0, 10, 503), called(5, 30, 200), called(40, 50, 200)}, 1},
		"the request's fault":           {[]simulator.Record{called(0, 10, 400), called(20, 30, 404), called(40, 50, 200)}, 0},
		"no answer":                     {[]simulator.Record{called(0, 10, 0), called(20, 30, 200)}, 1},
		"two rests, one call in either": {[]simulator.Record{called(0, 10, 503), called(500, 510, 200), called(2000, 2010, 503), called(2500, 2510, 200)}, 2},
	}
	for name, tt := range tests {
		require.Equal(t, tt.want, whileResting(tt.calls, shortRest), name)
	}
}

func TestRun_CountsWhatItsAgentsSaw(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	whole := func(credential, name string) simulator.Record {
		return simulator.Record{Credential: credential, Name: name, Status: http.StatusOK, Whole: true}
	}
	got := func(session, turn, ms int, name string, how ending, best, cached int64) request {
		q := request{session: session, turn: turn, best: best, endedAt: at(ms), answer: answer{ending: how, name: name}}
		q.answer.usage.CachedTokens = cached
		return q
	}
	r := &run{
		calls: []simulator.Record{
			whole("acme-1", "n1"), whole("acme-1", "n2"), whole("acme-2", "n3"), whole("acme-2", "n4"), called(0, 10, 503),
		},
		requests: []request{
			got(1, 0, 1, "n1", served, 0, 7),
			got(1, 2, 3, "n3", served, 50, 0),
			got(1, 1, 2, "n2", served, 50, 60),
			got(2, 0, 5, "n3", served, 0, 0), got(2, 0, 4, "n1", served, 0, 0),
			got(2, 1, 6, "", told, 10, 0), got(2, 1, 7, "", untold, 10, 0), got(2, 1, 8, "n4", served, 100, 100),
		},
	}
	f := r.figures(scenario{rest: shortRest}, source{})
	require.Equal(t, 8, f.Requests)
	require.Equal(t, 6, f.Served)
	require.Equal(t, 1, f.Told)
	require.InDelta(t, 150.0/200, f.Cache, 1e-9, "more than could be known does not count, first turns neither")
	require.InDelta(t, 1.0, f.Hops, 1e-9)
	require.Equal(t, 1, f.Split)
	require.InDelta(t, 2.0/6, f.Jain, 1e-9, "two of six served alike")
	require.Len(t, f.failures, 2)
}

func TestFigures_FailWhatTheyMiss(t *testing.T) {
	t.Parallel()
	good := figures{Requests: 10, Served: 10, Cache: 1, Jain: 1}
	strict := scenario{minCache: 0.99, minJain: 0.98, parallel: 5}
	tests := map[string]struct {
		change func(*figures, *scenario, *source)
		want   []string
	}{
		"good":                    {func(*figures, *scenario, *source) {}, nil},
		"no work":                 {func(f *figures, _ *scenario, _ *source) { f.Requests = 0 }, []string{"work"}},
		"a failure":               {func(f *figures, _ *scenario, _ *source) { f.Served, f.Told = 9, 1 }, []string{"success"}},
		"a cut that is told":      {func(f *figures, s *scenario, _ *source) { f.Served, f.Told, s.cuts = 9, 1, true }, nil},
		"a cut that is not":       {func(f *figures, s *scenario, _ *source) { f.Served, s.cuts = 9, true }, []string{"success"}},
		"cold caches":             {func(f *figures, _ *scenario, _ *source) { f.Cache = 0.98 }, []string{"cache"}},
		"cold without affinity":   {func(f *figures, _ *scenario, s *source) { f.Cache, f.Split, s.off = 0.4, 3, true }, nil},
		"a burst that is split":   {func(f *figures, _ *scenario, _ *source) { f.Split = 1 }, []string{"first burst"}},
		"unfair":                  {func(f *figures, _ *scenario, _ *source) { f.Jain = 0.9 }, []string{"fairness"}},
		"no rest for the resting": {func(f *figures, _ *scenario, _ *source) { f.Resting = 1 }, []string{"resting"}},
	}
	for name, tt := range tests {
		f, sc, s := good, strict, source{}
		tt.change(&f, &sc, &s)
		var failed []string
		for _, c := range f.checks(sc, s) {
			if c.failed != "" {
				failed = append(failed, c.name)
			}
		}
		require.Equal(t, tt.want, failed, name)
	}
}
