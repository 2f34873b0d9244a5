package translate

import (
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/gemini"
	"github.com/understudyhq/understudy/providers"
)

// CanCount reports whether a format has an operation that counts a request's tokens.
func CanCount(f providers.Format) bool { return f != providers.OpenAIChat }

// EncodeCount returns the request as a body that asks how many tokens it has.
func (c *Call) EncodeCount(u Upstream) (body []byte, lost []llm.Loss, err error) {
	if u.Format == providers.Gemini {
		r, _ := c.requestFor(u)
		return gemini.Codec{}.EncodeCountRequest(nil, r, llm.Target{Compatible: u.Compatible})
	}
	body, lost, err = c.Encode(u)
	if err != nil {
		return nil, nil, err
	}
	if u.Format == providers.Anthropic {
		return only(body, "model", "messages", "system", "tools", "tool_choice", "thinking"), lost, nil
	}
	return only(body, "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text"), lost, nil
}

// only returns an object with some of its members.
func only(body []byte, members ...string) []byte {
	out := []byte{'{'}
	gjson.ParseBytes(body).ForEach(func(name, value gjson.Result) bool {
		if slices.Contains(members, name.Str) {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(append(append(out, name.Raw...), ':'), value.Raw...)
		}
		return true
	})
	return append(out, '}')
}

// ReadCount reads an upstream's answer to EncodeCount.
func ReadCount(f providers.Format, body []byte) (tokens int64, ok bool) {
	member := "input_tokens"
	if f == providers.Gemini {
		member = "totalTokens"
	}
	n := gjson.GetBytes(body, member)
	return n.Int(), n.Type == gjson.Number && n.Int() >= 0
}

// AppendCount appends a count as a client of a format expects it.
func AppendCount(dst []byte, f providers.Format, tokens int64) []byte {
	switch f {
	case providers.Gemini:
		dst = append(dst, `{"totalTokens":`...)
	case providers.OpenAIResponses:
		dst = append(dst, `{"object":"response.input_tokens","input_tokens":`...)
	default:
		dst = append(dst, `{"input_tokens":`...)
	}
	return append(strconv.AppendInt(dst, tokens, 10), '}')
}

// What an estimate adds for what is no text. The vendors' own figures differ by model; these
// are OpenAI's for messages and an image of middling size.
const (
	tokensPerMessage = 4
	tokensPerMedia   = 1000
)

// Estimate returns about how many tokens the request has, by a tokenizer that is not that of
// its model.
func (c *Call) Estimate(t *Tokenizer) int64 {
	var total int64
	for _, m := range c.request.Messages {
		total += tokensPerMessage + t.parts(m.Parts)
	}
	for _, tool := range c.request.Tools {
		total += tokensPerMessage + t.Count(tool.Name) + t.Count(tool.Description) + t.Count(string(tool.Schema)) + t.Count(string(tool.Raw))
	}
	return total + t.Count(string(c.request.Output.Schema))
}

func (t *Tokenizer) parts(parts []llm.Part) int64 {
	var total int64
	for _, p := range parts {
		switch p := p.(type) {
		case *llm.Text:
			total += t.Count(p.Text)
		case *llm.Refusal:
			total += t.Count(p.Text)
		case *llm.Thinking:
			total += t.Count(p.Text)
		case *llm.ToolCall:
			total += tokensPerMessage + t.Count(p.Name) + t.Count(p.Arguments)
		case *llm.ToolResult:
			total += tokensPerMessage + t.parts(p.Content)
		case *llm.Media:
			total += tokensPerMedia + t.Count(p.Text)
		case *llm.Opaque:
			total += t.Count(string(p.Raw))
		}
	}
	return total
}
