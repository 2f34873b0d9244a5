package translate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// The rows TR* of the project's scenarios, whole: what a client of one format says is what an
// upstream of another is asked, and what that answers is what the client gets. The halves are
// tested beside each codec.

// route is a client's format and its upstream's.
type route struct{ in, out providers.Format }

// Routes that the rows name. Claude stands for Anthropic's format.
var (
	chatToClaude      = route{providers.OpenAIChat, providers.Anthropic}
	claudeToChat      = route{providers.Anthropic, providers.OpenAIChat}
	chatToGemini      = route{providers.OpenAIChat, providers.Gemini}
	geminiToChat      = route{providers.Gemini, providers.OpenAIChat}
	geminiToClaude    = route{providers.Gemini, providers.Anthropic}
	claudeToGemini    = route{providers.Anthropic, providers.Gemini}
	responsesToChat   = route{providers.OpenAIResponses, providers.OpenAIChat}
	responsesToClaude = route{providers.OpenAIResponses, providers.Anthropic}
	responsesToGemini = route{providers.OpenAIResponses, providers.Gemini}
)

// smallest is the least that a client of a format can ask.
func smallest(f providers.Format) string {
	return map[providers.Format]string{
		providers.OpenAIChat:      `{"model":"m","messages":[{"role":"user","content":"q"}]}`,
		providers.OpenAIResponses: `{"model":"m","input":"q"}`,
		providers.Anthropic:       `{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"q"}]}`,
		providers.Gemini:          `{"contents":[{"role":"user","parts":[{"text":"q"}]}]}`,
	}[f]
}

func (r route) decode(t testing.TB, body string) *translate.Call {
	t.Helper()
	c, err := translate.Decode(r.in, []byte(body), false)
	require.NoError(t, err)
	return c
}

// asks returns what the upstream's vendor is asked.
func (r route) asks(t testing.TB, body string) gjson.Result {
	t.Helper()
	return r.asksAs(t, body, translate.Upstream{Model: "up"})
}

func (r route) asksAs(t testing.TB, body string, u translate.Upstream) gjson.Result {
	t.Helper()
	u.Format = r.out
	asked, _, err := r.decode(t, body).Encode(u)
	require.NoError(t, err)
	require.True(t, gjson.ValidBytes(asked), string(asked))
	return gjson.ParseBytes(asked)
}

// gets returns what the client gets of a whole answer to a request; "" = its smallest one.
func (r route) gets(t testing.TB, request, answer string) gjson.Result {
	t.Helper()
	if request == "" {
		request = smallest(r.in)
	}
	got, err := r.decode(t, request).Answer(r.out, translate.Client{ID: "req", At: time.Unix(1, 0)}).Whole([]byte(answer))
	require.NoError(t, err)
	require.True(t, gjson.ValidBytes(got), string(got))
	return gjson.ParseBytes(got)
}

// streams returns what the client is streamed of a streamed answer, event by event.
func (r route) streams(t testing.TB, request string, events ...string) []gjson.Result {
	t.Helper()
	if request == "" {
		request = smallest(r.in)
	}
	a := r.decode(t, request).Answer(r.out, translate.Client{Stream: true, ID: "req", At: time.Unix(1, 0)})
	var out []byte
	for _, e := range events {
		name := gjson.Get(e, "type").Str
		require.NoError(t, a.Take(sse.Event{Name: []byte(name), Data: []byte(e)}))
		out = append(out, a.Out()...)
	}
	a.Close()
	return dataOf(t, append(out, a.Out()...))
}

// dataOf returns what the events of a stream hold.
func dataOf(t testing.TB, stream []byte) []gjson.Result {
	t.Helper()
	var (
		scanner sse.Scanner
		all     []gjson.Result
	)
	take := func(e sse.Event) error {
		all = append(all, gjson.ParseBytes(append([]byte(nil), e.Data...)))
		return nil
	}
	require.NoError(t, scanner.Feed(stream, take))
	require.NoError(t, scanner.Close(take))
	return all
}

// typed returns the events of a type.
func typed(events []gjson.Result, kind string) []gjson.Result {
	var some []gjson.Result
	for _, e := range events {
		if e.Get("type").Str == kind {
			some = append(some, e)
		}
	}
	return some
}

// raws lists the JSON of what is at a path of each.
func raws(all []gjson.Result, path string) []string {
	var list []string
	for _, v := range all {
		list = append(list, v.Get(path).Raw)
	}
	return list
}

