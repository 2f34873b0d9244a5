package session

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzFrom gives From whatever a body's members may hold: it must not panic, say the same
// twice, and name a source exactly when it finds a session.
func FuzzFrom(f *testing.F) {
	f.Add("s1", `{"user_id":"`+oldForm+`"}`, `"conv_1"`, `[{"role":"user","content":"hi"}]`, `"s"`, uint8(0))
	f.Add("", `{"user_id":"{\"session_id\":\"x\"}"}`, `{"id":"c"}`, `[{"role":"model","parts":[{"text":"a"}]},{"parts":[{"text":"b"}]}]`, `{"parts":[{"text":"s"}]}`, uint8(1))
	f.Add(" \x00", `{"user_id":"{\"session_id\":"}`, `null`, `[{"type":"reasoning"},{"role":"user","content":[{"type":"input_text","text":"x"}]}]`, `[{}]`, uint8(2))
	f.Add("é", `[]`, `{}`, `"text"`, `1e9`, uint8(2))
	f.Add("s1", `{"user_id":"u","session_id":"x"}`, `"c"`, `"text"`, `"s"`, uint8(12))
	f.Add("", `{"session_id":"x"}`, `{"id":7}`, `"text"`, `"\u0000"`, uint8(6))
	f.Fuzz(func(t *testing.T, header, metadata, conversation, messages, system string, kind uint8) {
		for _, member := range []string{metadata, conversation, messages, system} {
			if member != "" && !json.Valid([]byte(member)) {
				t.Skip("members of a body are valid")
			}
		}
		body := Body{Metadata: raw(metadata), Conversation: raw(conversation), Socket: header}
		if kind&4 != 0 {
			body.PromptCacheKey, body.SessionID, body.Request = raw(conversation), raw(system), raw(metadata)
		}
		switch kind % 3 {
		case 0:
			body.Messages, body.System = raw(messages), raw(system)
		case 1:
			body.Contents, body.SystemInstruction = raw(messages), raw(system)
		case 2:
			body.Input, body.Instructions = raw(messages), raw(system)
		}
		h := http.Header{"X-Session-Id": {header}}
		if kind&8 != 0 {
			h = http.Header{"SESSION_ID": {header}, "x-task-id": {"", header}}
		}
		keys := From(h, body, "scope")
		require.Equal(t, keys, From(h, body, "scope"))
		require.Equal(t, keys.Source == "", keys.Primary.IsZero())
		requireOrderedIDs(t, keys)
		if !keys.Fallback.IsZero() {
			require.Equal(t, SourceOpening, keys.Source)
			require.NotEqual(t, keys.Primary, keys.Fallback)
		}
	})
}
