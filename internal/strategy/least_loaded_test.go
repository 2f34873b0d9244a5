package strategy

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLeastLoaded_PicksTheFewestInFlightThenTheLongestUnused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		loads []load
		want  string
	}{
		"fewest in flight":                  {[]load{{2, 1}, {1, 9}, {3, 0}}, "b"},
		"a tie goes to the longest unused":  {[]load{{1, 5}, {1, 3}, {1, 4}}, "b"},
		"a full tie goes in order":          {[]load{{0, 0}, {0, 0}, {0, 0}}, "abcabc"},
		"its own picks count":               {[]load{{0, 7}, {2, 1}, {2, 2}}, "aabca"},
		"used more recently than the clock": {[]load{{0, 100}, {0, 50}, {0, 1}}, "cbacba"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			abc := candidates("a", "b", "c")
			p := started(LeastLoaded, abc, Memory{})
			for i, l := range tt.loads {
				p.SetLoad(i, l.inFlight, l.usedAt)
			}
			require.Equal(t, tt.want, run(p, abc, len(tt.want)))
		})
	}
}

func TestLeastLoaded_AgreesWithAPlainScan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 16).Draw(t, "n")
		cs := make([]Candidate, n)
		for i := range cs {
			cs[i].ID = id(i)
		}
		p := New(LeastLoaded, cs, Memory{}, nil)
		ready, loads, now := make([]bool, n), make([]load, n), uint64(0)
		position := rapid.IntRange(0, n-1)
		t.Repeat(map[string]func(*rapid.T){
			"rest or recover": func(t *rapid.T) {
				i := position.Draw(t, "i")
				ready[i] = !ready[i]
				p.SetReady(i, ready[i])
			},
			"load": func(t *rapid.T) {
				i := position.Draw(t, "i")
				loads[i] = load{rapid.IntRange(0, 3).Draw(t, "in flight"), rapid.Uint64Range(0, now+2).Draw(t, "used at")}
				now = max(now, loads[i].usedAt)
				p.SetLoad(i, loads[i].inFlight, loads[i].usedAt)
			},
			"rebuild": func(*rapid.T) {
				p = New(LeastLoaded, cs, p.Memory(), nil)
				for i := range cs {
					p.SetReady(i, ready[i])
				}
			},
			"pick": func(t *rapid.T) {
				mask := rapid.Uint16().Draw(t, "tried")
				best := -1
				for i := range cs {
					if ready[i] && mask>>i&1 == 0 && (best < 0 || loads[i].compare(loads[best]) < 0) {
						best = i
					}
				}
				i, ok := p.Pick(func(i int) bool { return mask>>i&1 == 1 })
				require.Equal(t, best >= 0, ok)
				if ok {
					require.Equal(t, best, i)
					now++
					loads[i] = load{loads[i].inFlight + 1, now}
				}
			},
		})
	})
}
