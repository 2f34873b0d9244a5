package wire_test

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

func TestTexts_AreDecodedWhereTheyLie(t *testing.T) {
	t.Parallel()
	var v struct {
		A, B, C, D, E wire.Span
		F             wire.TextSpan
		None          wire.Span
	}
	body := []byte("{ \"A\" : \"x\" ,\"B\":\"a\\n\\u00e9\",\"C\": [ 1 ] ,\"D\":null,\"E\":\"\xff\\n\", \"F\":\"y\"}")
	require.NoError(t, wire.Decode(body, &v))
	texts := wire.Texts{Body: body}
	for span, want := range map[wire.Span]string{v.A: "x", v.B: "a\né", v.C: "[ 1 ]", v.D: "", v.E: "�\n", v.F.Span: "y", v.None: ""} {
		require.Equal(t, want, texts.At(span))
	}
	require.Equal(t, &llm.DecodeError{Path: "F", Reason: "a value of this type is not expected here: a number"}, wire.Decode([]byte(`{"F":5}`), &v))
	require.Equal(t, &llm.DecodeError{Path: "A[0]", Reason: "not valid JSON"}, wire.Decode([]byte(`{"A":[}`), &v))
}

// list keeps how many elements an array had and what the last was.
type list struct{ n, last int }

func (l *list) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return wire.Elements(dec, func(i int) error {
		l.n = i + 1
		return json.UnmarshalDecode(dec, &l.last)
	})
}

func TestElements_StepsThroughAnArray(t *testing.T) {
	t.Parallel()
	var l list
	require.NoError(t, wire.Decode([]byte(` [ 1, 2 ,7 ] `), &l))
	require.Equal(t, list{3, 7}, l)
	l = list{}
	require.NoError(t, wire.Decode([]byte(`[]`), &l))
	require.Zero(t, l)
	for _, body := range []string{`[1`, `[1,`, `[1 2]`, `[`} {
		require.Error(t, wire.Decode([]byte(body), &l), body)
	}
}

func TestWordAndCount_TakeWhatUpstreamsSend(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]wire.Word{`"a\n"`: "a\n", `null`: "", `5`: "5", `{"a":1}`: `{"a":1}`} {
		var w wire.Word
		require.NoError(t, wire.Decode([]byte(raw), &w))
		require.Equal(t, want, w)
	}
	for raw, want := range map[string]wire.Count{`5`: 5, `5.0`: 5, `-1`: 0, `null`: 0, `"5"`: 0, `1e300`: 0, `[]`: 0} {
		var c wire.Count
		require.NoError(t, wire.Decode([]byte(raw), &c))
		require.Equal(t, want, c, raw)
	}
}
