package gemini_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/gemini"
)

func TestDecodeAnswer_TR37_CountsWhatIsNotTold(t *testing.T) {
	t.Parallel()
	events, err := gemini.Codec{}.DecodeAnswer([]byte(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}`))
	require.NoError(t, err)
	require.Equal(t, &llm.Usage{Input: 7}, events[len(events)-1].Usage)
}

func TestStreamDecoder_TR37_TellsNoUsageIfThereIsNone(t *testing.T) {
	t.Parallel()
	events := streamed(t, []byte("data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n"))
	require.Nil(t, events[len(events)-1].Usage)
}

func TestStreamEncoder_TR38_TellsTheReasonOnTheLastChunk(t *testing.T) {
	t.Parallel()
	// An upstream's reason on a middle chunk: the decoder keeps it to the end.
	events := streamed(t, []byte(`data: {"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"MAX_TOKENS"}]}

data: {"candidates":[{"content":{"parts":[{"text":"b"}]}}]}

`))
	require.Equal(t, llm.Finish, events[len(events)-1].Kind)
	out := bytes.Split(bytes.TrimSuffix(stream(reply(), events), []byte("\r\n\r\n")), []byte("\r\n\r\n"))
	for i, chunk := range out {
		require.Equal(t, i == len(out)-1, bytes.Contains(chunk, []byte(`"finishReason":"MAX_TOKENS"`)))
		require.Equal(t, i == len(out)-1, bytes.Contains(chunk, []byte(`usageMetadata`)))
	}
}

func TestStreamDecoder_TR46_MakesASignatureAThoughtOfItsOwn(t *testing.T) {
	t.Parallel()
	events := streamed(t, []byte(`data: {"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"c2ln"}]},"finishReason":"STOP"}]}`))
	require.Equal(t, []llm.Event{
		{Kind: llm.Start},
		{Kind: llm.PartStart, Part: llm.ThinkingPart},
		{Kind: llm.Signed, Text: "c2ln", Origin: llm.Gemini},
		{Kind: llm.PartEnd},
		{Kind: llm.Finish, Reason: llm.Stop},
	}, events)
}

func TestEncodeAnswer_TR47_KeepsToolIDs(t *testing.T) {
	t.Parallel()
	a := &llm.Answer{Parts: []llm.Part{&llm.ToolCall{ID: "toolu_01", Name: "f", Arguments: "{}"}, &llm.ToolCall{ID: "x"}}, Reason: llm.ToolCalls}
	const call = `"functionCall":{"id":"toolu_01","name":"f","args":{}}`
	require.Contains(t, string(gemini.Codec{}.EncodeAnswer(nil, a, reply())), call)
	out := string(stream(reply(), a.Events()))
	require.Contains(t, out, call)
	require.Contains(t, out, `"functionCall":{"id":"x","name":"unnamed_tool","args":{}}`)
}

func TestStreamEncoder_WrapsArgumentsThatAreNoObject(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{`{"a":`: `{"input":"{\"a\":"}`, `[1]`: `{"input":"[1]"}`, "": `{}`, "{\"a\":\xff}": `{"input":"{\"a\":�}"}`} {
		a := &llm.Answer{Parts: []llm.Part{&llm.ToolCall{ID: "x", Name: "f", Arguments: args}}}
		require.Contains(t, string(stream(reply(), a.Events())), `"args":`+want+`}`)
	}
}

func TestCodec_MapsFinishReasons(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]llm.FinishReason{
		"STOP": llm.Stop, "MAX_TOKENS": llm.Length, "SAFETY": llm.Filtered, "RECITATION": llm.Filtered, "PROHIBITED_CONTENT": llm.Filtered,
		"MALFORMED_FUNCTION_CALL": llm.Broken, "OTHER": llm.Broken, "SOMETHING_NEW": llm.Stop, "FINISH_REASON_UNSPECIFIED": llm.Stop,
	} {
		events, err := gemini.Codec{}.DecodeAnswer(fmt.Appendf(nil, `{"candidates":[{"finishReason":%q}]}`, word))
		require.NoError(t, err)
		require.Equal(t, want, events[len(events)-1].Reason, word)
	}
	for reason, want := range map[llm.FinishReason]string{
		llm.Stop: "STOP", llm.StopSequence: "STOP", llm.ToolCalls: "STOP", llm.Paused: "STOP", "": "STOP",
		llm.Length: "MAX_TOKENS", llm.Filtered: "SAFETY", llm.Refused: "SAFETY", llm.Broken: "MALFORMED_FUNCTION_CALL",
	} {
		require.Contains(t, string(gemini.Codec{}.EncodeAnswer(nil, &llm.Answer{Reason: reason}, reply())), `"finishReason":"`+want+`"`)
	}
}

func TestStreamDecoder_StandsWhatProxiesAdd(t *testing.T) {
	t.Parallel()
	want := streamed(t, []byte("data: "+benchChunk+"\n\ndata: {\"candidates\":[{\"finishReason\":\"STOP\"}]}"))
	got := streamed(t, []byte(": ping\n\nevent: message\ndata: "+benchChunk+"\n\ndata:\n\ndata: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\ndata: [DONE]\n\n"))
	require.Equal(t, want, got)
	_, err := gemini.Codec{}.StreamDecoder().Decode(nil, nil, []byte("{"))
	require.ErrorAs(t, err, new(*llm.DecodeError))
}

func TestDecodeError_AlwaysHasSomethingToTell(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]llm.Failure{
		`{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}`: {Status: 400, Type: "INVALID_ARGUMENT", Message: "bad"},
		`{"error":"plain"}`:             {Message: "plain"},
		`{"message":"bare","code":404}`: {Status: 404, Message: "bare"},
		`{"error":{"code":7}}`:          {Message: "the upstream gave no reason"},
		``:                              {Message: "the upstream gave no reason"},
		`[]`:                            {Message: "the upstream gave no reason"},
		"\xff\xfe":                      {Message: "the upstream gave no reason"},
	} {
		require.Equal(t, &want, gemini.Codec{}.DecodeError(0, []byte(body)), body)
	}
}

// drawAnswer draws what an answer may hold.
func drawAnswer(t *rapid.T) *llm.Answer {
	text := rapid.StringN(0, 8, -1)
	a := &llm.Answer{
		ID: rapid.StringMatching(`[a-z0-9_]{1,8}`).Draw(t, "id"), Model: "m",
		Reason: rapid.SampledFrom([]llm.FinishReason{llm.Stop, llm.Length, llm.Filtered, llm.ToolCalls, llm.Broken}).Draw(t, "reason"),
		Usage:  llm.Usage{Input: rapid.Int64Range(0, 1e6).Draw(t, "input"), CacheRead: rapid.Int64Range(0, 100).Draw(t, "cached")},
	}
	a.Usage.Reasoning = rapid.Int64Range(0, 1e3).Draw(t, "thoughts")
	a.Usage.Output = a.Usage.Reasoning + rapid.Int64Range(0, 1e6).Draw(t, "output")
	for range rapid.IntRange(0, 6).Draw(t, "parts") {
		signature := rapid.SampledFrom([]string{"", "c2ln", "b3du"}).Draw(t, "signature")
		origin := rapid.SampledFrom([]llm.Format{llm.Gemini, llm.Messages}).Draw(t, "origin")
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			a.Parts = append(a.Parts, &llm.Text{Text: text.Draw(t, "text")})
		case 1:
			a.Parts = append(a.Parts, &llm.Refusal{Text: text.Draw(t, "refusal")})
		case 2:
			a.Parts = append(a.Parts, &llm.Thinking{Text: text.Draw(t, "thought"), Signature: signature, Origin: origin})
		case 3:
			a.Parts = append(a.Parts, &llm.Thinking{Signature: signature, Origin: origin, Redacted: true})
		case 4:
			a.Parts = append(a.Parts, &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n"})
		default:
			args := rapid.SampledFrom([]string{"", "{}", `{"a":[1,"\n"]}`, `{"a":`, "7"}).Draw(t, "args")
			a.Parts = append(a.Parts, &llm.ToolCall{ID: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "call"), Name: "f", Arguments: args})
		}
	}
	return a
}