// chatAsk, claudeAsk, responsesAsk and geminiAsk are requests with these turns.
func chatAsk(messages string, more ...string) string {
	return `{"model":"m","messages":[` + messages + `]` + strings.Join(more, "") + `}`
}

func claudeAsk(messages string, more ...string) string {
	return `{"model":"m","max_tokens":64,"messages":[` + messages + `]` + strings.Join(more, "") + `}`
}

func responsesAsk(items string, more ...string) string {
	return `{"model":"m","input":[` + items + `]` + strings.Join(more, "") + `}`
}

func geminiAsk(contents string, more ...string) string {
	return `{"contents":[` + contents + `]` + strings.Join(more, "") + `}`
}

func TestTR1_InstructionsAreTopLevelBlocksInOrder(t *testing.T) {
	t.Parallel()
	got := chatToClaude.asks(t, chatAsk(`{"role":"system","content":"a"},{"role":"user","content":"q"},{"role":"developer","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]}`))
	require.JSONEq(t, `["a","b","c"]`, got.Get("system.#.text").Raw)
	require.JSONEq(t, `["user"]`, got.Get("messages.#.role").Raw)
	got = chatToClaude.asks(t, chatAsk(`{"role":"system","content":"a"}`))
	require.Equal(t, "a", got.Get("system.0.text").Str)
	require.JSONEq(t, `["user"]`, got.Get("messages.#.role").Raw)
}

const chatCalls = `{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}]}`

func TestTR2_ResultsAreTheFirstOfOneUserMessage(t *testing.T) {
	t.Parallel()
	got := chatToClaude.asks(t, chatAsk(`{"role":"user","content":"q"},`+chatCalls+`,{"role":"tool","tool_call_id":"1","content":"a"},{"role":"tool","tool_call_id":"2","content":"b"},{"role":"user","content":"and?"}`))
	require.JSONEq(t, `["user","assistant","user"]`, got.Get("messages.#.role").Raw)
	require.JSONEq(t, `["tool_result","tool_result","text"]`, got.Get("messages.2.content.#.type").Raw)
	require.JSONEq(t, `["1","2"]`, got.Get("messages.2.content.#.tool_use_id").Raw)
}

func TestTR4_OfSeveralResultsTheLastCountsAtTheFirstPlace(t *testing.T) {
	t.Parallel()
	got := chatToClaude.asks(t, chatAsk(`{"role":"user","content":"q"},`+chatCalls+`,{"role":"tool","tool_call_id":"1","content":"old"},{"role":"tool","tool_call_id":"2","content":"b"},{"role":"tool","tool_call_id":"1","content":"new"}`))
	require.JSONEq(t, `["1","2"]`, got.Get("messages.2.content.#.tool_use_id").Raw)
	require.Contains(t, got.Get("messages.2.content.0.content").Raw, "new")
	require.NotContains(t, got.Raw, "old")
}

func TestTR5_ImagesInResults(t *testing.T) {
	t.Parallel()
	got := chatToClaude.asks(t, chatAsk(`{"role":"user","content":"q"},`+chatCalls+`,{"role":"tool","tool_call_id":"1","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1n"}}]},{"role":"tool","tool_call_id":"2","content":[{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]}`))
	require.JSONEq(t, `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aW1n"}}`, got.Get("messages.2.content.0.content.0").Raw)
	require.JSONEq(t, `{"type":"image","source":{"type":"url","url":"https://x.example/a.png"}}`, got.Get("messages.2.content.1.content.0").Raw)
}

func TestTR7_TemperatureIsDroppedAndTopPKept(t *testing.T) {
	t.Parallel()
	got := chatToClaude.asks(t, chatAsk(`{"role":"user","content":"q"}`, `,"temperature":0.5,"top_p":0.9`))
	require.False(t, got.Get("temperature").Exists())
	require.InDelta(t, 0.9, got.Get("top_p").Float(), 0)
}

