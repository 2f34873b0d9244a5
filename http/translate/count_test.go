package translate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/sse"
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

// An upstream may stream without end.
func TestAnswer_CollectsSoMuchAndNoMore(t *testing.T) {
	t.Parallel()
	c, err := translate.Decode(providers.OpenAIResponses, []byte(`{"model":"m","input":"hi"}`), false)
	require.NoError(t, err)
	piece := sse.Event{Data: []byte(`{"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("x", 1<<20) + `"}}]}`)}

	whole := c.Answer(providers.OpenAIChat, translate.Client{})
	for n := 0; err == nil && n < 40; n++ {
		err = whole.Take(piece)
	}
	require.Error(t, err, "for a client that wants it whole")

	streamed := c.Answer(providers.OpenAIChat, translate.Client{Stream: true})
	streamed.Keep()
	for range 40 {
		require.NoError(t, streamed.Take(piece))
		require.Less(t, len(streamed.Out()), 2<<20)
	}
	streamed.Close()
	_, items := streamed.Turn([]byte(`"hi"`))
	require.Empty(t, items, "nothing is kept of it")
}
