package session

import (
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// heard is the keys of an opening with these texts.
func heard(system, user, assistant string) Keys {
	hash := func(lines string) Key {
		h := fnv.New64a()
		_, _ = h.Write([]byte(lines))
		return keyOf("scope", SourceOpening, fmt.Sprintf("%016x", h.Sum64()))
	}
	lines := ""
	if system != "" {
		lines += "sys:" + system + "\n"
	}
	if user != "" {
		lines += "usr:" + user + "\n"
	}
	if assistant == "" {
		return Keys{Primary: hash(lines), Source: SourceOpening}
	}
	return Keys{Primary: hash(lines + "ast:" + assistant + "\n"), Fallback: hash(lines), Source: SourceOpening}
}

func TestFrom_HashesOpenings(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", maxTextBytes/16)
	tests := map[string]struct {
		body Body
		want Keys
	}{
		"chat: user":      {Body{Messages: raw(`[{"role":"user","content":"hi"}]`)}, heard("", "hi", "")},
		"chat: system":    {Body{Messages: raw(`[{"role":"system","content":"s"},{"role":"user","content":"hi"}]`)}, heard("s", "hi", "")},
		"chat: developer": {Body{Messages: raw(`[{"role":"developer","content":"s"},{"role":"user","content":"hi"}]`)}, heard("s", "hi", "")},
		"chat: answered": {
			Body{Messages: raw(`[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"},{"role":"user","content":"so"}]`)},
			heard("", "hi", "yo"),
		},
		"chat: only a system": {Body{Messages: raw(`[{"role":"system","content":"s"}]`)}, heard("s", "", "")},
		"chat: the first text that is one": {
			Body{Messages: raw(`[{"role":"user","content":""},{"role":"user","content":null},{"role":"user","content":[{"type":"text","text":""}]},
				{"role":"user","content":"hi"},{"role":"user","content":"more"}]`)},
			heard("", "hi", ""),
		},
		"chat: tool turns in between": {
			Body{Messages: raw(`[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[]},
				{"role":"tool","content":"out"},{"role":"assistant","content":"yo"}]`)},
			heard("", "hi", "yo"),
		},
		"chat: escapes": {Body{Messages: raw(`[{"role":"user","content":"a\n\u00e9"}]`)}, heard("", "a\né", "")},
		"a system that comes after both have spoken": {
			Body{Messages: raw(`[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"},{"role":"system","content":"s"}]`)},
			heard("", "hi", "yo"),
		},
		"AF18 system blocks": {
			Body{System: raw(`[{"text":"s"},{"text":"t"}]`), Messages: raw(`[{"role":"user","content":"hi"}]`)}, heard("s", "hi", ""),
		},
		"AF18 first block that has text": {
			Body{System: raw(`[{"type":"image"},{"type":"text","text":""},{"type":"text","text":"s","cache_control":{}}]`)}, heard("s", "", ""),
		},
		"Anthropic system string": {
			Body{System: raw(`"s"`), Messages: raw(`[{"role":"user","content":"hi"}]`)}, heard("s", "hi", ""),
		},
		"system message before top-level system": {
			Body{System: raw(`"top"`), Messages: raw(`[{"role":"system","content":"s"},{"role":"user","content":"hi"}]`)}, heard("s", "hi", ""),
		},
		"AF19 Gemini": {
			Body{
				SystemInstruction: raw(`{"parts":[{"text":"s"},{"text":"t"}]}`),
				Contents:          raw(`[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{}},{"text":"yo"}]}]`),
			},
			heard("s t", "hi", "yo"),
		},
		"AF19 Gemini without roles": {Body{Contents: raw(`[{"parts":[{"text":"hi"}]}]`)}, heard("", "hi", "")},
		"AF19 Gemini system alone":  {Body{SystemInstruction: raw(`{"parts":[{"text":"s"}]}`)}, heard("s", "", "")},
		"AF20 Responses, string":    {Body{Instructions: raw(`"s"`), Input: raw(`"hi"`)}, heard("s", "hi", "")},
		"AF20 Responses, items": {
			Body{Instructions: raw(`"s"`), Input: raw(`[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},
				{"type":"reasoning","role":"assistant","content":[{"type":"text","text":"hm"}]},
				{"type":"function_call","arguments":"{}"},{"type":"function_call_output","output":"o"},
				{"type":"message","role":"assistant","content":[{"type":"output_text","text":"yo"}]}]`)},
			heard("s", "hi", "yo"),
		},
		"AF20 Responses, inline messages": {
			Body{Input: raw(`[{"role":"developer","content":"s"},{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]`)},
			heard("s", "hi", "yo"),
		},
		"AF20 instructions before a developer message": {
			Body{Instructions: raw(`"s"`), Input: raw(`[{"role":"developer","content":"d"},{"role":"user","content":"hi"}]`)}, heard("s", "hi", ""),
		},
		"AF20 items that are no messages": {
			Body{Input: raw(`[{"id":"msg_1","content":"no role"},{"type":"item_reference","id":"x"},{"role":"user","content":"hi"}]`)}, heard("", "hi", ""),
		},
		"AF21 multimodal": {
			Body{Messages: raw(`[{"role":"user","content":[{"type":"text","text":"what"},{"type":"image_url","image_url":{"url":"data:"}},
				{"type":"text","text":""},{"type":"text","text":"is it"}]}]`)},
			heard("", "what is it", ""),
		},
		"AF21 only an image": {Body{Messages: raw(`[{"role":"user","content":[{"type":"image"}]}]`)}, Keys{}},
		"a text's bound":     {Body{Messages: raw(`[{"role":"user","content":"` + long + `x"}]`)}, heard("", long, "")},
		"a joined text's bound": {
			Body{Messages: raw(`[{"role":"user","content":[{"text":"` + long[1:] + `"},{"text":"x"}]}]`)}, heard("", long[1:]+" ", ""),
		},
		"no system and no user": {Body{Messages: raw(`[{"role":"assistant","content":"yo"}]`)}, Keys{}},
		"empty messages":        {Body{Messages: raw(`[]`)}, Keys{}},
		"of the wrong types": {
			Body{Messages: raw(`{"role":"user","content":"hi"}`), System: raw(`5`)}, Keys{},
		},
		"items of the wrong types": {
			Body{Messages: raw(`["x",5,null,[{"role":"user","content":"no"}],{"role":7,"type":"x"},{"role":"user","content":{"text":"no"}},{"role":"user","content":["no"]}]`)},
			Keys{},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, From(nil, tt.body, "scope"))
		})
	}
}

