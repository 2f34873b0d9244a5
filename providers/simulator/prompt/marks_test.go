package prompt

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCutMarks_TakesMarksOutOfTheText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		want Marks
		rest string
	}{
		"":                                 {},
		"no mark":                          {Marks{}, "no mark"},
		"[[words=200]]":                    {Marks{Words: 200}, ""},
		"a [[delay=250ms]]b":               {Marks{Delay: 250 * time.Millisecond}, "a b"},
		"[[chunk=1s]] x [[words=2]]":       {Marks{Words: 2, Chunk: time.Second}, "x"},
		"[[words=2]][[words=3]]":           {Marks{Words: 3}, ""},
		"[[words=0]] x":                    {Marks{}, "[[words=0]] x"},
		"[[words=100001]]":                 {Marks{}, "[[words=100001]]"},
		"[[delay=-1s]] [[delay=2h]]":       {Marks{}, "[[delay=-1s]] [[delay=2h]]"},
		"[[other=1]] [[words]] [[words=2]": {Marks{}, "[[other=1]] [[words]] [[words=2]"},
		"[[ [[words=2]]":                   {Marks{Words: 2}, "[["},
		"]] x[1][2]":                       {Marks{}, "]] x[1][2]"},
	}
	for text, tt := range tests {
		got, rest := CutMarks(text)
		require.Equal(t, tt.want, got, text)
		require.Equal(t, tt.rest, rest, text)
	}
}

func FuzzCutMarks(f *testing.F) {
	f.Add("a [[words=2]] b [[delay=1s]] [[chunk=1ms]] c [[")
	f.Fuzz(func(t *testing.T, text string) {
		m, rest := CutMarks(text)
		require.LessOrEqual(t, len(rest), len(text))
		require.True(t, m.Words >= 0 && m.Words <= maxWords)
		require.True(t, m.Delay >= 0 && m.Delay <= maxPause)
		require.True(t, m.Chunk >= 0 && m.Chunk <= maxPause)
	})
}
