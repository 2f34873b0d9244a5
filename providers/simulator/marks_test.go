package simulator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCutMarks_TakesMarksOutOfTheText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		want marks
		rest string
	}{
		"":                                 {},
		"no mark":                          {marks{}, "no mark"},
		"[[words=200]]":                    {marks{words: 200}, ""},
		"a [[delay=250ms]]b":               {marks{delay: 250 * time.Millisecond}, "a b"},
		"[[chunk=1s]] x [[words=2]]":       {marks{words: 2, chunk: time.Second}, "x"},
		"[[words=2]][[words=3]]":           {marks{words: 3}, ""},
		"[[words=0]] x":                    {marks{}, "[[words=0]] x"},
		"[[words=100001]]":                 {marks{}, "[[words=100001]]"},
		"[[delay=-1s]] [[delay=2h]]":       {marks{}, "[[delay=-1s]] [[delay=2h]]"},
		"[[other=1]] [[words]] [[words=2]": {marks{}, "[[other=1]] [[words]] [[words=2]"},
		"[[ [[words=2]]":                   {marks{words: 2}, "[["},
		"]] x[1][2]":                       {marks{}, "]] x[1][2]"},
	}
	for text, tt := range tests {
		got, rest := cutMarks(text)
		require.Equal(t, tt.want, got, text)
		require.Equal(t, tt.rest, rest, text)
	}
}

func FuzzCutMarks(f *testing.F) {
	f.Add("a [[words=2]] b [[delay=1s]] [[chunk=1ms]] c [[")
	f.Fuzz(func(t *testing.T, text string) {
		m, rest := cutMarks(text)
		require.LessOrEqual(t, len(rest), len(text))
		require.True(t, m.words >= 0 && m.words <= maxWords)
		require.True(t, m.delay >= 0 && m.delay <= maxPause)
		require.True(t, m.chunk >= 0 && m.chunk <= maxPause)
	})
}