func TestTR8_CacheMarkersAreKept(t *testing.T) {
	t.Parallel()
	const hour, plain = `"cache_control":{"type":"ephemeral","ttl":"1h"}`, `"cache_control":{"type":"ephemeral"}`
	got := chatToClaude.asks(t, chatAsk(`{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],`+hour+`},
		{"role":"assistant","content":"c"},{"role":"user","content":[{"type":"text","text":"d",`+plain+`}],`+hour+`}`,
		`,"tools":[{"type":"function","function":{"name":"f"},`+hour+`}]`))
	require.False(t, got.Get("messages.0.content.0.cache_control").Exists())
	require.Equal(t, "1h", got.Get("messages.0.content.1.cache_control.ttl").Str, "a message's own goes on its last block")
	require.JSONEq(t, `{"type":"ephemeral"}`, got.Get("messages.2.content.0.cache_control").Raw, "a part's beats its message's")
	require.Equal(t, "1h", got.Get("tools.0.cache_control.ttl").Str)
}

func TestTR10_ThoughtsOfACompatibleModelComeFirst(t *testing.T) {
	t.Parallel()
	body := chatAsk(`{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning_content":"hm","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"b"}`)
	got := chatToClaude.asksAs(t, body, translate.Upstream{Model: "up", Compatible: true})
	require.JSONEq(t, `["thinking","text","tool_use"]`, got.Get("messages.1.content.#.type").Raw)
	got = chatToClaude.asks(t, body)
	require.JSONEq(t, `["text","tool_use"]`, got.Get("messages.1.content.#.type").Raw, "the vendor takes none that it has not signed")
}

func TestTR11_TheUserHasAnIDThatStays(t *testing.T) {
	t.Parallel()
	got := chatToClaude.asks(t, chatAsk(`{"role":"user","content":"q"}`, `,"user":"u"`))
	require.Equal(t, "u", got.Get("metadata.user_id").Str)
	first := chatToClaude.asks(t, chatAsk(`{"role":"user","content":"q"}`)).Get("metadata.user_id").Str
	later := chatToClaude.asks(t, chatAsk(`{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"user","content":"r"}`)).Get("metadata.user_id").Str
	require.NotEmpty(t, first)
	require.Equal(t, first, later)
}

func TestTR16_ResultsOfDataAndImages(t *testing.T) {
	t.Parallel()
	body := claudeAsk(`{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}},{"type":"tool_use","id":"2","name":"f","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":{"a":[1]}},{"type":"tool_result","tool_use_id":"2","content":[{"type":"text","text":"t"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aW1n"}}]}]}`)
	got := claudeToChat.asksAs(t, body, translate.Upstream{Model: "up", Compatible: true})
	require.JSONEq(t, `{"a":[1]}`, got.Get("messages.2.content").Str)
	require.JSONEq(t, `["text","image_url"]`, got.Get("messages.3.content.#.type").Raw)
}

func TestTR17_WordsAroundACallAreOneMessage(t *testing.T) {
	t.Parallel()
	got := claudeToChat.asks(t, claudeAsk(`{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"1","name":"f","input":{}},{"type":"text","text":"b"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"r"}]}`))
	require.JSONEq(t, `["user","assistant","tool"]`, got.Get("messages.#.role").Raw)
	require.JSONEq(t, `["a","b"]`, got.Get("messages.1.content.#.text").Raw)
	require.Equal(t, int64(1), got.Get("messages.1.tool_calls.#").Int())
}

func TestTR19_InstructionsInTheMiddleAreAReminder(t *testing.T) {
	t.Parallel()
	got := claudeToChat.asks(t, claudeAsk(`{"role":"user","content":"q"},{"role":"system","content":"late"},{"role":"assistant","content":"a"},{"role":"user","content":"r"}`))
	require.NotContains(t, got.Get("messages.#.role").Raw, "system")
	require.Contains(t, got.Raw, `<system-reminder>\nlate\n</system-reminder>`)
}

func TestTR20_StopSequencesAreAnArray(t *testing.T) {
	t.Parallel()
	for _, stops := range []string{`["a"]`, `["a","b"]`} {
		got := claudeToChat.asks(t, claudeAsk(`{"role":"user","content":"q"}`, `,"stop_sequences":`+stops))
		require.Equal(t, stops, got.Get("stop").Raw)
	}
}

func TestTR31_TheShapeOfTheAnswer(t *testing.T) {
	t.Parallel()
	user := `{"role":"user","content":"q"}`
	got := chatToGemini.asks(t, chatAsk(user, `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}`))
	require.Equal(t, "application/json", got.Get("generationConfig.responseMimeType").Str)
	require.JSONEq(t, `{"type":"object"}`, got.Get("generationConfig.responseJsonSchema").Raw)
	got = chatToGemini.asks(t, chatAsk(user, `,"response_format":{"type":"json_object"}`))
	require.JSONEq(t, `{"responseMimeType":"application/json"}`, got.Get("generationConfig").Raw)
	require.False(t, chatToGemini.asks(t, chatAsk(user, `,"response_format":{"type":"text"}`)).Get("generationConfig").Exists())
}

