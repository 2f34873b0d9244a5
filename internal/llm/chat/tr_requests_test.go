package chat

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

// The rows TR* of the project's scenarios that concern this codec, each its half: what a
// client of this format says becomes canonical, and what is canonical is said to upstreams
// of this format, and back.

func user(parts ...llm.Part) llm.Message {
	return llm.Message{Role: llm.User, Parts: parts}
}

func model(parts ...llm.Part) llm.Message {
	return llm.Message{Role: llm.Assistant, Parts: parts}
}

func said(text string) *llm.Text { return &llm.Text{Text: text} }

func called(id, name, args string) *llm.ToolCall {
	return &llm.ToolCall{ID: id, Name: name, Arguments: args}
}

func brought(id string, parts ...llm.Part) *llm.ToolResult {
	return &llm.ToolResult{ID: id, Content: parts}
}

func conversationOf(messages ...llm.Message) *llm.Request {
	return &llm.Request{Model: "m", Messages: messages}
}

// compatible is the target of the rows in which the upstream is not OpenAI itself.
func compatible() llm.Target { return llm.Target{Compatible: true} }

func TestTR1_InstructionsKeepTheirRolesAndOrder(t *testing.T) {
	t.Parallel()
	r := decoded(t, `{"messages":[{"role":"system","content":"a"},{"role":"developer","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]},{"role":"user","content":"d"}]}`)
	require.Equal(t, []llm.Message{
		{Role: llm.System, Parts: []llm.Part{said("a")}},
		{Role: llm.Developer, Parts: []llm.Part{said("b"), said("c")}},
		user(said("d")),
	}, r.Messages)
	only := decoded(t, `{"messages":[{"role":"system","content":"a"}]}`)
	require.Equal(t, []llm.Message{{Role: llm.System, Parts: []llm.Part{said("a")}}}, only.Messages)
}

func TestTR2_ResultsThatFollowEachOtherAreOneMessage(t *testing.T) {
	t.Parallel()
	r := decoded(t, `{"messages":[{"role":"tool","tool_call_id":"1","content":"a"},{"role":"tool","tool_call_id":"2","content":"b"},{"role":"user","content":"c"},{"role":"tool","tool_call_id":"3","content":"d"}]}`)
	require.Equal(t, []llm.Message{
		user(brought("1", said("a")), brought("2", said("b"))), user(said("c")), user(brought("3", said("d"))),
	}, r.Messages)
}

func TestTR4_OfSeveralResultsTheLastStandsAtTheFirstPlace(t *testing.T) {
	t.Parallel()
	r := conversationOf(
		model(called("1", "f", "{}"), called("2", "g", "{}")),
		user(brought("1", said("old")), brought("2", said("b")), brought("1", said("new"))),
	)
	require.JSONEq(t, `[
		{"role":"assistant","content":null,"tool_calls":[
			{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},
			{"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"1","content":"new"},
		{"role":"tool","tool_call_id":"2","content":"b"}]`, messagesOf(t, r, llm.Target{}))
}

func TestTR5_ImagesInResultsKeepDataOrURL(t *testing.T) {
	t.Parallel()
	r := decoded(t, `{"messages":[{"role":"tool","tool_call_id":"1","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1n"}},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}`)
	require.Equal(t, []llm.Message{user(brought("1",
		&llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n"},
		&llm.Media{Kind: llm.Image, URL: "https://example.com/a.png"}))}, r.Messages)
}

func TestTR7_TemperatureAndTopPAreTold(t *testing.T) {
	t.Parallel()
	r := decoded(t, `{"messages":[{"role":"user","content":"x"}],"temperature":0.7,"top_p":0.9}`)
	require.InDelta(t, 0.7, *r.Sampling.Temperature, 0)
	require.InDelta(t, 0.9, *r.Sampling.TopP, 0)
}

