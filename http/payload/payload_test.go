package payload

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
)

func TestPool_FillsToTheLimit(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 4095, 4096, 4097, 70_000, 3 << 20} {
		for _, hint := range []int64{0, int64(size), 1 << 40} {
			var pool Pool
			text := strings.Repeat("x", size)
			b, whole, err := pool.Fill(strings.NewReader(text), hint, int64(size))
			require.NoError(t, err)
			require.True(t, whole)
			require.Equal(t, text, string(b.Bytes))
			b.Release()
			_, whole, err = pool.Fill(strings.NewReader(text+"y"), hint, int64(size))
			require.NoError(t, err)
			require.False(t, whole)
		}
	}
}

func TestBuffer_IsReusedOnlyAfterItsLastReference(t *testing.T) {
	t.Parallel()
	var pool Pool
	b := pool.Get(100)
	b.Bytes = append(b.Bytes, "kept"...)
	b.Retain()
	b.Release()
	require.NotSame(t, b, pool.Get(100))
	require.Equal(t, "kept", string(b.Bytes))
}

func FuzzDecode(f *testing.F) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(bytes.Repeat([]byte("lorem ipsum "), 1000))
	require.NoError(f, err)
	require.NoError(f, w.Close())
	f.Add("gzip", packed.Bytes())
	f.Add("x-gzip, identity", packed.Bytes())
	f.Add("deflate", packed.Bytes()[10:])
	f.Add("br", []byte("\x0b\x02\x80hello\x03"))
	f.Add("zstd", []byte("\x28\xb5\x2f\xfd\x04\x00\x29\x00\x00hello"))
	f.Fuzz(func(t *testing.T, codings string, body []byte) {
		if strings.Count(codings, ",") > 3 {
			return
		}
		r, done, err := Decode(bytes.NewReader(body), http.Header{"Content-Encoding": {codings}})
		if err != nil {
			return
		}
		defer done()
		var pool Pool
		b, _, _ := pool.Fill(r, 0, 1<<16)
		require.LessOrEqual(t, len(b.Bytes), 1<<16+1)
	})
}
