package messages

import "github.com/understudyhq/understudy/internal/llm"

// loss is a row of the table that Codec.Losses returns.
type loss int

const (
	lostMessageName loss = iota
	lostThinking
	lostOpaque
	lostPrefill
	lostCall
	lostResult
	lostArguments
	lostAssistantMedia
	lostMediaDetail
	lostMediaName
	lostGrammar
	lostSearchOptions
	lostToolStrict
	lostStop
	lostTemperature
	lostTopP
	lostTopK
	lostFrequencyPenalty
	lostPresencePenalty
	lostSeed
	lostCandidates
	lostLogProbs
	lostTopLogProbs
	lostReasoning
	lostLevel
	lostBudget
	lostShow
	lostSummary
	lostOutputKind
	lostOutputName
	lostOutputDescription
	lostOutputSchema
	lostOutputStrict
	lostVerbosity
	lostModalities
	lostAudio
	lostUserID
	lostMetadata
	lostServiceTier
	lostCacheKey
	lostSafety
	lostStore
	lostInclude
	lossCount
)

// table tells what each loss is, as docs/formats.md lists it.
func table() [lossCount]llm.Loss {
	return [...]llm.Loss{
		lostMessageName:       {Path: "messages.name", Reason: "participants have no names"},
		lostThinking:          {Path: "messages.thinking", Reason: "only thoughts that the vendor has signed go back to it, and none may end a turn"},
		lostOpaque:            {Path: "messages.opaque", Reason: "another format's own part"},
		lostPrefill:           {Path: "messages.prefill", Reason: "the vendor's models do not continue an assistant's last message"},
		lostCall:              {Path: "messages.tool_call", Reason: "a call needs a result, and this one has none"},
		lostResult:            {Path: "messages.tool_result", Reason: "a result needs a call before it; without one it is said as text"},
		lostArguments:         {Path: "messages.tool_call.arguments", Reason: "must be a JSON object; what is none is put into one"},
		lostAssistantMedia:    {Path: "messages.assistant.media", Reason: "an assistant's message holds no media"},
		lostMediaDetail:       {Path: "messages.media.detail", Reason: "images have no level of detail"},
		lostMediaName:         {Path: "messages.media.name", Reason: "only documents have a name"},
		lostGrammar:           {Path: "tools.raw", Reason: "free text of custom tools follows no grammar"},
		lostSearchOptions:     {Path: "tools.web_search", Reason: "how to search is said in another format's words"},
		lostToolStrict:        {Path: "tools.strict", Reason: "not known to models before Claude 4.5, nor for more than 20 tools"},
		lostStop:              {Path: "stop", Reason: "a sequence of white space alone is not allowed"},
		lostTemperature:       {Path: "sampling.temperature", Reason: "the vendor has removed it"},
		lostTopP:              {Path: "sampling.top_p", Reason: "removed since Claude 4.7; while thinking from 0.95 on only"},
		lostTopK:              {Path: "sampling.top_k", Reason: "removed since Claude 4.7; not while thinking"},
		lostFrequencyPenalty:  {Path: "sampling.frequency_penalty", Reason: "unknown to the format"},
		lostPresencePenalty:   {Path: "sampling.presence_penalty", Reason: "unknown to the format"},
		lostSeed:              {Path: "sampling.seed", Reason: "unknown to the format"},
		lostCandidates:        {Path: "sampling.candidates", Reason: "there is one answer only"},
		lostLogProbs:          {Path: "sampling.log_probs", Reason: "unknown to the format"},
		lostTopLogProbs:       {Path: "sampling.top_log_probs", Reason: "unknown to the format"},
		lostReasoning:         {Path: "reasoning", Reason: "no thinking with a forced tool, nor with a max_tokens too small for it"},
		lostLevel:             {Path: "reasoning.level", Reason: "the nearest level that the model has"},
		lostBudget:            {Path: "reasoning.budget", Reason: "at least 1024 and below max_tokens; an effort since Claude 4.6"},
		lostShow:              {Path: "reasoning.show", Reason: "a model that is not asked to think has nothing to show"},
		lostSummary:           {Path: "reasoning.summary", Reason: "thoughts are summed up in one way only"},
		lostOutputKind:        {Path: "output.kind", Reason: "JSON cannot be asked for without a schema"},
		lostOutputName:        {Path: "output.name", Reason: "schemas have no name"},
		lostOutputDescription: {Path: "output.description", Reason: "schemas have no description of their own"},
		lostOutputSchema:      {Path: "output.schema", Reason: "objects are closed; bounds of numbers, texts and lists are not known"},
		lostOutputStrict:      {Path: "output.strict", Reason: "a schema is always strict"},
		lostVerbosity:         {Path: "output.verbosity", Reason: "unknown to the format"},
		lostModalities:        {Path: "output.modalities", Reason: "answers are text"},
		lostAudio:             {Path: "output.audio", Reason: "answers are text"},
		lostUserID:            {Path: "user_id", Reason: "longer ones than 256 characters become a digest"},
		lostMetadata:          {Path: "metadata", Reason: "the format has none but user_id"},
		lostServiceTier:       {Path: "service_tier", Reason: "there are auto and standard_only"},
		lostCacheKey:          {Path: "cache_key", Reason: "caches are found by their content"},
		lostSafety:            {Path: "safety", Reason: "unknown to the format"},
		lostStore:             {Path: "store", Reason: "the vendor keeps no answers"},
		lostInclude:           {Path: "include", Reason: "nothing more can be asked for"},
	}
}

// Losses implements llm.Codec.
func (Codec) Losses() []llm.Loss {
	all := table()
	return all[:]
}

// losses is the set of those that a request has met.
type losses [lossCount]bool

// note adds one if it has happened.
func (l *losses) note(what loss, happened bool) { l[what] = l[what] || happened }

// list returns the set in the table's order; nil = empty.
func (l *losses) list() []llm.Loss {
	var list []llm.Loss
	for what, row := range table() {
		if l[what] {
			list = append(list, row)
		}
	}
	return list
}
