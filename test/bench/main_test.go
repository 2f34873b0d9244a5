package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain lets the test binary play roles, as the bench itself does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == roleArgument {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestParse_ReadsFlagsAndNames(t *testing.T) {
	t.Parallel()
	s, names, err := parse([]string{"-rounds", "3", "-loads", "chat,large", "-for", "5s", "proxy", "streams"})
	require.NoError(t, err)
	require.Equal(t, []string{"proxy", "streams"}, names)
	require.Equal(t, 3, s.rounds)
	require.Equal(t, []string{"chat", "large"}, s.loads)
	require.Equal(t, 5*time.Second, s.streamFor)
}

func TestParse_MeansAllButTheLongOnesByDefault(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"all"}} {
		_, names, err := parse(args)
		require.NoError(t, err)
		require.Equal(t, []string{"proxy", "engine", "sessions"}, names)
	}
}

func TestParse_RefusesNonsense(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"unknown bench":    {"everything"},
		"no rounds":        {"-rounds", "0"},
		"negative pause":   {"-chunk-pause", "-1s"},
		"too short stream": {"-for", "10ms", "streams"},
		"unknown subject":  {"-via", "nginx", "streams"},
	}
	for name, args := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := parse(args)
			require.Error(t, err)
		})
	}
}

func TestRun_MeasuresProxyAndGatewayInProcessesOfTheirOwn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var out bytes.Buffer
	err := run(t.Context(), []string{"-json", "-rounds", "2", "-requests", "40", "-connections", "4", "-profile", folder, "proxy"}, &out)
	require.NoError(t, err)
	var result report
	require.NoError(t, json.Unmarshal(out.Bytes(), &result))
	require.Len(t, result.Proxy, 3)
	for _, row := range result.Proxy {
		require.Positive(t, row.Proxy.RequestsPerSecond.Min, row.Load)
		require.Positive(t, row.Proxy.Allocations.Min, row.Load)
		require.Positive(t, row.Gateway.CPUMicroseconds.Min, row.Load)
		require.Positive(t, row.CPURatio.Median, row.Load)
		require.NotEqual(t, row.Proxy.Allocations, row.Gateway.Allocations, "figures of two processes")
	}
	require.FileExists(t, folder+"/large.cpu.pprof")
	require.FileExists(t, folder+"/chat.allocs.pprof")
}

func TestRun_MeasuresTheEngine(t *testing.T) {
	t.Parallel()
	c := &engineCase{row: engineRow{Credentials: 5, Resting: 2, Sessions: 7, Recorded: true}}
	require.NoError(t, c.start(t.Context()))
	defer c.engine.stop()
	for range 2 {
		require.NoError(t, c.measure(t.Context(), 20))
	}
	row := c.result(c)
	require.Positive(t, row.WallNanoseconds.Min)
	require.Positive(t, row.Allocations.Min)
	require.InDelta(t, 1, row.CPURatio.Median, 0)
	records, err := c.engine.Records(t.Context(), 100)
	require.NoError(t, err)
	require.Len(t, records, 40)
}

func TestRun_MeasuresSessions(t *testing.T) {
	t.Parallel()
	var out report
	require.NoError(t, benchSessions(t.Context(), settings{sessions: 500}, &out))
	require.Equal(t, 500, out.Sessions.Sessions)
}

func TestRunRole_RefusesUnknownRoles(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, runRole(t.Context(), []string{"nginx"}, nil), "nginx")
	require.Error(t, runRole(t.Context(), nil, nil))
}

func TestStartRole_FailsWhenTheRoleDoes(t *testing.T) {
	t.Parallel()
	_, err := startRole(t.Context(), roleGateway, "-upstream", "not a url")
	require.Error(t, err)
}
