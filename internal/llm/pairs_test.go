package llm_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/llm"
)

func TestPairTools_FindsEachCallItsResult(t *testing.T) {
	t.Parallel()
	call := func(id string) *llm.ToolCall { return &llm.ToolCall{ID: id} }
	result := func(id string) *llm.ToolResult { return &llm.ToolResult{ID: id} }
	turn := func(parts ...llm.Part) llm.Message { return llm.Message{Parts: parts} }

	first, again, alone, late := call("0"), call("0"), call("alone"), call("late")
	old, news, second, early, stray, last := result("0"), result("0"), result("0"), result("late"), result("x"), result("x")
	p := llm.PairTools([]llm.Message{
		turn(early, stray), turn(first, alone), turn(old, news), turn(again), turn(second, last), turn(late),
	}, 64)
	require.Same(t, news, p.Result(first), "the last of several")
	require.Same(t, second, p.Result(again), "an id may come again in a later turn")
	require.Same(t, early, p.Result(late), "a result may come before its call")
	require.Nil(t, p.Result(alone))
	require.Equal(t, []string{"0", "0_2", "alone"}, []string{p.ID(first), p.ID(again), p.ID(alone)})
	require.Nil(t, p.Stray(news))
	require.Same(t, last, p.Stray(stray), "the last of its id, in the first one's place")
	require.Nil(t, p.Stray(last))
}

func TestPairTools_GivesEveryCallAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOf(rapid.SampledFrom([]string{"a", "a_2", "a_3", "é", "", "a_2_2"})).Draw(t, "ids")
		var m llm.Message
		for _, id := range ids {
			m.Parts = append(m.Parts, &llm.ToolCall{ID: id})
		}
		p, seen := llm.PairTools([]llm.Message{m}, 64), map[string]bool{}
		for _, part := range m.Parts {
			id := p.ID(part.(*llm.ToolCall))
			require.False(t, seen[id], id)
			require.Equal(t, id, llm.SafeID(id, 64))
			seen[id] = true
		}
	})
}
