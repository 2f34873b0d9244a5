package pin

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func raw(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func TestOf_FindsPinsInOrder(t *testing.T) {
	t.Parallel()
	longest, state := strings.Repeat("i", maxIDBytes), strings.Repeat("s", maxTurnStateBytes)
	tests := map[string]struct {
		turn []string
		body Body
		want []Pin
	}{
		"nothing":                 {nil, Body{}, nil},
		"previous response":       {nil, Body{PreviousResponseID: raw(`"resp_1"`)}, []Pin{{Response, "resp_1"}}},
		"escaped":                 {nil, Body{PreviousResponseID: raw(`"resp\u005f\/1"`)}, []Pin{{Response, "resp_/1"}}},
		"conversation, string":    {nil, Body{Conversation: raw(`"conv_1"`)}, []Pin{{Conversation, "conv_1"}}},
		"conversation, object":    {nil, Body{Conversation: raw(` {"id":"no","x":{"id":"no"},"id":"conv_1"}`)}, []Pin{{Conversation, "conv_1"}}},
		"thread that goes on":     {nil, Body{Thread: raw(`{"type":"continue","previous_message_id":"msg_1"}`)}, []Pin{{Thread, "msg_1"}}},
		"thread that begins":      {nil, Body{Thread: raw(`{"type":"start"}`)}, nil},
		"turn":                    {[]string{"state"}, Body{}, []Pin{{Turn, "state"}}},
		"first turn that counts":  {[]string{"", " ", "a\x7f", state + "s", "b", "c"}, Body{}, []Pin{{Turn, "b"}}},
		"longest":                 {[]string{state}, Body{PreviousResponseID: raw(`"` + longest + `"`)}, []Pin{{Response, longest}, {Turn, state}}},
		"too long":                {[]string{state + "s"}, Body{PreviousResponseID: raw(`"` + longest + `i"`), Conversation: raw(`{"id":"` + longest + `i"}`)}, nil},
		"escapes are not counted": {nil, Body{PreviousResponseID: raw(`"` + strings.Repeat(`\u0069`, maxIDBytes) + `"`)}, []Pin{{Response, longest}}},
		"empty and blank":         {nil, Body{PreviousResponseID: raw(`""`), Conversation: raw(`" "`), Thread: raw(`{"previous_message_id":""}`)}, nil},
		"control characters":      {nil, Body{PreviousResponseID: raw(`"a\u0000"`), Conversation: raw(`"\n"`), Thread: raw(`{"previous_message_id":"a\u0085"}`)}, nil},
		"null": {
			nil, Body{PreviousResponseID: raw(`null`), Conversation: raw(`null`), Thread: raw(`null`)}, nil,
		},
		"of the wrong types": {
			nil, Body{PreviousResponseID: raw(`["a"]`), Conversation: raw(`{"id":{"id":"a"}}`), Thread: raw(`"previous_message_id"`)}, nil,
		},
		"all": {
			[]string{"state"},
			Body{PreviousResponseID: raw(`"r"`), Thread: raw(`{"previous_message_id":"m"}`), Conversation: raw(`"c"`)},
			[]Pin{{Response, "r"}, {Thread, "m"}, {Conversation, "c"}, {Turn, "state"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			h[http.CanonicalHeaderKey("x-codex-turn-state")] = tt.turn
			require.Equal(t, tt.want, Of(h, tt.body))
		})
	}
}

func TestOf_AllocatesNothingForNone(t *testing.T) {
	h := http.Header{"Content-Type": {"application/json"}}
	body := Body{Conversation: raw(`null`), Thread: raw(`{"type":"start"}`)}
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = Of(h, body) }))
}

func TestOf_KeepsNothingOfTheBody(t *testing.T) {
	t.Parallel()
	body := raw(`"resp_1"`)
	pins := Of(nil, Body{PreviousResponseID: body})
	copy(body, `"xxxxxx"`)
	require.Equal(t, []Pin{{Response, "resp_1"}}, pins)
}

// Keys outlive a process, so the way they are made must not change.
func TestKeyOf_StaysTheSame(t *testing.T) {
	t.Parallel()
	// printf 'response\0resp_1' | sha256sum | cut -c-32
	key := KeyOf(Response, "resp_1")
	require.Equal(t, "c98baf6bbcc2c43c4749cf7c102cf22f", hex.EncodeToString(key[:]))
	require.Equal(t, KeyOf(Response, "resp_1"), Pin{Response, "resp_1"}.Key())
}

func TestKeyOf_TellsApart(t *testing.T) {
	t.Parallel()
	begin, middle, end := strings.Repeat("b", sampleBytes), strings.Repeat("m", 1000), strings.Repeat("e", sampleBytes)
	seen := map[Key]bool{}
	for _, content := range []string{"", "a", begin + end, begin + "x" + end, begin + "xx" + end, "x" + begin[1:] + "x" + end, begin + "x" + end[1:] + "x"} {
		seen[KeyOf(Reasoning, content)] = true
	}
	require.Len(t, seen, 7)
	require.Equal(t, KeyOf(Reasoning, begin+"x"+end), KeyOf(Reasoning, begin+"y"+end), "only the ends count of a long one")
	require.NotEqual(t, KeyOf(Response, begin+middle+"x"+end), KeyOf(Response, begin+middle+"y"+end), "which is so of no other kind")

	kinds := []Kind{Response, Conversation, Thread, Turn, Reasoning}
	rapid.Check(t, func(t *rapid.T) {
		a := Pin{rapid.SampledFrom(kinds).Draw(t, "kind a"), rapid.StringN(0, 3, -1).Draw(t, "id a")}
		b := Pin{rapid.SampledFrom(kinds).Draw(t, "kind b"), rapid.StringN(0, 3, -1).Draw(t, "id b")}
		require.Equal(t, a == b, a.Key() == b.Key())
	})
}
