package sse_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/internal/sse"
)

func TestExtend_AppendsAndDoublesItsRoom(t *testing.T) {
	t.Parallel()
	var got, want []byte
	moves := 0
	for i := range 3000 {
		piece := bytes.Repeat([]byte{byte(i)}, i%2000)
		before := cap(got)
		got, want = sse.Extend(got, piece), append(want, piece...)
		if cap(got) != before && before >= 512<<10 {
			require.GreaterOrEqual(t, cap(got), 2*before)
			moves++
		}
	}
	require.True(t, bytes.Equal(want, got))
	require.Equal(t, 3, moves)
	require.Empty(t, sse.Extend(nil, nil))
}
