package strategy

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSet_NextAgreesWithAPlainScan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 63, 64, 65, 128, 4096, 4097, 10000}).Draw(t, "n")
		s, model := NewSet(n), map[int]bool{}
		for range rapid.IntRange(0, 200).Draw(t, "commands") {
			i := rapid.IntRange(0, n-1).Draw(t, "i")
			if rapid.Bool().Draw(t, "add") {
				s.Add(i)
				model[i] = true
			} else {
				s.Remove(i)
				delete(model, i)
			}
			require.Equal(t, len(model), s.Len())
			from := rapid.IntRange(0, n).Draw(t, "from")
			want, found := scan(model, from, n)
			got, ok := s.Next(from)
			require.Equal(t, found, ok)
			if ok {
				require.Equal(t, want, got)
			}
		}
	})
}

func scan(model map[int]bool, from, n int) (int, bool) {
	for i := from; i < n; i++ {
		if model[i] {
			return i, true
		}
	}
	return 0, false
}

func full(n int) *Set {
	s := NewSet(n)
	for i := range n {
		s.Add(i)
	}
	return s
}

func picks(p Picker, s *Set, n int) []int {
	var got []int
	for range n {
		if i, ok := p.Pick(s, nil); ok {
			got = append(got, i)
		}
	}
	return got
}

func TestRoundRobin_CyclesFromItsStart(t *testing.T) {
	t.Parallel()
	require.Equal(t, []int{1, 2, 0, 1, 2}, picks(NewRoundRobin(1), full(3), 5))
}

func TestRoundRobin_PassesOverWhatIsNotReadyWithoutLosingItsPlace(t *testing.T) {
	t.Parallel()
	s, r := full(4), NewRoundRobin(0)
	require.Equal(t, []int{0, 1}, picks(r, s, 2))
	s.Remove(2)
	require.Equal(t, []int{3, 0}, picks(r, s, 2))
	s.Add(2)
	require.Equal(t, []int{1, 2, 3}, picks(r, s, 3))
}

func TestRoundRobin_SharesEvenly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		k := rapid.IntRange(1, 5).Draw(t, "k")
		counts := make([]int, n)
		for _, i := range picks(NewRoundRobin(rapid.IntRange(0, n-1).Draw(t, "start")), full(n), n*k) {
			counts[i]++
		}
		for _, c := range counts {
			require.Equal(t, k, c)
		}
	})
}

func TestPickers_HonourSkipAndSayWhenNothingIsLeft(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]Picker{"round robin": NewRoundRobin(2), "fill first": FillFirst{}} {
		t.Run(name, func(t *testing.T) {
			s := full(3)
			i, ok := p.Pick(s, func(i int) bool { return i != 1 })
			require.True(t, ok)
			require.Equal(t, 1, i)
			_, ok = p.Pick(s, func(int) bool { return true })
			require.False(t, ok)
			_, ok = p.Pick(NewSet(3), nil)
			require.False(t, ok)
		})
	}
}

func TestFillFirst_LeavesTheFirstOnlyWhileItIsNotReady(t *testing.T) {
	t.Parallel()
	s, f := full(3), FillFirst{}
	require.Equal(t, []int{0, 0}, picks(f, s, 2))
	s.Remove(0)
	require.Equal(t, []int{1, 1}, picks(f, s, 2))
	s.Add(0)
	require.Equal(t, []int{0}, picks(f, s, 1))
}

func BenchmarkRoundRobin_PickAmong10000With9990Resting(b *testing.B) {
	s := NewSet(10000)
	for i := range 10 {
		s.Add(i * 997)
	}
	r := NewRoundRobin(0)
	b.ReportAllocs()
	for b.Loop() {
		r.Pick(s, nil)
	}
}
