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
			want := body
			if model != nil {
				want = bytes.Replace(body, []byte(`"m"`), model, 1)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, echo.URL, nil)
			r.RequestURI = ""
			r.Body, r.ContentLength = payload.Outbound(c.body, 9, 12, model), int64(len(want))
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
