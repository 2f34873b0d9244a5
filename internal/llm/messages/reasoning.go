package messages

import (
	"github.com/understudyhq/understudy/internal/llm"
)

// How much an answer may hold if the client did not say, which the vendor wants to know.
const (
	defaultMaxTokens  = 32_000
	thoroughMaxTokens = 64_000 // with much thinking
	minBudget         = 1024   // the vendor's
	answerTokens      = 8192   // what is left for the answer beside a budget
)

// plan is what a request says about thinking and about the answer's length, which the
// vendor ties to each other.
type plan struct {
	kind      string // of thinking; empty = not said
	budget    int64  // with "enabled"
	effort    string
	maxTokens int64
}

// on reports whether the model is asked to think.
func (p plan) on() bool { return p.kind == "adaptive" || p.kind == "enabled" }

func (e *encoder) plan() plan {
	p := plan{maxTokens: defaultMaxTokens}
	if e.r.MaxTokens != nil {
		p.maxTokens = *e.r.MaxTokens
	}
	rs := e.r.Reasoning
	switch {
	case rs.Off():
		p.kind = "disabled"
	case e.gen.since4(6):
		e.effort(&p)
	case rs.Said():
		e.budget(&p)
	default:
		e.lost.note(lostShow, rs.Show != nil && *rs.Show)
	}
	return p
}

// effort plans for models that decide by themselves how much they think.
func (e *encoder) effort(p *plan) {
	rs := e.r.Reasoning
	if !rs.Said() && (rs.Show == nil || !*rs.Show) {
		return
	}
	e.lost.note(lostBudget, rs.Budget != nil && *rs.Budget > 0)
	level := rs.AsLevel()
	switch {
	case level == llm.LevelMinimal:
		e.lost.note(lostLevel, true)
		level = llm.LevelLow
	case level == llm.LevelXHigh && !e.gen.since4(7):
		e.lost.note(lostLevel, true)
		level = llm.LevelHigh
	case level == llm.LevelAuto:
		level = ""
	}
	p.effort = string(level)
	if e.r.MaxTokens == nil && (level == llm.LevelXHigh || level == llm.LevelMax) {
		p.maxTokens = thoroughMaxTokens
	}
	if e.forced() {
		e.lost.note(lostReasoning, true)
		return
	}
	p.kind = "adaptive"
}

// budget plans for models that are told how much they may think. The vendor wants at least
// minBudget and less than max_tokens, and no thinking where a tool is forced: the tool is
// what the client depends on.
func (e *encoder) budget(p *plan) {
	rs := e.r.Reasoning
	tokens, _ := rs.AsBudget()
	if tokens < 0 { // the model is to decide, which these cannot
		e.lost.note(lostLevel, true)
		tokens = llm.LevelMedium.Budget()
	}
	if tokens < minBudget {
		e.lost.note(lostBudget, rs.Budget != nil)
		e.lost.note(lostLevel, rs.Budget == nil)
		tokens = minBudget
	}
	if e.r.MaxTokens == nil {
		p.maxTokens = max(defaultMaxTokens, tokens+answerTokens)
		if limit := e.gen.longestAnswer(e.r.Model); limit > 0 {
			p.maxTokens = min(p.maxTokens, limit)
		}
	}
	if e.forced() || p.maxTokens <= minBudget {
		e.lost.note(lostReasoning, true)
		return
	}
	if tokens >= p.maxTokens { // a fifth is left for the answer
		e.lost.note(lostBudget, true)
		tokens = max(minBudget, p.maxTokens/5*4)
	}
	p.kind, p.budget = "enabled", tokens
}

// forced reports whether the model must call a tool.
func (e *encoder) forced() bool {
	mode := e.r.Choice.Mode
	return len(e.r.Tools) > 0 && (mode == llm.Required || mode == llm.Named)
}

func (e *encoder) thinking(p plan) {
	if p.kind != "" {
		e.key("thinking")
		e.open('{')
		e.text("type", p.kind)
		if p.kind == "enabled" {
			e.whole("budget_tokens", p.budget)
		}
		if p.on() {
			e.display()
		}
		e.close('}')
	}
	if p.effort == "" && !e.hasSchema() {
		return
	}
	e.key("output_config")
	e.open('{')
	if p.effort != "" {
		e.text("effort", p.effort)
	}
	if e.hasSchema() {
		e.format()
	}
	e.close('}')
}

func (e *encoder) display() {
	rs := e.r.Reasoning
	e.lost.note(lostSummary, rs.Summary != "" && rs.Summary != "auto")
	show := rs.Show
	if show == nil && rs.Summary != "" {
		yes := true
		show = &yes
	}
	switch {
	case show == nil:
	case *show:
		e.text("display", "summarized")
	default:
		e.text("display", "omitted")
	}
}

// sampling says what the vendor has left of it. An upstream of another vendor is told all
// that the format has.
func (e *encoder) sampling(p plan) {
	s := e.r.Sampling
	removed := !e.t.Compatible && e.gen.since4(7)
	thinking := !e.t.Compatible && p.on()
	if s.Temperature != nil {
		e.lost.note(lostTemperature, !e.t.Compatible)
		if e.t.Compatible {
			e.float("temperature", *s.Temperature)
		}
	}
	if s.TopP != nil {
		drop := removed || thinking && *s.TopP < 0.95
		e.lost.note(lostTopP, drop)
		if !drop {
			e.float("top_p", *s.TopP)
		}
	}
	if s.TopK != nil {
		drop := removed || thinking
		e.lost.note(lostTopK, drop)
		if !drop {
			e.whole("top_k", *s.TopK)
		}
	}
	e.lost.note(lostFrequencyPenalty, s.FrequencyPenalty != nil)
	e.lost.note(lostPresencePenalty, s.PresencePenalty != nil)
	e.lost.note(lostSeed, s.Seed != nil)
	e.lost.note(lostCandidates, s.Candidates != nil && *s.Candidates > 1)
	e.lost.note(lostLogProbs, s.LogProbs != nil && *s.LogProbs)
	e.lost.note(lostTopLogProbs, s.TopLogProbs != nil)
}
