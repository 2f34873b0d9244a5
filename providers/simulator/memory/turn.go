package memory

import "strings"

// Turn is an answered request that a later one may refer to. All texts are JSON.
type Turn struct {
	// Transcript is the conversation up to and with the answer: input items, or messages.
	// Remember fills it in.
	Transcript []string
	// Input is what the request itself added to it.
	Input []string
	// Answer is the whole answer.
	Answer []byte
	// Stored says that the answer may be asked for by its id, Background that it may be canceled.
	Stored, Background bool
	// Tools and System are an Anthropic thread's; empty = none.
	Tools, System string
}

func (t Turn) bytes() int {
	return len(t.Answer) + len(t.Tools) + len(t.System) + sizeOf(t.Input) + sizeOf(t.Transcript)
}

func sizeOf(texts []string) int {
	n := 0
	for _, text := range texts {
		n += len(text)
	}
	return n
}

// cloned copies texts, to let go of the body they are part of.
func cloned(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = strings.Clone(text)
	}
	return all
}
