package jsonwalk

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWalk_StepsFromValueToValue(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		array string
		want  []string
	}{
		"empty":            {`[]`, nil},
		"scalars":          {` [ 1 , "a" ,true,null,-1e9 ] `, []string{"1", `"a"`, "true", "null", "-1e9"}},
		"nested":           {`[[1,[2]],{"a":[{}]}]`, []string{"[1,[2]]", `{"a":[{}]}`}},
		"brackets inside":  {`["]","[{",{"}":"\"}"}]`, []string{`"]"`, `"[{"`, `{"}":"\"}"}`}},
		"escaped quotes":   {`["\\","\\\"",  "\\\\"]`, []string{`"\\"`, `"\\\""`, `"\\\\"`}},
		"cut in a string":  {`["ab`, []string{`"ab`}},
		"cut in an object": {`[{"a":1`, []string{`{"a":1`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := Walk{JSON: []byte(tt.array)}
			require.True(t, w.Enter('['))
			var got []string
			for value := w.Next(); value != nil; value = w.Next() {
				got = append(got, string(value))
				require.Equal(t, string(value), tt.array[w.At-len(value):w.At])
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestWalk_MembersStepsOut(t *testing.T) {
	t.Parallel()
	w := Walk{JSON: []byte(`[{"a":{"b":1},"a":"c","d\n":[]}, 7]`)}
	require.True(t, w.Enter('['))
	require.False(t, w.Enter('['))
	require.True(t, w.Enter('{'))
	var got []string
	w.Members(func(name, value []byte) { got = append(got, string(name), string(value)) })
	require.Equal(t, []string{"a", `{"b":1}`, "a", `"c"`, `d\n`, "[]"}, got)
	require.Equal(t, "7", string(w.Next()))
	require.Nil(t, w.Next())
}

func TestInner_WantsAString(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{`"a"`: "a", `"a\"b"`: `a\"b`, `""`: "", `7`: "", `null`: "", `"`: "", "": ""} {
		require.Equal(t, want, string(Inner([]byte(raw))), raw)
	}
	require.Equal(t, "a", string(Inner([]byte(" \"a\"\n"))))
	require.True(t, IsArray([]byte(" [")))
	require.False(t, IsArray([]byte(`"["`)))
}

func TestUnescape_CutsAtItsLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		quoted, err := json.Marshal(text)
		require.NoError(t, err)
		limit := rapid.IntRange(0, len(text)+10).Draw(t, "limit")
		require.Equal(t, text[:min(limit, len(text))], string(Unescape(nil, Inner(quoted), limit)))
		require.Equal(t, "kept"[:min(limit, 4)]+text[:min(max(limit-4, 0), len(text))], string(Unescape([]byte("kept"), Inner(quoted), limit)))
	})
}

// FuzzWalk compares the walk through an array or object with encoding/json's, and lets it
// make what it likes of the rest.
func FuzzWalk(f *testing.F) {
	for _, s := range []string{
		`[1,"a",[2],{"b":3}]`, `{"a":"\\\"","b":{"c":[]},"\u0061":null}`, `["\ud83d\ude00","\ud83d","\/"]`,
		`[`, `{"a"`, `"`, `[}`, `{:,}`, "\x00", strings.Repeat("[", 100), `["\`, `["\u12`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w := Walk{JSON: b}
		var got [][]byte
		switch {
		case w.Enter('['):
			for value := w.Next(); value != nil; value = w.Next() {
				got = append(got, value)
			}
		case w.Enter('{'):
			w.Members(func(_, value []byte) { got = append(got, value) })
		default:
			got = append(got, w.Next())
		}
		for _, value := range got {
			_ = Unescape(nil, Inner(value), math.MaxInt)
		}
		if json.Valid(b) {
			require.Equal(t, valuesOf(t, b), texts(got))
			require.Empty(t, bytes.TrimSpace(b[w.At:]), "it stepped out of the outermost value")
			for _, value := range got {
				requireSameText(t, value)
			}
		}
	})
}

// valuesOf is the values right inside of b, or b itself if it is a scalar.
func valuesOf(t *testing.T, b []byte) []string {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	open, err := dec.Token()
	require.NoError(t, err)
	if open != json.Delim('[') && open != json.Delim('{') {
		return []string{string(bytes.TrimSpace(b))}
	}
	values := []string{}
	for dec.More() {
		if open == json.Delim('{') {
			_, err := dec.Token()
			require.NoError(t, err)
		}
		var value json.RawMessage
		require.NoError(t, dec.Decode(&value))
		values = append(values, string(value))
	}
	return values
}

func texts(values [][]byte) []string {
	out := []string{}
	for _, value := range values {
		out = append(out, string(value))
	}
	return out
}

func requireSameText(t *testing.T, value []byte) {
	var text string
	if value[0] == '"' && utf8.Valid(value) {
		require.NoError(t, json.Unmarshal(value, &text))
		require.Equal(t, text, string(Unescape(nil, Inner(value), math.MaxInt)))
	}
}
