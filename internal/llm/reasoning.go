package llm

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Reasoning is how much the model should think, said as a level or as a budget.
type Reasoning struct {
	Level  Level  // empty = not said, or said as a Budget
	Budget *int64 // tokens; nil = not said, or said as a Level
	// Show asks for the thoughts in the answer; nil = the format's default.
	Show *bool
	// Summary is how the thoughts are to be summed up, in the words of Responses.
	Summary string
}

// Said reports whether a level or a budget is set.
func (r Reasoning) Said() bool { return r.Level != "" || r.Budget != nil }

// Off reports whether the client wants no thinking.
func (r Reasoning) Off() bool { return r.Level == LevelNone || r.Budget != nil && *r.Budget == 0 }

// Level is an effort of reasoning.
type Level string

// Levels, least first; LevelAuto leaves it to the model.
const (
	LevelNone    Level = "none"
	LevelMinimal Level = "minimal"
	LevelLow     Level = "low"
	LevelMedium  Level = "medium"
	LevelHigh    Level = "high"
	LevelXHigh   Level = "xhigh"
	LevelMax     Level = "max"
	LevelAuto    Level = "auto"
)

// Budget returns how many tokens a level stands for in formats that count them; -1 stands
// for LevelAuto, as in Gemini. An unknown level counts as medium.
func (l Level) Budget() int64 {
	switch l {
	case LevelNone:
		return 0
	case LevelAuto:
		return -1
	case LevelMinimal:
		return 512
	case LevelLow:
		return 1024
	case LevelHigh:
		return 24576
	case LevelXHigh:
		return 32768
	case LevelMax:
		return 128000
	default:
		return 8192
	}
}

// LevelOf returns the lowest level whose budget is enough for so many tokens. A negative
// budget is LevelAuto.
func LevelOf(budget int64) Level {
	if budget < 0 {
		return LevelAuto
	}
	for _, l := range [...]Level{LevelNone, LevelMinimal, LevelLow, LevelMedium, LevelHigh, LevelXHigh} {
		if budget <= l.Budget() {
			return l
		}
	}
	return LevelMax
}

// AsLevel returns r as a level; empty = not said.
func (r Reasoning) AsLevel() Level {
	if r.Level == "" && r.Budget != nil {
		return LevelOf(*r.Budget)
	}
	return r.Level
}

// AsBudget returns r as a budget; ok is false if nothing was said.
func (r Reasoning) AsBudget() (tokens int64, ok bool) {
	switch {
	case r.Budget != nil:
		return *r.Budget, true
	case r.Level != "":
		return r.Level.Budget(), true
	default:
		return 0, false
	}
}

// Thinks reports whether a model that takes only these levels thinks at all. A model of which
// nothing is known may.
func Thinks(levels []Level) bool { return len(levels) != 1 || levels[0] != LevelNone }

// Takes reports whether a model that takes only these levels takes r as it is. A budget is
// about so much, so it has none of its own to miss; LevelAuto is the model's own choice.
func (r Reasoning) Takes(levels []Level) bool {
	return len(levels) == 0 || r.Level == "" || r.Level == LevelAuto || slices.Contains(levels, r.Level)
}

// Fit returns r for a model that takes only these levels: what it asks for if that is one of
// them, else the nearest lower one, else the lowest of all. A model that does not think is
// asked for nothing. Without levels, nothing is known and r stays.
func (r Reasoning) Fit(levels []Level) Reasoning {
	if !Thinks(levels) {
		return Reasoning{}
	}
	wanted := r.AsLevel()
	if len(levels) == 0 || wanted == "" || wanted == LevelAuto || slices.Contains(levels, wanted) {
		return r
	}
	r.Budget, r.Level = nil, nearest(levels, wanted.Budget())
	return r
}

// nearest returns the highest of some levels that has no more tokens, else the lowest.
func nearest(levels []Level, tokens int64) Level {
	byTokens := func(a, b Level) int { return cmp.Compare(a.Budget(), b.Budget()) }
	best := slices.MinFunc(levels, byTokens)
	for _, l := range levels {
		if n := l.Budget(); n <= tokens && n > best.Budget() {
			best = l
		}
	}
	return best
}

// ParseSuffix reads the reasoning suffix of a model name: "(high)" or "(8192)".
func ParseSuffix(suffix string) (Reasoning, error) {
	if len(suffix) < 3 || suffix[0] != '(' || suffix[len(suffix)-1] != ')' {
		return Reasoning{}, fmt.Errorf("no reasoning suffix: %q", suffix)
	}
	word := suffix[1 : len(suffix)-1]
	switch l := Level(word); l {
	case LevelNone, LevelMinimal, LevelLow, LevelMedium, LevelHigh, LevelXHigh, LevelMax, LevelAuto:
		return Reasoning{Level: l}, nil
	}
	tokens, err := strconv.ParseUint(word, 10, 31)
	if err != nil {
		return Reasoning{}, fmt.Errorf("no reasoning suffix: %q", suffix)
	}
	budget := int64(tokens)
	return Reasoning{Budget: &budget}, nil
}
