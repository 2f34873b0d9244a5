package gemini

import (
	"encoding/json"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// FuzzText holds the reading of strings against the standard library.
func FuzzText(f *testing.F) {
	for _, s := range []string{`""`, `"a"`, `"\"\\\/\b\f\n\r\t"`, `"\u00e9\ud83d\ude00"`, `"\ud83d\ud83d\ude00"`, `"\ud83dx\ude00"`, `"\ud83d\\"`, "\"\xff\\n\xff\"", `"\uD800\uDBFF\uDFFF"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		v := jsontext.Value(raw)
		var want string
		if !isValue(v) || v.Kind() != '"' || raw[0] != '"' || raw[len(raw)-1] != '"' || json.Unmarshal(v, &want) != nil {
			return
		}
		got, ok := text(v)
		require.True(t, ok)
		require.Equal(t, want, got)
		require.Equal(t, len(raw), stringEnd([]byte(raw)))
	})
}

// FuzzAppendQuoted holds the writing of strings against the standard library's reading.
func FuzzAppendQuoted(f *testing.F) {
	for _, s := range []string{"", "a\"\\/\b\f\n\r\t\x00\x1f\x7f", "\u00e9\u2028\U0001f600", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		require.NoError(t, json.Unmarshal(appendQuoted([]byte("x"), s)[1:], &got))
		require.Equal(t, string([]rune(s)), got)
	})
}
