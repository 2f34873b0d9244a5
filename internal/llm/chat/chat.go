// Package chat is the wire format openai-chat: OpenAI's chat completions, as OpenAI and the
// many upstreams that call themselves compatible speak it.
//
// The same codec serves clients and upstreams. What it writes keeps to OpenAI's reference,
// but for a few members that compatible upstreams and their clients have agreed on:
// reasoning_content, images, and extra_content for signatures of tool calls. What it reads
// may be far sloppier.
package chat

import "github.com/understudyhq/understudy/internal/llm"

// Codec reads and writes openai-chat. Its zero value is ready.
type Codec struct{}

var _ llm.Codec = Codec{}

// maxIDLength is the longest id of a tool call that OpenAI takes.
const maxIDLength = 40

// maxStops is how many stop sequences OpenAI takes.
const maxStops = 4

// maxKeyLength is the longest id of an end user, and the longest cache key, that OpenAI takes.
const maxKeyLength = 64

// loss is an entry of the table of losses.
type loss uint

const (
	lostThoughts loss = iota
	lostSignature
	lostOpaque
	lostCall
	lostCache
	lostFailed
	lostMediaName
	lostGrammar
	lostTopK
	lostCandidates
	lostLogProbs
	lostStop
	lostShow
	lostSummary
	lostVerbosity
	lostMetadata
	lostServiceTier
	lostCacheKey
	lostSafety
	lostStore
	lostInclude
	lostUserID
	losses
)

func (l loss) told() llm.Loss {
	switch l {
	case lostThoughts:
		return llm.Loss{Path: "messages.thinking.text", Reason: "OpenAI takes no thoughts back"}
	case lostSignature:
		return llm.Loss{Path: "messages.thinking.signature", Reason: "only the upstream that made it can read it"}
	case lostOpaque:
		return llm.Loss{Path: "messages.opaque", Reason: "only its own format knows such a part"}
	case lostCall:
		return llm.Loss{Path: "messages.tool_call", Reason: "a call needs a result, and this one has none"}
	case lostCache:
		return llm.Loss{Path: "cache", Reason: "prefixes are cached without markers"}
	case lostFailed:
		return llm.Loss{Path: "messages.tool_result.failed", Reason: "there is no mark for a failed tool, only its text"}
	case lostMediaName:
		return llm.Loss{Path: "messages.media.name", Reason: "only files have names"}
	case lostGrammar:
		return llm.Loss{Path: "tools.grammar", Reason: "the text that a custom tool takes cannot be held to a grammar"}
	case lostTopK:
		return llm.Loss{Path: "sampling.top_k", Reason: "there is no such setting"}
	case lostCandidates:
		return llm.Loss{Path: "sampling.candidates", Reason: "one answer is asked for: a translated one has no place for more"}
	case lostLogProbs:
		return llm.Loss{Path: "sampling.log_probs", Reason: "a translated answer has no place for them"}
	case lostStop:
		return llm.Loss{Path: "stop", Reason: "OpenAI takes four stop sequences: the first ones are kept"}
	case lostShow:
		return llm.Loss{Path: "reasoning.show", Reason: "the upstream decides whether thoughts are shown"}
	case lostSummary:
		return llm.Loss{Path: "reasoning.summary", Reason: "thoughts are not summed up"}
	case lostVerbosity:
		return llm.Loss{Path: "output.verbosity", Reason: "only OpenAI has such a setting"}
	case lostMetadata:
		return llm.Loss{Path: "metadata", Reason: "only OpenAI keeps notes, and only with a stored answer"}
	case lostServiceTier:
		return llm.Loss{Path: "service_tier", Reason: "only OpenAI has tiers, and only of its own names"}
	case lostCacheKey:
		return llm.Loss{Path: "cache_key", Reason: "only OpenAI has such a key"}
	case lostSafety:
		return llm.Loss{Path: "safety", Reason: "only Gemini has such settings"}
	case lostStore:
		return llm.Loss{Path: "store", Reason: "only OpenAI stores answers"}
	case lostInclude:
		return llm.Loss{Path: "include", Reason: "only Responses answers can hold more"}
	default: // lostUserID
		return llm.Loss{Path: "user_id", Reason: "OpenAI takes 64 characters: a longer one is sent as a digest"}
	}
}

// Losses implements llm.Codec.
func (Codec) Losses() []llm.Loss {
	all := make([]llm.Loss, 0, losses)
	for l := range losses {
		all = append(all, l.told())
	}
	return all
}
