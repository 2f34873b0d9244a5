package responses

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
)

// items returns an encoded input, item by item, each in short: its type or role and its
// text or id.
func items(body string) []string {
	var short []string
	for _, item := range gjson.Get(body, "input").Array() {
		switch kind := item.Get("type").Str; kind {
		case "message":
			var texts []string
			for _, p := range item.Get("content").Array() {
				texts = append(texts, p.Get("text").Str+p.Get("refusal").Str)
			}
			short = append(short, item.Get("role").Str+": "+strings.Join(texts, "|"))
		case "reasoning":
			short = append(short, kind+" "+item.Get("encrypted_content").Str)
		default:
			short = append(short, kind+" "+item.Get("call_id").Str)
		}
	}
	return short
}

// TR49: a result stands right after the turn that called, what came between after it.
func TestEncodeRequest_TR49PutsResultsBehindTheirCalls(t *testing.T) {
	t.Parallel()
	body, lost := encodeRequest(t, &llm.Request{Messages: []llm.Message{
		assistant(toolCall("1", "f", "{}"), toolCall("2", "f", "{}")),
		user(say("Hurry.")),
		user(toolResult("2", say("b")), say("And?"), toolResult("1", say("a"))),
	}})
	require.Equal(t, []string{
		"function_call 1", "function_call 2", "function_call_output 1", "function_call_output 2", "user: Hurry.", "user: And?",
	}, items(body))
	require.Empty(t, lost)
}

// TR61: words after a call stay before its result.
func TestEncodeRequest_TR61KeepsWordsOfATurnBeforeItsResults(t *testing.T) {
	t.Parallel()
	body, _ := encodeRequest(t, &llm.Request{Messages: []llm.Message{
		assistant(toolCall("1", "f", "{}"), say("Wait.")), user(toolResult("1", say("a"))),
	}})
	require.Equal(t, []string{"function_call 1", "assistant: Wait.", "function_call_output 1"}, items(body))
}

// TR4: of several results for one call the last counts, where the first stood.
func TestEncodeRequest_TR4TakesTheLastOfDuplicateResults(t *testing.T) {
	t.Parallel()
	body, _ := encodeRequest(t, &llm.Request{Messages: []llm.Message{
		assistant(toolCall("1", "f", "{}")), user(toolResult("1", say("old"))), user(say("x")), user(toolResult("1", say("new"))),
	}})
	require.Equal(t, []string{"function_call 1", "function_call_output 1", "user: x"}, items(body))
	require.Equal(t, "new", gjson.Get(body, "input.1.output").Str)

	body, _ = encodeRequest(t, &llm.Request{Messages: []llm.Message{
		user(toolResult("lost", say("old"))), user(say("x"), toolResult("lost", say("new"))),
	}})
	require.Equal(t, []string{"user: Result of the tool lost:|new", "user: x"}, items(body), "one without a call is the user's words")
}

func TestEncodeRequest_LeavesResultsOfStoredCallsAlone(t *testing.T) {
	t.Parallel()
	body, _ := encodeRequest(t, &llm.Request{PreviousResponseID: "resp_1", Messages: []llm.Message{user(toolResult("1", say("a")), say("b"))}})
	require.Equal(t, []string{"function_call_output 1", "user: b"}, items(body))
	require.Equal(t, "resp_1", gjson.Get(body, "previous_response_id").Str)
}

// TR34: empty texts are left out, and so are messages of nothing else.
func TestEncodeRequest_TR34LeavesOutEmptyTexts(t *testing.T) {
	t.Parallel()
	body, _ := encodeRequest(t, &llm.Request{Messages: []llm.Message{
		{Role: llm.System, Parts: []llm.Part{say("")}},
		user(say(""), say("a"), say("")), assistant(say("")), user(),
		assistant(toolCall("1", "f", "")), user(toolResult("1", say(""), say("r"))),
	}})
	require.Equal(t, []string{"user: a", "function_call 1", "function_call_output 1"}, items(body))
	require.Equal(t, "r", gjson.Get(body, "input.2.output").Str)
	require.NotContains(t, body, "null")
}

// TR1: a system alone is input, since the vendor wants some.
func TestEncodeRequest_TR1SaysASystemAloneAsInput(t *testing.T) {
	t.Parallel()
	system := llm.Message{Role: llm.System, Parts: []llm.Part{say("Be brief.")}}
	body, _ := encodeRequest(t, &llm.Request{Messages: []llm.Message{system}})
	require.Equal(t, []string{"system: Be brief."}, items(body))
	require.False(t, gjson.Get(body, "instructions").Exists())

	body, _ = encodeRequest(t, &llm.Request{Messages: []llm.Message{system, system, user(say("Hi"))}})
	require.Equal(t, "Be brief.", gjson.Get(body, "instructions").Str)
	require.Equal(t, []string{"system: Be brief.", "user: Hi"}, items(body))
}