func TestTR8_MarkersOfPartsBeatThoseOfMessages(t *testing.T) {
	t.Parallel()
	const marked = `"cache_control":{"type":"ephemeral","ttl":"1h"}`
	r := decoded(t, `{"messages":[
		{"role":"user","content":"a",`+marked+`},
		{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}],`+marked+`},
		{"role":"user","content":[{"type":"text","text":"d"},{"type":"text","text":"e","cache_control":{"type":"ephemeral"}}],`+marked+`},
		{"role":"assistant","content":"f","tool_calls":[{"id":"1","function":{"name":"g","arguments":"{}"}}],`+marked+`},
		{"role":"tool","tool_call_id":"1","content":"h",`+marked+`}],
		"tools":[{"type":"function","function":{"name":"g"},`+marked+`},{"type":"function","function":{"name":"i",`+marked+`}}],`+marked+`}`)
	hour, plain := &llm.Cache{TTL: "1h"}, &llm.Cache{}
	call, result := called("1", "g", "{}"), brought("1", said("h"))
	call.Cache, result.Cache = hour, hour
	require.Equal(t, []llm.Message{
		user(&llm.Text{Text: "a", Cache: hour}),
		user(said("b"), &llm.Text{Text: "c", Cache: hour}),
		user(said("d"), &llm.Text{Text: "e", Cache: plain}),
		model(said("f"), call),
		user(result),
	}, r.Messages)
	require.Equal(t, hour, r.Tools[0].Cache)
	require.Equal(t, hour, r.Tools[1].Cache)
	require.Equal(t, hour, r.Cache)
}

func TestTR10_ThoughtsComeBeforeWordsAndCalls(t *testing.T) {
	t.Parallel()
	want := []llm.Message{model(&llm.Thinking{Text: "hm"}, said("a"), called("1", "f", "{}"))}
	for _, name := range []string{"reasoning_content", "reasoning"} {
		r := decoded(t, `{"messages":[{"role":"assistant","content":"a","`+name+`":"hm","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}]}`)
		require.Equal(t, want, r.Messages)
	}
	r := conversationOf(append(want, user(brought("1", said("b"))))...)
	require.Contains(t, messagesOf(t, r, compatible()), `"reasoning_content":"hm"`)
	body, lost := encoded(t, r, llm.Target{})
	require.NotContains(t, body, "hm")
	require.Equal(t, []llm.Loss{lostThoughts.told()}, lost)
}

func TestTR11_TheEndUserHasOneIDWhateverItsName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "u", decoded(t, `{"messages":[{"role":"user","content":"x"}],"user":"u"}`).UserID)
	require.Equal(t, "s", decoded(t, `{"messages":[{"role":"user","content":"x"}],"user":"u","safety_identifier":"s"}`).UserID)
	require.Empty(t, decoded(t, `{"messages":[{"role":"user","content":"x"}]}`).UserID)

	r := conversationOf(user(said("x")))
	r.UserID = strings.Repeat("x", 65)
	body, lost := encoded(t, r, llm.Target{})
	require.Equal(t, []llm.Loss{lostUserID.told()}, lost)
	again, _ := encoded(t, r, llm.Target{})
	require.Equal(t, body, again, "the digest is stable")
}

// TestTR13_ReasonsHaveTheFormatsWords is also the row of TR64's words for answers.
// streamOf returns what a client is sent.
func TestTR16_ResultsOfDataAndImages(t *testing.T) {
	t.Parallel()
	data := &llm.ToolResult{ID: "1", Content: []llm.Part{said(`{"a":1}`)}, Structured: true}
	image := brought("2", said("b"), &llm.Media{Kind: llm.Image, MIME: "image/png", Data: "aW1n"})
	r := conversationOf(model(called("1", "f", "{}"), called("2", "f", "{}")), user(data, image))
	picture := `{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1n"}}`
	require.Contains(t, messagesOf(t, r, compatible()),
		`{"role":"tool","tool_call_id":"1","content":"{\"a\":1}"},{"role":"tool","tool_call_id":"2","content":[{"type":"text","text":"b"},`+picture+`]}]`)
	// OpenAI takes images from users only.
	require.Contains(t, messagesOf(t, r, llm.Target{}),
		`{"role":"tool","tool_call_id":"2","content":"b"},{"role":"user","content":[{"type":"text","text":"From the result of the tool call 2:"},`+picture+`]}]`)
}

func TestTR17_WordsAroundACallAreOneMessage(t *testing.T) {
	t.Parallel()
	r := conversationOf(model(said("a"), called("1", "f", "{}"), said("b")), user(brought("1", said("c"))))
	require.JSONEq(t, `[{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],
		"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"1","content":"c"}]`, messagesOf(t, r, llm.Target{}))
}

