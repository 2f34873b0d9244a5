package pin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestEncrypted_FindsItems(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("gAAAAABo", 100<<10)
	tests := map[string]struct {
		input string
		want  []string // each item and its content in turn
	}{
		"absent":   {"", nil},
		"a string": {`"encrypted_content"`, nil},
		"none":     {`[{"role":"user","content":"hi"}]`, nil},
		"only the word": {
			`[{"role":"user","content":"encrypted_content"},{"encrypted_content":""},{"encrypted_content":null},{"encrypted_content":5}]`, nil,
		},
		"reasoning": {
			` [ {"type":"reasoning","summary":[],"encrypted_content":"abc"} , {"role":"user"}]`,
			[]string{`{"type":"reasoning","summary":[],"encrypted_content":"abc"}`, "abc"},
		},
		"any type that has it": {
			`[{"type":"compaction","encrypted_content":"a"},{"encrypted_content":"b","type":"compaction_summary"},{"encrypted_content":"c"}]`,
			[]string{
				`{"type":"compaction","encrypted_content":"a"}`, "a",
				`{"encrypted_content":"b","type":"compaction_summary"}`, "b",
				`{"encrypted_content":"c"}`, "c",
			},
		},
		"not further inside": {`[{"x":{"encrypted_content":"a"}},[{"encrypted_content":"a"}],"encrypted_content"]`, nil},
		"the last one counts": {
			`[{"encrypted_content":"a","encrypted_content":"b"},{"encrypted_content":"a","encrypted_content":null}]`,
			[]string{`{"encrypted_content":"a","encrypted_content":"b"}`, "b"},
		},
		"escapes are not part of a key": {
			`[{"encrypted_content":"a\/b\u003d\u003d"}]`, []string{`{"encrypted_content":"a\/b\u003d\u003d"}`, "a/b=="},
		},
		"a long one": {`[{"encrypted_content":"` + long + `"}]`, []string{`{"encrypted_content":"` + long + `"}`, long}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for i, item := range Encrypted(raw(tt.input)) {
				content := tt.want[min(2*i+1, len(tt.want)-1)]
				require.Equal(t, KeyOf(Reasoning, content), item.Key)
				got = append(got, tt.input[item.Start:item.End], content)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestEncrypted_LooksAtSoMany(t *testing.T) {
	t.Parallel()
	const item = `{"encrypted_content":"a"}`
	require.Len(t, Encrypted(raw("["+strings.Repeat(item+",", maxItems)+item+"]")), maxItems)
	require.Nil(t, Encrypted(raw("["+strings.Repeat("1,", maxItems)+item+"]")))
	deep := strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20)
	require.Len(t, Encrypted(raw("["+deep+","+item+"]")), 1)
}

func TestEncrypted_CopiesNoContent(t *testing.T) {
	input := raw(`[{"type":"reasoning","encrypted_content":"` + strings.Repeat("x", 1<<20) + `"}]`)
	require.InDelta(t, 1, testing.AllocsPerRun(10, func() { _ = Encrypted(input) }), 0, "the list alone")
	input = raw(`[{"role":"user","content":"` + strings.Repeat("x", 1<<10) + `"}]`)
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = Encrypted(input) }))
}

// without leaves spans out of input.
func without(t require.TestingT, input []byte, spans []Span) string {
	var left strings.Builder
	at := 0
	for _, span := range spans {
		require.LessOrEqual(t, at, span.Start, "in order, not overlapping")
		require.Less(t, span.Start, span.End)
		left.Write(input[at:span.Start])
		at = span.End
	}
	left.Write(input[at:])
	return left.String()
}

func TestCut_LeavesAnArray(t *testing.T) {
	t.Parallel()
	const a, b, c = `{"encrypted_content":"a"}`, `{"encrypted_content":"b"}`, `{"encrypted_content":"c"}`
	tests := map[string]struct {
		input string
		drop  []int
		want  string
	}{
		"nothing":              {"[" + a + "," + b + "]", nil, "[" + a + "," + b + "]"},
		"first":                {"[" + a + "," + b + "]", []int{0}, "[" + b + "]"},
		"last":                 {"[" + a + "," + b + "]", []int{1}, "[" + a + "]"},
		"middle":               {"[" + a + "," + b + "," + c + "]", []int{1}, "[" + a + "," + c + "]"},
		"first and last":       {"[" + a + "," + b + "," + c + "]", []int{0, 2}, "[" + b + "]"},
		"last two":             {"[" + a + "," + b + "," + c + "]", []int{1, 2}, "[" + a + "]"},
		"all":                  {"[" + a + "," + b + "," + c + "]", []int{0, 1, 2}, "[]"},
		"the only one":         {"[" + a + "]", []int{0}, "[]"},
		"all, with blanks":     {" [\n\t" + a + " ,\r\n " + b + " \n] ", []int{0, 1}, " [] "},
		"last, with blanks":    {"[ " + a + " ,\n " + b + " \n]", []int{1}, "[ " + a + "  \n]"},
		"middle, with blanks":  {"[ " + a + " ,\n " + b + " , 5 ]", []int{1}, "[ " + a + " ,\n 5 ]"},
		"beside other values":  {"[1," + a + ",2," + b + "]", []int{0, 1}, "[1,2]"},
		"between other values": {"[1," + a + "," + b + ",2]", []int{0, 1}, "[1,2]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items := Encrypted(raw(tt.input))
			var drop []Item
			for _, i := range tt.drop {
				drop = append(drop, items[i])
			}
			require.Equal(t, tt.want, without(t, raw(tt.input), Cut(raw(tt.input), drop)))
		})
	}
}

