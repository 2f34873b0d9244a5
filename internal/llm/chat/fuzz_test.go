package chat

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/sse"
)

// inputs are what comes in, in the golden files of a folder.
func inputs(f *testing.F, folder string) []string {
	f.Helper()
	files, err := filepath.Glob("testdata/" + folder + "/*.golden")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	var list []string
	for _, name := range files {
		content, err := os.ReadFile(name)
		require.NoError(f, err)
		input, _, _ := strings.Cut(string(content), resultMark)
		list = append(list, input)
	}
	return list
}

func FuzzDecodeRequest(f *testing.F) {
	for _, s := range inputs(f, "request") {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, isCompatible bool) {
		r, err := Codec{}.DecodeRequest(body)
		if err != nil {
			var wrong *llm.DecodeError
			require.ErrorAs(t, err, &wrong)
			require.NotEmpty(t, wrong.Reason)
			return
		}
		out, _, err := Codec{}.EncodeRequest(nil, r, llm.Target{Compatible: isCompatible})
		if err != nil {
			var unsupported *llm.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			return
		}
		require.True(t, json.Valid(out), string(out))
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	for _, s := range inputs(f, "answer") {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := Codec{}.DecodeAnswer(body)
		if err != nil {
			var wrong *llm.DecodeError
			require.ErrorAs(t, err, &wrong)
			return
		}
		requireOrdered(t, events, true)
		require.True(t, json.Valid(Codec{}.EncodeAnswer(nil, llm.Collect(events), reply())))
	})
}

// FuzzStreamDecoder feeds a stream cut at random: the events do not depend on the cuts,
// make a sequence, and can be told to a client.
func FuzzStreamDecoder(f *testing.F) {
	for i, s := range inputs(f, "stream") {
		f.Add(s, uint64(i))
	}
	f.Fuzz(func(t *testing.T, stream string, seed uint64) {
		events, err := streamed(stream)
		again, errAgain := cut(stream, rand.New(rand.NewPCG(seed, 0)))
		require.Equal(t, events, again)
		require.Equal(t, err, errAgain)
		requireOrdered(t, events, false)

		e := Codec{}.StreamEncoder(reply())
		var out []byte
		for _, event := range events {
			out = e.Encode(out, event)
		}
		require.Equal(t, strings.Count(string(out), "\n\n"), e.Progress().Elements)
		_, err = streamed(string(out))
		require.NoError(t, err, string(out))
	})
}

func cut(stream string, r *rand.Rand) ([]llm.Event, error) {
	d := Codec{}.StreamDecoder()
	var (
		events  []llm.Event
		scanner sse.Scanner
	)
	take := func(e sse.Event) error {
		var err error
		events, err = d.Decode(events, e.Name, e.Data)
		return err
	}
	for len(stream) > 0 {
		n := 1 + r.IntN(min(len(stream), 1+r.IntN(64)))
		if err := scanner.Feed([]byte(stream[:n]), take); err != nil {
			return events, err
		}
		stream = stream[n:]
	}
	if err := scanner.Close(take); err != nil {
		return events, err
	}
	return d.Close(events), nil
}

// requireOrdered sees to it that events are an answer: one start, before all else, parts
// that begin once, and one end, after all else, if there is one.
func requireOrdered(t *testing.T, events []llm.Event, ended bool) {
	t.Helper()
	begun, open := map[int]bool{}, map[int]bool{}
	for i, e := range events {
		switch e.Kind {
		case llm.Start:
			require.Zero(t, i)
		case llm.PartStart:
			require.False(t, begun[e.Index])
			require.Len(t, begun, e.Index)
			begun[e.Index], open[e.Index] = true, true
			require.True(t, e.Part != llm.ToolCallPart || e.ID != "" && e.Name != "")
		case llm.Delta, llm.Signed:
			require.True(t, open[e.Index])
			require.NotEmpty(t, e.Text)
		case llm.PartEnd:
			require.True(t, open[e.Index])
			delete(open, e.Index)
		case llm.Finish:
			require.Empty(t, open)
			require.Len(t, events, i+1)
		case llm.Failed:
			require.NotEmpty(t, e.Failure.Message)
			require.Len(t, events, i+1)
		}
	}
	if ended {
		require.Contains(t, []llm.EventKind{llm.Finish, llm.Failed}, events[len(events)-1].Kind)
	}
}