// TR53: without tools the vendor takes neither a choice nor parallel_tool_calls.
func TestEncodeRequest_TR53OmitsWhatBelongsToTools(t *testing.T) {
	t.Parallel()
	body, _ := encodeRequest(t, &llm.Request{Choice: llm.ToolChoice{Mode: llm.Required}, Parallel: ptr(true), Messages: []llm.Message{user(say("a"))}})
	for _, name := range []string{"tools", "tool_choice", "parallel_tool_calls"} {
		require.False(t, gjson.Get(body, name).Exists(), name)
	}
}

func TestEncodeRequest_SaysWhichToolsMayBeCalled(t *testing.T) {
	t.Parallel()
	tools := []llm.Tool{
		{Kind: llm.Function, Name: "f.with.dots"},
		{Kind: llm.Custom, Name: "c", Origin: llm.Chat, Raw: []byte(`{"type":"custom","custom":{"name":"c","format":{"type":"grammar","grammar":{"syntax":"regex","definition":"a+"}}}}`)},
		{Kind: llm.WebSearch, Name: "web_search", Origin: llm.Responses, Raw: []byte(`{"type":"web_search_preview"}`)},
		{Kind: llm.Builtin, Name: "mcp:wiki", Origin: llm.Responses, Raw: []byte(`{"type":"mcp","server_label":"wiki"}`)},
	}
	dotted := llm.SafeID("f.with.dots", maxNameBytes)
	for want, choice := range map[string]llm.ToolChoice{
		``:           {},
		`"auto"`:     {Mode: llm.Auto},
		`"none"`:     {Mode: llm.None},
		`"required"`: {Mode: llm.Required},
		`{"type":"function","name":"` + dotted + `"}`:                                   {Mode: llm.Named, Name: "f.with.dots"},
		`{"type":"custom","name":"c"}`:                                                  {Mode: llm.Named, Name: "c"},
		`{"type":"web_search_preview"}`:                                                 {Mode: llm.Named, Name: "web_search"},
		`{"type":"mcp","server_label":"wiki"}`:                                          {Mode: llm.Named, Name: "mcp:wiki"},
		`{"type":"allowed_tools","mode":"auto","tools":[{"type":"custom","name":"c"}]}`: {Allowed: []string{"c"}},
	} {
		body, _ := encodeRequest(t, &llm.Request{Tools: tools, Choice: choice})
		require.Equal(t, want, gjson.Get(body, "tool_choice").Raw)
		require.Equal(t, `{"type":"function","name":"`+dotted+`","parameters":{"type":"object","properties":{}},"strict":false}`, gjson.Get(body, "tools.0").Raw)
		require.Equal(t, `{"type":"custom","name":"c","format":{"type":"grammar","syntax":"regex","definition":"a+"}}`, gjson.Get(body, "tools.1").Raw)
	}
}

// TR67, TR71: what is asked for is written without a look at the model.
func TestEncodeRequest_TR67TR71SaysReasoning(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]llm.Reasoning{
		``:                                    {},
		`{"effort":"none"}`:                   {Budget: ptr(int64(0))},
		`{"effort":"minimal"}`:                {Budget: ptr(int64(512))},
		`{"effort":"medium"}`:                 {Budget: ptr(int64(8192))},
		`{"effort":"high"}`:                   {Budget: ptr(int64(10000))},
		`{"effort":"xhigh"}`:                  {Level: llm.LevelXHigh},
		`{"effort":"max","summary":"auto"}`:   {Level: llm.LevelMax, Show: ptr(true)},
		`{"effort":"low"}`:                    {Level: llm.LevelLow, Summary: "auto", Show: ptr(false)},
		`{"summary":"detailed"}`:              {Level: llm.LevelAuto, Summary: "detailed", Show: ptr(true)},
		`{"effort":"of a model of tomorrow"}`: {Level: "of a model of tomorrow"},
	} {
		body, lost := encodeRequest(t, &llm.Request{Reasoning: r, Messages: []llm.Message{user(say("a"))}})
		require.Equal(t, want, gjson.Get(body, "reasoning").Raw)
		require.Equal(t, r.Budget != nil && *r.Budget == 10000, len(lost) == 1, want)
		asks := r.Said() && !r.Off()
		require.Equal(t, asks, gjson.Get(body, `include.#(=="reasoning.encrypted_content")`).Exists(), want)
	}
}

func TestEncodeRequest_SendsBackOnlyItsOwnThoughts(t *testing.T) {
	t.Parallel()
	own := &llm.Thinking{Text: "t", Signature: "s", Origin: llm.Responses}
	for name, tt := range map[string]struct {
		parts []llm.Part
		want  []string
		lost  bool
	}{
		"its own":    {[]llm.Part{own, say("a")}, []string{"reasoning s", "assistant: a"}, false},
		"unsigned":   {[]llm.Part{&llm.Thinking{Text: "t"}, say("a")}, []string{"assistant: a"}, true},
		"foreign":    {[]llm.Part{&llm.Thinking{Text: "t", Signature: "s", Origin: llm.Messages}, say("a")}, []string{"assistant: a"}, true},
		"at the end": {[]llm.Part{say("a"), own, say("")}, []string{"assistant: a"}, true},
	} {
		body, lost := encodeRequest(t, &llm.Request{Messages: []llm.Message{assistant(tt.parts...)}})
		require.Equal(t, tt.want, items(body), name)
		require.Equal(t, tt.lost, len(lost) == 1 && lost[0] == table[lostThinking], name)
	}
}

