package messages

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

// seeds adds what goes into the golden files of a kind.
func seeds(f *testing.F, kind string) []string {
	f.Helper()
	files, err := filepath.Glob("testdata/" + kind + "_*.golden")
	require.NoError(f, err)
	var given []string
	for _, name := range files {
		content, err := os.ReadFile(name)
		require.NoError(f, err)
		before, _, _ := strings.Cut(string(content), goldenMark)
		given = append(given, before)
	}
	return append(given, `{`, `null`, "\xff", `{"messages":[{"role":"user","content":[{"type":"text","text":"\ud800\xff"}]}]}`)
}

// FuzzDecodeRequest reads any bytes: an error, or a request that can be said again.
func FuzzDecodeRequest(f *testing.F) {
	for _, s := range seeds(f, "request") {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		given := bytes.Clone(body)
		r, err := Codec{}.DecodeRequest(body)
		require.Equal(t, given, body)
		if err != nil {
			var decode *llm.DecodeError
			require.ErrorAs(t, err, &decode)
			return
		}
		out, lost, err := Codec{}.EncodeRequest(nil, r, llm.Target{})
		if err != nil {
			var unsupported *llm.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			return
		}
		require.True(t, json.Valid(out), "%s", out)
		require.Subset(t, Codec{}.Losses(), lost)
		_, err = Codec{}.DecodeRequest(out)
		require.NoError(t, err, "%s", out)
	})
}

// FuzzDecodeAnswer reads any bytes as an answer, and says again what is in them.
func FuzzDecodeAnswer(f *testing.F) {
	for _, s := range seeds(f, "answer") {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := Codec{}.DecodeAnswer(body)
		if err != nil {
			var decode *llm.DecodeError
			require.ErrorAs(t, err, &decode)
			return
		}
		require.True(t, json.Valid(Codec{}.EncodeAnswer(nil, llm.Collect(events), aReply())))
		accumulate(t, encodeStream(events, aReply()))
		require.NotEmpty(t, Codec{}.DecodeError(500, body).Message)
	})
}

// FuzzStreamDecoder reads any bytes as a stream: the events do not depend on where it is
// cut, there is one end at most, and what a client gets of them is valid.
func FuzzStreamDecoder(f *testing.F) {
	for i, s := range seeds(f, "stream") {
		f.Add([]byte(s), uint64(i))
	}
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		want, err := tryStream(stream)
		got, cutErr := tryStream(cut(stream, rand.New(rand.NewPCG(seed, 0)))...)
		require.Equal(t, err, cutErr)
		require.Equal(t, want, got)
		ends := 0
		for _, e := range want {
			if e.Kind == llm.Finish || e.Kind == llm.Failed {
				ends++
			}
		}
		require.LessOrEqual(t, ends, 1)
		accumulate(t, encodeStream(want, aReply()))
	})
}

func cut(stream []byte, r *rand.Rand) [][]byte {
	var chunks [][]byte
	for len(stream) > 0 {
		n := 1 + r.IntN(min(len(stream), 64))
		chunks = append(chunks, stream[:n])
		stream = stream[n:]
	}
	return chunks
}

// FuzzQuick reads any bytes as a delta, the quick way and the other.
func FuzzQuick(f *testing.F) {
	for _, s := range []string{
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\"b\\"}   }`,
		`{"type":"content_block_delta","index":12,"delta":{"type":"thinking_delta","thinking":"\u00e9"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}`,
		`{"type":"content_block_delta","index":01,"delta":{"type":"text_delta","text":"a"}}`,
		`{"type":"content_block_delta","index":,"delta":{"type":"text_delta","text":null}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d streamDecoder
		kind, index, ok := d.quick(data)
		if !ok {
			return
		}
		var e struct {
			Index int               `json:"index"`
			Delta map[string]string `json:"delta"`
		}
		require.NoError(t, json.Unmarshal(data, &e), "%s", data)
		require.Equal(t, e.Index, index)
		member := map[deltaOf]string{ofText: "text", ofThinking: "thinking", ofInput: "partial_json"}[kind]
		require.Equal(t, e.Delta[member], string(d.text))
	})
}
