package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm/wire"
)

func TestWriter_PutsCommasWhereTheyBelong(t *testing.T) {
	t.Parallel()
	var w wire.Writer
	w.Open('{')
	w.Plain("a", "b")
	w.Text("t", "\"{[,:")
	w.TextOrNull("e", "")
	w.Int("n", -1)
	w.Float("f", 0.5)
	w.Bool("y", true)
	w.Raw("r", []byte(`{"x":[]}`))
	w.Raw("none", nil)
	w.Texts("l", []string{"1", "2"})
	w.Name("o")
	w.Open('[')
	w.Open('{')
	w.Close('}')
	w.Open('[')
	w.Close(']')
	w.Close(']')
	w.Next()
	w.B = wire.AppendMember(w.B, "\"", "v")
	w.Close('}')
	require.Equal(t, `{"a":"b","t":"\"{[,:","e":null,"n":-1,"f":0.5,"y":true,"r":{"x":[]},"none":null,"l":["1","2"],"o":[{},[]],"\"":"v"}`, string(w.B))
}