// AF17, AF18-AF20: turn 2 inherits turn 1's binding through its fallback, and all later
// turns share turn 2's key, in every kind of body.
func TestFrom_TurnsOfAConversationStayTogether(t *testing.T) {
	t.Parallel()
	bodies := map[string]func(messages string) Body{
		"chat": func(m string) Body {
			return Body{Messages: raw(`[{"role":"system","content":"s"},` + m + `]`)}
		},
		"Anthropic": func(m string) Body { return Body{System: raw(`[{"text":"s"}]`), Messages: raw("[" + m + "]")} },
		"Gemini": func(m string) Body {
			m = strings.NewReplacer(`"assistant"`, `"model"`, `"content":`, `"parts":[{"text":`, `"}`, `"}]}`).Replace(m)
			return Body{SystemInstruction: raw(`{"parts":[{"text":"s"}]}`), Contents: raw("[" + m + "]")}
		},
		"Responses": func(m string) Body {
			m = strings.ReplaceAll(m, `,{"role":"assistant"`, `,{"type":"reasoning","summary":[]},{"role":"assistant"`)
			return Body{Instructions: raw(`"s"`), Input: raw("[" + m + "]")}
		},
	}
	const turn1 = `{"role":"user","content":"q1"}`
	const turn2 = turn1 + `,{"role":"assistant","content":"a1"},{"role":"user","content":"q2"}`
	const turn3 = turn2 + `,{"role":"assistant","content":"a2"},{"role":"user","content":"q3"}`
	const other2 = turn1 + `,{"role":"assistant","content":"b1"},{"role":"user","content":"q2"}`
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, heard("s", "q1", ""), From(nil, body(turn1), "scope"))
			require.Equal(t, heard("s", "q1", "a1"), From(nil, body(turn2), "scope"))
			require.Equal(t, heard("s", "q1", "a1"), From(nil, body(turn3), "scope"))
			require.Equal(t, From(nil, body(turn1), "scope").Primary, From(nil, body(turn2), "scope").Fallback)
			require.NotEqual(t, From(nil, body(turn2), "scope").Primary, From(nil, body(other2), "scope").Primary)
		})
	}
}

// AF22.
func TestFrom_TellsSystemPromptsApart(t *testing.T) {
	t.Parallel()
	messages := raw(`[{"role":"user","content":"hi"}]`)
	sharedStart := strings.Repeat("x", 4<<10)
	a := From(nil, Body{System: raw(`"` + sharedStart + `a"`), Messages: messages}, "scope")
	b := From(nil, Body{System: raw(`"` + sharedStart + `b"`), Messages: messages}, "scope")
	none := From(nil, Body{Messages: messages}, "scope")
	require.Len(t, map[Key]bool{a.Primary: true, b.Primary: true, none.Primary: true}, 3)
}

// Bodies made to waste time are read up to a bound, and deep ones without recursion.
func TestFrom_BoundsHostileBodies(t *testing.T) {
	t.Parallel()
	const many = 1 << 20
	const late = `{"role":"user","content":"late"}]`
	deep := strings.Repeat("[", many) + strings.Repeat("]", many)
	tests := map[string]struct {
		body Body
		want Keys
	}{
		"empty messages":    {Body{Messages: raw("[" + strings.Repeat("{},", many) + late)}, Keys{}},
		"empty parts":       {Body{Messages: raw(`[{"role":"user","content":[` + strings.Repeat("{},", many) + `{}]},` + late)}, Keys{}},
		"empty system":      {Body{System: raw("[" + strings.Repeat("{},", many) + `{"text":"late"}]`)}, Keys{}},
		"last one in bound": {Body{Messages: raw("[" + strings.Repeat("{},", maxItems-1) + late)}, heard("", "late", "")},
		"deep content":      {Body{Messages: raw(`[{"role":"user","content":` + deep + `},` + late)}, heard("", "late", "")},
		"deep message":      {Body{Messages: raw("[" + deep + "," + late)}, heard("", "late", "")},
		"deep user id":      {Body{Metadata: raw(`{"user_id":"{` + deep + `}"}`)}, Keys{}},
		"deep conversation": {Body{Conversation: raw(`{"x":` + deep + `,"id":"c"}`)}, named(SourceConversation, "c")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, From(nil, tt.body, "scope"))
		})
	}
}
