package peek

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestScan_FindsMembers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		want Request
	}{
		"nothing": {`{}`, Request{}},
		"model":   {`{"model":"gpt-5.5"}`, Request{Model: "gpt-5.5", ModelAt: Span{9, 18}}},
		"white space everywhere": {
			" \r\n{\t\"model\" : \"m\" ,\n\"stream\" : true } \n",
			Request{Model: "m", ModelAt: Span{15, 18}, Stream: true},
		},
		"model after the messages": {
			`{"messages":[{"model":"inner"}],"model":"outer"}`,
			Request{Model: "outer", ModelAt: Span{40, 47}, Messages: []byte(`[{"model":"inner"}]`)},
		},
		"empty model":            {`{"model":""}`, Request{ModelAt: Span{9, 11}}},
		"escapes in the name":    {`{"mod\u0065l":"m","\u0073tream":true}`, Request{Model: "m", ModelAt: Span{14, 17}, Stream: true}},
		"every letter escaped":   {`{"` + escapeAll("system_instruction") + `":1}`, Request{SystemInstruction: []byte("1")}},
		"escapes in the model":   {`{"model":"a\"\\\/\b\f\n\r\t\u00e9"}`, Request{Model: "a\"\\/\b\f\n\r\té", ModelAt: Span{9, 34}}},
		"surrogate pair":         {`{"model":"\ud83d\ude00"}`, Request{Model: "😀", ModelAt: Span{9, 23}}},
		"unpaired surrogates":    {`{"model":"\ud83d\u0041\ude00"}`, Request{Model: "\ufffdA\ufffd", ModelAt: Span{9, 29}}},
		"bytes that are no text": {"{\"model\":\"a\xffb\"}", Request{Model: "a\ufffdb", ModelAt: Span{9, 14}}},
		"stream false":           {`{"stream":false}`, Request{}},
		"stream as a string":     {`{"stream":"true"}`, Request{}},
		"last stream counts":     {`{"stream":true,"stream":false}`, Request{}},
		"last member counts":     {`{"input":"a","input":null}`, Request{Input: []byte("null"), InputAt: Span{21, 25}}},
		"other case is another":  {`{"Models":"x","STREAM":true}`, Request{}},
		"the longest name, all escaped": {
			`{"` + escapeAll("previous_response_id") + `":"r"}`, Request{PreviousResponseID: []byte(`"r"`)},
		},
		"long names": {`{"` + strings.Repeat("x", 200) + `":1,"model":"m"}`, Request{Model: "m", ModelAt: Span{214, 217}}},
		"every member": {
			`{"messages":[1],"system":"s","input":2,"instructions":"i","contents":[],"systemInstruction":{},` +
				`"metadata":{"a":[]},"conversation":"c","conversation_id":"d","prompt_cache_key":"p","session_id":"s",` +
				`"sessionId":"t","request":{"session_id":"u"},"previous_response_id":"r","thread":{"type":"continue"}}`,
			Request{
				Messages: []byte("[1]"), System: []byte(`"s"`), Input: []byte("2"), InputAt: Span{37, 38}, Instructions: []byte(`"i"`),
				Contents: []byte("[]"), SystemInstruction: []byte("{}"), Metadata: []byte(`{"a":[]}`),
				Conversation: []byte(`"c"`), ConversationID: []byte(`"d"`), PromptCacheKey: []byte(`"p"`), SessionID: []byte(`"s"`),
				CamelSessionID: []byte(`"t"`), Request: []byte(`{"session_id":"u"}`), PreviousResponseID: []byte(`"r"`),
				Thread: []byte(`{"type":"continue"}`),
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Scan([]byte(tt.body))
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func escapeAll(s string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, `\u%04X`, r)
	}
	return b.String()
}

func TestScan_RefusesBodies(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body    string
		want    error
		message string
	}{
		"empty":                    {"", ErrNotJSON, "not valid JSON, at byte 0"},
		"byte order mark":          {"\ufeff{}", ErrNotJSON, "not valid JSON, at byte 0"},
		"cut short":                {`{"model":"m"`, ErrNotJSON, "not valid JSON, at byte 12"},
		"cut in an escape":         {`{"model":"\u12`, ErrNotJSON, "not valid JSON, at byte 10"},
		"something after the end":  {`{} {}`, ErrNotJSON, "not valid JSON, at byte 3"},
		"comma at the end":         {`{"a":1,}`, ErrNotJSON, "not valid JSON, at byte 7"},
		"bare line feed":           {"{\"a\":\"0123456789\n\"}", ErrNotJSON, "not valid JSON, at byte 16"},
		"array":                    {` [{}]`, ErrNotObject, "not a JSON object"},
		"broken array":             {`[1,`, ErrNotJSON, "not valid JSON, at byte 3"},
		"string":                   {`"model"`, ErrNotObject, "not a JSON object"},
		"null":                     {`null`, ErrNotObject, "not a JSON object"},
		"two models":               {`{"model":"a","model":"b"}`, ErrDuplicateModel, "more than one model member, the second at byte 21"},
		"the same model twice":     {`{"model":"a","model":"a"}`, ErrDuplicateModel, "more than one model member, the second at byte 21"},
		"second one escaped":       {`{"model":"a","\u006dodel":"b"}`, ErrDuplicateModel, "more than one model member, the second at byte 26"},
		"model is a number":        {`{"model":5}`, ErrModelNotString, "model is not a string, at byte 9"},
		"model is null":            {`{"model":null}`, ErrModelNotString, "model is not a string, at byte 9"},
		"nested too deeply":        {`{"a":` + strings.Repeat("[", MaxDepth), ErrTooDeep, "JSON is nested too deeply, at byte 1004"},
		"array nested too deeply":  {strings.Repeat("[", MaxDepth+1), ErrTooDeep, "JSON is nested too deeply, at byte 1000"},
		"closed by the wrong kind": {`{"a":[1}]`, ErrNotJSON, "not valid JSON, at byte 7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Scan([]byte(tt.body))
			require.ErrorIs(t, err, tt.want)
			require.EqualError(t, err, tt.message)
			require.Zero(t, got)
		})
	}
}

