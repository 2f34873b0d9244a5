package responses

import (
	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// response is the object that stands for an answer, as far as it is needed.
type response struct {
	ID         wire.Word `json:"id"`
	Model      wire.Word `json:"model"`
	Status     wire.Word `json:"status"`
	Error      errorBody `json:"error"`
	Incomplete struct {
		Reason wire.Word `json:"reason"`
	} `json:"incomplete_details"`
	Output []outItem `json:"output"`
	Usage  *usage    `json:"usage"`
}

// outItem is an output item of any type; which members count depends on it.
type outItem struct {
	Type      wire.Word `json:"type"`
	ID        wire.Word `json:"id"`
	CallID    wire.Word `json:"call_id"`
	Name      wire.Word `json:"name"`
	Namespace wire.Word `json:"namespace"`
	Arguments wire.Word `json:"arguments"`
	Input     wire.Word `json:"input"`
	Content   []outPart `json:"content"`
	Summary   []outPart `json:"summary"`
	Encrypted wire.Word `json:"encrypted_content"`
	Result    wire.Word `json:"result"` // an image in base64
	Format    wire.Word `json:"output_format"`
}

// outPart is a piece of a message, of a summary or of reasoning.
type outPart struct {
	Type    wire.Word `json:"type"`
	Text    wire.Word `json:"text"`
	Refusal wire.Word `json:"refusal"`
}

// usage is what an answer cost.
type usage struct {
	Input        wire.Count `json:"input_tokens"`
	InputDetails struct {
		Cached     wire.Count `json:"cached_tokens"`
		CacheWrite wire.Count `json:"cache_write_tokens"`
	} `json:"input_tokens_details"`
	Output        wire.Count `json:"output_tokens"`
	OutputDetails struct {
		Reasoning wire.Count `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
}

func (u *usage) canonical() *llm.Usage {
	if u == nil {
		return nil
	}
	return &llm.Usage{
		Input: int64(u.Input), CacheRead: int64(u.InputDetails.Cached), CacheWrite: int64(u.InputDetails.CacheWrite),
		Output: int64(u.Output), Reasoning: int64(u.OutputDetails.Reasoning),
	}
}

// DecodeAnswer reads a whole answer of an upstream. One that says that it has failed is its
// parts and a Failed event; one that is not finished is an error.
func (Codec) DecodeAnswer(body []byte) ([]llm.Event, error) {
	var r response
	if err := wire.Decode(body, &r); err != nil {
		return nil, err
	}
	switch r.Status {
	case "in_progress", "queued":
		return nil, &llm.DecodeError{Path: "status", Reason: "the answer is not finished"}
	}
	if r.Output == nil && !r.Error.told() {
		return nil, &llm.DecodeError{Path: "output", Reason: "missing"}
	}
	var s streamDecoder
	out := make([]llm.Event, 0, 2+3*len(r.Output))
	out = s.start(out, &r)
	return s.terminal(out, &r, completed), nil
}
