package strategy

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func weighing(weights ...int) []Candidate {
	cs := candidates(strings.Split("abcdefghijklmnopqrstuvwxyz"[:len(weights)], "")...)
	for i, w := range weights {
		cs[i].Weight = w
	}
	return cs
}

func TestWeighted_InterleavesByWeight(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		candidates []Candidate
		want       string
	}{
		"5, 3, 2, 0 (ST10)":            {weighing(5, 3, 2, 0), "abcaabacbaabcaabacba"},
		"light ones stand apart":       {weighing(5, 1, 1), "abaaacaabaaaca"},
		"many light beside a heavy":    {weighing(4, 1, 1, 1, 1), "abacadaeabacadae"},
		"0 and less are never (ST11)":  {weighing(0, 1, -1, 1), "bdbdbd"},
		"all are 0 (ST11)":             {weighing(0, 0), ""},
		"equal ones cycle (ST14)":      {weighing(7, 7, 7), "abcabc"},
		"more than a million is that":  {weighing(math.MaxInt, 1_000_000), "ababab"},
		"a factor changes nothing":     {weighing(500_000, 300_000, 200_000), "abcaabacba"},
		"a turn at one instant: by ID": {weighing(1, 3), "bab" + "b" + "bab" + "b"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, run(started(Weighted, tt.candidates, Memory{}), tt.candidates, max(len(tt.want), 5))[:len(tt.want)])
		})
	}
}

func TestWeighted_GivesExactSharesOfAHundred(t *testing.T) {
	t.Parallel()
	cs := weighing(5, 3, 2, 0)
	p := started(Weighted, cs, Memory{})
	for range 10 {
		got := run(p, cs, 100)
		require.Equal(t, []int{50, 30, 20, 0}, []int{
			strings.Count(got, "a"), strings.Count(got, "b"), strings.Count(got, "c"), strings.Count(got, "d"),
		}, "ST10")
	}
}

func TestWeighted_ReturnsWithoutABurst(t *testing.T) {
	t.Parallel()
	cs := weighing(5, 3, 2)
	p := started(Weighted, cs, Memory{})
	p.SetReady(0, false)
	rest := run(p, cs, 1000)
	require.Equal(t, []int{600, 400}, []int{strings.Count(rest, "b"), strings.Count(rest, "c")}, "ST12")
	p.SetReady(0, true)
	back := run(p, cs, 100)
	require.Equal(t, 50, strings.Count(back, "a"), "ST12")
	require.NotContains(t, back, "aaa", "ST12")
}

func TestWeighted_StartsAnewWithAnotherWeight(t *testing.T) {
	t.Parallel()
	before := weighing(1, 1)
	p := started(Weighted, before, Memory{})
	run(p, before, 1000)
	now := weighing(3, 1)
	got := run(started(Weighted, now, p.Memory()), now, 400)
	require.Equal(t, 300, strings.Count(got, "a"), "ST13")
	require.NotContains(t, got, "aaaa", "ST13")
}

func TestWeighted_KeepsSharesExactWhateverHappensToTheOthers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, Weighted, noAccount, anyWeight)
		count := map[string]int{}
		low, high := map[[2]string]int{}, map[[2]string]int{}
		w.onPick = func(t *rapid.T, id string) {
			count[id]++
			for x, a := range w.steady {
				for y, b := range w.steady {
					// In any stretch of time each has its weight's share of turns, more or
					// less one.
					ahead := count[x]*b.Weight - count[y]*a.Weight
					pair := [2]string{x, y}
					low[pair], high[pair] = min(low[pair], ahead), max(high[pair], ahead)
					require.LessOrEqual(t, high[pair]-low[pair], a.Weight+b.Weight, "%s and %s", x, y)
				}
			}
		}
		t.Repeat(w.actions(noAccount, anyWeight))
	})
}

func TestWeighted_GivesNobodyMoreThanItsShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 20), 2, 6).Draw(t, "weights")
		cs := weighing(weights...)
		p := started(Weighted, cs, Memory{}) // the first stays, the others come and go
		ahead, lowest := make([]int, len(cs)), make([]int, len(cs))
		for range rapid.IntRange(0, 200).Draw(t, "commands") {
			if i := rapid.IntRange(0, 2*len(cs)).Draw(t, "flip"); i > 0 && i < len(cs) {
				p.SetReady(i, !p.Has(i))
				continue
			}
			i, ok := p.Pick(nil)
			require.True(t, ok)
			for k := range cs {
				switch i {
				case 0:
					ahead[k] -= weights[k]
				case k:
					ahead[k] += weights[0]
				}
				lowest[k] = min(lowest[k], ahead[k])
				require.LessOrEqual(t, ahead[k]-lowest[k], weights[0]+weights[k])
			}
		}
	})
}

func TestWeighted_SpreadsWhoJoinsOneByOne(t *testing.T) {
	t.Parallel()
	var p Picker
	m := Memory{}
	for n := 2; n <= 9; n++ {
		cs := weighing(append([]int{8}, make([]int, n-1)...)...)
		for i := 1; i < n; i++ {
			cs[i].Weight = 1
		}
		p = started(Weighted, cs, m)
		m = p.Memory()
		if n == 9 {
			got := run(p, cs, 160)
			require.NotContains(t, got, "aaa")
			require.Equal(t, 80, strings.Count(got, "a"))
			require.Equal(t, 10, strings.Count(got, "i"))
		}
	}
}

