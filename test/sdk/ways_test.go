package sdk_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/understudyhq/understudy/providers"
)

// What may be wrong with an answer that an SDK lets pass.
var (
	errUnfinished = errors.New("the stream ended without its end mark, and no error was told")
	errMisfit     = errors.New("an event does not fit into the answer")
)

// sdk is one of the SDKs.
type sdk string

const (
	openAISDK    sdk = "openai-go"
	anthropicSDK sdk = "anthropic-sdk-go"
	genaiSDK     sdk = "genai"
)

// way is one way to have a conversation: a method of an SDK.
type way struct {
	sdk    sdk
	method string
	format providers.Format
	model  string // an alias that suits the vendor
	stream bool
	// ask returns the answer to a question. Together with an error comes the text that
	// preceded it.
	ask func(context.Context, client, question) (answer, error)
}

// say asks about the last turn of a conversation, whose turns are the user's and the model's
// in turn.
func (w way) say(ctx context.Context, c client, model string, turns ...string) (answer, error) {
	return w.ask(ctx, c, question{model: model, turns: turns})
}

// answer is what an SDK shows of one.
type answer struct {
	text   string
	input  int64 // tokens, cached ones included
	cached int64 // tokens
}

func ways() []way {
	return []way{
		{sdk: openAISDK, method: "chat", format: providers.OpenAIChat, model: openAIModel, ask: askChat},
		{sdk: openAISDK, method: "chat stream", format: providers.OpenAIChat, model: openAIModel, stream: true, ask: streamChat},
		{sdk: openAISDK, method: "responses", format: providers.OpenAIResponses, model: openAIModel, ask: askResponse},
		{sdk: openAISDK, method: "responses stream", format: providers.OpenAIResponses, model: openAIModel, stream: true, ask: streamResponse},
		{sdk: anthropicSDK, method: "messages", format: providers.Anthropic, model: claudeModel, ask: askMessage},
		{sdk: anthropicSDK, method: "messages stream", format: providers.Anthropic, model: claudeModel, stream: true, ask: streamMessage},
		{sdk: anthropicSDK, method: "beta messages", format: providers.Anthropic, model: claudeModel, ask: askBetaMessage},
		{sdk: anthropicSDK, method: "beta messages stream", format: providers.Anthropic, model: claudeModel, stream: true, ask: streamBetaMessage},
		{sdk: genaiSDK, method: "content", format: providers.Gemini, model: geminiModel, ask: askContent},
		{sdk: genaiSDK, method: "content stream", format: providers.Gemini, model: geminiModel, stream: true, ask: streamContent},
	}
}

// streams are those of the ways that stream.
func streams() []way { return slices.DeleteFunc(ways(), func(w way) bool { return !w.stream }) }

// inEveryWay runs test in each of some ways and on every upstream, all of them in parallel.
func inEveryWay(t *testing.T, some []way, s setup, test func(*testing.T, *gateway, way)) {
	t.Helper()
	for _, w := range some {
		t.Run(string(w.sdk)+" "+w.method, func(t *testing.T) {
			t.Parallel()
			onEveryUpstream(t, w.format, s, func(t *testing.T, g *gateway) { test(t, g, w) })
		})
	}
}

// refusal is an error as an SDK shows it. What an SDK does not show is empty.
type refusal struct {
	status int
	kind   string // the vendor's own name for this sort of error
	code   string // the gateway's, or the upstream's
	// message is in words.
	message string
}

// understand returns what an SDK makes of an error, be it of a request or told inside a
// stream, and whether it has a type of its own for it.
func (s sdk) understand(err error) (refusal, bool) {
	switch s {
	case openAISDK:
		return openAIRefusal(err)
	case anthropicSDK:
		return anthropicRefusal(err)
	default:
		return genaiRefusal(err)
	}
}
