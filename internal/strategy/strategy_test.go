package strategy

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var allKinds = map[string]struct {
	kind    Kind
	account func(int) string
}{
	"round-robin":  {RoundRobin, noAccount},
	"two-level":    {RoundRobin, func(i int) string { return id(i % 7) }},
	"fill-first":   {FillFirst, noAccount},
	"weighted":     {Weighted, noAccount},
	"least-loaded": {LeastLoaded, noAccount},
}

func TestPicker_SharesByItsRule(t *testing.T) {
	t.Parallel()
	abc := candidates("a", "b", "c")
	tests := map[string]struct {
		kind Kind
		rest []int
		want string
	}{
		"fill-first is always the first (ST1)":                      {FillFirst, nil, "aaaaa"},
		"fill-first takes the next while the first rests (ST2)":     {FillFirst, []int{0}, "bbbbb"},
		"round robin cycles (ST3)":                                  {RoundRobin, nil, "abcab"},
		"round robin passes over who rests":                         {RoundRobin, []int{1}, "acaca"},
		"an unknown rule is round robin":                            {"random", nil, "abcab"},
		"equal weights cycle (ST14)":                                {Weighted, nil, "abcab"},
		"least loaded spreads equal load by longest unused":         {LeastLoaded, nil, "abcab"},
		"nobody ready is nobody picked, under round robin (ST5)":    {RoundRobin, []int{0, 1, 2}, ""},
		"nobody ready is nobody picked, under fill-first":           {FillFirst, []int{0, 1, 2}, ""},
		"nobody ready is nobody picked, under weighted":             {Weighted, []int{0, 1, 2}, ""},
		"nobody ready is nobody picked, when the least loaded goes": {LeastLoaded, []int{0, 1, 2}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := started(tt.kind, abc, Memory{})
			for _, i := range tt.rest {
				p.SetReady(i, false)
			}
			require.Equal(t, tt.want, run(p, abc, 5))
		})
	}
}

func TestFillFirst_ReturnsToTheFirstAfterItsRecovery(t *testing.T) {
	t.Parallel()
	abc := candidates("a", "b", "c")
	p := started(FillFirst, abc, Memory{})
	p.SetReady(0, false)
	require.Equal(t, "bb", run(p, abc, 2))
	p.SetReady(0, true)
	require.Equal(t, "a", run(p, abc, 1), "ST2")
}

func TestPicker_KnowsWhoIsReady(t *testing.T) {
	t.Parallel()
	for name, k := range allKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				cs := make([]Candidate, rapid.IntRange(0, 70).Draw(t, "n"))
				for i := range cs {
					cs[i] = Candidate{ID: id(i), Account: k.account(i), Weight: rapid.IntRange(-1, 3).Draw(t, "weight")}
				}
				p, ready := New(k.kind, cs, Memory{}, nil), map[int]bool{}
				for range rapid.IntRange(0, 100).Draw(t, "commands") {
					if len(cs) == 0 {
						break
					}
					i, on := rapid.IntRange(0, len(cs)-1).Draw(t, "i"), rapid.Bool().Draw(t, "ready")
					p.SetReady(i, on)
					if on && (k.kind != Weighted || cs[i].Weight > 0) {
						ready[i] = true
					} else {
						delete(ready, i)
					}
				}
				require.Equal(t, len(ready), p.Ready())
				for i := range cs {
					require.Equal(t, ready[i], p.Has(i))
				}
				// Whatever the rule, picks that exclude what was picked before find each
				// ready one once.
				tried := map[int]bool{}
				for range len(ready) {
					i, ok := p.Pick(func(i int) bool { return tried[i] })
					require.True(t, ok)
					require.True(t, ready[i])
					require.False(t, tried[i])
					tried[i] = true
				}
				_, ok := p.Pick(func(i int) bool { return tried[i] })
				require.False(t, ok)
			})
		})
	}
}

func TestNew_BeginsAnewFromAnotherKindsMemory(t *testing.T) {
	t.Parallel()
	abc := candidates("a", "b", "c")
	for name, k := range allKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, other := range allKinds {
				if other.kind == k.kind {
					continue
				}
				before := started(other.kind, abc, Memory{})
				run(before, abc, 1)
				require.Equal(t, "a", run(started(k.kind, abc, before.Memory()), abc, 1))
			}
		})
	}
}

func TestNew_RemembersWhileThereIsNobody(t *testing.T) {
	t.Parallel()
	abc := candidates("a", "b", "c")
	for _, kind := range []Kind{RoundRobin, Weighted, LeastLoaded} {
		p := started(kind, abc, Memory{})
		run(p, abc, 1)
		nobody := New(kind, nil, p.Memory(), nil)
		require.Zero(t, nobody.Ready())
		_, ok := nobody.Pick(nil)
		require.False(t, ok)
		require.Equal(t, "bca", run(started(kind, abc, nobody.Memory()), abc, 3), kind)
	}
}

//nolint:paralleltest // counts the allocations of the whole process
func TestPicker_DoesNotAllocate(t *testing.T) {
	for name, k := range allKinds {
		t.Run(name, func(t *testing.T) {
			p := many(k.kind, k.account, 1000, 10)
			skip := func(i int) bool { return i%3 == 0 }
			var used uint64
			require.Zero(t, testing.AllocsPerRun(100, func() {
				i, _ := p.Pick(nil)
				used++
				p.SetLoad(i, 1, used)
				p.Pick(skip)
				p.SetReady(i, false)
				p.SetReady(i, true)
			}))
		})
	}
}

// many returns a picker over n candidates of which only some are ready.
func many(kind Kind, account func(int) string, n, ready int) Picker {
	cs := make([]Candidate, n)
	for i := range cs {
		cs[i] = Candidate{ID: fmt.Sprintf("%05d", i), Account: account(i), Weight: 1 + i%5}
	}
	p := New(kind, cs, Memory{}, nil)
	for i := range ready {
		p.SetReady(i*(n/ready), true)
	}
	return p
}

func BenchmarkPicker_Pick(b *testing.B) {
	sizes := []struct {
		name     string
		n, ready int
	}{{"10", 10, 10}, {"10000", 10_000, 10_000}, {"10000, 9990 resting", 10_000, 10}}
	for name, k := range allKinds {
		for _, size := range sizes {
			b.Run(name+"/"+size.name, func(b *testing.B) {
				p := many(k.kind, k.account, size.n, size.ready)
				b.ReportAllocs()
				for b.Loop() {
					p.Pick(nil)
				}
			})
		}
	}
}
