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
