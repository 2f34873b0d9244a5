package responses

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/sse"
)

// seed adds the inputs of the golden files of a kind.
func seed(f *testing.F, kind string, add func(input string)) {
	files, err := filepath.Glob("testdata/" + kind + "_*.golden")
	require.NoError(f, err)
	for _, name := range files {
		content, err := os.ReadFile(name)
		require.NoError(f, err)
		input, _, _ := strings.Cut(string(content), answerMark)
		add(input)
	}
}

// Whatever a client sends, it is an error or a request that can be said again, if nothing in
// it is refused; and then it is understood as the same.
func FuzzDecodeRequest(f *testing.F) {
	seed(f, "request", func(input string) { f.Add([]byte(input)) })
	f.Add([]byte(`{"input":[{"role":"user","content":[{"type":"input_text","text":null},{"type":"x"}]}],"tools":[{"type":"namespace","name":"a","tools":[{"type":"namespace"}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Codec{}.DecodeRequest(body)
		if err != nil {
			require.ErrorAs(t, err, new(*llm.DecodeError))
			return
		}
		encoded, _, err := Codec{}.EncodeRequest(nil, r, llm.Target{})
		if err != nil {
			require.ErrorAs(t, err, new(*llm.UnsupportedError))
			return
		}
		require.True(t, json.Valid(encoded), string(encoded))
		back, err := Codec{}.DecodeRequest(encoded)
		require.NoError(t, err, string(encoded))
		again, _, err := Codec{}.EncodeRequest(nil, back, llm.Target{})
		require.NoError(t, err)
		require.JSONEq(t, string(encoded), string(again))

		with, err := WithHistory(body, AppendItems(nil, &llm.Answer{Parts: []llm.Part{say("a")}}, replyTo(r)))
		require.NoError(t, err)
		require.True(t, json.Valid(with), string(with))
	})
}

// Whatever an upstream answers, it is an error or an answer that clients understand.
func FuzzDecodeAnswer(f *testing.F) {
	seed(f, "answer", func(input string) { f.Add([]byte(input)) })
	f.Add([]byte(`{"output":[{"type":"function_call","arguments":{},"name":null},{"type":"reasoning","encrypted_content":"` + llm.MarkPrefix + `"}],"usage":{"input_tokens":-1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		Codec{}.DecodeError(500, body)
		events, err := Codec{}.DecodeAnswer(body)
		if err != nil {
			require.ErrorAs(t, err, new(*llm.DecodeError))
			return
		}
		requireSaneEvents(t, events)
		accumulate(t, encodeStream(events, replyTo(client())))
	})
}

// Whatever an upstream streams, and wherever it is cut, it is the same events, and clients
// understand what comes of them.
func FuzzStreamDecoder(f *testing.F) {
	seed(f, "stream", func(input string) { f.Add([]byte(input+"\n\n"), uint16(7)) })
	f.Add([]byte("data: {\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{\"}\n\ndata: {\"type\":\"response.done\"}\n\n"), uint16(3))
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16) {
		whole, err := readStream(stream, len(stream)+1)
		pieces, pieceErr := readStream(stream, 1+int(cut)%64)
		require.Equal(t, whole, pieces)
		require.Equal(t, err, pieceErr)
		requireSaneEvents(t, whole)
		if err == nil && len(whole) > 0 && whole[len(whole)-1].Kind == llm.Finish {
			accumulate(t, encodeStream(whole, replyTo(client())))
		}
	})
}

// readStream decodes a stream that comes in pieces of so many bytes.
func readStream(stream []byte, step int) ([]llm.Event, error) {
	var (
		s   sse.Scanner
		d   = Codec{}.StreamDecoder()
		out []llm.Event
	)
	for len(stream) > 0 {
		n := min(step, len(stream))
		err := s.Feed(stream[:n], func(e sse.Event) error {
			var err error
			out, err = d.Decode(out, e.Name, e.Data)
			return err
		})
		if err != nil {
			return out, err
		}
		stream = stream[n:]
	}
	return d.Close(out), nil
}

// requireSaneEvents checks that events make sense as they are: parts begin before they go
// on, and nothing follows the end.
func requireSaneEvents(t *testing.T, events []llm.Event) {
	t.Helper()
	open := map[int]bool{}
	for i, e := range events {
		switch e.Kind {
		case llm.Start:
		case llm.PartStart:
			_, begun := open[e.Index]
			require.False(t, begun, "part %d begins again", e.Index)
			open[e.Index] = true
		case llm.Delta, llm.Signed, llm.PartEnd:
			require.True(t, open[e.Index], "part %d is not open", e.Index)
			open[e.Index] = e.Kind != llm.PartEnd
		case llm.Finish, llm.Failed:
			require.Len(t, events, i+1, "something follows the end")
		}
	}
}
