package translate

import (
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/responses"
)

// WithHistory returns the body of a Responses request with the items of a transcript before
// its own input, in place of the answer that it continues.
func WithHistory(body, items []byte) ([]byte, error) { return responses.WithHistory(body, items) }

// Keeps reports whether the client lets its answer be kept, so that it can be continued.
func (c *Call) Keeps() bool { return c.request.Store == nil || *c.request.Store }

// Keep makes the answer remember all of itself, for Turn.
func (a *Answer) Keep() { a.keep = true }

// Finished reports whether a streamed answer has come to its end.
func (a *Answer) Finished() bool { return a.finished }

// Turn returns the id under which the client knows the answer, and the items that it has added
// to the conversation: those of the request's own input, which is the raw member of a Responses
// body, and the answer's. The items are empty if the answer is not whole.
func (a *Answer) Turn(input []byte) (id string, items []byte) {
	answer := llm.Collect(a.kept)
	if answer.Failure != nil || answer.Reason == "" {
		return "", nil
	}
	if id = a.Progress().ResponseID; id == "" {
		id = gjson.GetBytes(a.whole, "id").String()
	}
	return id, responses.AppendItems(input, answer, a.reply)
}
