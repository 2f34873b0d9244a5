package messages

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

func mustStream(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile("testdata/stream_" + name + ".golden")
	require.NoError(t, err)
	given, _, _ := strings.Cut(string(content), goldenMark)
	return given
}

func TestDecodeRequest_SaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`[]`:                              "an object is expected",
		`{`:                               "not valid JSON",
		`{"max_tokens":"a"}`:              "max_tokens: a whole number is expected",
		`{"max_tokens":1e99}`:             "max_tokens: a whole number is expected",
		`{"temperature":1e999}`:           "temperature: the number is too large",
		`{"messages":{}}`:                 "messages: an array is expected",
		`{"messages":[7]}`:                "messages[0]: an object is expected",
		`{"messages":[{"role":"robot"}]}`: "messages[0]: role must be user, assistant or system",
		`{"messages":[{"role":"user","content":7}]}`:                                             "messages[0].content: text or an array of blocks is expected",
		`{"messages":[{"role":"user","content":[{"type":"text"}]}]}`:                             "messages[0].content[0]: text is missing",
		`{"messages":[{"role":"user","content":[{}]}]}`:                                          "messages[0].content[0]: a block needs a type",
		`{"messages":[{"role":"user","content":[{"type":"image"}]}]}`:                            "messages[0].content[0]: a source needs a type that is known",
		`{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64"}}]}]}`: "messages[0].content[0]: the source is empty",
		`{"messages":[{"role":"user","content":[{"type":"tool_result"}]}]}`:                      "messages[0].content[0]: a tool_result needs a tool_use_id",
		`{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a"}]}]}`:           "messages[0].content[0]: a tool_use needs an id and a name",
		`{"tools":[{"input_schema":{}}]}`:                                                        "tools[0]: a tool needs a name",
		`{"tool_choice":{"type":"perhaps"}}`:                                                     "tool_choice: type must be auto, any, none or tool",
		`{"output_config":{"format":{"type":"grammar"}}}`:                                        "output_config.format.type: json_schema is expected",
		`{"output_config":{"format":{"schema":true}}}`:                                           "output_config.format.schema: an object is expected",
		`{"stream":1}`:   "stream: a boolean is expected",
		`{"model":"m"}x`: "not valid JSON",
	} {
		_, err := Codec{}.DecodeRequest([]byte(body))
		var decode *llm.DecodeError
		require.ErrorAs(t, err, &decode, body)
		require.Equal(t, want, err.Error(), body)
	}
}

func TestDecodeRequest_TakesNullsAndOddShapes(t *testing.T) {
	t.Parallel()
	r := decoded1(t, `{"model":null,"messages":[{"role":"user","content":["plain",{"type":"image","source":{"type":"url","url":"data:image/png;base64,iVBO"}}]},{"role":"user","content":null}],
		"system":null,"tools":null,"tool_choice":null,"thinking":null,"metadata":null,"stream":null,"max_tokens":null,"temperature":null,"cache_control":null,"output_config":null,"stop_sequences":null}`)
	require.Equal(t, &llm.Request{Messages: []llm.Message{
		said1(llm.User, text("plain"), &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "iVBO"}), {Role: llm.User},
	}}, r)
}

func TestDecodeRequest_KeepsTheOrderOfSystemWhereverItStands(t *testing.T) {
	t.Parallel()
	r := decoded1(t, `{"messages":[{"role":"system","content":"b"},{"role":"user","content":"hi"}],"system":"a","messages":[{"role":"system","content":"b"},{"role":"user","content":"hi"}]}`)
	require.Equal(t, []llm.Message{said1(llm.System, text("a"), text("b")), said1(llm.User, text("hi"))}, r.Messages)
}

func TestDecodeRequest_ReadsAThreadAsAnEarlierAnswer(t *testing.T) {
	t.Parallel()
	r := decoded1(t, `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}],"thread":{"type":"continue","previous_message_id":"msg_1"}}`)
	require.Equal(t, "msg_1", r.PreviousResponseID)
	_, _, err := Codec{}.EncodeRequest(nil, r, llm.Target{})
	require.EqualError(t, err, "an earlier answer that the upstream does not hold cannot be said in the format anthropic")
}

