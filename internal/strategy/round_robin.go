package strategy

import "slices"

// following returns the line of a cycle in which name had the latest turn.
func following(name string) line {
	return line{clock: turn{part: stride / 2, weight: 1}, after: name}
}

// newCycle returns a cycle over names that goes on from a line, or from a random start if
// there is none.
func newCycle(names []string, from line, known bool, random func(int) int) *timeline {
	if !known {
		from = following("")
		if start := random(len(names)); start > 0 {
			from = following(names[start-1])
		}
	}
	even := slices.Repeat([]lane{{weight: 1, phase: stride / 2}}, len(names))
	return newTimeline(names, even, from)
}

func newRoundRobin(candidates []Candidate, m Memory, random func(int) int) Picker {
	if accounts := accountsOf(candidates); len(accounts) > 1 {
		return newTwoLevel(accounts, candidates, m, random)
	}
	from, known := m.line, m.kind != ""
	if m.accounts != nil { // it was a cycle over accounts
		from, known = following(m.after), m.after != ""
	}
	return &roundRobin{newCycle(ids(candidates), from, known, random)}
}

// accountsOf returns the accounts of candidates, ascending, or none if one of them has none.
func accountsOf(candidates []Candidate) []string {
	var accounts []string
	for _, c := range candidates {
		if c.Account == "" {
			return nil
		}
		accounts = append(accounts, c.Account)
	}
	slices.Sort(accounts)
	return slices.Compact(accounts)
}

func ids(candidates []Candidate) []string {
	ids := make([]string, len(candidates))
	for i, c := range candidates {
		ids[i] = c.ID
	}
	return ids
}

// roundRobin is one cycle over all candidates.
type roundRobin struct{ *timeline }

func (r *roundRobin) Memory() Memory {
	return Memory{kind: RoundRobin, line: r.line(), after: r.after}
}

// twoLevel is a cycle over the accounts that have a ready candidate, and a cycle inside
// each.
type twoLevel struct {
	accounts *timeline
	inside   []*timeline // by account
	members  [][]int     // by account: positions
	place    []place     // by position
	ready    int
	after    string // the candidate picked last
}

// place is where a position is: the index of its account, and its own in there.
type place struct{ account, member int }

func newTwoLevel(accounts []string, candidates []Candidate, m Memory, random func(int) int) *twoLevel {
	t := &twoLevel{
		inside:  make([]*timeline, len(accounts)),
		members: make([][]int, len(accounts)),
		place:   make([]place, len(candidates)),
		after:   m.after,
	}
	wasFlat := m.kind != "" && m.accounts == nil
	from, known := m.line, m.accounts != nil
	names := make([][]string, len(accounts))
	for i, c := range candidates {
		a, _ := slices.BinarySearch(accounts, c.Account)
		t.place[i] = place{a, len(t.members[a])}
		t.members[a] = append(t.members[a], i)
		names[a] = append(names[a], c.ID)
		if wasFlat && c.ID == m.after {
			from, known = following(c.Account), true
		}
	}
	t.accounts = newCycle(accounts, from, known, random)
	for a, account := range accounts {
		from, known := m.accounts[account]
		if wasFlat {
			from, known = following(m.after), true
		}
		t.inside[a] = newCycle(names[a], from, known, random)
	}
	return t
}

func (t *twoLevel) SetReady(i int, ready bool) {
	if ready == t.Has(i) {
		return
	}
	p := t.place[i]
	t.inside[p.account].SetReady(p.member, ready)
	if ready {
		t.ready++
	} else {
		t.ready--
	}
	t.accounts.SetReady(p.account, t.inside[p.account].Ready() > 0)
}

func (t *twoLevel) Ready() int { return t.ready }

func (t *twoLevel) Has(i int) bool {
	p := t.place[i]
	return t.inside[p.account].queue.Has(p.member)
}

func (t *twoLevel) Pick(skip func(int) bool) (int, bool) {
	var account int
	member := func(k int) bool { return skip != nil && skip(t.members[account][k]) }
	a, ok := t.accounts.Pick(func(a int) bool {
		account = a
		return !t.inside[a].offers(member)
	})
	if !ok {
		return 0, false
	}
	account = a
	k, _ := t.inside[a].Pick(member)
	t.after = t.inside[a].names[k]
	return t.members[a][k], true
}

func (t *twoLevel) SetLoad(int, int, uint64) {}

func (t *twoLevel) Memory() Memory {
	m := Memory{
		kind: RoundRobin, line: t.accounts.line(), after: t.after,
		accounts: make(map[string]line, len(t.inside)),
	}
	for a, inside := range t.inside {
		m.accounts[t.accounts.names[a]] = inside.line()
	}
	return m
}