func TestTimeline_RunsOnPastTheLargestRound(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		kind       Kind
		candidates []Candidate
	}{
		"round robin (ST9)": {RoundRobin, candidates("a", "b", "c")},
		"two-level (ST9)":   {RoundRobin, accounted("Pa", "Pb", "Qx")},
		"weighted (ST9)":    {Weighted, weighing(5, 3, 2)},
	}
	for name, tt := range tests {
		for edge, round := range map[string]uint64{"2^31": 1 << 31, "2^63": 1 << 63, "2^64": 0} {
			t.Run(name+" at "+edge, func(t *testing.T) {
				t.Parallel()
				usual := started(tt.kind, tt.candidates, Memory{})
				m := usual.Memory()
				m.line.clock.round = round - 3
				for account, l := range m.accounts {
					l.clock.round = round - 3
					m.accounts[account] = l
				}
				p := started(tt.kind, tt.candidates, m)
				p.SetReady(0, false)
				p.SetReady(0, true)
				require.Equal(t, run(usual, tt.candidates, 100), run(p, tt.candidates, 100))
			})
		}
	}
}

// instant returns a turn's instant within two rounds from base, exactly.
func instant(t turn, base uint64) *big.Rat {
	part := new(big.Rat).SetFrac(new(big.Int).SetUint64(t.part), new(big.Int).SetUint64(stride*t.weight))
	return part.Add(part, new(big.Rat).SetInt64(int64(t.round-base)))
}

func TestTimeline_NextIsALanesFirstTurnAfterTheClock(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		weight := rapid.OneOf(rapid.Uint64Range(1, 9), rapid.Uint64Range(999_990, maxWeight))
		base := rapid.SampledFrom([]uint64{0, 1<<63 - 1, math.MaxUint64}).Draw(t, "round")
		c := turn{round: base, weight: weight.Draw(t, "clock weight")}
		c.part = rapid.Uint64Range(0, stride*c.weight-1).Draw(t, "clock part")
		l := lane{weight: weight.Draw(t, "weight")}
		l.phase = rapid.OneOf(
			rapid.Uint64Range(0, stride-1),
			rapid.Just(c.part*l.weight/c.weight%stride), // at the clock, or within a part of it
		).Draw(t, "phase")
		tl := newTimeline([]string{"a", "b", "c"}, []lane{l, {}, l}, line{clock: c, after: "b"})
		for _, i := range []int{0, 2} {
			next := tl.next(i)
			require.Equal(t, l.phase, next.part%stride, "on its grid")
			require.Less(t, next.part, stride*l.weight)
			require.Equal(t, instant(next, base).Cmp(instant(c, base)), next.compare(c))
			require.Equal(t, -next.compare(c), c.compare(next))
			require.GreaterOrEqual(t, next.compare(c), map[int]int{0: 1, 2: 0}[i], "after the clock")
			// The turn before it is not after the clock.
			before := new(big.Rat).Sub(instant(next, base), new(big.Rat).SetFrac64(1, int64(l.weight)))
			require.LessOrEqual(t, before.Cmp(instant(c, base)), map[int]int{0: 0, 2: -1}[i], "the first")
		}
	})
}

func TestSpread_LeavesNoGapMoreThanTwiceAnother(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		first, then := rapid.IntRange(1, 100).Draw(t, "first"), rapid.IntRange(0, 100).Draw(t, "then")
		phases := spread(first, nil)
		phases = append(phases, spread(then, phases)...)
		slices.Sort(phases)
		narrow, wide := uint64(stride), uint64(0)
		for k, p := range phases {
			require.Less(t, p, uint64(stride))
			next := phases[0] + stride
			if k+1 < len(phases) {
				next = phases[k+1]
			}
			narrow, wide = min(narrow, next-p), max(wide, next-p)
		}
		require.LessOrEqual(t, wide, 2*narrow+2)
	})
}

func TestTimeline_OwesATurnAcrossARebuildOnlyToWhoGoesOnAsBefore(t *testing.T) {
	t.Parallel()
	before := weighing(1, 1)
	tests := map[string]struct {
		weight int
		resume func(p Picker) // between the rebuild and the picks
		want   string
	}{
		"ready at once":       {1, func(Picker) {}, "aab"},
		"with another weight": {2, func(Picker) {}, "aab"},
		"ready after another's turn": {1, func(p Picker) {
			p.SetReady(0, false)
			p.Pick(nil)
			p.SetReady(0, true)
		}, "aba"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := started(Weighted, before, Memory{})
			p.Pick(except(0))
			now := weighing(tt.weight, 1)
			p = New(Weighted, now, p.Memory(), nil)
			p.SetReady(1, true)
			p.SetReady(0, true)
			tt.resume(p)
			require.Equal(t, tt.want, run(p, now, 3))
		})
	}
}
