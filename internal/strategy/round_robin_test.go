package strategy

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRoundRobin_CyclesExactlyOverWhoStaysWhateverHappensToTheOthers(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{RoundRobin, Weighted} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(t, kind, noAccount, equalWeight)
				t.Repeat(w.actions(noAccount, equalWeight))
				stay := slices.DeleteFunc(w.picked, func(id string) bool { _, ok := w.steady[id]; return !ok })
				requireCycle(t, stay, keys(w.steady))
				for k := 1; kind == RoundRobin && k < min(len(stay), len(w.steady)); k++ {
					require.True(t, stay[k-1] < stay[k] || stay[k] == slices.Min(stay), "in id order: %v", stay)
				}
			})
		})
	}
}

func TestRoundRobin_NeverGivesTwoTurnsWhileAReadyOneIsPassedOver(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{RoundRobin, Weighted} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(t, kind, noAccount, equalWeight)
				since := map[string]map[string]bool{} // by candidate: who was ready ever since its turn, and had none
				w.onPick = func(t *rapid.T, id string) {
					require.Empty(t, since[id], "%s had two turns, and they none", id)
					for _, waiting := range since {
						delete(waiting, id)
					}
					since[id] = map[string]bool{}
					for _, c := range w.candidates {
						if w.ready[c.ID] && c.ID != id {
							since[id][c.ID] = true
						}
					}
				}
				actions := w.actions(noAccount, equalWeight)
				delete(actions, "pick, others tried")
				actions[""] = func(*rapid.T) {
					for id, waiting := range since {
						if _, here := find(w.candidates, id); !here && kind == Weighted {
							delete(since, id) // who is added again starts clean, with a phase of its own
						}
						for id := range waiting {
							if !w.ready[id] {
								delete(waiting, id)
							}
						}
					}
				}
				t.Repeat(actions)
			})
		})
	}
}

func TestRoundRobin_ATurnTakenEarlyDisturbsNobodyElse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, RoundRobin, noAccount, equalWeight)
		actions := w.actions(noAccount, equalWeight)
		delete(actions, "pick, others tried")
		t.Repeat(actions)
		var usual []int
		for twin := w.twin(); len(usual) < 3*w.picker.Ready(); {
			i, _ := twin.Pick(nil)
			usual = append(usual, i)
		}
		mask := rapid.Uint16().Draw(t, "tried")
		early, ok := w.picker.Pick(func(i int) bool { return mask>>i&1 == 1 })
		if !ok {
			return
		}
		its := slices.Index(usual, early)
		for _, want := range slices.Delete(usual, its, its+1) {
			i, _ := w.picker.Pick(nil)
			require.Equal(t, want, i)
		}
	})
}

func TestRoundRobin_TwoLevelsCycleExactlyOverAccountsAndInsideThem(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		account := func(i int) string { return []string{"P", "Q", "R", "S"}[i*i%7%4] }
		w := newWorld(t, RoundRobin, account, equalWeight)
		members := map[string][]string{}
		for _, c := range w.candidates {
			members[c.Account] = append(members[c.Account], c.ID)
		}
		if len(members) < 2 {
			t.Skip("one account")
		}
		t.Repeat(w.actions(account, equalWeight))
		var accounts []string
		stay := map[string][]string{}
		for _, picked := range w.picked {
			a := account(number(picked))
			if _, ok := members[a]; ok {
				accounts = append(accounts, a)
			}
			if _, ok := w.steady[picked]; ok {
				stay[a] = append(stay[a], picked)
			}
		}
		requireCycle(t, accounts, keys(members))
		for a, picks := range stay {
			requireCycle(t, picks, members[a])
		}
	})
}

