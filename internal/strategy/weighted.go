package strategy

import (
	"cmp"
	"slices"
)

// weighted gives turns in proportion to weights.
type weighted struct{ *timeline }

func newWeighted(candidates []Candidate, m Memory) *weighted {
	return &weighted{newTimeline(ids(candidates), lanesOf(candidates, m.lanes), m.line)}
}

func (w *weighted) Memory() Memory {
	m := Memory{kind: Weighted, line: w.line(), lanes: make(map[string]lane, len(w.lanes))}
	for i, l := range w.lanes {
		m.lanes[w.names[i]] = l
	}
	return m
}

// lanesOf returns a lane for each candidate. Those of one weight have their phases spread,
// so that ten light candidates do not follow one another in the middle of a heavy one's
// turns. Who was there before with the same weight keeps its phase.
func lanesOf(candidates []Candidate, before map[string]lane) []lane {
	lanes := make([]lane, len(candidates))
	byWeight := make([]int, len(candidates))
	for i, c := range candidates {
		byWeight[i] = i
		lanes[i].weight = uint64(min(max(c.Weight, 0), maxWeight))
	}
	slices.SortStableFunc(byWeight, func(i, j int) int { return cmp.Compare(lanes[i].weight, lanes[j].weight) })
	for len(byWeight) > 0 {
		weight := lanes[byWeight[0]].weight
		n := slices.IndexFunc(byWeight, func(i int) bool { return lanes[i].weight != weight })
		if n < 0 {
			n = len(byWeight)
		}
		var fresh []int
		var taken []uint64
		for _, i := range byWeight[:n] {
			if l, ok := before[candidates[i].ID]; ok && l.weight == weight {
				lanes[i].phase = l.phase
				taken = append(taken, l.phase)
			} else {
				fresh = append(fresh, i)
			}
		}
		for k, phase := range spread(len(fresh), taken) {
			lanes[fresh[k]].phase = phase
		}
		byWeight = byWeight[n:]
	}
	return lanes
}

// spread returns n phases: evenly apart when none is taken, else each in the middle of the
// widest gap that is left.
func spread(n int, taken []uint64) []uint64 {
	phases := make([]uint64, n)
	if len(taken) == 0 {
		for k := range phases {
			phases[k] = uint64(2*k+1) * stride / uint64(2*n)
		}
		return phases
	}
	slices.Sort(taken)
	type gap struct{ from, width uint64 }
	gaps := NewQueue(len(taken)+n, func(a, b gap) int { return cmp.Compare(b.width, a.width) })
	for i, from := range taken {
		width := taken[0] + stride - from
		if i+1 < len(taken) {
			width = taken[i+1] - from
		}
		gaps.Put(i, gap{from, width})
	}
	for k := range phases {
		i, g, _ := gaps.Min()
		half := g.width / 2
		phases[k] = (g.from + half) % stride
		gaps.Put(i, gap{g.from, half})
		gaps.Put(len(taken)+k, gap{phases[k], g.width - half})
	}
	return phases
}
