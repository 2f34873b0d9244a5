package pin

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestFromResponse_FindsIDs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ data, response, conversation string }{
		"whole answer":           {`{"id":"resp_1","object":"response","conversation":{"id":"conv_1"},"output":[{"id":"msg_1"}]}`, "resp_1", "conv_1"},
		"without a conversation": {`{"id":"resp_1","conversation":null,"output":[]}`, "resp_1", ""},
		"conversation, string":   {`{"id":"resp_1","conversation":"conv_1"}`, "resp_1", "conv_1"},
		"event":                  {`{"type":"response.created","response":{"id":"resp_1","conversation":{"id":"conv_1"}},"sequence_number":0}`, "resp_1", "conv_1"},
		"event without":          {`{"type":"response.output_text.delta","item_id":"msg_1","delta":"\"id\":\"resp_0\""}`, "", ""},
		"item":                   {`{"type":"response.output_item.done","item":{"id":"msg_1"}}`, "", ""},
		"error":                  {`{"error":{"message":"no","id":"x"}}`, "", ""},
		"does not count":         {`{"id":"` + strings.Repeat("r", maxIDBytes+1) + `","conversation":"\u0000"}`, "", ""},
		"of the wrong types":     {`{"id":5,"conversation":{"id":[]},"response":"x"}`, "", ""},
		"nothing":                {``, "", ""},
		"end mark":               {`[DONE]`, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, conversation := FromResponse([]byte(tt.data))
			require.Equal(t, tt.response, response)
			require.Equal(t, tt.conversation, conversation)
		})
	}
}

func TestFromItem_FindsContents(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		data string
		want []string
	}{
		"item":         {`{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","encrypted_content":"a\u003d"}}`, []string{"a="}},
		"whole answer": {`{"id":"r","output":[{"encrypted_content":"a"},{"type":"message"},{"type":"compaction","encrypted_content":"b"}]}`, []string{"a", "b"}},
		"last event":   {`{"type":"response.completed","response":{"output":[{"encrypted_content":"a"},{"encrypted_content":"b"}]}}`, []string{"a", "b"}},
		"no content":   {`{"item":{"type":"reasoning","encrypted_content":null}}`, nil},
		"only said":    {`{"item":{"type":"message","content":[{"text":"encrypted_content","encrypted_content":"x"}]}}`, nil},
		"not an item":  {`{"encrypted_content":"a","item":"encrypted_content","output":{"encrypted_content":"a"}}`, nil},
		"no object":    {`[{"encrypted_content":"a"}]`, nil},
		"nothing":      {``, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want []Key
			for _, content := range tt.want {
				want = append(want, KeyOf(Reasoning, content))
			}
			require.Equal(t, want, FromItem([]byte(tt.data)))
		})
	}
}

// What an answer gave away is found again in the input that gives it back.
func TestFromItem_AgreesWithEncrypted(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("gAAAAABo/+", 500) + "=="
	item := `{"type":"reasoning","encrypted_content":"` + content + `"}`
	want := FromItem([]byte(`{"type":"response.output_item.done","item":` + item + `}`))
	escaped := strings.NewReplacer("/", `\/`, "=", `\u003d`, "+", `\u002B`).Replace(item)
	for _, input := range []string{"[" + item + "]", "[" + escaped + "]"} {
		found := Encrypted([]byte(input))
		require.Len(t, found, 1)
		require.Equal(t, want, []Key{found[0].Key})
	}
}