// Removing any items leaves the array that encoding/json makes of the others.
func TestCut_LeavesTheOthers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		blank := rapid.StringOfN(rapid.SampledFrom([]rune(" \t\r\n")), 0, 2, -1)
		var input strings.Builder
		left := []string{}
		var dropped []bool // of each encrypted item, whether it goes
		input.WriteString(blank.Draw(t, "before") + "[" + blank.Draw(t, "blank"))
		for i := range rapid.IntRange(0, 8).Draw(t, "items") {
			if i > 0 {
				input.WriteString("," + blank.Draw(t, "blank"))
			}
			item := rapid.SampledFrom([]string{
				`{"type":"reasoning","encrypted_content":"%d"}`, `{"encrypted_content":"],[{\"%d"}`, `{"role":"user","content":"%d"}`,
				`{"content":["encrypted_content",%d]}`, `"encrypted_content %d"`, `[%d,{"encrypted_content":"x"}]`, `{"n":%d}`, `%d`, `{"encrypted_content":"","n":%d}`,
			}).Draw(t, "item")
			item = fmt.Sprintf(item, i)
			goes := false
			if strings.Contains(item, `"encrypted_content":"`) && item[0] == '{' && !strings.Contains(item, `:""`) {
				goes = rapid.Bool().Draw(t, "goes")
				dropped = append(dropped, goes)
			}
			if !goes {
				left = append(left, item)
			}
			input.WriteString(item + blank.Draw(t, "blank"))
		}
		input.WriteString("]" + blank.Draw(t, "after"))

		found := Encrypted([]byte(input.String()))
		require.Len(t, found, len(dropped))
		var drop []Item
		for i, item := range found {
			if dropped[i] {
				drop = append(drop, item)
			}
		}
		rest := without(t, []byte(input.String()), Cut([]byte(input.String()), drop))
		require.JSONEq(t, "["+strings.Join(left, ",")+"]", rest)
		if len(left) == 0 && len(dropped) > 0 {
			require.Equal(t, "[]", strings.TrimSpace(rest))
		}
	})
}

// FuzzEncrypted compares what is found and what is left with encoding/json.
func FuzzEncrypted(f *testing.F) {
	for _, s := range []string{
		`[{"type":"reasoning","encrypted_content":"abc"},{"role":"user","content":"hi"},{"encrypted_content":"d"}]`,
		"[ {\"encrypted_content\":\"\"} ,\n{\"encrypted_content\":\"a\\u003d\"} ]", `[1,[{"encrypted_content":"x"}]]`,
		`["encrypted_content"`, `[{"encrypted_content":"`, `[{"encrypted_content":`, `[{"encrypted_content"}]`, `{"encrypted_content":"x"}`,
	} {
		f.Add([]byte(s), uint64(1))
	}
	f.Fuzz(func(t *testing.T, input []byte, which uint64) {
		found := Encrypted(input)
		var drop []Item
		for i, item := range found {
			if which>>(i%64)&1 == 1 {
				drop = append(drop, item)
			}
		}
		rest := without(t, input, Cut(input, drop))
		if !json.Valid(input) || strings.Contains(string(input), `\`) {
			return // names may be spelled in another way
		}
		var items, want []json.RawMessage
		_ = json.Unmarshal(input, &items)
		at := 0
		for _, item := range items {
			if !hasContent(item) || at == maxItems {
				want = append(want, item)
				continue
			}
			require.Equal(t, string(item), string(input[found[at].Start:found[at].End]))
			if which>>(at%64)&1 == 0 {
				want = append(want, item)
			}
			at++
		}
		require.Len(t, found, at)
		if items != nil {
			var got []json.RawMessage
			require.NoError(t, json.Unmarshal([]byte(rest), &got), rest)
			require.Len(t, got, len(want))
			for i := range want {
				require.Equal(t, string(want[i]), string(got[i]))
			}
		}
	})
}

func hasContent(item json.RawMessage) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(item, &members) != nil {
		return false
	}
	content := members["encrypted_content"]
	return len(content) > len(`""`) && content[0] == '"'
}

// BenchmarkEncrypted is an input of 100 items and 1 MB.
func BenchmarkEncrypted(b *testing.B) {
	for name, item := range map[string]string{
		"none":      `{"role":"user","content":"%s"}`,
		"reasoning": `{"type":"reasoning","summary":[],"encrypted_content":"%s"}`,
	} {
		items := strings.Repeat(fmt.Sprintf(item, strings.Repeat("gAAAAABo", 1250))+",", 100)
		input := []byte("[" + items[:len(items)-1] + "]")
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(input)))
			b.ReportAllocs()
			for b.Loop() {
				_ = Cut(input, Encrypted(input))
			}
		})
	}
}
