package e2e

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
)

// small makes bodies above 64 KiB too large.
func small(c *config.Config) { c.MaxBodyBytes = 64 << 10 }

// requireRefused checks one refusal by the gateway.
func (r *rig) requireRefused(t *testing.T, d dialect, got answer, status int, code string) {
	t.Helper()
	require.NoError(t, got.err)
	require.Equal(t, status, got.status, "%s", got.body)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "false", got.header.Get("X-Should-Retry"))
	require.NotEmpty(t, got.header.Get("X-Request-Id"))
	require.Regexp(t, `^gateway;dur=[0-9.]+$`, got.header.Get("Server-Timing"))
	d.requireError(t, string(got.body), code)
	require.Empty(t, r.upstream.Requests(), "nothing of it reaches the upstream")
}

func TestBadInput_IsRefusedInTheFormat(t *testing.T) {
	t.Parallel()
	long := `{"model":"m","pad":"` + strings.Repeat("x", 64<<10) + `"}`
	tests := map[string]struct {
		body, path string // empty path = where d generates
		header     []string
		bodyModel  bool // only for formats whose body names the model
		status     int
		code       string
	}{
		"not JSON":            {body: `model=m`, status: 400, code: "invalid_json"},
		"half a JSON text":    {body: `{"model":"m","messages":[`, status: 400, code: "invalid_json"},
		"more behind it":      {body: `{"model":"m"}{}`, status: 400, code: "invalid_json"},
		"a control character": {body: "{\"model\":\"m\",\"a\":\"\x01\"}", status: 400, code: "invalid_json"},
		"an array":            {body: `[{"model":"m"}]`, status: 400, code: "invalid_json"},
		"a string":            {body: `"m"`, status: 400, code: "invalid_json"},
		"null":                {body: `null`, status: 400, code: "invalid_json"},
		"no body":             {body: ``, status: 400, code: "invalid_json"},
		"too deep":            {body: `{"model":"m","a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, status: 400, code: "invalid_json"},
		"no model":            {body: `{"messages":[]}`, bodyModel: true, status: 400, code: "missing_model"},
		"empty model":         {body: `{"model":""}`, bodyModel: true, status: 400, code: "missing_model"},
		"model is a number":   {body: `{"model":5}`, bodyModel: true, status: 400, code: "missing_model"},
		"two models":          {body: `{"model":"m","model":"n"}`, bodyModel: true, status: 400, code: "invalid_json"},
		"two models, escaped": {body: `{"model":"m","mod\u0065l":"n"}`, bodyModel: true, status: 400, code: "invalid_json"},
		"unknown model":       {body: `{"model":"a\"b"}`, bodyModel: true, status: 404, code: "model_not_found"},
		"unknown provider":    {body: `{"model":"nowhere/m"}`, bodyModel: true, status: 404, code: "model_not_found"},
		"wrong key":           {header: []string{"Authorization", "Bearer wrong"}, status: 401, code: "invalid_api_key"},
		"a key as Basic":      {header: []string{"Authorization", "Basic " + clientKey}, status: 401, code: "invalid_api_key"},
		"no key":              {header: []string{"Authorization", ""}, status: 401, code: "invalid_api_key"},
		"too large":           {body: long, status: 413, code: "request_too_large"},
		"unknown coding":      {header: []string{"Content-Encoding", "rot13"}, status: 415, code: "unsupported_content_encoding"},
		"not gzip":            {header: []string{"Content-Encoding", "gzip"}, status: 400, code: "invalid_body"},
		"not zstd":            {header: []string{"Content-Encoding", "zstd"}, status: 400, code: "invalid_body"},
		"not gzip below br":   {header: []string{"Content-Encoding", "gzip, br"}, status: 400, code: "invalid_body"},
	}
	for _, d := range formats() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{kinds: []string{d.kind}, adjust: small})
			for name, tt := range tests {
				if tt.bodyModel && d.format == providers.Gemini {
					continue
				}
				t.Run(name, func(t *testing.T) {
					body := tt.body
					if body == "" && name != "no body" {
						body = d.question1
					}
					r.requireRefused(t, d, r.post(d.plain, body, tt.header...), tt.status, tt.code)
				})
			}
		})
	}
}

func TestBadInput_GeminiNamesItsModelInThePath(t *testing.T) {
	t.Parallel()
	d := formats()[3]
	r := start(t, setup{kinds: []string{d.kind}})
	for path, tt := range map[string]struct {
		status int
		code   string
	}{
		"/v1beta/models/nope:generateContent":            {404, "model_not_found"},
		"/v1/models/a%22b:streamGenerateContent?alt=sse": {404, "model_not_found"},
		"/v1beta/models/m:predict":                       {404, "unknown_action"},
		"/v1beta/models/m":                               {404, "unknown_action"},
		"/v1beta/models/:generateContent":                {404, "unknown_action"},
	} {
		t.Run(path, func(t *testing.T) {
			r.requireRefused(t, d, r.post(path, d.question1), tt.status, tt.code)
		})
	}
}

func TestBadInput_UnknownRoutesAndMethods(t *testing.T) {
	t.Parallel()
	all := formats()
	tests := []struct {
		method, path string
		d            dialect
		status       int
		code, allow  string
	}{
		{"POST", "/nowhere", all[0], 404, "unknown_route", ""},
		{"GET", "/v1/chat", all[0], 404, "unknown_route", ""},
		{"POST", "/v1/responses/nowhere/at/all", all[1], 404, "unknown_route", ""},
		{"POST", "/v1/messages/nowhere", all[2], 404, "unknown_route", ""},
		{"POST", "/v1beta/nowhere", all[3], 404, "unknown_route", ""},
		{"GET", "/v1/chat/completions", all[0], 405, "method_not_allowed", "POST"},
		{"DELETE", "/v1/embeddings", all[0], 405, "method_not_allowed", "POST"},
		{"PUT", "/v1/responses", all[1], 405, "method_not_allowed", "GET, POST"},
		{"GET", "/v1/messages", all[2], 405, "method_not_allowed", "POST"},
		{"PATCH", "/v1/messages/count_tokens", all[2], 405, "method_not_allowed", "POST"},
		{"DELETE", "/v1beta/models/m:generateContent", all[3], 405, "method_not_allowed", "GET, POST"},
		{"POST", "/v1beta/models", all[3], 405, "method_not_allowed", "GET"},
		{"DELETE", "/healthz", all[0], 405, "method_not_allowed", "GET"},
	}
	r := start(t, setup{})
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			got := r.send(r.request(tt.method, tt.path, ""))
			r.requireRefused(t, tt.d, got, tt.status, tt.code)
			require.Equal(t, tt.allow, got.header.Get("Allow"))
		})
	}
}

// A client that promises more than it sends gets an answer if it still listens.
func TestBadInput_ACutBodyIsRefused(t *testing.T) {
	t.Parallel()
	for _, d := range formats() {
		for name, framing := range map[string]string{
			"Content-Length": "Content-Length: 500\r\n\r\n" + d.question1,
			"chunked":        fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(d.question1)+100, d.question1),
		} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := start(t, setup{kinds: []string{d.kind}})
				conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
				require.NoError(t, err)
				defer conn.Close()
				_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nAuthorization: Bearer %s\r\n%s", d.plain, clientKey, framing)
				require.NoError(t, err)
				require.NoError(t, conn.(*net.TCPConn).CloseWrite())
				text, err := io.ReadAll(conn)
				require.NoError(t, err)
				inspect(t, "answer", text)
				head, body, ok := strings.Cut(string(text), "\r\n\r\n")
				require.True(t, ok, "%s", text)
				require.Contains(t, head, "HTTP/1.1 400 ")
				d.requireError(t, body, "incomplete_body")
				require.Empty(t, r.upstream.Requests())
			})
		}
	}
}

// codings compress a body as clients do.
func codings() map[string]func(io.Writer) io.WriteCloser {
	return map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"x-gzip":  func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"Deflate": func(w io.Writer) io.WriteCloser { // without zlib's frame, as some have it
			f, _ := flate.NewWriter(w, flate.BestSpeed)
			return f
		},
		"br": func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser {
			z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
			return z
		},
	}
}

func compress(t *testing.T, coding, body string) string {
	t.Helper()
	var out bytes.Buffer
	w := codings()[coding](&out)
	_, err := io.WriteString(w, body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

func TestCompressedBodies_AreTakenAndReachTheUpstreamPlain(t *testing.T) {
	t.Parallel()
	for _, d := range formats() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{kinds: []string{d.kind}})
			for coding := range codings() {
				got := r.post(d.plain, compress(t, coding, d.question1), "Content-Encoding", coding)
				require.Equal(t, d.want(false), string(got.body), coding)
				got = r.post(d.plain, compress(t, "gzip", compress(t, coding, d.question1)), "Content-Encoding", coding+", gzip")
				require.Equal(t, d.want(false), string(got.body), coding)
			}
			for _, request := range r.upstream.Requests() {
				require.Equal(t, d.question1, string(request.Body))
				require.Empty(t, request.Header.Get("Content-Encoding"))
				require.Equal(t, fmt.Sprint(len(d.question1)), request.Header.Get("Content-Length"))
			}
		})
	}
}

func TestCompressedBodies_BombsAndCutOnesAreRefused(t *testing.T) {
	t.Parallel()
	d := formats()[0]
	bomb := `{"model":"m","pad":"` + strings.Repeat("x", 1<<20) + `"}`
	r := start(t, setup{adjust: small})
	for coding := range codings() {
		t.Run(coding, func(t *testing.T) {
			once := r.post(d.plain, compress(t, coding, bomb), "Content-Encoding", coding)
			r.requireRefused(t, d, once, http.StatusRequestEntityTooLarge, "request_too_large")
			twice := r.post(d.plain, compress(t, "gzip", compress(t, coding, bomb)), "Content-Encoding", coding+", gzip")
			r.requireRefused(t, d, twice, http.StatusRequestEntityTooLarge, "request_too_large")

			whole := compress(t, coding, strings.Replace(d.question1, "hi", strings.Repeat("h i ", 100), 1))
			cut := r.post(d.plain, whole[:len(whole)/2], "Content-Encoding", coding)
			require.Equal(t, http.StatusBadRequest, cut.status)
			require.Empty(t, r.upstream.Requests())
		})
	}
}
