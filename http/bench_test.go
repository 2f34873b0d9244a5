package httpapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/understudyhq/understudy/internal/fake"
)

// discard is a response writer that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Flush()                      {}

// benchmark measures the gateway's own part of a request: no network on either side.
func benchmark(b *testing.B, body string, rt transport) {
	pool := newPool(rt)
	s := newTestServer(pool, live())
	handler := s.Handler()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		handler.ServeHTTP(&discard{header: http.Header{}}, r)
		pool.reports, pool.acquired, pool.firsts = pool.reports[:0], pool.acquired[:0], pool.firsts[:0]
	}
}

func BenchmarkRelay_SmallChat(b *testing.B) {
	benchmark(b, `{"model":"m","messages":[{"role":"user","content":"`+strings.Repeat("x", 250)+`"}]}`,
		answer(200, "application/json", string(fake.Answer("openai-chat", false, 20).Body)))
}

func BenchmarkRelay_LargeChat(b *testing.B) {
	benchmark(b, `{"model":"m","messages":[{"role":"user","content":"`+strings.Repeat("lorem ipsum ", 256<<10/12)+`"}]}`,
		answer(200, "application/json", string(fake.Answer("openai-chat", false, 20).Body)))
}

func BenchmarkRelay_200Chunks(b *testing.B) {
	var pieces []string
	for _, chunk := range fake.Answer("openai-chat", true, 197).Chunks {
		pieces = append(pieces, string(chunk))
	}
	benchmark(b, chatBody, stream(io.EOF, pieces...))
}
