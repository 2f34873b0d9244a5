package items_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm/items"
)

func TestAppend_LeavesOutWhatCannotBeSentBack(t *testing.T) {
	t.Parallel()
	got := items.Append([]byte(`{"role":"user"}`), [][]byte{
		[]byte(`{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"id":"kept"}]}`),
		[]byte(`{"type":"reasoning","id":"rs_1","summary":[]}`),
		[]byte(`{"type":"reasoning","id":"rs_2","encrypted_content":"e"}`),
		[]byte(`{"type":"custom_tool_call","id":"c","call_id":"1","input":"x"}`),
		[]byte(`{"type":"image_generation_call","id":"ig_1"}`),
	})
	require.JSONEq(t, `[{"role":"user"},{"type":"message","role":"assistant","content":[{"id":"kept"}]},{"type":"reasoning","encrypted_content":"e"},{"type":"image_generation_call","id":"ig_1"}]`, "["+string(got)+"]")
	require.Empty(t, items.Append(nil, nil))
}

func FuzzAppend(f *testing.F) {
	f.Add([]byte(`{"type":"message","id":"x"}`), []byte(`{"type":"function_call","call_id":"a","name":"b"}`))
	f.Add([]byte(`{"type":"reasoning"}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if !gjson.ValidBytes(a) || !gjson.ValidBytes(b) || !gjson.ParseBytes(a).IsObject() || !gjson.ParseBytes(b).IsObject() {
			t.Skip("items are objects")
		}
		require.True(t, gjson.ValidBytes([]byte("["+string(items.Append(nil, [][]byte{a, b}))+"]")))
	})
}

func TestAppendEmpty_IsAnAnswer(t *testing.T) {
	t.Parallel()
	got := string(items.AppendEmpty(nil, "resp_1", "m", time.Unix(1, 0)))
	require.Contains(t, got, "event: response.created\ndata: {")
	require.Contains(t, got, `"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m"`)
}
