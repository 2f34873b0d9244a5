package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/http/payload"
)

func TestTransport_BodiesOfEverySizeArriveWhole(t *testing.T) {
	t.Parallel()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	t.Cleanup(echo.Close)
	transport := NewTransport(time.Second)
	t.Cleanup(transport.CloseIdleConnections)
	pool := newPool(nil)
	s := newTestServer(pool, live())
	for _, size := range []int{0, 1, 2900, 3 << 10, 4096, 70_000, 5 << 20} {
		for name, model := range map[string][]byte{"as it came": nil, "another model": []byte(`"longer-than-before"`)} {
			body := []byte(`{"model":"m","x":"` + strings.Repeat("y", size) + `"}`)
			c := &call{body: s.buffers.Get(int64(len(body)))}
			c.body.Bytes = append(c.body.Bytes, body...)
			want, edits := body, []payload.Edit(nil)
			if model != nil {
				want = bytes.Replace(body, []byte(`"m"`), model, 1)
				edits = []payload.Edit{{Start: 9, End: 12, Value: model}, {Start: len(body) - 2, End: len(body) - 1}}
				want = append(want[:len(want)-2:len(want)-2], '}')
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, echo.URL, nil)
			r.RequestURI = ""
			out, length := payload.Outbound(c.body, edits)
			require.Equal(t, len(want), length)
			r.Body, r.ContentLength = out, int64(length)
			resp, err := transport.RoundTrip(r)
			require.NoError(t, err, name)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			requireSameBytes(t, string(want), got)
			c.body.Release()
		}
	}
}