func TestTR32_SchemasAreAsGoogleTakesThem(t *testing.T) {
	t.Parallel()
	got := chatToGemini.asks(t, chatAsk(`{"role":"user","content":"q"}`, `,"tools":[{"type":"function","function":{"name":"f","parameters":{"title":"T","type":"object","properties":{"a":{"type":"string"}},"required":["a","gone"]}}}]`))
	require.JSONEq(t, `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`, got.Get("tools.0.functionDeclarations.0.parametersJsonSchema").Raw)
}

func TestTR34_EmptyTextsAreSkipped(t *testing.T) {
	t.Parallel()
	body := chatAsk(`{"role":"system","content":""},{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"q"}]},{"role":"assistant","content":""},{"role":"user","content":"r"}`)
	for _, out := range []providers.Format{providers.Gemini, providers.Anthropic, providers.OpenAIResponses} {
		got := route{providers.OpenAIChat, out}.asks(t, body).Raw
		require.NotContains(t, got, `"text":""`)
		require.NotContains(t, got, "null")
	}
	require.JSONEq(t, `[["q","r"]]`, chatToGemini.asks(t, body).Get("contents.#.parts.#.text").Raw)
}

func TestTR35_APrefillIsRemoved(t *testing.T) {
	t.Parallel()
	body := chatAsk(`{"role":"user","content":"q"},{"role":"assistant","content":"begin"}`)
	require.JSONEq(t, `["user"]`, chatToGemini.asks(t, body).Get("contents.#.role").Raw)
	require.JSONEq(t, `["user"]`, chatToClaude.asks(t, body).Get("messages.#.role").Raw)
}

func TestTR40_ExplicitIDsAreKept(t *testing.T) {
	t.Parallel()
	got := geminiToChat.asks(t, geminiAsk(`{"role":"user","parts":[{"text":"q"}]},
		{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{}}},{"functionCall":{"call_id":"b","name":"f","args":{}}},{"functionCall":{"callId":"c","name":"f","args":{}}},{"functionCall":{"name":"f","args":{}}}]},
		{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"1"}}},{"functionResponse":{"id":"a","name":"f","response":{"output":"2"}}},{"functionResponse":{"call_id":"b","name":"f","response":{"output":"3"}}},{"functionResponse":{"name":"f","response":{"output":"4"}}}]}`))
	ids := got.Get("messages.1.tool_calls.#.id")
	require.Equal(t, "a,b,c", strings.Join([]string{ids.Get("0").Str, ids.Get("1").Str, ids.Get("2").Str}, ","))
	require.Len(t, ids.Array(), 4)
	answered := got.Get(`messages.#(role=="tool")#.tool_call_id`)
	require.Len(t, answered.Array(), 4)
	for _, id := range ids.Array() {
		require.Equal(t, 1, strings.Count(answered.Raw, id.Raw), "no id twice: %s", answered.Raw)
	}
}

func TestTR41_InlineDataInBothSpellings(t *testing.T) {
	t.Parallel()
	got := geminiToChat.asks(t, geminiAsk(`{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"aW1n"}},{"inline_data":{"mime_type":"image/png","data":"aW1n"}},{"inlineData":{"mimeType":"audio/wav","data":"c291bmQ="}},{"inlineData":{"mimeType":"application/pdf","data":"cGRm"}}]}`))
	require.JSONEq(t, `["image_url","image_url","input_audio","file"]`, got.Get("messages.0.content.#.type").Raw)
}

func TestTR43_TurnsOfTheModelAreOneAndIDsAreCounted(t *testing.T) {
	t.Parallel()
	body := geminiAsk(`{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"text":"a"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"b"}}}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"c"}}}]}`)
	got := geminiToClaude.asks(t, body)
	require.JSONEq(t, `["user","assistant","user","assistant","user"]`, got.Get("messages.#.role").Raw)
	require.Equal(t, "call_1", got.Get("messages.1.content.1.id").Str)
	require.Equal(t, "call_1", got.Get("messages.2.content.0.tool_use_id").Str)
	require.Equal(t, "call_2", got.Get("messages.3.content.0.id").Str)
	require.Equal(t, got.Raw, geminiToClaude.asks(t, body).Raw)
}

