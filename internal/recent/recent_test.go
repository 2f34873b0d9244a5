package recent_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/recent"
)

func TestList_IsTheEndOfAList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		items := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 20).Draw(t, "items")
		r := recent.New[int](limit)
		for _, item := range items {
			r.Add(item)
		}
		kept := slices.Clone(items[max(0, len(items)-limit):])
		slices.Reverse(kept)
		wanted := rapid.IntRange(0, 7).Draw(t, "wanted")
		require.Equal(t, append([]int{}, kept[:min(wanted, len(kept))]...), r.Latest(wanted))

		is := rapid.IntRange(0, 9).Draw(t, "is")
		_, ok := r.Find(func(item int) bool { return item == is })
		require.Equal(t, slices.Contains(kept, is), ok)
	})
}
