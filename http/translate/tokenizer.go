package translate

import (
	"sync"

	"github.com/tiktoken-go/tokenizer"
)

// maxTokenized bounds how much of one text is tokenized; what is longer is estimated from it.
// The tokenizer does some 8 MB a second.
const maxTokenized = 256 << 10

// bytesPerToken is what a text is taken to hold if it cannot be tokenized.
const bytesPerToken = 4

// Tokenizer counts tokens by the vocabulary of recent models of OpenAI, which is part of the
// program. The zero value is ready; it loads the vocabulary, in some 20 ms, when it is first
// used. It is safe for concurrent use.
type Tokenizer struct {
	once  sync.Once
	codec tokenizer.Codec // nil = could not be loaded
}

// Count returns how many tokens a text has.
func (t *Tokenizer) Count(text string) int64 {
	if text == "" {
		return 0
	}
	t.once.Do(func() { t.codec, _ = tokenizer.Get(tokenizer.O200kBase) })
	head := text[:min(len(text), maxTokenized)]
	n := (len(head) + bytesPerToken - 1) / bytesPerToken
	if t.codec != nil {
		if counted, err := t.codec.Count(head); err == nil {
			n = counted
		}
	}
	return int64(float64(n) * float64(len(text)) / float64(len(head)))
}
