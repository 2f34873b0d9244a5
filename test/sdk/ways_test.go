package sdk_test

import (
	"context"
	"errors"
)

// What may be wrong with an answer that an SDK lets pass.
var (
	errUnfinished = errors.New("the stream ended without its end mark, and no error was told")
	errMisfit     = errors.New("an event does not fit into the answer")
)

// way is one way to have a conversation: a method of an SDK.
type way struct {
	name   string
	model  string // an alias that suits the vendor
	stream bool
	// say sends a conversation, the user's and the model's turns in turn, and returns the
	// answer to its last one. Together with an error comes the text that preceded it.
	say func(ctx context.Context, c client, model string, turns ...string) (answer, error)
	// understand returns what the SDK makes of the error of a request, and whether it has a
	// type of its own for it.
	understand func(error) (refusal, bool)
}

// answer is what an SDK shows of one.
type answer struct {
	text   string
	input  int64 // tokens, cached ones included
	cached int64 // tokens
}

// refusal is an error as an SDK shows it. What an SDK does not show is empty.
type refusal struct {
	status int
	kind   string // the vendor's own name for this sort of error
	code   string // the gateway's
}

func ways() []way {
	return []way{
		{name: "openai chat", model: openAIModel, say: sayChat, understand: openAIRefusal},
		{name: "openai chat stream", model: openAIModel, stream: true, say: streamChat, understand: openAIRefusal},
		{name: "openai responses", model: openAIModel, say: sayResponse, understand: openAIRefusal},
		{name: "openai responses stream", model: openAIModel, stream: true, say: streamResponse, understand: openAIRefusal},
		{name: "anthropic messages", model: claudeModel, say: sayMessage, understand: anthropicRefusal},
		{name: "anthropic messages stream", model: claudeModel, stream: true, say: streamMessage, understand: anthropicRefusal},
		{name: "anthropic beta", model: claudeModel, say: sayBetaMessage, understand: anthropicRefusal},
		{name: "anthropic beta stream", model: claudeModel, stream: true, say: streamBetaMessage, understand: anthropicRefusal},
		{name: "genai content", model: geminiModel, say: sayContent, understand: genaiRefusal},
		{name: "genai content stream", model: geminiModel, stream: true, say: streamContent, understand: genaiRefusal},
	}
}