func TestTR20_StopSequencesAreAnArray(t *testing.T) {
	t.Parallel()
	for _, stops := range [][]string{{"a"}, {"a", "b"}} {
		r := conversationOf(user(said("x")))
		r.Stop = stops
		body, _ := encoded(t, r, llm.Target{})
		require.Equal(t, stops, decoded(t, body).Stop)
		require.Equal(t, `["`+strings.Join(stops, `","`)+`"]`, member(t, body, "stop"))
	}
}

// TestTR22_UsageMayComeAfterTheFinishReason is also TR55's: the end is [DONE], with all
// that was counted.
// TestTR28_NothingFollowsTheEnd is also TR65's: chunks after [DONE] are dropped.
func TestTR31_OutputKinds(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]llm.Output{
		`{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}`: {Kind: llm.OutputSchema, Name: "n", Schema: []byte(`{"type":"object"}`)},
		`{"type":"json_object"}`: {Kind: llm.OutputJSON},
		`{"type":"text"}`:        {Kind: llm.OutputText},
	} {
		r := decoded(t, `{"messages":[{"role":"user","content":"x"}],"response_format":`+format+`}`)
		require.Equal(t, want, r.Output)
		body, _ := encoded(t, r, llm.Target{})
		require.JSONEq(t, format, member(t, body, "response_format"))
	}
}

func TestTR34_EmptyTextsAreSkipped(t *testing.T) {
	t.Parallel()
	empty := said("")
	r := conversationOf(
		llm.Message{Role: llm.System, Parts: []llm.Part{empty}},
		user(empty, said("a"), empty), user(), user(empty),
		model(empty), model(empty, called("1", "f", "")), user(brought("1", empty)),
	)
	require.JSONEq(t, `[{"role":"user","content":"a"},
		{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"1","content":""}]`, messagesOf(t, r, llm.Target{}))
}

func TestTR49_ResultsStandRightAfterTheirCall(t *testing.T) {
	t.Parallel()
	r := conversationOf(
		model(called("1", "f", "{}")), user(said("wait")), model(said("yes")),
		user(brought("1", said("a"))), user(said("go")),
	)
	require.JSONEq(t, `[
		{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"1","content":"a"},
		{"role":"user","content":"wait"},{"role":"assistant","content":"yes"},{"role":"user","content":"go"}]`, messagesOf(t, r, llm.Target{}))
}

func TestTR49_AnIDMayComeBackInALaterTurn(t *testing.T) {
	t.Parallel()
	r := conversationOf(
		model(called("0", "f", "{}")), user(brought("0", said("a"))),
		model(called("0", "g", "{}")), user(brought("0", said("b"))),
	)
	messages := messagesOf(t, r, llm.Target{})
	require.Less(t, strings.Index(messages, `"content":"a"`), strings.Index(messages, `"name":"g"`))
	require.Less(t, strings.Index(messages, `"name":"g"`), strings.Index(messages, `"content":"b"`))
}

func TestTR50_ImagesInAStringBecomeImages(t *testing.T) {
	t.Parallel()
	toolMessage := func(text string) string {
		r := conversationOf(model(called("1", "f", "{}")), user(brought("1", said(text))))
		all := messagesOf(t, r, compatible())
		return all[strings.Index(all, `{"role":"tool"`) : len(all)-1]
	}
	require.JSONEq(t, `{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1n","detail":"high"}}]}`,
		toolMessage(`[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"data:image/png;base64,aW1n","detail":"original"}]`))
	for _, text := range []string{
		`[{"type":"input_text","text":"t"}]`,                                                // no image
		`[{"type":"input_image"}]`,                                                          // no URL
		`[{"type":"input_image","image_url":""}]`,                                           // an empty one
		`[{"type":"input_image","image_url":7}]`,                                            // not a string
		`[{"type":"input_image","image_url":"img.png"}]`,                                    // not a URL
		`[{"type":"input_image","image_url":"https://example.com/a.png"}`,                   // broken
		`[{"type":"input_image","image_url":"https://example.com/a.png"},"x"]`,              // something else beside it
		`[{"type":"input_image","image_url":"https://example.com/a.png"},{"type":"other"}]`, // likewise
		`[{"type":"input_image","image_url":"https://example.com/a.png","more":1}]`,         // more than is known
		`{"type":"input_image","image_url":"https://example.com/a.png"}`,                    // no array
		`see [{"type":"input_image","image_url":"https://example.com/a.png"}]`,              // prose
		`[]`, `[{"type":"output_image","input_image":1,"image_url":"https://example.com/a.png"}]`, // other types
	} {
		require.Equal(t, `{"role":"tool","tool_call_id":"1","content":`+marshal(t, text)+`}`, toolMessage(text))
	}
}