// pieces cuts the deltas of events and lets the parts run beside each other.
func pieces(t *rapid.T, events []llm.Event) []llm.Event {
	var out []llm.Event
	for _, e := range events {
		for e.Kind == llm.Delta && len(e.Text) > 1 && rapid.Bool().Draw(t, "cut") {
			n := rapid.IntRange(1, len([]rune(e.Text))).Draw(t, "at")
			first := e
			first.Text = string([]rune(e.Text)[:n])
			e.Text = string([]rune(e.Text)[n:])
			out = append(out, first)
		}
		out = append(out, e)
	}
	// A part may begin before the one ahead of it has ended.
	for i := 1; i < len(out); i++ {
		if out[i].Kind == llm.PartStart && out[i-1].Kind == llm.PartEnd && rapid.Bool().Draw(t, "early") {
			out[i], out[i-1] = out[i-1], out[i]
		}
	}
	return out
}

// TestStreamEncoder_AgreesWithEncodeAnswer: whatever the pieces, an SDK's accumulator gets
// the whole answer, and a decoder the same answer from either.
func TestStreamEncoder_AgreesWithEncodeAnswer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		events := pieces(rt, drawAnswer(rt).Events())
		whole := gemini.Codec{}.EncodeAnswer(nil, llm.Collect(events), reply())
		r := reply()
		r.Array = rapid.Bool().Draw(rt, "array")
		s := gemini.Codec{}.StreamEncoder(r)
		var out []byte
		for _, e := range append(events, events...) { // nothing follows the end
			out = s.Encode(out, e)
		}
		chunks := elements(t, out, r.Array)
		require.Len(t, chunks, s.Progress().Elements)
		require.Equal(t, accumulated(t, [][]byte{whole}), accumulated(t, chunks))

		want, err := gemini.Codec{}.DecodeAnswer(whole)
		require.NoError(t, err)
		d := gemini.Codec{}.StreamDecoder()
		var got []llm.Event
		for _, c := range chunks {
			got, err = d.Decode(got, nil, c)
			require.NoError(t, err)
		}
		require.Equal(t, llm.Collect(want), llm.Collect(d.Close(got)))
	})
}

