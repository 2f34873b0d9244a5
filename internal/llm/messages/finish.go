package messages

import "github.com/understudyhq/understudy/internal/llm"

// Stop reasons in the format's words.
const (
	endTurn      = "end_turn"
	maxTokens    = "max_tokens"
	stopSequence = "stop_sequence"
	toolUse      = "tool_use"
	pauseTurn    = "pause_turn"
	refusal      = "refusal"
	windowFull   = "model_context_window_exceeded"
)

// finishReason reads a stop reason. Calls in the answer count for more than what its
// upstream says, unless it was cut short.
func finishReason(word string, called bool) llm.FinishReason {
	switch word {
	case maxTokens, windowFull:
		return llm.Length
	case pauseTurn:
		return llm.Paused
	case refusal:
		return llm.Refused
	}
	switch {
	case called || word == toolUse:
		return llm.ToolCalls
	case word == stopSequence:
		return llm.StopSequence
	default:
		return llm.Stop
	}
}

// shape is what an answer consists of, as far as its stop reason goes by that.
type shape struct {
	called  bool // a tool
	shown   bool // anything at all but thoughts
	refused bool // in words
}

// stopReason writes one. The format has no word for an answer that its vendor has filtered:
// if something of it came it has ended, if nothing came it was refused.
func stopReason(r llm.FinishReason, s shape) string {
	switch r {
	case llm.Length:
		return maxTokens
	case llm.Paused:
		return pauseTurn
	case llm.Refused:
		return refusal
	}
	switch {
	case s.called:
		return toolUse
	case s.refused, r == llm.Filtered && !s.shown:
		return refusal
	case r == llm.StopSequence:
		return stopSequence
	case r == llm.ToolCalls:
		return toolUse
	default:
		return endTurn
	}
}