func TestTR53_WithoutToolsThereIsNoChoice(t *testing.T) {
	t.Parallel()
	r := conversationOf(user(said("x")))
	r.Choice, r.Parallel = llm.ToolChoice{Mode: llm.Auto}, ptr(true)
	for _, target := range []llm.Target{{}, compatible()} {
		body, _ := encoded(t, r, target)
		require.NotContains(t, body, "tool")
	}
	// A tool that compatible upstreams have no word for is refused, not left out: the answer
	// may depend on it.
	r.Tools = []llm.Tool{{Kind: llm.WebSearch, Name: "web_search"}}
	_, _, err := Codec{}.EncodeRequest(nil, r, compatible())
	require.EqualError(t, err, "the tool web_search cannot be said in the format openai-chat")
	body, _ := encoded(t, r, llm.Target{})
	require.Equal(t, "{}", member(t, body, "web_search_options"))
	require.NotContains(t, body, "tool_choice")
}

// TestTR57_WordsAndCallsOfAStreamFollowEachOther stands for what a Responses client is to
// see: thoughts end before words, words before calls.
func TestTR66_ReasoningIsReadInEveryVendorsWords(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]llm.Reasoning{
		`"reasoning_effort":"high"`:                                  {Level: llm.LevelHigh},
		`"reasoning_effort":"none"`:                                  {Level: llm.LevelNone},
		`"reasoning":{"effort":"low","exclude":true}`:                {Level: llm.LevelLow, Show: ptr(false)},
		`"reasoning":{"max_tokens":2000}`:                            {Budget: ptr(int64(2000))},
		`"reasoning":{"enabled":true}`:                               {Level: llm.LevelMedium},
		`"reasoning":{"enabled":false}`:                              {Level: llm.LevelNone},
		`"reasoning":{"effort":"low"},"reasoning_effort":"high"`:     {Level: llm.LevelHigh},
		`"thinking":{"type":"enabled","budget_tokens":1024}`:         {Budget: ptr(int64(1024))},
		`"thinking":{"type":"enabled"}`:                              {Level: llm.LevelAuto},
		`"thinking":{"type":"disabled"}`:                             {Level: llm.LevelNone},
		`"thinking":{"type":"disabled"},"reasoning_effort":"medium"`: {Level: llm.LevelMedium},
		`"model":"m"`: {},
	} {
		require.Equal(t, want, decoded(t, `{"messages":[{"role":"user","content":"x"}],`+members+`}`).Reasoning, members)
	}
}

func TestTR67_BudgetsAndLevelsAreEfforts(t *testing.T) {
	t.Parallel()
	effort := func(r llm.Reasoning) string {
		request := conversationOf(user(said("x")))
		request.Reasoning = r
		body, _ := encoded(t, request, llm.Target{})
		return member(t, body, "reasoning_effort")
	}
	for budget, want := range map[int64]string{
		0: `"none"`, 512: `"minimal"`, 1024: `"low"`, 8192: `"medium"`, 24576: `"high"`, 32768: `"xhigh"`, 128000: `"max"`, -1: "",
	} {
		require.Equal(t, want, effort(llm.Reasoning{Budget: &budget}))
	}
	require.Empty(t, effort(llm.Reasoning{Level: llm.LevelAuto}), "the format's default")
}

// TestTR71_TheUpstreamDecidesWhichEffortItKnows also stands for TR68 and TR70: what a model
// can is not the codec's business.
func TestTR71_TheUpstreamDecidesWhichEffortItKnows(t *testing.T) {
	t.Parallel()
	for _, level := range []llm.Level{llm.LevelNone, llm.LevelXHigh, llm.LevelMax, "extreme"} {
		for _, target := range []llm.Target{{}, compatible()} {
			r := conversationOf(user(said("x")))
			r.Reasoning.Level = level
			body, _ := encoded(t, r, target)
			require.Equal(t, level, decoded(t, body).Reasoning.Level)
		}
	}
}
