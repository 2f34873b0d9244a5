package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSpreadOf_SumsUp(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		values []float64
		want   spread
	}{
		"none":       {nil, spread{}},
		"one":        {[]float64{4}, spread{4, 4, 4}},
		"odd":        {[]float64{9, 1, 5}, spread{5, 1, 9}},
		"even":       {[]float64{8, 1, 4, 2}, spread{3, 1, 8}},
		"an outlier": {[]float64{10, 11, 10, 900, 11}, spread{11, 10, 900}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, spreadOf(tt.values))
		})
	}
}

func TestSpreadOf_LeavesTheOrderOfItsValues(t *testing.T) {
	t.Parallel()
	values := []float64{3, 1, 2}
	spreadOf(values)
	require.Equal(t, []float64{3, 1, 2}, values)
}

func TestRatios_DivideRoundByRound(t *testing.T) {
	t.Parallel()
	require.Equal(t, []float64{2, 0.5}, ratios([]float64{4, 1}, []float64{2, 2}))
	require.Equal(t, []float64{3}, ratios([]float64{1, 3}, []float64{0, 1}), "no time, no ratio")
	require.Equal(t, []float64{1}, ratios([]float64{1, 2}, []float64{1}), "only whole rounds count")
}

func TestUsage_CountsSinceBefore(t *testing.T) {
	t.Parallel()
	before := usage{CPU: 3, Allocations: 10, AllocBytes: 100}
	require.Equal(t, usage{CPU: 4, Allocations: 1, AllocBytes: 50}, usage{CPU: 7, Allocations: 11, AllocBytes: 150}.since(before))
}

func TestOwnUsage_Grows(t *testing.T) {
	t.Parallel()
	before, err := ownUsage()
	require.NoError(t, err)
	kept := make([][]byte, 1000)
	for i := range kept {
		kept[i] = make([]byte, 1024)
	}
	after, err := ownUsage()
	require.NoError(t, err)
	require.Len(t, kept, 1000)
	used := after.since(before)
	require.GreaterOrEqual(t, used.Allocations, uint64(1000))
	require.GreaterOrEqual(t, used.AllocBytes, uint64(1000*1024))
}
