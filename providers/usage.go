package providers

import (
	"cmp"

	"github.com/tidwall/gjson"
)

// maxTokens bounds a believable token count, so that sums cannot overflow.
const maxTokens = 1 << 40

// Merge returns u with later's non-zero fields in place of its own. Vendors that report
// usage in pieces repeat a count only to correct it.
func (u Usage) Merge(later Usage) Usage {
	return Usage{
		InputTokens:      cmp.Or(later.InputTokens, u.InputTokens),
		OutputTokens:     cmp.Or(later.OutputTokens, u.OutputTokens),
		CachedTokens:     cmp.Or(later.CachedTokens, u.CachedTokens),
		CacheWriteTokens: cmp.Or(later.CacheWriteTokens, u.CacheWriteTokens),
	}
}

// ReadUsage reads the token counts of format f from a whole answer or from the data of one
// stream event. It reports false if body tells none. Counts that are negative or absurd
// are 0. body need not be valid JSON.
func ReadUsage(f Format, body []byte) (Usage, bool) {
	var (
		found gjson.Result
		read  func(gjson.Result) Usage
	)
	switch f {
	case OpenAIChat:
		found, read = gjson.GetBytes(body, "usage"), readChatUsage
	case OpenAIResponses:
		found, read = firstObject(body, "response.usage", "usage"), readResponsesUsage
	case Anthropic:
		found, read = firstObject(body, "usage", "message.usage"), readAnthropicUsage
	case Gemini:
		found, read = geminiUsage(body), readGeminiUsage
	}
	if !found.IsObject() {
		return Usage{}, false
	}
	return read(found), true
}

func readChatUsage(u gjson.Result) Usage {
	return Usage{
		InputTokens:      tokens(u, "prompt_tokens"),
		OutputTokens:     tokens(u, "completion_tokens"),
		CachedTokens:     tokens(u, "prompt_tokens_details.cached_tokens"),
		CacheWriteTokens: tokens(u, "prompt_tokens_details.cache_write_tokens"),
	}
}

func readResponsesUsage(u gjson.Result) Usage {
	return Usage{
		InputTokens:      tokens(u, "input_tokens"),
		OutputTokens:     tokens(u, "output_tokens"),
		CachedTokens:     tokens(u, "input_tokens_details.cached_tokens"),
		CacheWriteTokens: tokens(u, "input_tokens_details.cache_write_tokens"),
	}
}

// readAnthropicUsage adds up the input: Anthropic's input_tokens leave the cached part out.
func readAnthropicUsage(u gjson.Result) Usage {
	cached := tokens(u, "cache_read_input_tokens")
	written := tokens(u, "cache_creation_input_tokens")
	return Usage{
		InputTokens:      tokens(u, "input_tokens") + cached + written,
		OutputTokens:     tokens(u, "output_tokens"),
		CachedTokens:     cached,
		CacheWriteTokens: written,
	}
}

// readGeminiUsage counts thoughts as output and the results of built-in tools as input,
// as they are billed; Gemini leaves both out of its main counts.
func readGeminiUsage(u gjson.Result) Usage {
	return Usage{
		InputTokens:  tokens(u, "promptTokenCount") + tokens(u, "toolUsePromptTokenCount"),
		OutputTokens: tokens(u, "candidatesTokenCount") + tokens(u, "thoughtsTokenCount"),
		CachedTokens: tokens(u, "cachedContentTokenCount"),
	}
}

// geminiUsage finds the usage of an answer, or the last one in a stream sent as an array.
func geminiUsage(body []byte) gjson.Result {
	root := gjson.ParseBytes(body)
	if !root.IsArray() {
		return root.Get("usageMetadata")
	}
	var last gjson.Result
	root.ForEach(func(_, chunk gjson.Result) bool {
		if u := chunk.Get("usageMetadata"); u.IsObject() {
			last = u
		}
		return true
	})
	return last
}

func firstObject(body []byte, paths ...string) gjson.Result {
	for _, path := range paths {
		if r := gjson.GetBytes(body, path); r.IsObject() {
			return r
		}
	}
	return gjson.Result{}
}

func tokens(u gjson.Result, path string) int64 {
	r := u.Get(path)
	if r.Type != gjson.Number || r.Num < 0 || r.Num > maxTokens {
		return 0
	}
	return r.Int()
}