func TestEncodeRequest_RefusesWhatTheAnswerDependsOn(t *testing.T) {
	t.Parallel()
	said := func(p llm.Part) *llm.Request { return &llm.Request{Messages: []llm.Message{user(p)}} }
	result := func(p llm.Part) *llm.Request {
		return &llm.Request{Messages: []llm.Message{assistant(toolCall("1", "f", "")), user(toolResult("1", p))}}
	}
	for what, r := range map[string]*llm.Request{
		"the tool bash": {Tools: []llm.Tool{{Kind: llm.Builtin, Name: "bash", Origin: llm.Messages, Raw: []byte(`{}`)}}},
		"an image given by another vendor's file id":            said(&llm.Media{Kind: llm.Image, FileID: "f", Origin: llm.Messages}),
		"a document in Google's storage":                        said(&llm.Media{Kind: llm.File, URL: "gs://b/a.pdf"}),
		"a film":                                                said(&llm.Media{Kind: llm.Video, Data: "AAAA"}),
		"a sound that is not given as the data of a WAV or MP3": said(&llm.Media{Kind: llm.Audio, Data: "AAAA", MIME: "audio/flac"}),
		"a sound in a tool's result":                            result(&llm.Media{Kind: llm.Audio, Data: "AAAA", MIME: "audio/wav"}),
		"a film among the assistant's words":                    {Messages: []llm.Message{assistant(&llm.Media{Kind: llm.Video, URL: "https://x.example"})}},
		"an answer in the form of audio":                        {Output: llm.Output{Modalities: []string{"text", "audio"}}},
		"a hologram":                                            said(&llm.Opaque{Origin: llm.Gemini, Raw: []byte(`{}`), Needed: "a hologram"}),
		"a hologram ":                                           result(&llm.Opaque{Origin: llm.Gemini, Raw: []byte(`{}`), Needed: "a hologram "}),
	} {
		dst := []byte("before")
		body, lost, err := Codec{}.EncodeRequest(dst, r, llm.Target{})
		require.Equal(t, &llm.UnsupportedError{Format: llm.Responses, What: what}, err)
		require.Equal(t, "before", string(body))
		require.Nil(t, lost)
	}
}

func TestEncodeRequest_KeepsToTheVendorsLimits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 200)
	r := &llm.Request{UserID: long, CacheKey: long, MaxTokens: ptr(int64(1)), Messages: []llm.Message{
		assistant(toolCall("odd id", "f", ""), toolCall(long, "f", "")), user(toolResult("odd id"), toolResult(long)),
	}, Output: llm.Output{Kind: llm.OutputSchema, Schema: []byte(`{}`)}}
	body, lost := encodeRequest(t, r)
	require.LessOrEqual(t, len(gjson.Get(body, "safety_identifier").Str), 64)
	require.LessOrEqual(t, len(gjson.Get(body, "prompt_cache_key").Str), 64)
	require.Equal(t, int64(16), gjson.Get(body, "max_output_tokens").Int())
	require.Equal(t, "answer", gjson.Get(body, "text.format.name").Str)
	require.Equal(t, []llm.Loss{table[lostMaxTokens]}, lost)
	for i := range 2 {
		id := gjson.Get(body, "input").Array()[i].Get("call_id").Str
		require.Regexp(t, `^[A-Za-z0-9_-]{1,64}$`, id)
		require.Equal(t, id, gjson.Get(body, "input").Array()[i+2].Get("call_id").Str)
	}
	compatible, _, err := Codec{}.EncodeRequest(nil, r, llm.Target{Compatible: true})
	require.NoError(t, err)
	require.Equal(t, int64(1), gjson.GetBytes(compatible, "max_output_tokens").Int())
}

func TestEncodeRequest_AppendsAndChangesNothing(t *testing.T) {
	t.Parallel()
	for _, r := range []*llm.Request{kitchenSink(), foreign(), client()} {
		before := describe(t, r)
		body, _, err := Codec{}.EncodeRequest([]byte("before"), r, llm.Target{})
		require.NoError(t, err)
		alone, _ := encodeRequest(t, r)
		require.Equal(t, "before"+alone, string(body))
		require.Equal(t, before, describe(t, r))
	}
}

// TR49: ids that are counted anew in every turn still tie each result to its own call.
func TestEncodeRequest_TR49TellsCallsOfOneIDApart(t *testing.T) {
	t.Parallel()
	body, _ := encodeRequest(t, &llm.Request{Messages: []llm.Message{
		assistant(toolCall("0", "f", "{}")), user(toolResult("0", say("a"))),
		assistant(toolCall("0", "g", "{}")), user(toolResult("0", say("b"))),
	}})
	require.Equal(t, []string{"function_call 0", "function_call_output 0", "function_call 0_2", "function_call_output 0_2"}, items(body))
	require.Equal(t, "a", gjson.Get(body, "input.1.output").Str)
	require.Equal(t, "b", gjson.Get(body, "input.3.output").Str)
}
