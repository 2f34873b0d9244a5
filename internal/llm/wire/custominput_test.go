package wire_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

func TestUnwrapInput_ReversesWrapInput(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		require.Equal(t, text, wire.UnwrapInput(wire.WrapInput(text)))
	})
}

func TestUnwrapInput_TakesArgumentsAsModelsWriteThem(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		``:                                   ``,
		`{"input":""}`:                       ``,
		" {\n \"input\" :\t\"a\\nb\" } ":     "a\nb",
		`{"input":"a","other":1}`:            `a`,
		`{"input":"\u00e9\ud83d\ude00\/\\"}`: `é😀/\`,
		`{"input":"\ud83dx\ud83d\n\ude00\ud83d"}`: "�x�\n��",
		`{"input":"\ud83d\ud83d\ude00"}`:          "�😀",
		`{"input":"cut \ud8`:                      `cut `,
		`{"input":"cut`:                           `cut`,
		`{"inp`:                                   `{"inp`,
		`{"input":5}`:                             `{"input":5}`,
		`{"patch":"x"}`:                           `{"patch":"x"}`,
		`{"in put":"x"}`:                          `{"in put":"x"}`,
		`*** Begin Patch`:                         `*** Begin Patch`,
	} {
		require.Equal(t, want, wire.UnwrapInput(arguments), arguments)
	}
}

// Wherever the arguments are cut, the text is the same; and where they are what they should
// be, it is what a JSON decoder finds.
func FuzzUnwrapper(f *testing.F) {
	f.Add(`{"input":"a\nb\u00e9\ud83d\ude00"}`, uint8(3))
	f.Add(`{"input":"\ud83d\ud83dx"}`, uint8(1))
	f.Add(`  {"input" : "x" , "y":"z"}`, uint8(7))
	f.Add(`raw text`, uint8(2))
	f.Fuzz(func(t *testing.T, arguments string, cut uint8) {
		step := 1 + int(cut)%9
		var u wire.Unwrapper
		var text []byte
		for at := 0; at < len(arguments); at += step {
			text = u.Write(text, arguments[at:min(at+step, len(arguments))])
		}
		text = u.Close(text)
		require.Equal(t, wire.UnwrapInput(arguments), string(text))

		var whole map[string]string
		if !utf8.ValidString(arguments) || json.Unmarshal([]byte(arguments), &whole) != nil || len(whole) != 1 {
			return
		}
		if want, ok := whole[llm.CustomArgument]; ok && strings.Contains(arguments, `"input"`) {
			require.Equal(t, want, string(text))
		}
	})
}
