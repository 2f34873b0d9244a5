package responses

import (
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// response is the object that stands for an answer, as far as it is needed.
type response struct {
	ID         word      `json:"id"`
	Model      word      `json:"model"`
	Status     word      `json:"status"`
	Error      errorBody `json:"error"`
	Incomplete struct {
		Reason word `json:"reason"`
	} `json:"incomplete_details"`
	Output []outItem `json:"output"`
	Usage  *usage    `json:"usage"`
}

// outItem is an output item of any type; which members count depends on it.
type outItem struct {
	Type      word      `json:"type"`
	ID        word      `json:"id"`
	CallID    word      `json:"call_id"`
	Name      word      `json:"name"`
	Namespace word      `json:"namespace"`
	Arguments word      `json:"arguments"`
	Input     word      `json:"input"`
	Content   []outPart `json:"content"`
	Summary   []outPart `json:"summary"`
	Encrypted word      `json:"encrypted_content"`
	Result    word      `json:"result"` // an image in base64
	Format    word      `json:"output_format"`
}

// outPart is a piece of a message, of a summary or of reasoning.
type outPart struct {
	Type    word `json:"type"`
	Text    word `json:"text"`
	Refusal word `json:"refusal"`
}

// word is a string as sloppy upstreams send it: null is none, and a number or an object is
// its JSON.
type word string

func (w *word) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '"', 'n':
		return json.UnmarshalDecode(dec, (*string)(w))
	default:
		raw, err := dec.ReadValue()
		*w = word(raw)
		return err
	}
}

// usage is what an answer cost.
type usage struct {
	Input        count `json:"input_tokens"`
	InputDetails struct {
		Cached     count `json:"cached_tokens"`
		CacheWrite count `json:"cache_write_tokens"`
	} `json:"input_tokens_details"`
	Output        count `json:"output_tokens"`
	OutputDetails struct {
		Reasoning count `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
}

// count is a number of tokens; what is none is zero.
type count int64

func (c *count) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err == nil && n > 0 && n < 1<<53 {
		*c = count(n)
	}
	return nil
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