// elements returns those of a stream, which has to be well framed.
func elements(t *testing.T, out []byte, array bool) [][]byte {
	t.Helper()
	if array {
		var all []json.RawMessage
		require.NoError(t, json.Unmarshal(out, &all), string(out))
		chunks := make([][]byte, len(all))
		for i := range all {
			chunks[i] = all[i]
		}
		return chunks
	}
	out, ended := bytes.CutSuffix(out, []byte("\r\n\r\n"))
	require.True(t, ended)
	chunks := bytes.Split(out, []byte("\r\n\r\n"))
	for i, c := range chunks {
		data, ok := bytes.CutPrefix(c, []byte("data: "))
		require.True(t, ok)
		require.True(t, json.Valid(data), string(data))
		require.False(t, bytes.ContainsAny(data, "\r\n"))
		chunks[i] = data
	}
	return chunks
}

// accumulated puts chunks together as Google's SDKs do: all parts after each other, texts
// and thoughts joined until a signature ends them.
func accumulated(t *testing.T, chunks [][]byte) map[string]any {
	t.Helper()
	var (
		all  []map[string]any
		last map[string]any
	)
	for i, c := range chunks {
		var chunk map[string]any
		require.NoError(t, json.Unmarshal(c, &chunk))
		candidate, _ := chunk["candidates"].([]any)[0].(map[string]any)
		require.Equal(t, i == len(chunks)-1, candidate["finishReason"] != nil)
		content, _ := candidate["content"].(map[string]any)
		for _, p := range content["parts"].([]any) {
			part, _ := p.(map[string]any)
			all = joinPart(all, part)
		}
		candidate["content"] = nil
		last = chunk
	}
	return map[string]any{"parts": all, "rest": last}
}

func joinPart(all []map[string]any, part map[string]any) []map[string]any {
	text, isText := part["text"].(string)
	if isText && text == "" && part["thoughtSignature"] == nil {
		return all
	}
	if n := len(all); n > 0 && isText && text != "" {
		before := all[n-1]
		prose, ok := before["text"].(string)
		sameKind := before["thought"] == part["thought"]
		open := before["thought"] == nil || before["thoughtSignature"] == nil
		fresh := part["thought"] != nil || part["thoughtSignature"] == nil
		if ok && prose != "" && sameKind && open && fresh {
			before["text"] = prose + text
			if part["thoughtSignature"] != nil {
				before["thoughtSignature"] = part["thoughtSignature"]
			}
			return all
		}
	}
	return append(slices.Clip(all), part)
}

func TestDecodeAnswer_TakesDataURLsApart(t *testing.T) {
	t.Parallel()
	events, err := gemini.Codec{}.DecodeAnswer([]byte(`{"candidates":[{"content":{"parts":[
		{"fileData":{"fileUri":"data:image/png;base64,aW1n"}},{"fileData":{"fileUri":"gs://a/b","mimeType":"video/mp4"}},{"fileData":{}},{"inlineData":{}}]}}]}`))
	require.NoError(t, err)
	require.Equal(t, []llm.Part{
		&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n"}, &llm.Media{Kind: llm.Video, MIME: "video/mp4", URL: "gs://a/b"},
	}, llm.Collect(events).Parts)
}

func TestEncodeAnswer_SaysFailuresInGooglesWords(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]*llm.Failure{
		`{"error":{"code":500,"message":"the upstream gave no reason","status":"INTERNAL"}}`: {},
		`{"error":{"code":418,"message":"m","status":"FAILED_PRECONDITION"}}`:                {Status: 418, Message: "m", Type: "teapot"},
		`{"error":{"code":502,"message":"m","status":"INTERNAL"}}`:                           {Status: 502, Message: "m"},
		`{"error":{"code":400,"message":"m","status":"OUT_OF_RANGE"}}`:                       {Status: 400, Message: "m", Type: "OUT_OF_RANGE"},
		`{"error":{"code":400,"message":"m","status":"NOT_FOUND"}}`:                          {Status: 400, Message: "m", Type: "NOT_FOUND"},
		`{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"a":1}]}}`: {
			Status: 429, Message: "m", Details: json.RawMessage("[{\"a\":1}]"), RetryAfter: 1,
		},
	} {
		require.Equal(t, want, string(gemini.Codec{}.EncodeAnswer(nil, &llm.Answer{Failure: f}, reply())))
	}
}
