// Package messages is the codec of Anthropic's Messages.
//
// Choices that are not the vendor's:
//
//   - A system message in the middle of a conversation becomes a user message whose text is
//     in a <system-reminder> tag: no other format has a place for such an instruction that
//     keeps its position, and clients of this format write reminders that way themselves.
//   - Models up to Claude 4.5 take a budget for thinking, later ones an effort; names that
//     tell no generation are given a budget. See generation.
//   - max_tokens, which the vendor demands, is defaultMaxTokens if the client said nothing,
//     and more if the thinking needs room.
//   - Structured output needs no beta header since output_config.format, so an encoded
//     request needs none at all.
package messages

import "github.com/understudyhq/understudy/internal/llm"

// Codec is Anthropic's Messages. The zero value is ready for use.
type Codec struct{}

// StreamDecoder implements llm.Codec.
func (Codec) StreamDecoder() llm.StreamDecoder { return &streamDecoder{} }

// StreamEncoder implements llm.Codec.
func (Codec) StreamEncoder(r llm.Reply) llm.StreamEncoder { return newStreamEncoder(r) }

// Kinds of content blocks and of what is in them.
const (
	kindText     = "text"
	kindImage    = "image"
	kindDocument = "document"
	kindSearch   = "search_result"
	kindThinking = "thinking"
	kindRedacted = "redacted_thinking"
	kindToolUse  = "tool_use"
	kindResult   = "tool_result"
)

// idLimit is the length of a tool call's id that every format's clients and upstreams take.
const idLimit = 64