func TestEncodeRequest_RefusesWhatTheAnswerDependsOn(t *testing.T) {
	t.Parallel()
	user := func(m *llm.Media) *llm.Request { return conversation(said1(llm.User, m)) }
	tools := func(tool llm.Tool) *llm.Request {
		r := conversation(said1(llm.User, text("hi")))
		r.Tools = []llm.Tool{tool}
		return r
	}
	for want, r := range map[string]*llm.Request{
		"the tool code_interpreter":                    tools(llm.Tool{Kind: llm.Builtin, Name: "code_interpreter", Origin: llm.Responses, Raw: json.RawMessage(`{}`)}),
		"an image given by its file id":                user(&llm.Media{Kind: llm.Image, FileID: "file_1", Origin: llm.Responses}),
		"an image of an unknown type":                  user(&llm.Media{Kind: llm.Image, Data: "AAAA"}),
		"an image in Google's storage":                 user(&llm.Media{Kind: llm.Image, URL: "gs://a/b"}),
		"a sound of type audio/wav":                    user(&llm.Media{Kind: llm.Audio, MIME: "audio/wav", Data: "AAAA"}),
		"a film of type video/mp4":                     user(&llm.Media{Kind: llm.Video, MIME: "video/mp4", Data: "AAAA"}),
		"a document of type application/zip":           user(&llm.Media{Kind: llm.File, MIME: "application/zip", Data: "AAAA"}),
		"a document of type text/plain":                user(&llm.Media{Kind: llm.File, MIME: "text/plain", Data: "/w=="}),
		"instructions with an image of type image/png": conversation(said1(llm.System, &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "AAAA"})),
	} {
		before := []byte("before")
		body, lost, err := Codec{}.EncodeRequest(before, r, llm.Target{})
		var unsupported *llm.UnsupportedError
		require.ErrorAs(t, err, &unsupported, want)
		require.Equal(t, &llm.UnsupportedError{Format: llm.Messages, What: want}, unsupported)
		require.Equal(t, "before", string(body))
		require.Nil(t, lost)
	}
}

func TestEncodeRequest_NarrowsTheToolsToTheAllowedOnes(t *testing.T) {
	t.Parallel()
	r := conversation(said1(llm.User, text("hi")))
	r.Tools = []llm.Tool{{Kind: llm.Function, Name: "a"}, {Kind: llm.Function, Name: "b"}}
	r.Choice = llm.ToolChoice{Mode: llm.Required, Allowed: []string{"b"}}
	body, _ := encoded(t, r, llm.Target{})
	require.Equal(t, `["b"]`, body.Get("tools.#.name").Raw)
	require.Equal(t, "any", body.Get("tool_choice.type").Str)

	r.Tools = nil
	body, _ = encoded(t, r, llm.Target{})
	require.False(t, body.Get("tool_choice").Exists(), "the vendor refuses a choice without tools")
}

func TestGenerationOf_ReadsNamesOfAllClouds(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]generation{
		"claude-opus-4-6": {4, 6}, "anthropic/claude-opus-4.8": {4, 8}, "anthropic.claude-sonnet-4-6-v1:0": {4, 6}, "claude-sonnet-4@20250514": {4, 0},
		"claude-3-7-sonnet-20250219": {3, 7}, "claude-opus-4-20250514": {4, 0}, "claude-haiku-4-5-20251001": {4, 5}, "Claude-Opus-5": {5, 0},
		"claude": {}, "claude-next": {}, "glm-4.6": {}, "": {},
	} {
		require.Equal(t, want, generationOf(model), model)
	}
}

