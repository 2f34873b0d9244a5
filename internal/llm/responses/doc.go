// Package responses is the codec of OpenAI's Responses API (POST /v1/responses).
//
// A request's input is a flat list of items. The decoder gathers the assistant's items that
// stand together, words, thoughts and calls, into one message; the encoder takes messages
// apart again and puts what a tool brought right after the turn that called it.
//
// An answer is a list of output items too. Each part of an answer becomes one item, so that
// in a stream an item is closed before the next one begins; only its last event waits until
// it is known whether the answer was cut short in it.
package responses

import "github.com/understudyhq/understudy/internal/llm"

// Codec is the wire format openai-responses. It has no state.
type Codec struct{}

var _ llm.Codec = Codec{}

// encryptedContent is the word in a request's include that asks for reasoning to keep.
const encryptedContent = "reasoning.encrypted_content"

// Limits of the vendor.
const (
	maxIDBytes   = 64 // of a call_id, of a user's and a cache's name
	maxNameBytes = 64 // of a tool
)
