package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	uuid1 = "0b1c2d3e-0000-4000-8000-00000000000a"
	uuid2 = "0b1c2d3e-0000-4000-8000-00000000000b"
)

// Each row has turns that belong together, and one that does not belong to them.
func TestAffinity_WhatASessionIsKnownBy(t *testing.T) {
	t.Parallel()
	pad := strings.Repeat("x", 300)
	claude := func(value string) turn { return headerTurn("X-Claude-Code-Session-Id", value) }
	header := func(value string) turn { return headerTurn("X-Session-ID", value) }
	tests := map[string]struct {
		together []turn
		apart    turn
	}{
		"AF4 Claude id, old form": {
			[]turn{userTurn("user_aa_session_" + uuid1), userTurn("user_bb_account_cc_session_" + uuid1), userTurn("user__session_" + uuid1)},
			userTurn("user_aa_session_" + uuid2),
		},
		"AF5 Claude id, JSON form": {
			[]turn{userTurn(`{"session_id":"s1","device_id":"d1"}`), userTurn(` {"device_id":"d2","session_id":"s1"} `)},
			userTurn(`{"session_id":"s2","device_id":"d1"}`),
		},
		"AF5 both forms are one": {[]turn{userTurn(`{"session_id":"` + uuid1 + `"}`), userTurn("user_aa_session_" + uuid1), claude(uuid1)}, claude(uuid2)},
		"AF6 JSON form without session": {
			[]turn{userTurn(`{"device_id":"d1"}`), userTurn(`{"device_id":"d1"}`)},
			userTurn(`{"device_id":"d2"}`),
		},
		"AF7 long JSON form": {
			[]turn{userTurn(`{"pad":"` + pad + `","session_id":"s1"}`), userTurn(`{"session_id":"s1"}`)},
			userTurn(`{"pad":"` + pad + `","session_id":"s2"}`),
		},
		"AF10 Codex session-id": {[]turn{headerTurn("Session-Id", "s1"), headerTurn("session_id", "s1")}, headerTurn("session_id", "s2")},
		"AF10 its older names":  {[]turn{headerTurn("thread-id", "s1"), headerTurn("conversation_id", "s1")}, headerTurn("thread-id", "s2")},
		"AF12 X-Session-Affinity": {
			[]turn{headerTurn("X-Session-Affinity", "s1"), headerTurn("x-opencode-session", "s1"), headerTurn("X-Task-ID", "s1"), headerTurn("X-Roo-Task-ID", "s1"), headerTurn("X-Amp-Thread-Id", "s1"), headerTurn("x-litellm-session-id", "s1")},
			headerTurn("X-Session-Affinity", "s2"),
		},
		"AF12 session_id in the body": {[]turn{chatTurn(`,"session_id":"s1"`), chatTurn(`,"sessionId":"s1"`), chatTurn(`,"request":{"session_id":"s1"}`)}, chatTurn(`,"sessionId":"s2"`)},
		"AF12 prompt_cache_key":       {[]turn{chatTurn(`,"prompt_cache_key":"k1"`), chatTurn(`,"prompt_cache_key":"k1"`)}, chatTurn(`,"prompt_cache_key":"k2"`)},
		"AF12 Claude's header":        {[]turn{claude("s1"), claude("s1")}, claude("s2")},
		"AF12 any other user id":      {[]turn{userTurn("ann"), userTurn("ann")}, userTurn("bob")},
		"AF12 conversation":           {[]turn{chatTurn(`,"conversation":"c1"`), chatTurn(`,"conversation":{"id":"c1"}`), chatTurn(`,"conversation_id":"c1"`)}, chatTurn(`,"conversation":"c2"`)},
		"AF13 Claude before header":   {[]turn{withHeader(userTurn("user_a_session_"+uuid1), "X-Session-ID", "s1"), withHeader(userTurn("user_a_session_"+uuid1), "X-Session-ID", "s2")}, withHeader(userTurn("user_a_session_"+uuid2), "X-Session-ID", "s1")},
		"AF13 header before user":     {[]turn{withHeader(userTurn("ann"), "X-Session-ID", "s1"), withHeader(userTurn("bob"), "X-Session-ID", "s1")}, withHeader(userTurn("ann"), "X-Session-ID", "s2")},
		"AF13 user before conversation": {
			[]turn{chatTurn(`,"metadata":{"user_id":"ann"},"conversation":"c1"`), chatTurn(`,"metadata":{"user_id":"ann"},"conversation":"c2"`)},
			chatTurn(`,"metadata":{"user_id":"bob"},"conversation":"c1"`),
		},
		"AF14 256 bytes count": {[]turn{header(pad[:256]), header(pad[:256])}, header(pad[:255])},
		"AF14 blanks around":   {[]turn{userTurn("  ann "), userTurn("ann")}, userTurn("a nn")},
		"AF9 with a Claude id": {[]turn{withHeader(userTurn("user_a_session_"+uuid1), "Idempotency-Key", "i1"), withHeader(userTurn("user_a_session_"+uuid1), "Idempotency-Key", "i2")}, withHeader(userTurn("user_a_session_"+uuid2), "Idempotency-Key", "i1")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{adjust: sticky})
			served := r.play(tt.together...)
			requireSame(t, served)
			other := r.play(tt.apart)
			requireSpread(t, append(other, served[0]))
			requireSame(t, append(r.play(tt.together...), served[0]))
			requireSame(t, append(r.play(tt.apart), other[0]))
		})
	}
}

func withHeader(t turn, header, value string) turn {
	t.header, t.value = header, value
	return t
}

