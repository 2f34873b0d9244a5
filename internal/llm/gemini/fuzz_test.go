package gemini_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/gemini"
	"github.com/understudyhq/understudy/internal/sse"
)

func seed(f *testing.F, pattern string, add func(given string)) {
	f.Helper()
	files, err := filepath.Glob("testdata/" + pattern)
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, name := range files {
		content, err := os.ReadFile(name)
		require.NoError(f, err)
		given, _, _ := strings.Cut(string(content), resultMark)
		add(given)
	}
}

// FuzzDecodeRequest: a request of any bytes is an error for a client or can be encoded.
func FuzzDecodeRequest(f *testing.F) {
	seed(f, "request_*.golden", func(given string) { f.Add([]byte(given)) })
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := gemini.Codec{}.DecodeRequest(body)
		if err != nil {
			require.ErrorAs(t, err, new(*llm.DecodeError))
			return
		}
		out, _, err := gemini.Codec{}.EncodeRequest(nil, r, llm.Target{})
		if err != nil {
			require.ErrorAs(t, err, new(*llm.UnsupportedError))
			return
		}
		require.True(t, json.Valid(out), string(out))
		_, err = gemini.Codec{}.DecodeRequest(out)
		require.NoError(t, err)
	})
}

// FuzzDecodeAnswer: an answer of any bytes is an error or a well-formed answer that can be
// encoded.
func FuzzDecodeAnswer(f *testing.F) {
	seed(f, "answer_*.golden", func(given string) { f.Add([]byte(given)) })
	seed(f, "error_*.golden", func(given string) { f.Add([]byte(given)) })
	f.Fuzz(func(t *testing.T, body []byte) {
		require.NotEmpty(t, gemini.Codec{}.DecodeError(0, body).Message)
		events, err := gemini.Codec{}.DecodeAnswer(body)
		if err != nil {
			require.ErrorAs(t, err, new(*llm.DecodeError))
			return
		}
		wellFormed(t, events, true)
		require.True(t, json.Valid(gemini.Codec{}.EncodeAnswer(nil, llm.Collect(events), reply())))
	})
}

// FuzzStreamDecoder: a stream of any bytes, cut anywhere, is well formed as far as it goes,
// and the same wherever it is cut.
func FuzzStreamDecoder(f *testing.F) {
	seed(f, "stream_*.golden", func(given string) { f.Add([]byte(given), uint64(1)) })
	f.Fuzz(func(t *testing.T, body []byte, cuts uint64) {
		whole, wholeErr := fed(body, nil)
		pieces, piecesErr := fed(body, rand.New(rand.NewPCG(cuts, 0)))
		require.Equal(t, whole, pieces)
		require.Equal(t, wholeErr, piecesErr)
		wellFormed(t, whole, false)
		elementsOf := stream(reply(), whole)
		if over := len(whole) > 0 && whole[len(whole)-1].Kind >= llm.Finish; over {
			elements(t, elementsOf, false)
		}
	})
}

// fed decodes a stream in pieces; without a source of chance in one.
func fed(body []byte, chance *rand.Rand) (events []llm.Event, err error) {
	var scanner sse.Scanner
	d := gemini.Codec{}.StreamDecoder()
	take := func(e sse.Event) (err error) {
		events, err = d.Decode(events, e.Name, e.Data)
		return err
	}
	for len(body) > 0 {
		n := len(body)
		if chance != nil {
			n = 1 + chance.IntN(min(len(body), 24))
		}
		if err := scanner.Feed(body[:n], take); err != nil {
			return events, err
		}
		body = body[n:]
	}
	if err := scanner.Close(take); err != nil {
		return events, err
	}
	return d.Close(events), nil
}

// wellFormed holds events against the contract of a decoder: what a Sequence leaves out or
// changes was out of order.
func wellFormed(t *testing.T, events []llm.Event, complete bool) {
	t.Helper()
	var seq llm.Sequence
	var ordered []llm.Event
	for i, e := range events {
		require.False(t, seq.Over(), "nothing follows the end")
		if e.Kind == llm.Delta || e.Kind == llm.Signed {
			require.NotEmpty(t, e.Text)
		}
		require.Equal(t, i == 0 && e.Kind != llm.Failed, e.Kind == llm.Start)
		ordered = seq.Push(ordered, e)
	}
	require.True(t, !complete || seq.Over())
	if len(events) > 0 && events[0].Kind == llm.Start && seq.Over() {
		last := ordered[len(ordered)-1]
		require.Equal(t, events[len(events)-1], last)
		if last.Kind == llm.Finish {
			require.Equal(t, events, ordered, "the order is right already")
		}
	}
}