func TestDecodeError_TellsWhatTheVendorTells(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		body   string
		want   llm.Failure
	}{
		"its own":        {400, `{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: Field required"},"request_id":"r"}`, llm.Failure{Status: 400, Type: "invalid_request_error", Message: "max_tokens: Field required", Param: "max_tokens"}},
		"in a stream":    {0, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, llm.Failure{Status: 529, Type: "overloaded_error", Message: "Overloaded"}},
		"with details":   {404, `{"type":"error","error":{"type":"not_found_error","message":"no thread","details":{"error_code":"thread_not_found"}}}`, llm.Failure{Status: 404, Type: "not_found_error", Message: "no thread", Code: "thread_not_found", Details: json.RawMessage(`{"error_code":"thread_not_found"}`)}},
		"a gateway's":    {429, `{"error":{"type":"rate_limit_error","message":"rests","code":"model_cooldown","reset_seconds":7}}`, llm.Failure{Status: 429, Type: "rate_limit_error", Code: "model_cooldown", Message: "rests", RetryAfter: 7 * time.Second}},
		"text":           {502, ` upstream gone `, llm.Failure{Status: 502, Message: "upstream gone"}},
		"a page":         {503, `<html>`, llm.Failure{Status: 503, Message: "the upstream answered 503 Service Unavailable"}},
		"nothing":        {0, ``, llm.Failure{Message: "the upstream answered with an error that says nothing"}},
		"another shape":  {500, `{"error":"boom"}`, llm.Failure{Status: 500, Message: "boom"}},
		"and another":    {422, `{"detail":"bad"}`, llm.Failure{Status: 422, Message: "bad"}},
		"without words":  {529, `{"error":{}}`, llm.Failure{Status: 529, Message: "the upstream answered with an error that says nothing"}},
		"of wrong types": {500, `{"error":{"type":7,"message":[],"code":{},"details":3}}`, llm.Failure{Status: 500, Code: "{}", Message: "the upstream answered 500 Internal Server Error"}},
	}
	for name, tt := range tests {
		require.Equal(t, tt.want, *Codec{}.DecodeError(tt.status, []byte(tt.body)), name)
	}
}

func TestStreamEncoder_TellsAFailureInTheVendorsWords(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]*llm.Failure{
		`{"type":"overloaded_error","message":"busy"}`:                                           {Status: http.StatusServiceUnavailable, Type: "server_is_overloaded", Message: "busy"},
		`{"type":"rate_limit_error","message":"slow"}`:                                           {Status: http.StatusTooManyRequests, Message: "slow"},
		`{"type":"invalid_request_error","message":"bad"}`:                                       {Status: http.StatusUnprocessableEntity, Message: "bad"},
		`{"type":"timeout_error","message":"late"}`:                                              {Type: "timeout_error", Message: "late"},
		`{"type":"api_error","message":"the upstream answered with an error that says nothing"}`: nil,
	} {
		require.Contains(t, streamOf(llm.Event{Kind: llm.Failed, Failure: f}), `"error":`+want)
	}
}

func TestStreamEncoder_HidesThoughtsFromWhoDoesNotWantThem(t *testing.T) {
	t.Parallel()
	events := []llm.Event{
		{Kind: llm.PartStart, Part: llm.ThinkingPart},
		{Kind: llm.Delta, Text: "unsigned"},
		{Kind: llm.PartEnd},
		{Kind: llm.PartStart, Index: 1, Part: llm.ThinkingPart},
		{Kind: llm.Delta, Index: 1, Text: "signed"},
		{Kind: llm.Signed, Index: 1, Text: "EqQB", Origin: llm.Messages},
		{Kind: llm.PartEnd, Index: 1},
		{Kind: llm.Finish},
	}
	for name, rs := range map[string]llm.Reasoning{"omitted": {Show: no()}, "disabled": {Level: llm.LevelNone}} {
		reply := aReply()
		reply.Request.Reasoning = rs
		message, _ := accumulate(t, encodeStream(events, reply))
		require.Equal(t, []any{map[string]any{"type": "thinking", "thinking": "", "signature": "EqQB"}}, message["content"], name)
	}
}

func TestView_GivesToolsTheirOwnNamesBack(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("mcp__server__tool", 5)
	reply := aReply()
	reply.Request.Tools = []llm.Tool{{Name: long}, {Name: "t.x"}}
	v := newView(reply)
	require.Equal(t, long, v.toolName(llm.SafeID(long, chatNameLimit)))
	require.Equal(t, "t.x", v.toolName(llm.SafeID("t.x", nameLimit)))
	require.Equal(t, "other", v.toolName("other"))
}

