package llm

import (
	"fmt"
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