// FuzzQuick holds the quick reading of chunks against the thorough one.
func FuzzQuick(f *testing.F) {
	for _, s := range inputs(f, "stream") {
		for line := range strings.SplitSeq(s, "\n") {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				f.Add([]byte(data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var q quick
		if !q.chunk(data) {
			return
		}
		thorough, quickly := newAssembly(), newAssembly()
		thorough.started, quickly.started = true, true
		want, err := thorough.decodeThoroughly(nil, data)
		require.NoError(t, err)
		got, err := quickly.Decode(nil, nil, data)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func FuzzDecodeError(f *testing.F) {
	for _, s := range inputs(f, "error") {
		_, body, _ := strings.Cut(s, "\n")
		f.Add(429, []byte(body))
		f.Add(0, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		failure := Codec{}.DecodeError(status, body)
		require.NotEmpty(t, failure.Message)
		require.GreaterOrEqual(t, failure.RetryAfter, failure.RetryAfter*0)
		require.True(t, json.Valid(appendFailure(nil, failure)))
	})
}

func TestDecode_EndsOnHostileInput(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	deeper := strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	for name, value := range map[string]string{
		"deep": deep, "deeper": deeper, "half": strings.Repeat("[", 100_000), "huge number": "1" + strings.Repeat("0", 10_000),
		"exponent": "1e999999999", "negative": "-1", "null": "null", "bad UTF-8": "\"\xff\xfe\"", "lone surrogate": `"\ud800"`,
		"duplicates": `{"type":"text","type":7,"text":"a","text":null}`, "NUL": `"\u0000"`,
	} {
		for _, body := range []string{
			`{"messages":` + value + `}`, `{"messages":[` + value + `]}`, `{"messages":[{"role":"user","content":` + value + `}]}`,
			`{"messages":[{"role":"user","content":[` + value + `]}],"messages":` + value + `}`,
			`{"messages":[{"role":"user","content":"a"}],"x":` + value + `,"max_tokens":` + value + `}`,
			`{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":` + value + `}}]}`,
			`{"id":` + value + `,"choices":[{"delta":` + value + `}],"usage":` + value + `}`,
			`{"id":` + value + `,"choices":[{"message":{"content":` + value + `,"tool_calls":[{"function":{"arguments":` + value + `}}]}}]}`,
			`{"usage":{"prompt_tokens":` + value + `},"choices":[{"index":0,"message":{"reasoning_details":` + value + `}}]}`,
			`{"error":` + value + `}`, value,
		} {
			if r, err := (Codec{}).DecodeRequest([]byte(body)); err == nil {
				out, _, err := Codec{}.EncodeRequest(nil, r, llm.Target{})
				require.True(t, err != nil || json.Valid(out), name)
			}
			if events, err := (Codec{}).DecodeAnswer([]byte(body)); err == nil {
				requireOrdered(t, events, true)
				for _, e := range events {
					require.True(t, e.Usage == nil || e.Usage.Total() >= 0 && e.Usage.Total() <= 2*maxCount)
				}
			}
			events, _ := streamed("data: " + body + "\n\ndata: [DONE]\n\n")
			requireOrdered(t, events, false)
			require.NotEmpty(t, Codec{}.DecodeError(500, []byte(body)).Message)
		}
	}
}

func TestDecodeRequest_ListsOnlySoManyUnknownMembers(t *testing.T) {
	t.Parallel()
	body := `{"messages":[{"role":"user","content":"a"}]` + strings.Repeat(`,"a":1`, 1000)
	for i := range 1000 {
		body += `,"m` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + `":1`
	}
	require.Len(t, decoded(t, body+"}").Unsaid, maxUnsaid)
}
