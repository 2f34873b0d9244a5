package wire_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

func TestDecode_SaysWhereTheTroubleIs(t *testing.T) {
	t.Parallel()
	type message struct {
		Content string `json:"content"`
	}
	var v struct {
		Messages []message `json:"messages"`
	}
	for body, want := range map[string]*llm.DecodeError{
		`{"messages":[{},{"content":7}]}`: {Path: "messages[1].content", Reason: "a value of this type is not expected here: a number"},
		`{"messages":[{]}`:                {Path: "messages[0]", Reason: "not valid JSON"},
		``:                                {Reason: "not valid JSON"},
		`{}x`:                             {Reason: "not valid JSON"},
	} {
		require.Equal(t, want, wire.Decode([]byte(body), &v), body)
	}
}

func TestDecode_TakesWhatEncodingJSONTakes(t *testing.T) {
	t.Parallel()
	var v struct {
		A string `json:"a"`
		B *int   `json:"b"`
	}
	require.NoError(t, wire.Decode([]byte("{\"a\":\"x\",\"a\":\"\xff\",\"b\":null,\"c\":[]}"), &v))
	require.Equal(t, "�", v.A)
	require.Nil(t, v.B)
}

func TestAppendString_WritesValidJSONWhateverTheBytes(t *testing.T) {
	t.Parallel()
	require.Equal(t, `["a\"b","�"]`, string(append(wire.AppendString(append(wire.AppendString([]byte("["), `a"b`), ','), "\xff"), ']')))
}

func TestIsObject_TakesNothingElse(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{`{"a":1}`: true, `[]`: false, `{`: false, ``: false, `null`: false} {
		require.Equal(t, want, wire.IsObject([]byte(raw)), raw)
	}
}

func TestPath_ReadsLikeTheVendorsErrors(t *testing.T) {
	t.Parallel()
	require.Equal(t, "messages[12].content", wire.Path("/messages/12/content"))
	require.Empty(t, wire.Path(""))
}

func TestDecode_TellsNoEndlessPaths(t *testing.T) {
	t.Parallel()
	var v any
	for _, body := range []string{
		strings.Repeat(`{"a":`, 9_000) + "x",
		strings.Repeat(`[`, 9_000) + "x",
		`{"` + strings.Repeat("n", 1<<20) + `":x}`,
	} {
		err := wire.Decode([]byte(body), &v)
		require.Error(t, err)
		require.Less(t, len(err.Error()), 200)
	}
}