func TestTR44_ADemandedToolIsTheOneAllowed(t *testing.T) {
	t.Parallel()
	got := claudeToGemini.asks(t, claudeAsk(`{"role":"user","content":"q"}`, `,"tools":[{"name":"f","input_schema":{"type":"object"}},{"name":"g","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"g"}`))
	require.JSONEq(t, `{"mode":"ANY","allowedFunctionNames":["g"]}`, got.Get("toolConfig.functionCallingConfig").Raw)
}

const (
	responsesCall   = `{"type":"function_call","call_id":"1","name":"f","arguments":"{}"}`
	responsesOutput = `{"type":"function_call_output","call_id":"1","output":"r"}`
)

func TestTR49_OutputsStandRightAfterTheirCalls(t *testing.T) {
	t.Parallel()
	got := responsesToChat.asks(t, responsesAsk(`{"role":"user","content":"q"},`+responsesCall+`,{"role":"user","content":"wait"},`+responsesOutput))
	require.JSONEq(t, `["user","assistant","tool","user"]`, got.Get("messages.#.role").Raw)
	require.Equal(t, "wait", got.Get("messages.3.content").Str)
}

func TestTR50_ImagesInAStringBecomeImages(t *testing.T) {
	t.Parallel()
	output := func(text string) gjson.Result {
		item := fmt.Sprintf(`{"type":"function_call_output","call_id":"1","output":%q}`, text)
		return responsesToChat.asksAs(t, responsesAsk(`{"role":"user","content":"q"},`+responsesCall+`,`+item),
			translate.Upstream{Model: "up", Compatible: true}).Get("messages.2.content")
	}
	require.JSONEq(t, `[{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1n","detail":"high"}}]`,
		output(`[{"type":"input_image","image_url":"data:image/png;base64,aW1n","detail":"original"}]`).Raw)
	for _, text := range []string{
		`[{"type":"input_text","text":"t"}]`, `[{"type":"input_image"}]`, `[{"type":"input_image","image_url":""}]`,
		`[{"type":"input_image","image_url":7}]`, `[{"type":"input_image","image_url":"a.png"}]`, `[]`, `{"type":"input_image"}`,
		`[{"type":"input_image","image_url":"https://x.example/a.png"}`, `see [{"type":"input_image","image_url":"https://x.example/a.png"}]`,
	} {
		require.Equal(t, text, output(text).Str)
	}
}

func TestTR52_ToolsOfANamespaceGoThereAndBack(t *testing.T) {
	t.Parallel()
	request := responsesAsk(`{"role":"user","content":"q"},{"type":"function_call","call_id":"1","namespace":"ns","name":"f","arguments":"{}"},`+responsesOutput,
		`,"tools":[{"type":"namespace","name":"ns","tools":[{"type":"function","name":"f","parameters":{"type":"object"}}]}],"tool_choice":{"type":"function","namespace":"ns","name":"f"}`)
	got := responsesToChat.asks(t, request)
	require.Equal(t, "ns__f", got.Get("tools.0.function.name").Str)
	require.Equal(t, "ns__f", got.Get("tool_choice.function.name").Str)
	require.Equal(t, "ns__f", got.Get("messages.1.tool_calls.0.function.name").Str)
	item := responsesToChat.gets(t, request, `{"id":"c","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","tool_calls":[{"id":"2","type":"function","function":{"name":"ns__f","arguments":"{}"}}]}}]}`).Get("output.0")
	require.Equal(t, "f", item.Get("name").Str)
	require.Equal(t, "ns", item.Get("namespace").Str)
}

func TestTR53_WithoutToolsThereIsNoChoice(t *testing.T) {
	t.Parallel()
	got := responsesToChat.asks(t, responsesAsk(`{"role":"user","content":"q"}`, `,"tools":[],"tool_choice":"auto","parallel_tool_calls":true`))
	for _, name := range []string{"tools", "tool_choice", "parallel_tool_calls"} {
		require.False(t, got.Get(name).Exists(), name)
	}
}

func TestTR59_InstructionsFromAnywhereAreBlocksInOrder(t *testing.T) {
	t.Parallel()
	got := responsesToClaude.asks(t, responsesAsk(`{"role":"system","content":"b"},{"role":"user","content":"q"},{"role":"developer","content":"c"}`, `,"instructions":"a"`))
	require.JSONEq(t, `["a","b","c"]`, got.Get("system.#.text").Raw)
	require.JSONEq(t, `["user"]`, got.Get("messages.#.role").Raw)
}

