package memory

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestShelf_KeepsTheLatestWithinItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newShelf[int]()
		s.limit, s.maxBytes = 4, 20
		var order []string // latest first
		sizes := map[string]int{}
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "id")
			order = without(order, id)
			if rapid.Bool().Draw(t, "put") {
				sizes[id] = rapid.IntRange(0, 30).Draw(t, "bytes")
				order = append([]string{id}, order...)
				s.put(id, func(int, bool) (int, int) { return i, sizes[id] })
				for total(sizes, order) > s.maxBytes && len(order) > 1 || len(order) > s.limit {
					order = order[:len(order)-1]
				}
			} else {
				s.remove(id)
			}
			require.Len(t, s.entries, len(order))
			require.Equal(t, total(sizes, order), s.bytes)
			for _, id := range order {
				_, ok := s.get(id)
				require.True(t, ok, id)
			}
		}
	})
}

func without(ids []string, id string) []string {
	var rest []string
	for _, other := range ids {
		if other != id {
			rest = append(rest, other)
		}
	}
	return rest
}

func total(sizes map[string]int, ids []string) int {
	n := 0
	for _, id := range ids {
		n += sizes[id]
	}
	return n
}

func TestAccount_ForgetsTheOldestTurns(t *testing.T) {
	t.Parallel()
	a := NewAccount("acme", 0, 0)
	for i := range maxKept + 1 {
		a.Remember(fmt.Sprint("resp_", i), Turn{Input: []string{"x"}}, nil, []string{"y"})
	}
	_, ok := a.Recall("resp_0")
	require.False(t, ok)
	_, ok = a.Recall("resp_1")
	require.True(t, ok)
	a.Remember("large", Turn{Answer: make([]byte, maxKeptBytes)}, nil, nil)
	_, ok = a.Recall("resp_4096")
	require.False(t, ok, "one large turn takes the place of all")
	a.Forget("large")
	_, ok = a.Recall("large")
	require.False(t, ok)
}

func TestAccount_KeepsTheWholeTranscriptOfATurn(t *testing.T) {
	t.Parallel()
	a := NewAccount("acme", 0, 0)
	a.Remember("1", Turn{Input: []string{"q1"}}, nil, []string{"a1"})
	first, _ := a.Recall("1")
	a.Remember("2", Turn{Input: []string{"q2"}}, first.Transcript, []string{"a2"})
	a.Remember("3", Turn{Input: []string{"q3"}}, first.Transcript, []string{"a3"})
	second, _ := a.Recall("2")
	require.Equal(t, []string{"q1", "a1", "q2", "a2"}, second.Transcript, "not what another turn went on with")
	require.Equal(t, []string{"q2"}, second.Input)
}

func TestAccount_ReadsWhatItHasEncrypted(t *testing.T) {
	t.Parallel()
	a, b := NewAccount("acme", 0, 0), NewAccount("other", 0, 0)
	text := a.Encrypt("name")
	require.True(t, a.CanRead(text))
	require.False(t, b.CanRead(text))
	require.False(t, a.CanRead(strings.ToLower(text)))
	require.NotEqual(t, text, a.Encrypt("another"))
}

func TestAccount_LimitsRequestsPerWindow(t *testing.T) {
	t.Parallel()
	a := NewAccount("acme", 2, 10*time.Second)
	for _, step := range []struct{ at, wait int }{
		{0, 0}, {4, 0}, {4, 6}, {9, 1}, {10, 0}, {11, 0}, {12, 8}, {60, 0}, {61, 0}, {62, 8},
	} {
		require.Equal(t, time.Duration(step.wait)*time.Second, a.Take(time.Unix(int64(step.at), 0)), "at %d", step.at)
	}
	require.Zero(t, NewAccount("free", 0, 0).Take(time.Unix(0, 0)))
}

func TestConversations_BelongToOneAccount(t *testing.T) {
	t.Parallel()
	a, b, c := NewAccount("a", 0, 0), NewAccount("b", 0, 0), NewConversations()
	said, ok := c.Open("1", a)
	require.True(t, ok)
	require.Empty(t, said)
	c.Add("1", a, []string{"x"})
	said, _ = c.Open("1", a)
	c.Add("1", a, []string{"y"})
	c.Add("1", b, []string{"z"})
	require.Equal(t, []string{"x"}, said, "what was read stays")
	said, _ = c.Open("1", a)
	require.Equal(t, []string{"x", "y"}, said)
	_, ok = c.Open("1", b)
	require.False(t, ok)
}
