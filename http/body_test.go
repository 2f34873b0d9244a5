package httpapi

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/providers"
)

// pack applies content codings, the first one first.
func pack(t testing.TB, text string, codings ...string) string {
	for _, coding := range codings {
		var out bytes.Buffer
		var w io.WriteCloser
		var err error
		switch coding {
		case "gzip":
			w = gzip.NewWriter(&out)
		case "deflate":
			w = zlib.NewWriter(&out)
		case "raw":
			w, err = flate.NewWriter(&out, 6)
		case "br":
			w = brotli.NewWriter(&out)
		case "zstd":
			w, err = zstd.NewWriter(&out)
		}
		require.NoError(t, err)
		_, err = io.WriteString(w, text)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		text = out.String()
	}
	return text
}

func TestReadBody_UndoesContentEncodings(t *testing.T) {
	t.Parallel()
	for header, codings := range map[string][]string{
		"gzip": {"gzip"}, "x-gzip": {"gzip"}, "GZIP": {"gzip"}, "deflate": {"deflate"}, " deflate ": {"raw"},
		"br": {"br"}, "zstd": {"zstd"}, "gzip, br": {"gzip", "br"}, "identity": {}, "identity, zstd": {"zstd"},
	} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			var got string
			var encoding []string
			pool := newPool(func(r *http.Request) (*http.Response, error) {
				text, err := io.ReadAll(r.Body)
				require.NoError(t, err)
				got, encoding = string(text), r.Header["Content-Encoding"]
				return answer(200, "application/json", "{}")(r)
			})
			w := send(newTestServer(pool, live()), "POST", "/v1/responses", pack(t, chatBody, codings...), "Content-Encoding", header)
			require.Equal(t, 200, w.Code, w.Body.String())
			require.Equal(t, chatBody, got)
			require.Empty(t, encoding)
		})
	}
}

func TestReadBody_RefusesBadInput(t *testing.T) {
	t.Parallel()
	big := `{"model":"m","x":"` + strings.Repeat("x", 1000) + `"}`
	tests := map[string]struct {
		body, encoding string
		status         int
		code           string
	}{
		"not JSON":                  {`{"model":"m"`, "", 400, "invalid_json"},
		"empty":                     {``, "", 400, "invalid_json"},
		"an array":                  {`[{"model":"m"}]`, "", 400, "invalid_json"},
		"two objects":               {`{"model":"m"}{}`, "", 400, "invalid_json"},
		"two models":                {`{"model":"m","\u006dodel":"n"}`, "", 400, "invalid_json"},
		"too deep":                  {`{"model":"m","x":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}`, "", 400, "invalid_json"},
		"no model":                  {`{"messages":[]}`, "", 400, "missing_model"},
		"empty model":               {`{"model":""}`, "", 400, "missing_model"},
		"model is a number":         {`{"model":7}`, "", 400, "missing_model"},
		"too large":                 {`{"model":"m","x":"` + strings.Repeat("x", 4000) + `"}`, "", 413, "request_too_large"},
		"too large when unpacked":   {pack(t, strings.Repeat(" ", 1<<20)+chatBody, "zstd"), "zstd", 413, "request_too_large"},
		"a bomb in a bomb":          {pack(t, strings.Repeat(" ", 1<<22)+chatBody, "gzip", "br"), "gzip, br", 413, "request_too_large"},
		"too large when packed":     {strings.Repeat(pack(t, "", "gzip"), 200), "gzip", 413, "request_too_large"},
		"not packed at all":         {chatBody, "gzip", 400, "invalid_body"},
		"cut while packed":          {pack(t, big, "gzip")[:20], "gzip", 400, "incomplete_body"},
		"damaged while packed":      {damage(pack(t, big, "gzip")), "gzip", 400, "invalid_body"},
		"unknown encoding":          {chatBody, "rot13", 415, "unsupported_content_encoding"},
		"an empty body as deflate":  {"", "deflate", 400, "invalid_body"},
		"an unknown one among many": {chatBody, "gzip, rot13", 415, "unsupported_content_encoding"},
	}
	settings := live()
	settings.MaxBodyBytes = 3000
	for name, tt := range tests {
		for path, format := range map[string]providers.Format{
			"/v1/chat/completions": providers.OpenAIChat, "/v1/responses": providers.OpenAIResponses, "/v1/messages": providers.Anthropic,
		} {
			t.Run(name+path, func(t *testing.T) {
				t.Parallel()
				pool := newPool(answer(200, "application/json", "{}"))
				var header []string
				if tt.encoding != "" {
					header = []string{"Content-Encoding", tt.encoding}
				}
				w := send(newTestServer(pool, settings), "POST", path, tt.body, header...)
				require.Equal(t, tt.status, w.Code, w.Body.String())
				requireCode(t, format, tt.code, w)
				require.Equal(t, "false", w.Header().Get("X-Should-Retry"))
				require.Empty(t, pool.acquired)
			})
		}
	}
}

func damage(packed string) string {
	b := []byte(packed)
	b[len(b)/2] ^= 0x55
	b[len(b)-5] ^= 0x55
	return string(b)
}

func TestReadBody_BoundsBodiesOfUnknownLength(t *testing.T) {
	t.Parallel()
	settings := live()
	settings.MaxBodyBytes = int64(len(chatBody))
	for extra, want := range map[string]int{"": 200, " ": 413} {
		s := newTestServer(newPool(answer(200, "application/json", "{}")), settings)
		r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", io.MultiReader(strings.NewReader(chatBody), strings.NewReader(extra)))
		require.Equal(t, int64(-1), r.ContentLength)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		require.Equal(t, want, w.Code)
	}
}