// Ids that do not count leave the session to the opening, and that differs in every turn.
func TestAffinity_WhatDoesNotCount(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 257)
	for name, s := range map[string]turn{
		"AF11 X-Client-Request-Id":  headerTurn("X-Client-Request-Id", "r1"),
		"AF9 Idempotency-Key alone": headerTurn("Idempotency-Key", "i1"),
		"AF14 257 bytes":            headerTurn("X-Session-ID", long),
		"AF14 a control character":  headerTurn("X-Session-ID", "a\tb"),
		"AF14 one in the body":      userTurn("ann\u0001"),
		"AF14 one at the end":       userTurn("ann\n"),
		"AF14 blanks":               userTurn("   "),
		"AF14 257 bytes in a body":  chatTurn(`,"conversation":"` + long + `"`),
		"AF14 a long session id":    userTurn(`{"session_id":"` + long + `"}`),
		"OpenAI's user":             chatTurn(`,"user":"ann"`),
		"a number":                  chatTurn(`,"conversation":5`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{adjust: sticky})
			requireSpread(t, r.play(s, s, s))
		})
	}
}

// conversations are growing bodies of one conversation in every format, turn by turn.
// START is the user's first text and SYSTEM the system's.
func conversations() map[string]struct {
	d     dialect
	turns []string
} {
	type conversation = struct {
		d     dialect
		turns []string
	}
	all := formats()
	return map[string]conversation{
		"AF17 chat": {all[0], []string{
			`{"model":"m","messages":[{"role":"system","content":"SYSTEM"},{"role":"user","content":"START"}]}`,
			`{"model":"m","messages":[{"role":"system","content":"SYSTEM"},{"role":"user","content":"START"},{"role":"assistant","content":"A"},{"role":"user","content":"2"}]}`,
			`{"model":"m","messages":[{"role":"system","content":"SYSTEM"},{"role":"user","content":"START"},{"role":"assistant","content":"A"},{"role":"user","content":"2"},{"role":"assistant","content":"B"},{"role":"user","content":"3"}]}`,
		}},
		"AF18 messages": {all[2], []string{
			`{"model":"m","system":[{"type":"text","text":"SYSTEM"}],"messages":[{"role":"user","content":"START"}]}`,
			`{"model":"m","system":"SYSTEM","messages":[{"role":"user","content":[{"type":"text","text":"START"}]},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}},{"type":"text","text":"A"}]},{"role":"user","content":"2"}]}`,
			`{"model":"m","system":[{"type":"text","text":"SYSTEM","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"START"},{"role":"assistant","content":"A"},{"role":"user","content":"2"},{"role":"assistant","content":"B"},{"role":"user","content":"3"}]}`,
		}},
		"AF19 gemini": {all[3], []string{
			`{"systemInstruction":{"parts":[{"text":"SYSTEM"}]},"contents":[{"role":"user","parts":[{"text":"START"}]}]}`,
			`{"systemInstruction":{"parts":[{"text":"SYSTEM"}]},"contents":[{"role":"user","parts":[{"text":"START"}]},{"role":"model","parts":[{"text":"A"}]},{"role":"user","parts":[{"text":"2"}]}]}`,
			`{"systemInstruction":{"parts":[{"text":"SYSTEM"}]},"contents":[{"parts":[{"text":"START"}]},{"role":"model","parts":[{"text":"A"}]},{"role":"user","parts":[{"text":"2"}]},{"role":"model","parts":[{"text":"B"}]}]}`,
		}},
		"AF20 responses": {all[1], []string{
			`{"model":"m","instructions":"SYSTEM","input":"START"}`,
			`{"model":"m","instructions":"SYSTEM","input":[{"role":"user","content":"START"},{"type":"reasoning","summary":[{"type":"summary_text","text":"thinking"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"A"}]},{"role":"user","content":"2"}]}`,
			`{"model":"m","instructions":"SYSTEM","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"START"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"x"},{"role":"assistant","content":"A"},{"role":"user","content":"2"}]}`,
		}},
		"AF21 images": {all[0], []string{
			`{"model":"m","messages":[{"role":"system","content":"SYSTEM"},{"role":"user","content":[{"type":"text","text":"START"},{"type":"image_url","image_url":{"url":"https://x/1.png"}}]}]}`,
			`{"model":"m","messages":[{"role":"system","content":"SYSTEM"},{"role":"user","content":[{"type":"text","text":"START"},{"type":"image_url","image_url":{"url":"https://x/2.png"}}]},{"role":"assistant","content":"A"}]}`,
		}},
	}
}

func TestAffinity_AConversationIsKnownByItsOpening(t *testing.T) {
	t.Parallel()
	for name, conversation := range conversations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{kinds: []string{conversation.d.kind}, adjust: sticky})
			say := func(turn int, system, start string) string {
				body := strings.NewReplacer("SYSTEM", system, "START", start).Replace(conversation.turns[turn])
				require.Equal(t, http.StatusOK, r.post(conversation.d.plain, body).status)
				served := r.served()
				return served[len(served)-1]
			}
			first := say(0, "be kind", "hello")
			second := say(0, "be kind", "good day")
			third := say(0, "be brief", "hello") // AF22
			requireSpread(t, []string{first, second, third})
			for turn := range conversation.turns {
				for range 2 {
					require.Equal(t, second, say(turn, "be kind", "good day"))
					require.Equal(t, first, say(turn, "be kind", "hello"))
					require.Equal(t, third, say(turn, "be brief", "hello"))
				}
			}
		})
	}
}