func TestFromMessage_FindsTheID(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{"id":"msg_1","type":"message","content":[{"id":"toolu_1"}]}`:           "msg_1",
		`{"type":"message_start","message":{"id":"msg_1","content":[]}}`:         "msg_1",
		`{"type":"content_block_start","content_block":{"id":"toolu_1"}}`:        "",
		`{"type":"error","error":{"message":"no"},"request_id":"req_1"}`:         "",
		`{"type":"message_start","message":{"id":7}}`:                            "",
		`{"type":"message_start","message":null}`:                                "",
		`{"type":"message_start","message":{"id":"a\u0001"}}`:                    "",
		`{"id":"` + strings.Repeat("m", maxIDBytes) + `"}`:                       strings.Repeat("m", maxIDBytes),
		`{"id":"` + strings.Repeat("m", maxIDBytes+1) + `"}`:                     "",
		`{"type":"content_block_delta","delta":{"text":"{\"id\":\"msg_1\"}"}}  `: "",
		`"id"`: "",
		``:     "",
	} {
		require.Equal(t, want, FromMessage([]byte(data)), data)
	}
}

// simple reports whether encoding/json must read data as this package does: no name is
// spelled with escapes, no bytes are replaced.
func simple(data []byte) bool {
	return json.Valid(data) && utf8.Valid(data) && !strings.Contains(string(data), `\`)
}

func membersOf(raw []byte) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

// inside is the member name of data if it is an object, else data.
func inside(data []byte, name string) map[string]json.RawMessage {
	whole := membersOf(data)
	if m := membersOf(whole[name]); m != nil {
		return m
	}
	return whole
}

func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return valid(s, maxIDBytes)
}

func FuzzFromResponse(f *testing.F) {
	f.Add([]byte(`{"id":"resp_1","conversation":{"id":"conv_1"}}`))
	f.Add([]byte(`{"response":{"id":"resp_1","conversation":"c"},"id":"x"}`))
	f.Add([]byte(`{"response":{"id":"resp_1`))
	f.Add([]byte(`{"id":"\ud83d","response":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		response, conversation := FromResponse(data)
		if !simple(data) {
			return
		}
		m := inside(data, "response")
		require.Equal(t, textOf(m["id"]), response)
		if c := membersOf(m["conversation"]); c != nil {
			require.Equal(t, textOf(c["id"]), conversation)
		} else {
			require.Equal(t, textOf(m["conversation"]), conversation)
		}
	})
}

func FuzzFromItem(f *testing.F) {
	f.Add([]byte(`{"item":{"encrypted_content":"a"}}`))
	f.Add([]byte(`{"response":{"output":[{"encrypted_content":"a"},{},3]}}`))
	f.Add([]byte(`{"output":[{"encrypted_content":"a"}],"item":{"encrypted_content":""}}`))
	f.Add([]byte(`{"output":[{"encrypted_content":"a`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys := FromItem(data)
		if !simple(data) {
			return
		}
		want := 0
		if hasContent(membersOf(data)["item"]) {
			want++
		}
		var output []json.RawMessage
		_ = json.Unmarshal(inside(data, "response")["output"], &output)
		for _, item := range output {
			if hasContent(item) {
				want++
			}
		}
		require.Len(t, keys, want)
	})
}

func FuzzFromMessage(f *testing.F) {
	f.Add([]byte(`{"id":"msg_1"}`))
	f.Add([]byte(`{"type":"message_start","message":{"id":"msg_1"}}`))
	f.Add([]byte(`{"message":{"id":"\u12`))
	f.Fuzz(func(t *testing.T, data []byte) {
		id := FromMessage(data)
		if simple(data) {
			require.Equal(t, textOf(inside(data, "message")["id"]), id)
		}
	})
}

func FuzzOf(f *testing.F) {
	f.Add(`"resp_1"`, `{"previous_message_id":"msg_1"}`, `{"id":"conv_1"}`, "state")
	f.Add(`"\u0000"`, `[]`, `"conv_1"`, " ")
	f.Add(`"\ud83d`, `{"previous_message_id"`, `{`, "\x00")
	f.Fuzz(func(t *testing.T, previous, thread, conversation, turn string) {
		body := Body{PreviousResponseID: raw(previous), Thread: raw(thread), Conversation: raw(conversation)}
		pins := Of(map[string][]string{"X-Codex-Turn-State": {turn}}, body)
		kinds := map[Kind]bool{}
		for _, p := range pins {
			require.False(t, kinds[p.Kind], "one of each kind")
			kinds[p.Kind] = true
			require.NotEmpty(t, p.ID)
			require.LessOrEqual(t, len(p.ID), maxTurnStateBytes)
		}
		if simple([]byte(previous)) {
			require.Equal(t, textOf(json.RawMessage(previous)) != "", kinds[Response])
		}
	})
}