func TestTR61_WordsComeBeforeTheCallAndItsResultAfter(t *testing.T) {
	t.Parallel()
	got := responsesToClaude.asks(t, responsesAsk(`{"role":"user","content":"q"},`+responsesCall+`,{"role":"assistant","content":[{"type":"output_text","text":"a"}]},`+responsesOutput))
	require.JSONEq(t, `["user","assistant","user"]`, got.Get("messages.#.role").Raw)
	require.JSONEq(t, `["text","tool_use"]`, got.Get("messages.1.content.#.type").Raw)
	require.Equal(t, "tool_result", got.Get("messages.2.content.0.type").Str)
}

func TestTR67_LevelsAreBudgetsWhereTokensAreCounted(t *testing.T) {
	t.Parallel()
	for level, budget := range map[string]int64{"minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 128000} {
		body := responsesAsk(`{"role":"user","content":"q"}`, `,"reasoning":{"effort":"`+level+`"}`)
		got := responsesToGemini.asksAs(t, body, translate.Upstream{Model: "gemini-2.5-pro"})
		require.Equal(t, budget, got.Get("generationConfig.thinkingConfig.thinkingBudget").Int(), level)
		got = responsesToClaude.asks(t, body)
		require.Equal(t, max(budget, 1024), got.Get("thinking.budget_tokens").Int(), level)
		thinking := fmt.Sprintf(`,"thinking":{"type":"enabled","budget_tokens":%d}`, budget)
		got = claudeToChat.asks(t, claudeAsk(`{"role":"user","content":"q"}`, thinking))
		require.Equal(t, level, got.Get("reasoning_effort").Str, "and back")
	}
}

func TestTR68_BetweenVendorsTheNearestLowerLevelIsSaid(t *testing.T) {
	t.Parallel()
	c := claudeToChat.decode(t, claudeAsk(`{"role":"user","content":"q"}`, `,"thinking":{"type":"enabled","budget_tokens":32000}`))
	body, lost, err := c.Encode(translate.Upstream{Format: providers.OpenAIChat, Model: "up", Levels: []string{"low", "medium", "high"}})
	require.NoError(t, err)
	require.Equal(t, "high", gjson.GetBytes(body, "reasoning_effort").Str)
	require.Contains(t, lost, translate.Loss{Path: "reasoning", Reason: "the model does not have the level that is asked for"})
	body, lost, err = c.Encode(translate.Upstream{Format: providers.OpenAIChat, Model: "up"})
	require.NoError(t, err)
	require.Equal(t, "xhigh", gjson.GetBytes(body, "reasoning_effort").Str, "another upstream knows more")
	require.Empty(t, lost)
}

func TestTR70_AModelThatDoesNotThinkIsAskedForNothing(t *testing.T) {
	t.Parallel()
	for _, r := range []route{claudeToChat, claudeToGemini, {providers.Anthropic, providers.OpenAIResponses}} {
		got := r.asksAs(t, claudeAsk(`{"role":"user","content":"q"}`, `,"thinking":{"type":"enabled","budget_tokens":2000,"display":"summarized"}`),
			translate.Upstream{Model: "up", Levels: []string{"none"}}).Raw
		for _, word := range []string{"reasoning", "thinking", "effort", "Thoughts"} {
			require.NotContains(t, got, word)
		}
	}
}

func TestTR71_AModelThatNobodyKnowsIsAskedInTheUpstreamsForm(t *testing.T) {
	t.Parallel()
	body := chatAsk(`{"role":"user","content":"q"}`, `,"reasoning_effort":"xhigh"`)
	require.Equal(t, "enabled", chatToClaude.asks(t, body).Get("thinking.type").Str)
	require.Equal(t, "HIGH", chatToGemini.asks(t, body).Get("generationConfig.thinkingConfig.thinkingLevel").Str)
	require.Equal(t, "xhigh", route{providers.OpenAIChat, providers.OpenAIResponses}.asks(t, body).Get("reasoning.effort").Str)
	suffixed := chatToClaude.asksAs(t, body, translate.Upstream{Model: "up", Reasoning: translate.Suffix("(2048)")})
	require.Equal(t, int64(2048), suffixed.Get("thinking.budget_tokens").Int(), "a suffix replaces what the body says")
}