// TestScan_OddBodies keeps what Scan makes of each line of testdata/odd.golden; run with
// -update to see what a change does to them.
func TestScan_OddBodies(t *testing.T) {
	t.Parallel()
	const file = "testdata/odd.golden"
	golden, err := os.ReadFile(file)
	require.NoError(t, err)
	var got strings.Builder
	for line := range strings.Lines(string(golden)) {
		if strings.HasPrefix(line, "=> ") {
			continue
		}
		got.WriteString(line)
		if body := strings.TrimSuffix(line, "\n"); body != "" && body[0] != '#' {
			fmt.Fprintf(&got, "=> %s\n", verdict(Scan([]byte(body))))
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got.String()), 0o600))
		return
	}
	require.Equal(t, string(golden), got.String())
}

func verdict(r Request, err error) string {
	if err != nil {
		return err.Error()
	}
	if r.ModelAt == (Span{}) {
		return fmt.Sprintf("no model, stream %t", r.Stream)
	}
	return fmt.Sprintf("model %q at %d-%d, stream %t", r.Model, r.ModelAt.Start, r.ModelAt.End, r.Stream)
}

func TestScan_AllocatesOnlyTheModel(t *testing.T) {
	body := chatBody(50 << 10)
	require.InDelta(t, 1, testing.AllocsPerRun(10, func() { _, _ = Scan(body) }), 0)
}

func TestScan_ValuesCannotGrowIntoTheBody(t *testing.T) {
	t.Parallel()
	body := []byte(`{"metadata":{},"model":"m"}`)
	r, err := Scan(body)
	require.NoError(t, err)
	_ = append(r.Metadata, "overwritten"...)
	require.Equal(t, `{"metadata":{},"model":"m"}`, string(body))
}

func TestValid_TakesMaxDepth(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		deep := func(n int) []byte {
			return []byte(strings.Repeat(pair[0], n) + "1" + strings.Repeat(pair[1], n))
		}
		require.NoError(t, Valid(deep(MaxDepth)))
		require.ErrorIs(t, Valid(deep(MaxDepth+1)), ErrTooDeep)
	}
	wide := strings.Repeat("[[]],", MaxDepth)
	require.NoError(t, Valid([]byte("["+wide+"0]")), "closed ones must not count")
}

func TestSplice_ReplacesOnlyTheSpan(t *testing.T) {
	t.Parallel()
	body := []byte(` {"a":1, "model" : "alias","z":[ ]}` + "\n")
	r, err := Scan(body)
	require.NoError(t, err)
	got := Splice([]byte("kept "), body, r.ModelAt, AppendString(nil, `the "real" one`))
	require.Equal(t, `kept  {"a":1, "model" : "the \"real\" one","z":[ ]}`+"\n", string(got))
	require.Equal(t, string(body), string(Splice(nil, body, r.ModelAt, []byte(`"alias"`))))
}

func TestAppendString_Escapes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, want string }{
		"empty":           {"", `""`},
		"plain":           {"gpt-5.5", `"gpt-5.5"`},
		"quotes":          {`a"b\c`, `"a\"b\\c"`},
		"short escapes":   {"\b\f\n\r\t", `"\b\f\n\r\t"`},
		"other controls":  {"\x00\x1f\x7f", `"\u0000\u001f` + "\x7f" + `"`},
		"other scripts":   {"é世😀\u2028", "\"é世😀\u2028\""},
		"HTML stays":      {"<a&b>", `"<a&b>"`},
		"bad UTF-8":       {"a\xffb\xe4\xb8", `"a\ufffdb\ufffd\ufffd"`},
		"replacement":     {"\ufffd", "\"\ufffd\""},
		"after something": {"x\n", `"x\n"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, "["+tt.want, string(AppendString([]byte("["), tt.in)))
		})
	}
}