func keys[V any](m map[string]V) []string {
	var ids []string
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func accounted(pairs ...string) []Candidate {
	cs := make([]Candidate, len(pairs))
	for i, pair := range pairs {
		cs[i] = Candidate{ID: pair[1:], Account: map[byte]string{'P': "P", 'Q': "Q", 'R': "R"}[pair[0]]}
	}
	return cs
}

func TestRoundRobin_GroupsByAccountOnlyWhenThatSaysSomething(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		candidates []Candidate
		want       string
	}{
		"two accounts alternate (ST17)":    {accounted("Pa", "Pb", "Pc", "Qx", "Qy"), "axbycx"},
		"one account is flat (ST18)":       {accounted("Pa", "Pb", "Pc"), "abcabc"},
		"one without account: flat (ST19)": {accounted("Pa", "-b"), "ababab"},
		"mixed providers are flat (ST20)":  {candidates("1", "2", "3"), "123123"},
		"each its own account":             {accounted("Rc", "Pa", "Qb"), "abcabc"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, run(started(RoundRobin, tt.candidates, Memory{}), tt.candidates, 6))
		})
	}
}

func TestRoundRobin_AnAccountWithNobodyReadyHasNoTurn(t *testing.T) {
	t.Parallel()
	cs := accounted("Pa", "Pb", "Qx", "Rz")
	p := started(RoundRobin, cs, Memory{})
	p.SetReady(2, false)
	require.Equal(t, "azbz", run(p, cs, 4))
	p.SetReady(2, true)
	require.Equal(t, "axzbxz", run(p, cs, 6))
	i, ok := p.Pick(except(0, 1))
	require.True(t, ok)
	require.Equal(t, 2, i, "the account whose turn it is has only tried ones")
}

func TestRoundRobin_GoesOnAfterTheOnePickedLast(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before []Candidate
		picks  int
		now    []Candidate
		want   string
	}{
		"one joined ahead":                    {candidates("a", "c", "d"), 1, candidates("a", "b", "c", "d"), "bcda"},
		"one joined behind":                   {candidates("b", "c"), 1, candidates("a", "b", "c"), "cabc"},
		"the last one left":                   {candidates("a", "b", "c"), 2, candidates("a", "c"), "caca"},
		"the last one left at the end":        {candidates("a", "b", "c"), 3, candidates("a", "b"), "abab"},
		"all are new":                         {candidates("a", "c"), 1, candidates("b", "d"), "bdbd"},
		"an account joined":                   {accounted("Pa", "Qb"), 1, accounted("Pa", "Qb", "Rc"), "bcab"},
		"one joined without account: flat":    {accounted("Pa", "Pb", "Qx", "Qy"), 3, append(accounted("Pa", "Pb", "Qx", "Qy"), Candidate{ID: "z"}), "xyzab"},
		"the one without account left":        {append(accounted("Pa", "Pb", "Qx", "Qy"), Candidate{ID: "z"}), 1, accounted("Pa", "Pb", "Qx", "Qy"), "xbya"},
		"the last one took the accounts away": {append(accounted("Pa", "Qx"), Candidate{ID: "z"}), 3, accounted("Pa", "Qx"), "axax"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := started(RoundRobin, tt.before, Memory{})
			run(p, tt.before, tt.picks)
			require.Equal(t, tt.want, run(started(RoundRobin, tt.now, p.Memory()), tt.now, len(tt.want)))
		})
	}
}

func TestRoundRobin_BeginsAtRandom(t *testing.T) {
	t.Parallel()
	random := func(n int) int { return n - 1 }
	tests := map[string]struct {
		candidates []Candidate
		want       string
	}{
		"flat":     {candidates("a", "b", "c"), "cabc"},
		"accounts": {accounted("Pa", "Pb", "Qx", "Qy"), "ybxa"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := New(RoundRobin, tt.candidates, Memory{}, random)
			for i := range tt.candidates {
				p.SetReady(i, true)
			}
			require.Equal(t, tt.want, run(p, tt.candidates, 4))
		})
	}
}

func TestRoundRobin_OwesOneTurnToWhoWasTried(t *testing.T) {
	t.Parallel()
	abcd := candidates("a", "b", "c", "d")
	p := started(RoundRobin, abcd, Memory{})
	for range 5 { // a has failed five requests, which go on with others
		p.Pick(except(0))
	}
	require.Equal(t, "adabcdabc", run(p, abcd, 9), "its own, then the others behind the last early turn")
}
