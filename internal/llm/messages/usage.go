package messages

import (
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
)

// counts are a message's tokens as the format counts them: input is what the cache had
// nothing to do with. In a stream they come in pieces.
type counts struct {
	told                             bool
	input, read, write, output, thin int64
}

// merge takes over what usage tells. A zero after something is not believed: some upstreams
// know the input at the beginning only, others at the end only.
func (c *counts) merge(usage gjson.Result) {
	if !usage.IsObject() {
		return
	}
	c.told = true
	for _, field := range [...]struct {
		into *int64
		path string
	}{
		{&c.input, "input_tokens"},
		{&c.read, "cache_read_input_tokens"},
		{&c.write, "cache_creation_input_tokens"},
		{&c.output, "output_tokens"},
		{&c.thin, "output_tokens_details.thinking_tokens"},
	} {
		if n := usage.Get(field.path).Int(); n > 0 {
			*field.into = n
		}
	}
}

// usage returns the counts in the canonical form; nil = not told.
func (c *counts) usage() *llm.Usage {
	if !c.told {
		return nil
	}
	return &llm.Usage{
		Input: c.input + c.read + c.write, CacheRead: c.read, CacheWrite: c.write,
		Output: c.output, Reasoning: c.thin,
	}
}

func (w *writer) usage(u llm.Usage) {
	w.key("usage")
	w.open('{')
	w.whole("input_tokens", max(0, u.Input-u.CacheRead-u.CacheWrite))
	w.whole("cache_creation_input_tokens", u.CacheWrite)
	w.whole("cache_read_input_tokens", u.CacheRead)
	w.whole("output_tokens", u.Output)
	if u.Reasoning > 0 {
		w.key("output_tokens_details")
		w.open('{')
		w.whole("thinking_tokens", u.Reasoning)
		w.close('}')
	}
	w.close('}')
}
