package gemini

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// DecodeCountRequest reads the body of countTokens: a whole request in its member
// generateContentRequest, or as such. Its errors are *llm.DecodeError.
func (Codec) DecodeCountRequest(body []byte) (*llm.Request, error) {
	var in struct {
		Whole jsontext.Value `json:"generateContentRequest,case:ignore"`
	}
	if err := wire.Decode(body, &in); err != nil {
		return nil, err
	}
	if in.Whole.Kind() == '{' {
		return Codec{}.DecodeRequest(in.Whole)
	}
	return Codec{}.DecodeRequest(body)
}

// EncodeCountRequest appends what countTokens is asked about r to dst: the contents alone,
// which every upstream takes, or the whole request if it has more than those. It does not
// change r. Its errors are *llm.UnsupportedError.
func (Codec) EncodeCountRequest(dst []byte, r *llm.Request, _ llm.Target) (body []byte, lost []llm.Loss, err error) {
	e := encoder{writer: writer{b: dst}, request: r, model: generationOf(r.Model)}
	if len(r.Tools) == 0 && !hasInstructions(r) {
		e.raw("{")
		if err := e.conversation(true); err != nil {
			return nil, nil, err
		}
		e.raw("}")
		return e.b, e.lost.list(), nil
	}
	e.raw(`{"generateContentRequest":{`)
	e.str(`"model":`, "models/"+r.Model[strings.LastIndexByte(r.Model, '/')+1:])
	if err := e.conversation(true); err != nil {
		return nil, nil, err
	}
	if err := e.tools(); err != nil {
		return nil, nil, err
	}
	e.raw("}}")
	return e.b, e.lost.list(), nil
}

func hasInstructions(r *llm.Request) bool {
	return len(r.Messages) > 0 && instructs(r.Messages[0].Role)
}
