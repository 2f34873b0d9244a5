package strategy

import (
	"cmp"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// first is what a queue should answer, found by a plain scan.
func first(keys map[int]int, n int, skip func(int) bool) (int, bool) {
	best := -1
	for i := range n {
		if k, ok := keys[i]; ok && !skip(i) && (best < 0 || k < keys[best]) {
			best = i
		}
	}
	return best, best >= 0
}

func TestQueue_AgreesWithAPlainScan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		q, model := NewQueue(n, cmp.Compare[int]), map[int]int{}
		position := rapid.IntRange(0, n-1)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				i, k := position.Draw(t, "i"), rapid.IntRange(-3, 3).Draw(t, "key")
				q.Put(i, k)
				model[i] = k
			},
			"remove": func(t *rapid.T) {
				i := position.Draw(t, "i")
				q.Remove(i)
				delete(model, i)
			},
			"except": func(t *rapid.T) {
				mask := rapid.Uint64().Draw(t, "mask")
				skip := func(i int) bool { return mask>>i&1 == 1 }
				want, found := first(model, n, skip)
				i, k, ok := q.MinExcept(skip)
				require.Equal(t, found, ok)
				if ok {
					require.Equal(t, want, i)
					require.Equal(t, model[i], k)
				}
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(model), q.Len())
				for i := range n {
					_, ok := model[i]
					require.Equal(t, ok, q.Has(i))
				}
				want, found := first(model, n, func(int) bool { return false })
				i, k, ok := q.Min()
				require.Equal(t, found, ok)
				if ok {
					require.Equal(t, want, i)
					require.Equal(t, model[i], k)
				}
			},
		})
	})
}
