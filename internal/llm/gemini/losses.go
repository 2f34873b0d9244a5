package gemini

import "github.com/understudyhq/understudy/internal/llm"

// loss is a row of the table of what this format cannot say.
type loss uint8

const (
	lostMessageName loss = iota
	lostCache
	lostSignature
	lostThought
	lostRefusal
	lostOpaque
	lostCall
	lostArguments
	lostMediaName
	lostMediaDetail
	lostLateSystem
	lostPrefill
	lostStrict
	lostGrammar
	lostSearchSettings
	lostChoice
	lostParallel
	lostStop
	lostSeed
	lostCandidates
	lostLogProbs
	lostTopLogProbs
	lostLevel
	lostSummary
	lostOutputName
	lostOutputDescription
	lostOutputStrict
	lostVerbosity
	lostAudio
	lostUserID
	lostMetadata
	lostServiceTier
	lostCacheKey
	lostStore
	lostInclude
	lossCount
)

// Losses implements llm.Codec.
func (Codec) Losses() []llm.Loss {
	return []llm.Loss{
		lostMessageName:       {Path: "messages.name", Reason: "participants have no names"},
		lostCache:             {Path: "cache", Reason: "Gemini caches prefixes by itself"},
		lostSignature:         {Path: "messages.thinking.signature", Reason: "only the vendor that signed a thought takes it back"},
		lostThought:           {Path: "messages.thinking.text", Reason: "Gemini takes back no thoughts but its own"},
		lostRefusal:           {Path: "messages.refusal", Reason: "is said as text"},
		lostOpaque:            {Path: "messages.opaque", Reason: "only the format that a part comes from knows it"},
		lostCall:              {Path: "messages.tool_call", Reason: "a call needs a result, and this one has none"},
		lostArguments:         {Path: "messages.tool_call.arguments", Reason: "what is no JSON object is said as the member input of one"},
		lostMediaName:         {Path: "messages.media.name", Reason: "files have no names"},
		lostMediaDetail:       {Path: "messages.media.detail", Reason: "the model decides how closely it looks"},
		lostLateSystem:        {Path: "messages.system", Reason: "an instruction after the beginning is said as a reminder of the user's"},
		lostPrefill:           {Path: "messages.prefill", Reason: "the beginning of an answer cannot be given"},
		lostStrict:            {Path: "tools.strict", Reason: "the model decides how closely it keeps to a tool's schema"},
		lostGrammar:           {Path: "tools.grammar", Reason: "arguments are JSON: a tool that takes text is said as a function of one string"},
		lostSearchSettings:    {Path: "tools.web_search", Reason: "Google's search has no such settings"},
		lostChoice:            {Path: "choice", Reason: "only functions can be demanded"},
		lostParallel:          {Path: "parallel", Reason: "several calls at once cannot be forbidden"},
		lostStop:              {Path: "stop", Reason: "more than five stop sequences"},
		lostSeed:              {Path: "sampling.seed", Reason: "seeds have 32 bits"},
		lostCandidates:        {Path: "sampling.candidates", Reason: "one answer is translated"},
		lostLogProbs:          {Path: "sampling.logprobs", Reason: "probabilities are not translated"},
		lostTopLogProbs:       {Path: "sampling.top_logprobs", Reason: "probabilities are not translated"},
		lostLevel:             {Path: "reasoning.level", Reason: "the nearest of minimal, low, medium and high is said"},
		lostSummary:           {Path: "reasoning.summary", Reason: "thoughts are summed up in one way"},
		lostOutputName:        {Path: "output.name", Reason: "schemas have no names"},
		lostOutputDescription: {Path: "output.description", Reason: "schemas have no descriptions beside them"},
		lostOutputStrict:      {Path: "output.strict", Reason: "a schema is always kept to"},
		lostVerbosity:         {Path: "output.verbosity", Reason: "there is no such setting"},
		lostAudio:             {Path: "output.audio", Reason: "voices are OpenAI's"},
		lostUserID:            {Path: "user_id", Reason: "end users are not told"},
		lostMetadata:          {Path: "metadata", Reason: "labels take only a small alphabet, and not everywhere"},
		lostServiceTier:       {Path: "service_tier", Reason: "tiers are standard, flex and priority"},
		lostCacheKey:          {Path: "cache_key", Reason: "Gemini caches prefixes by itself"},
		lostStore:             {Path: "store", Reason: "answers are not kept for later turns"},
		lostInclude:           {Path: "include", Reason: "there is no such setting"},
	}
}

// losses is a set of them.
type losses uint64

func (l *losses) add(one loss) { *l |= 1 << one }

// when adds one if a condition holds.
func (l *losses) when(holds bool, one loss) {
	if holds {
		l.add(one)
	}
}

// list returns the set in the order of the table; nil if it is empty.
func (l *losses) list() []llm.Loss {
	if *l == 0 {
		return nil
	}
	var lost []llm.Loss
	for one, row := range (Codec{}).Losses() {
		if *l&(1<<one) != 0 {
			lost = append(lost, row)
		}
	}
	return lost
}
