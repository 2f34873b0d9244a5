package providers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

func TestReadUsage_ReadsEveryFormat(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		format providers.Format
		body   string
		want   providers.Usage
		found  bool
	}{
		"chat": {
			providers.OpenAIChat, `{"id":"c","usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":64,"cache_write_tokens":8},"completion_tokens_details":{"reasoning_tokens":5}}}`,
			providers.Usage{InputTokens: 100, OutputTokens: 20, CachedTokens: 64, CacheWriteTokens: 8},
			true,
		},
		"chat chunk before the last": {providers.OpenAIChat, `{"choices":[],"usage":null}`, providers.Usage{}, false},
		"embeddings":                 {providers.OpenAIChat, `{"data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}`, providers.Usage{InputTokens: 8}, true},
		"response": {
			providers.OpenAIResponses, `{"object":"response","usage":{"input_tokens":50,"input_tokens_details":{"cached_tokens":32,"cache_write_tokens":4},"output_tokens":9}}`,
			providers.Usage{InputTokens: 50, OutputTokens: 9, CachedTokens: 32, CacheWriteTokens: 4},
			true,
		},
		"response event": {
			providers.OpenAIResponses, `{"type":"response.completed","response":{"usage":{"input_tokens":50,"output_tokens":9}}}`,
			providers.Usage{InputTokens: 50, OutputTokens: 9},
			true,
		},
		"response that began": {providers.OpenAIResponses, `{"type":"response.created","response":{"usage":null}}`, providers.Usage{}, false},
		"message": {
			providers.Anthropic, `{"type":"message","usage":{"input_tokens":3,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":7}}`,
			providers.Usage{InputTokens: 123, OutputTokens: 7, CachedTokens: 100, CacheWriteTokens: 20},
			true,
		},
		"message start": {
			providers.Anthropic, `{"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":100,"output_tokens":1}}}`,
			providers.Usage{InputTokens: 103, OutputTokens: 1, CachedTokens: 100},
			true,
		},
		"message delta": {providers.Anthropic, `{"type":"message_delta","delta":{},"usage":{"output_tokens":15}}`, providers.Usage{OutputTokens: 15}, true},
		"content": {
			providers.Gemini, `{"usageMetadata":{"promptTokenCount":40,"candidatesTokenCount":5,"thoughtsTokenCount":11,"cachedContentTokenCount":30,"toolUsePromptTokenCount":2,"totalTokenCount":58}}`,
			providers.Usage{InputTokens: 42, OutputTokens: 16, CachedTokens: 30},
			true,
		},
		"content as an array": {
			providers.Gemini, `[{"usageMetadata":{"promptTokenCount":4}},{"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":6}},{"candidates":[]}]`,
			providers.Usage{InputTokens: 4, OutputTokens: 6},
			true,
		},
		"another format":      {providers.Gemini, `{"usage":{"prompt_tokens":1}}`, providers.Usage{}, false},
		"no format":           {"", `{"usage":{"prompt_tokens":1}}`, providers.Usage{}, false},
		"not JSON":            {providers.OpenAIChat, `[DONE]`, providers.Usage{}, false},
		"unbelievable":        {providers.OpenAIChat, `{"usage":{"prompt_tokens":-4,"completion_tokens":1e300,"prompt_tokens_details":{"cached_tokens":"7"}}}`, providers.Usage{}, true},
		"no object":           {providers.OpenAIChat, `{"usage":[1]}`, providers.Usage{}, false},
		"broken in the usage": {providers.OpenAIChat, `{"usage":{"prompt_tokens":12,"completion`, providers.Usage{InputTokens: 12}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, found := providers.ReadUsage(tt.format, []byte(tt.body))
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.found, found)
		})
	}
}

func TestUsage_MergesLaterReports(t *testing.T) {
	t.Parallel()
	start := providers.Usage{InputTokens: 103, OutputTokens: 1, CachedTokens: 100, CacheWriteTokens: 3}
	require.Equal(t, start, start.Merge(providers.Usage{}))
	require.Equal(t, start, providers.Usage{}.Merge(start))
	require.Equal(t,
		providers.Usage{InputTokens: 103, OutputTokens: 15, CachedTokens: 90, CacheWriteTokens: 3},
		start.Merge(providers.Usage{OutputTokens: 15, CachedTokens: 90}))
}

func FuzzReadUsage(f *testing.F) {
	f.Add(`{"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}}`)
	f.Add(`{"response":{"usage":{"input_tokens":9223372036854775807,"output_tokens":-1}}}`)
	f.Add(`{"usage":{"input_tokens":1e18,"cache_read_input_tokens":1e18,"cache_creation_input_tokens":1e18}}`)
	f.Add(`[{"usageMetadata":{"promptTokenCount":1}},`)
	f.Add(`{"message":{"usage":{`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, format := range providers.AllFormats() {
			u, found := providers.ReadUsage(format, []byte(body))
			for _, n := range []int64{u.InputTokens, u.OutputTokens, u.CachedTokens, u.CacheWriteTokens} {
				require.GreaterOrEqual(t, n, int64(0))
			}
			if !found {
				require.Equal(t, providers.Usage{}, u)
			}
			require.Equal(t, u, u.Merge(u))
		}
	})
}
