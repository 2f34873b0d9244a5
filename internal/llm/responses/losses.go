package responses

import "github.com/understudyhq/understudy/internal/llm"

// lost is an entry of the table of losses.
type lost uint8

const (
	lostCache lost = iota
	lostMaxTokens
	lostName
	lostThinking
	lostCall
	lostFailed
	lostMediaName
	lostMediaText
	lostOpaque
	lostMetadata
	lostAudio
	lostBudget
	lostSafety
	lostCandidates
	lostFrequency
	lostLogProbs
	lostPresence
	lostSeed
	lostTopK
	lostTopLogProbs
	lostTier
	lostStop
	lostNamespace
	lostSearch
)

// table says what a lost thing is called and why it is lost.
var table = [...]llm.Loss{
	lostCache:       {Path: "cache", Reason: "the vendor finds the prefixes of its cache by itself"},
	lostMaxTokens:   {Path: "max_tokens", Reason: "the vendor takes 16 at least"},
	lostName:        {Path: "messages.name", Reason: "messages have no names"},
	lostThinking:    {Path: "messages.thinking", Reason: "only thoughts that this format's vendor has signed are taken back, and only before what they led to"},
	lostCall:        {Path: "messages.tool_call", Reason: "a call needs a result, and this one has none"},
	lostFailed:      {Path: "messages.tool_result.failed", Reason: "a tool's output does not say whether it failed"},
	lostMediaName:   {Path: "messages.media.name", Reason: "only documents have names"},
	lostMediaText:   {Path: "messages.media.text", Reason: "a document given as text is sent as text"},
	lostOpaque:      {Path: "messages.opaque", Reason: "a part that only another format knows, and nothing depends on"},
	lostMetadata:    {Path: "metadata", Reason: "the vendor takes 16 entries, with names of 64 and values of 512 characters"},
	lostAudio:       {Path: "output.audio", Reason: "answers are not spoken"},
	lostBudget:      {Path: "reasoning.budget", Reason: "said as the lowest level that is enough"},
	lostSafety:      {Path: "safety", Reason: "no such settings"},
	lostCandidates:  {Path: "sampling.candidates", Reason: "one answer is all there is"},
	lostFrequency:   {Path: "sampling.frequency_penalty", Reason: "no such setting"},
	lostLogProbs:    {Path: "sampling.log_probs", Reason: "translated answers have no place for them"},
	lostPresence:    {Path: "sampling.presence_penalty", Reason: "no such setting"},
	lostSeed:        {Path: "sampling.seed", Reason: "no such setting"},
	lostTopK:        {Path: "sampling.top_k", Reason: "no such setting"},
	lostTopLogProbs: {Path: "sampling.top_log_probs", Reason: "translated answers have no place for them"},
	lostTier:        {Path: "service_tier", Reason: "another vendor's word"},
	lostStop:        {Path: "stop", Reason: "no stop sequences"},
	lostNamespace:   {Path: "tools.namespace", Reason: "is a part of the tool's name"},
	lostSearch:      {Path: "tools.web_search", Reason: "the options of another vendor's search"},
}

// losses notes what is lost, each thing once.
type losses uint32

func (l *losses) add(which lost) { *l |= 1 << which }

// addIf notes a loss that depends.
func (l *losses) addIf(is bool, which lost) {
	if is {
		l.add(which)
	}
}

func (l losses) list() []llm.Loss {
	var list []llm.Loss
	for which := range table {
		if l&(1<<which) != 0 {
			list = append(list, table[which])
		}
	}
	return list
}

// Losses lists every Loss that EncodeRequest can return.
func (Codec) Losses() []llm.Loss { return append([]llm.Loss(nil), table[:]...) }

// unsupported is an error about something that this format cannot say.
func unsupported(what string) error {
	return &llm.UnsupportedError{Format: llm.Responses, What: what}
}
