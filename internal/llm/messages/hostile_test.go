package messages

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
)

func TestCodec_SurvivesHostileInput(t *testing.T) {
	t.Parallel()
	const deep = 10_000
	nested := func(opening, closing string) string {
		return strings.Repeat(opening, deep) + strings.Repeat(closing, deep)
	}
	results := strings.Repeat(`{"type":"tool_result","tool_use_id":"a","content":[`, 3000) + strings.Repeat(`]}`, 3000)
	for name, body := range map[string]string{
		"arrays":      `{"messages":` + nested("[", "]") + `}`,
		"objects":     `{"x":` + nested(`{"a":`, "}") + `}`,
		"unclosed":    strings.Repeat("[", 10*deep),
		"results":     `{"messages":[{"role":"user","content":[` + results + `]}]}`,
		"schema":      `{"messages":[],"output_config":{"format":{"type":"json_schema","schema":` + strings.Repeat(`{"items":`, 2000) + `{}` + strings.Repeat("}", 2000) + `}}}`,
		"input":       `{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":` + nested(`{"a":`, "}") + `}]}]}`,
		"duplicates":  `{"model":"a","model":"b","messages":[{"role":"user","role":"assistant","content":"a","content":[{"type":"text","type":"image","text":"x"}]}]}`,
		"numbers":     `{"max_tokens":` + strings.Repeat("9", 5000) + `}`,
		"nulls":       `{"messages":[null]}`,
		"null blocks": `{"messages":[{"role":"user","content":[null]}]}`,
		"UTF-8":       "{\"model\":\"\xff\xfe\",\"messages\":[{\"role\":\"user\",\"content\":\"\xc3\"}]}",
	} {
		r, err := Codec{}.DecodeRequest([]byte(body))
		if err == nil {
			_, _, err = Codec{}.EncodeRequest(nil, r, llm.Target{})
		}
		t.Log(name, err)
		for _, answer := range []string{body, `{"content":[` + body + `],"stop_reason":"end_turn"}`} {
			if events, err := (Codec{}).DecodeAnswer([]byte(answer)); err == nil {
				Codec{}.EncodeAnswer(nil, llm.Collect(events), aReply())
			}
		}
		_, _ = tryStream([]byte("data: " + body + "\n\n"))
		require.NotEmpty(t, Codec{}.DecodeError(500, []byte(body)).Message)
		_, _ = DropMarked([]byte(strings.Replace(body, "messages", `messages":[{"thinking":1}],"messages`, 1)))
	}
}

// A body of nothing but members that nobody knows, or of blocks without meaning, takes no
// more memory than a few times its size.
func TestDecodeRequest_BoundsWhatOthersWouldFill(t *testing.T) {
	var unknown, blocks strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&unknown, `"unknown_%d":[{}],`, i)
		blocks.WriteString(`{"type":"text","text":""},`)
	}
	for name, body := range map[string]string{
		"members": `{` + unknown.String() + `"model":"m"}`,
		"tool":    `{"tools":[{` + unknown.String() + `"name":"t"}]}`,
		"block":   `{"messages":[{"role":"user","content":[{` + unknown.String() + `"type":"text","text":"a"}]}]}`,
		"blocks":  `{"messages":[{"role":"user","content":[` + blocks.String() + `{"type":"text","text":"a"}]}]}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Codec{}.DecodeRequest([]byte(body))
		runtime.ReadMemStats(&after)
		require.NoError(t, err, name)
		require.LessOrEqual(t, len(r.Unsaid), maxUnsaid)
		require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(16*len(body)), name)
	}
}
