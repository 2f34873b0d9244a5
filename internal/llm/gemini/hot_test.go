package gemini

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

const hotChunk = `{"candidates":[{"content":{"parts":[{"text":"a \"b\"\n"}],"role":"model"},"index":0,"safetyRatings":[{"p":[1,{}]},[]]}],` +
	`"usageMetadata":{"promptTokenCount":14,"thoughtsTokenCount":2,"candidatesTokenCount":9,"totalTokenCount":23,"promptTokensDetails":[{"modality":"TEXT","tokenCount":14}]},` +
	`"modelVersion":"gemini-3-pro","responseId":"Vb1x"}`

func TestHotElement_ReadsWhatGoogleSends(t *testing.T) {
	t.Parallel()
	var h hot
	require.True(t, h.read([]byte(hotChunk)))
	require.Equal(t, `"a \"b\"\n"`, string(h.piece))
	require.Equal(t, usage{Prompt: 14, Thoughts: 2, Candidates: 9}, h.usage)
}

// FuzzHotElement: what the short cut reads, the long way reads the same.
func FuzzHotElement(f *testing.F) {
	for _, seed := range []string{
		hotChunk, `{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`, `{"candidates":[{"content":{"parts":[{"text":"a","thought":true}]}}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}`, `{"candidates":[{"content":{"parts":[{"text":"a"},{"text":"b"}]}}]}`,
		`{"candidates":[{"index":1,"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":01}}`, `{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"error":{}}`,
		`{"candidates":[{"content":{"parts":[{"text":""}]}}],"x":-1.5e3} `, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\xff\xff\\\\\"}]}}]}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var h hot
		if !h.read(data) {
			return
		}
		begun := func() *streamDecoder {
			return &streamDecoder{assembler: assembler{started: true, open: llm.TextPart, index: 3}}
		}
		short, long := begun(), begun()
		got := short.takeHot(nil, &h)
		require.NoError(t, wire.Decode(data, &long.in))
		require.Equal(t, long.take(nil, &long.in, data), got)
		require.Equal(t, long.assembler, short.assembler)
	})
}
