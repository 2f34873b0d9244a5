package main

import "slices"

// spread sums up the same figure from several rounds.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf returns the spread of values; of none it is zero. values keep their order.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return spread{Median: median, Min: sorted[0], Max: sorted[len(sorted)-1]}
}

// ratios divides two figures round by round. A round whose divisor is zero is left out.
func ratios(values, by []float64) []float64 {
	var quotients []float64
	for i := range min(len(values), len(by)) {
		if by[i] != 0 {
			quotients = append(quotients, values[i]/by[i])
		}
	}
	return quotients
}

// scaled returns s in a unit that is so many times as large.
func (s spread) scaled(unit float64) spread {
	return spread{s.Median / unit, s.Min / unit, s.Max / unit}
}

// percentile returns the value that a part p of the values does not exceed; 0 of none.
func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}
