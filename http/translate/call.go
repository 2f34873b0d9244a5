package translate

import (
	"errors"
	"slices"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/chat"
	"github.com/understudyhq/understudy/internal/llm/gemini"
	"github.com/understudyhq/understudy/internal/llm/messages"
	"github.com/understudyhq/understudy/internal/llm/responses"
	"github.com/understudyhq/understudy/providers"
)

// codec returns the codec of a format, which must be one of the four.
func codec(f providers.Format) llm.Codec {
	switch f {
	case providers.OpenAIResponses:
		return responses.Codec{}
	case providers.Anthropic:
		return messages.Codec{}
	case providers.Gemini:
		return gemini.Codec{}
	default:
		return chat.Codec{}
	}
}

// What others need to know of the canonical form.
type (
	// Loss is what a request holds and its translation does not.
	Loss = llm.Loss
	// Reasoning is how much a model should think.
	Reasoning = llm.Reasoning
)

// Suffix reads the reasoning suffix of a model's name; the zero Reasoning for none.
func Suffix(suffix string) Reasoning {
	r, err := llm.ParseSuffix(suffix)
	if err != nil {
		return Reasoning{}
	}
	return r
}

// Call is a client's request: decoded once, encoded for each upstream that is asked. It is
// for one goroutine.
type Call struct {
	format  providers.Format
	request *llm.Request

	// What was encoded last: a request that fails over often meets the same format again.
	to   target
	body []byte
	lost []llm.Loss
}

// target is what an encoded request depends on.
type target struct {
	format     providers.Format
	model      string
	reasoning  llm.Level
	budget     int64
	stream     bool
	compatible bool
	unfit      bool // the client's own reasoning is another
}

// Decode reads a client's request for an answer or, if count is set, for the count of its
// tokens. Its errors are *llm.DecodeError.
func Decode(f providers.Format, body []byte, count bool) (*Call, error) {
	var (
		r   *llm.Request
		err error
	)
	if count && f == providers.Gemini {
		r, err = gemini.Codec{}.DecodeCountRequest(body)
	} else {
		r, err = codec(f).DecodeRequest(body)
	}
	if err != nil {
		return nil, err
	}
	return &Call{format: f, request: r}, nil
}

// Upstream is what an upstream is asked for.
type Upstream struct {
	Format providers.Format
	Model  string // as the upstream calls it
	Stream bool
	// Reasoning replaces the client's own if it says anything.
	Reasoning llm.Reasoning
	// Levels are those of reasoning that the model takes, "none" alone if it does not think;
	// empty = not known.
	Levels []string
	// Compatible says that the upstream is not the format's own vendor.
	Compatible bool
}

// Encode returns the request as the body for an upstream, and what of it the format cannot
// say. The body is not to be changed. Its errors are *llm.UnsupportedError.
func (c *Call) Encode(u Upstream) (body []byte, lost []llm.Loss, err error) {
	r, unfit := c.requestFor(u)
	to := target{
		format: u.Format, model: u.Model, reasoning: r.Reasoning.Level, budget: -1,
		stream: u.Stream, compatible: u.Compatible, unfit: unfit != nil,
	}
	if r.Reasoning.Budget != nil {
		to.budget = *r.Reasoning.Budget
	}
	if c.body != nil && c.to == to {
		return c.body, c.lost, nil
	}
	if err := c.request.CheckNeeded(llm.Format(u.Format)); err != nil {
		return nil, nil, err
	}
	body, lost, err = codec(u.Format).EncodeRequest(nil, r, llm.Target{Compatible: u.Compatible})
	if err != nil {
		return nil, nil, err
	}
	lost = slices.Concat(c.request.Unsaid, unfit, lost)
	c.to, c.body, c.lost = to, body, lost
	return body, lost, nil
}

// requestFor returns the request as an upstream is to be asked, and what of its reasoning the
// model does not take.
func (c *Call) requestFor(u Upstream) (r *llm.Request, unfit []llm.Loss) {
	next := *c.request
	next.Model, next.Stream = u.Model, u.Stream
	if u.Reasoning.Said() {
		next.Reasoning.Level, next.Reasoning.Budget = u.Reasoning.Level, u.Reasoning.Budget
	}
	asked := next.Reasoning
	next.Reasoning = asked.Fit(levels(u.Levels))
	if asked != next.Reasoning {
		unfit = []llm.Loss{lostReasoning()}
	}
	return &next, unfit
}

// Message returns what a client is told about an error of Decode or Encode, and the request's
// field at fault, if it is one's.
func Message(err error) (message, param string) {
	var (
		decode      *llm.DecodeError
		unsupported *llm.UnsupportedError
	)
	switch {
	case errors.As(err, &decode) && decode.Path != "":
		return "The request's " + decode.Path + " cannot be read: " + decode.Reason + ".", decode.Path
	case errors.As(err, &decode):
		return "The request body cannot be read: " + decode.Reason + ".", ""
	case errors.As(err, &unsupported):
		return "The upstream of this model speaks the format " + string(unsupported.Format) + ", which has no way to say " + unsupported.What + ".", ""
	default:
		return "The request cannot be translated.", ""
	}
}
