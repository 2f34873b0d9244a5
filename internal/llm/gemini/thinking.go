package gemini

import "github.com/understudyhq/understudy/internal/llm"

// thinking says how much to think. Gemini 1 and 2 count tokens. Gemini 3 and whatever is
// not known take what the client said, a level or a budget; both at once are an error.
func (e *encoder) thinking() {
	r := e.request.Reasoning
	show := r.Show
	if r.Summary != "" {
		e.lost.add(lostSummary)
		if show == nil {
			yes := true
			show = &yes
		}
	}
	if !r.Said() && show == nil {
		return
	}
	e.member(`"thinkingConfig":`)
	e.raw("{")
	switch budget, said := r.AsBudget(); {
	case !said:
	case e.model == modern && r.Off():
		// No model of this generation stops thinking, and all of them know LOW.
		e.lost.add(lostLevel)
		e.str(`"thinkingLevel":`, "LOW")
	case e.model == legacy, r.Budget != nil, r.Level == llm.LevelAuto, r.Level == llm.LevelNone:
		e.num(`"thinkingBudget":`, budget)
	default:
		e.str(`"thinkingLevel":`, e.level(r.Level))
	}
	if show != nil {
		e.member(`"includeThoughts":`)
		if *show {
			e.raw("true")
		} else {
			e.raw("false")
		}
	}
	e.raw("}")
}

// level returns the nearest of Google's levels.
func (e *encoder) level(l llm.Level) string {
	switch l {
	case llm.LevelMinimal:
		return "MINIMAL"
	case llm.LevelLow:
		return "LOW"
	case llm.LevelMedium:
		return "MEDIUM"
	case llm.LevelHigh:
		return "HIGH"
	case llm.LevelXHigh, llm.LevelMax:
		e.lost.add(lostLevel)
		return "HIGH"
	default: // an unknown level counts as medium
		e.lost.add(lostLevel)
		return "MEDIUM"
	}
}
