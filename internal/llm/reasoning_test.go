package llm_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/llm"
)

// Row TR67.
func TestLevel_StandsForABudget(t *testing.T) {
	t.Parallel()
	for level, want := range map[llm.Level]int64{
		llm.LevelNone: 0, llm.LevelMinimal: 512, llm.LevelLow: 1024, llm.LevelMedium: 8192,
		llm.LevelHigh: 24576, llm.LevelXHigh: 32768, llm.LevelMax: 128000, llm.LevelAuto: -1,
	} {
		require.Equal(t, want, level.Budget(), level)
		require.Equal(t, level, llm.LevelOf(want))
	}
	for budget, want := range map[int64]llm.Level{
		1: llm.LevelMinimal, 513: llm.LevelLow, 1025: llm.LevelMedium, 16000: llm.LevelHigh, 32769: llm.LevelMax, 1 << 40: llm.LevelMax,
	} {
		require.Equal(t, want, llm.LevelOf(budget), budget)
	}
}

func TestReasoning_IsSaidEitherWay(t *testing.T) {
	t.Parallel()
	budget := func(n int64) *int64 { return &n }
	tests := map[string]struct {
		r      llm.Reasoning
		said   bool
		off    bool
		level  llm.Level
		tokens int64
	}{
		"not said":      {},
		"a level":       {llm.Reasoning{Level: llm.LevelHigh}, true, false, llm.LevelHigh, 24576},
		"no thinking":   {llm.Reasoning{Level: llm.LevelNone}, true, true, llm.LevelNone, 0},
		"a budget":      {llm.Reasoning{Budget: budget(9000)}, true, false, llm.LevelHigh, 9000},
		"a budget of 0": {llm.Reasoning{Budget: budget(0)}, true, true, llm.LevelNone, 0},
	}
	for name, tt := range tests {
		tokens, ok := tt.r.AsBudget()
		require.Equal(t, tt.said, tt.r.Said(), name)
		require.Equal(t, tt.said, ok, name)
		require.Equal(t, tt.off, tt.r.Off(), name)
		require.Equal(t, tt.level, tt.r.AsLevel(), name)
		require.Equal(t, tt.tokens, tokens, name)
	}
}

func TestParseSuffix_TakesLevelsAndBudgets(t *testing.T) {
	t.Parallel()
	r, err := llm.ParseSuffix("(xhigh)")
	require.NoError(t, err)
	require.Equal(t, llm.Reasoning{Level: llm.LevelXHigh}, r)
	r, err = llm.ParseSuffix("(8192)")
	require.NoError(t, err)
	require.Equal(t, int64(8192), *r.Budget)
	for _, bad := range []string{"", "()", "high", "(huge)", "(-1)", "(99999999999)", "(1.5)"} {
		_, err := llm.ParseSuffix(bad)
		require.Error(t, err, bad)
	}
}

func TestMark_FindsItsWayBack(t *testing.T) {
	t.Parallel()
	formats := []llm.Format{llm.Chat, llm.Responses, llm.Messages, llm.Gemini}
	rapid.Check(t, func(t *rapid.T) {
		signature := rapid.StringN(1, 200, -1).Draw(t, "signature")
		if strings.HasPrefix(signature, llm.MarkPrefix) {
			t.Skip("is a marked one")
		}
		origin := rapid.SampledFrom(formats).Draw(t, "origin")
		client := rapid.SampledFrom(formats).Draw(t, "client")
		marked := llm.Mark(signature, origin, client)
		require.Equal(t, origin != client, strings.HasPrefix(marked, llm.MarkPrefix))
		got, of := llm.Unmark(marked, client)
		require.Equal(t, signature, got)
		require.Equal(t, origin, of)
	})
}

func TestUnmark_LeavesWhatIsNotMarked(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "EqQB", llm.MarkPrefix, llm.MarkPrefix + "!!", llm.MarkPrefix + "bm9jb2xvbg=="} {
		got, of := llm.Unmark(text, llm.Messages)
		require.Equal(t, text, got)
		require.Equal(t, llm.Messages, of)
	}
}

func TestSafeID_FitsAndStaysApart(t *testing.T) {
	t.Parallel()
	require.Equal(t, "call_1-A", llm.SafeID("call_1-A", 40))
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		limit := rapid.IntRange(24, 64).Draw(t, "limit")
		for _, id := range []string{a, b} {
			require.Regexp(t, `^[A-Za-z0-9_-]+$`, llm.SafeID(id, limit))
			require.LessOrEqual(t, len(llm.SafeID(id, limit)), limit)
			require.Equal(t, llm.SafeID(id, limit), llm.SafeID(llm.SafeID(id, limit), limit))
		}
		if a != b {
			require.NotEqual(t, llm.SafeID(a, limit), llm.SafeID(b, limit))
		}
	})
}

// Rows TR68 and TR70.
func TestReasoning_FitsTheLevelsOfAModel(t *testing.T) {
	t.Parallel()
	level := func(l llm.Level) llm.Reasoning { return llm.Reasoning{Level: l, Summary: "auto"} }
	budget := func(n int64) llm.Reasoning { return llm.Reasoning{Budget: &n, Summary: "auto"} }
	three := []llm.Level{llm.LevelHigh, llm.LevelLow, llm.LevelMedium}
	tests := map[string]struct {
		asked  llm.Reasoning
		levels []llm.Level
		want   llm.Reasoning
		takes  bool
	}{
		"nothing is known":            {level(llm.LevelXHigh), nil, level(llm.LevelXHigh), true},
		"one of them":                 {level(llm.LevelMedium), three, level(llm.LevelMedium), true},
		"the nearest lower":           {level(llm.LevelXHigh), three, level(llm.LevelHigh), false},
		"nothing is lower":            {level(llm.LevelMinimal), three, level(llm.LevelLow), false},
		"off, which it cannot":        {level(llm.LevelNone), three, level(llm.LevelLow), false},
		"left to the model":           {level(llm.LevelAuto), three, level(llm.LevelAuto), true},
		"nothing was said":            {llm.Reasoning{Summary: "auto"}, three, llm.Reasoning{Summary: "auto"}, true},
		"a budget within them":        {budget(9000), three, budget(9000), true},
		"a budget above them":         {budget(99_000), three, level(llm.LevelHigh), true},
		"an unknown word is medium":   {level("extreme"), three, level(llm.LevelMedium), false},
		"a model that does not think": {level(llm.LevelHigh), []llm.Level{llm.LevelNone}, llm.Reasoning{}, false},
		"nor with a budget":           {budget(9000), []llm.Level{llm.LevelNone}, llm.Reasoning{}, true},
	}
	for name, tt := range tests {
		require.Equal(t, tt.want, tt.asked.Fit(tt.levels), name)
		require.Equal(t, tt.takes, tt.asked.Takes(tt.levels), name)
	}
}