func TestStreamDecoder_WithoutTheEndMarkNothingIsFinished(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"text", "thinking_tools"} {
		stream := mustStream(t, name)
		cut, _, ok := strings.Cut(stream, "event: message_stop")
		require.True(t, ok)
		for _, e := range decodeStream(t, cut) {
			require.NotEqual(t, llm.Finish, e.Kind)
		}
	}
}

func TestProgress_CountsEvents(t *testing.T) {
	t.Parallel()
	e := Codec{}.StreamEncoder(aReply())
	out := e.Encode(nil, llm.Event{Kind: llm.PartStart, Part: llm.TextPart})
	out = e.Encode(out, llm.Event{Kind: llm.Delta, Text: "hi"})
	out = e.Encode(out, llm.Event{Kind: llm.Finish})
	require.Equal(t, llm.Progress{Elements: strings.Count(string(out), "event: ")}, e.Progress())
}

func TestDropMarked_CutsWhatTheVendorDidNotSign(t *testing.T) {
	t.Parallel()
	marked := llm.Mark("CiQB", llm.Gemini, llm.Messages)
	const own = `{"type":"thinking","thinking":"a","signature":"EqQB"}`
	foreign := `{"type":"thinking","thinking":"b", "signature":"` + marked + `"}`
	redacted := `{"type":"redacted_thinking","data":"` + marked + `"}`
	const unsigned = `{"thinking":"c","type":"thinking"}`
	const words = `{"type":"text","text":"thinking"}`
	body := func(contents ...string) string {
		return `{"model":"m" , "messages":[{"role":"user","content":"hi"}, ` + strings.Join(contents, " , ") + `],"x":1}`
	}
	turn := func(blocks ...string) string {
		return `{"role":"assistant","content":[ ` + strings.Join(blocks, " , ") + ` ]}`
	}
	tests := map[string]struct{ given, want string }{
		"first":          {body(turn(foreign, own, words)), body(turn(own, words))},
		"last":           {body(turn(own, words, foreign)), body(turn(own, words))},
		"several":        {body(turn(unsigned, own, redacted, foreign, words, unsigned, redacted)), body(turn(own, words))},
		"a whole turn":   {body(turn(foreign, unsigned), turn(words)), body(turn(words))},
		"the last turn":  {body(turn(words), turn(redacted)), body(turn(words))},
		"nothing to cut": {body(turn(own, words)), ""},
		"no thoughts":    {`{"messages":[]}`, ""},
		"no JSON":        {`{"messages":[{"content":[` + foreign, ""},
	}
	for name, tt := range tests {
		got, ok := DropMarked([]byte(tt.given))
		require.Equal(t, tt.want != "", ok, name)
		if !ok {
			require.Equal(t, tt.given, string(got), name)
			continue
		}
		require.JSONEq(t, tt.want, string(got), name)
		require.True(t, strings.HasPrefix(string(got), `{"model":"m" , `), "other bytes stay as they are")
		again, ok := DropMarked(got)
		require.False(t, ok)
		require.Equal(t, got, again)
	}
}

func TestDropMarked_KnowsWhatTheEncoderMarks(t *testing.T) {
	t.Parallel()
	message, _ := accumulate(t, encodeStream([]llm.Event{
		{Kind: llm.PartStart, Part: llm.ThinkingPart},
		{Kind: llm.Delta, Text: "foreign"},
		{Kind: llm.Signed, Text: "s", Origin: llm.Responses},
		{Kind: llm.PartEnd},
		{Kind: llm.PartStart, Index: 1, Part: llm.TextPart},
		{Kind: llm.Delta, Index: 1, Text: "hi"},
		{Kind: llm.Finish},
	}, aReply()))
	body := dumpJSON(t, map[string]any{"messages": []any{map[string]any{"role": "assistant", "content": message["content"]}}})
	got, ok := DropMarked([]byte(body))
	require.True(t, ok)
	require.JSONEq(t, `{"messages":[{"role":"assistant","content":[{"type":"text","text":"hi"}]}]}`, string(got))
}
