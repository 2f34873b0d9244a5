package translate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/providers"
)

func TestTokenizer_CountsWordsNotBytes(t *testing.T) {
	t.Parallel()
	var tok translate.Tokenizer
	require.Zero(t, tok.Count(""))
	require.EqualValues(t, 2, tok.Count("hello world"))
	require.Positive(t, tok.Count("\xff\xfe"), "whatever the bytes")
	long := strings.Repeat("hello world ", 100_000)
	require.InEpsilon(t, 200_000, tok.Count(long), 0.01, "what is too long is estimated from its beginning")
}

func TestReadCount_ReadsWhatAppendCountWrites(t *testing.T) {
	t.Parallel()
	for _, f := range []providers.Format{providers.OpenAIResponses, providers.Anthropic, providers.Gemini} {
		require.True(t, translate.CanCount(f))
		n, ok := translate.ReadCount(f, translate.AppendCount(nil, f, 42))
		require.True(t, ok)
		require.EqualValues(t, 42, n)
		_, ok = translate.ReadCount(f, []byte(`{"input_tokens":"x","totalTokens":-1}`))
		require.False(t, ok)
	}
	require.False(t, translate.CanCount(providers.OpenAIChat))
}
