package strategy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// world runs a picker through whatever may happen to its candidates. The steady ones are
// there and ready all the time and no pick excludes them; the others rest, recover, join,
// leave, change their weights and are excluded.
type world struct {
	kind       Kind
	candidates []Candidate // ascending by ID
	steady     map[string]Candidate
	ready      map[string]bool
	picker     Picker
	picked     []string // in order
	onPick     func(t *rapid.T, id string)
}

const worldSize = 12

func id(i int) string { return fmt.Sprintf("%02d", i) }

func number(id string) int { return int(id[0]-'0')*10 + int(id[1]-'0') }

// newWorld draws a world; account and weight say what a candidate has of these.
func newWorld(t *rapid.T, kind Kind, account func(i int) string, weight func(t *rapid.T) int) *world {
	w := &world{kind: kind, steady: map[string]Candidate{}, ready: map[string]bool{}}
	for i := range worldSize {
		if c := (Candidate{ID: id(i), Account: account(i), Weight: weight(t)}); rapid.Bool().Draw(t, "steady "+c.ID) {
			w.steady[c.ID] = c
			w.candidates = append(w.candidates, c)
			w.ready[c.ID] = true
		}
	}
	w.picker = New(kind, w.candidates, Memory{}, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "start") })
	w.apply(w.picker)
	w.onPick = func(*rapid.T, string) {}
	return w
}

// apply tells a new picker who is ready.
func (w *world) apply(p Picker) {
	for i, c := range w.candidates {
		p.SetReady(i, w.ready[c.ID])
	}
}

// rebuild replaces the picker by one that goes on from its memory.
func (w *world) rebuild() {
	w.picker = New(w.kind, w.candidates, w.picker.Memory(), nil)
	w.apply(w.picker)
}

// twin returns another picker that stands where this one does.
func (w *world) twin() Picker {
	p := New(w.kind, w.candidates, w.picker.Memory(), nil)
	w.apply(p)
	return p
}

func (w *world) pick(t *rapid.T, skip func(int) bool) {
	if i, ok := w.picker.Pick(skip); ok {
		c := w.candidates[i]
		require.True(t, w.ready[c.ID], "%s is not ready", c.ID)
		require.False(t, skip != nil && skip(i), "%s is excluded", c.ID)
		w.picked = append(w.picked, c.ID)
		w.onPick(t, c.ID)
	}
}

// other draws one that is not steady, and says where it is or belongs.
func (w *world) other(t *rapid.T) (string, int, bool) {
	id := id(rapid.IntRange(0, worldSize-1).Draw(t, "other"))
	if _, steady := w.steady[id]; steady {
		t.Skip("steady")
	}
	i, found := find(w.candidates, id)
	return id, i, found
}

// find returns where in cs, ascending by ID, id is or belongs.
func find(cs []Candidate, id string) (int, bool) {
	return slices.BinarySearchFunc(cs, id, func(c Candidate, id string) int { return strings.Compare(c.ID, id) })
}

// actions are the commands of a run.
func (w *world) actions(account func(i int) string, weight func(t *rapid.T) int) map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"pick":       func(t *rapid.T) { w.pick(t, nil) },
		"pick again": func(t *rapid.T) { w.pick(t, nil) },
		"pick, others tried": func(t *rapid.T) {
			mask := rapid.Uint16().Draw(t, "tried")
			w.pick(t, func(i int) bool {
				_, steady := w.steady[w.candidates[i].ID]
				return !steady && mask>>i&1 == 1
			})
		},
		"rest or recover": func(t *rapid.T) {
			id, i, found := w.other(t)
			if found {
				w.ready[id] = !w.ready[id]
				w.picker.SetReady(i, w.ready[id])
			}
		},
		"join, leave or change": func(t *rapid.T) {
			id, i, found := w.other(t)
			c := Candidate{ID: id, Account: account(number(id)), Weight: weight(t)}
			switch {
			case !found:
				w.candidates = slices.Insert(slices.Clone(w.candidates), i, c)
				w.ready[id] = rapid.Bool().Draw(t, "ready")
			case rapid.Bool().Draw(t, "change"):
				w.candidates = slices.Clone(w.candidates)
				w.candidates[i] = c
			default:
				w.candidates = slices.Delete(slices.Clone(w.candidates), i, i+1)
				w.ready[id] = false
			}
			w.rebuild()
		},
		"rebuild": func(*rapid.T) { w.rebuild() },
	}
}

// requireCycle fails unless picks of members follow one another in one and the same order.
func requireCycle(t *rapid.T, picks, members []string) {
	var order []string
	for k, id := range picks {
		if k < len(members) {
			require.NotContains(t, order, id, "twice in one round: %v", picks)
			order = append(order, id)
			continue
		}
		require.Equal(t, order[k%len(members)], id, "out of turn: %v", picks)
	}
}

func noAccount(int) string { return "" }

func equalWeight(*rapid.T) int { return 1 }

func anyWeight(t *rapid.T) int {
	return rapid.SampledFrom([]int{0, 1, 1, 2, 3, 5, 10, 99, 100, 1_000_000}).Draw(t, "weight")
}

// candidates returns as many as there are names.
func candidates(names ...string) []Candidate {
	cs := make([]Candidate, len(names))
	for i, name := range names {
		cs[i] = Candidate{ID: name, Weight: 1}
	}
	return cs
}

// started returns a picker over candidates with all of them ready.
func started(kind Kind, cs []Candidate, m Memory) Picker {
	p := New(kind, cs, m, nil)
	for i := range cs {
		p.SetReady(i, true)
	}
	return p
}

// run returns the IDs of the next n picks, joined.
func run(p Picker, cs []Candidate, n int) string {
	var b strings.Builder
	for range n {
		if i, ok := p.Pick(nil); ok {
			b.WriteString(cs[i].ID)
		}
	}
	return b.String()
}

// except excludes positions.
func except(positions ...int) func(int) bool {
	return func(i int) bool { return slices.Contains(positions, i) }
}

func TestPicker_GoesOnFromItsMemoryAsIfNothingHappened(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{RoundRobin, FillFirst, Weighted, LeastLoaded} {
		for name, account := range map[string]func(int) string{"flat": noAccount, "accounts": func(i int) string { return id(i % 3) }} {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(t *rapid.T) {
					w := newWorld(t, kind, account, anyWeight)
					t.Repeat(w.actions(account, anyWeight))
					a, b := w.picker, w.twin()
					for range 3 * worldSize {
						i, ok := a.Pick(nil)
						j, found := b.Pick(nil)
						require.Equal(t, ok, found)
						require.Equal(t, i, j)
					}
				})
			})
		}
	}
}

func TestPicker_PassedOverForOnePickHasTheNext(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{RoundRobin, Weighted} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(t, kind, noAccount, anyWeight)
				t.Repeat(w.actions(noAccount, anyWeight))
				turn, ok := w.twin().Pick(nil)
				if !ok {
					return
				}
				w.picker.Pick(except(turn))
				i, _ := w.picker.Pick(nil)
				require.Equal(t, turn, i)
			})
		})
	}
}
