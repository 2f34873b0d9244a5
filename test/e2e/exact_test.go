package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/providers"
)

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf("%s of %d bytes", hex.EncodeToString(sum[:]), len(body))
}

// giant is long enough to outgrow every buffer. It costs seconds under the race detector.
const giant = 20 << 20

// oddObjects are JSON objects that any decoding and encoding would change. Each has a
// place, MODEL, for a member that names the model.
func oddObjects() map[string]string {
	return map[string]string{
		"unknown fields":   `{MODEL,"x_unknown":{"a":[1,2,{"b":null}]},"model_version":"m9","messages":[],"zzz":true}`,
		"odd spacing":      "\r\n\t {\n  MODEL \t,\r\n\"temperature\" :\t0.70 , \"messages\"\n:[ ]\n\n} \n\t",
		"unicode escapes":  `{"a":"\u00e9\u4f60\ud83d\ude00 é你😀 \/ \u0000",MODEL,"\u006dax_tokens":1,"messages":[]}`,
		"numbers":          `{"a":1.0,"b":1e400,"c":-0,"d":123456789012345678901234567890,"e":0.1000,MODEL}`,
		"twice the key":    `{"temperature":1,"temperature":2,MODEL,"user":"x","user":"y"}`,
		"model further in": `{"metadata":{"model":"m"},"messages":[{"role":"user","content":"{\"model\":\"m\"}","model":"m"}],MODEL}`,
		"half a surrogate": `{"a":"\ud83d","b":"\udc00x",MODEL}`,
	}
}

// withModel puts a member that names the model into its place. Gemini's bodies have none.
func (d dialect) withModel(object, member string) string {
	if d.format == providers.Gemini {
		member = `"generationConfig":{}`
	}
	return strings.Replace(object, "MODEL", member, 1)
}

func TestRelay_PassesBodiesOnByteForByte(t *testing.T) {
	t.Parallel()
	for _, d := range formats() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			var upstream saying
			r := start(t, setup{kinds: []string{d.kind}, script: upstream.script})
			for name, object := range oddObjects() {
				question := d.withModel(object, `"model" : "m"`)
				reply := upstream.say(fake.Reply{Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: []byte(d.withModel(object, `"model":"other"`))})
				got := r.post(d.plain, question)
				require.NoError(t, got.err)
				require.Equal(t, string(reply.Body), string(got.body), name)
				require.Equal(t, question, string(r.lastRequest().Body), name)
				require.Equal(t, "application/json; charset=utf-8", got.header.Get("Content-Type"))
			}
		})
	}
}

func TestRelay_ChangesNothingButTheModelOfAnAlias(t *testing.T) {
	t.Parallel()
	spellings := map[string]struct{ value, want string }{
		"alias":         {`"alias-of-m"`, `"m"`},
		"escaped alias": {`"alias\u002dof\u002d\u006d"`, `"m"`},
		"escaped name":  {`"\u006d"`, `"\u006d"`},
		"provider/NAME": {`"KIND\/m"`, `"m"`},
	}
	for _, d := range formats()[:3] {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{kinds: []string{d.kind}})
			for name, object := range oddObjects() {
				for spelling, tt := range spellings {
					value := strings.Replace(tt.value, "KIND", d.kind, 1)
					require.Equal(t, http.StatusOK, r.post(d.plain, d.withModel(object, `"model" :  `+value)).status)
					require.Equal(t, d.withModel(object, `"model" :  `+tt.want), string(r.lastRequest().Body), "%s, %s", name, spelling)
				}
			}
		})
	}
}

func TestRelay_PassesAGiantBodyOnByteForByte(t *testing.T) {
	t.Parallel()
	pad := strings.Repeat(`\u00e9x`, giant/7)
	body := func(model string) string { return `{"pad":"` + pad + `", "model" : ` + model + `,"messages":[]}` }
	reply := fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body(`"other"`))}
	r := start(t, setup{script: first(reply)})
	got := r.post("/v1/chat/completions", body(`"alias-of-m"`))
	require.NoError(t, got.err)
	require.Equal(t, digest(reply.Body), digest(got.body))
	require.Equal(t, digest([]byte(body(`"m"`))), digest(r.upstream.Requests()[0].Body))
}

func TestRelay_PutsTheModelOfAnAliasIntoGeminisPath(t *testing.T) {
	t.Parallel()
	d := formats()[3]
	r := start(t, setup{kinds: []string{d.kind}})
	for name, object := range oddObjects() {
		body := d.withModel(object, "")
		for target, want := range map[string]string{
			"/v1beta/models/alias-of-m:generateContent":         "/v1beta/models/m:generateContent",
			"/v1/models/gemini/m:streamGenerateContent?alt=sse": "/v1beta/models/m:streamGenerateContent",
			"/v1beta/models/alias%2dof-m:streamGenerateContent": "/v1beta/models/m:streamGenerateContent",
		} {
			require.Equal(t, http.StatusOK, r.post(target, body).status)
			require.Equal(t, want, r.lastRequest().Path)
			require.Equal(t, body, string(r.lastRequest().Body), name)
		}
	}
}

// oddStreams are event streams in a dialect that any reading and writing would change.
func (d dialect) oddStreams() map[string][]byte {
	whole := d.want(true)
	events := strings.Split(strings.ReplaceAll(whole, "\r\n", "\n"), "\n\n")
	odd := strings.Join(events[:len(events)-1], "\n\n: a comment\n:\nid: 7\nretry: 10\nunknown: x\nbare\n\n") + "\n\n"
	twoLines := strings.NewReplacer(`"choices":`, "\ndata: \"choices\":", `"delta":`, "\ndata: \"delta\":", `"candidates":`, "\ndata:\"candidates\":").Replace(whole)
	long := strings.Replace(whole, "word1", strings.Repeat("word1 ", 100_000), 1)
	return map[string][]byte{
		"as it is":             []byte(whole),
		"comments, odd fields": []byte(odd),
		"CRLF":                 []byte(strings.ReplaceAll(strings.ReplaceAll(whole, "\r\n", "\n"), "\n", "\r\n")),
		"CR":                   []byte(strings.ReplaceAll(strings.ReplaceAll(whole, "\r\n", "\n"), "\n", "\r")),
		"multi-line data":      []byte(twoLines),
		"no space":             []byte(strings.ReplaceAll(whole, "data: ", "data:")),
		"a byte order mark":    append([]byte("\ufeff"), whole...),
		"keepalives first":     []byte(strings.Repeat(": ping\n\n", 100) + whole),
		"a long event":         []byte(long),
		"no blank line last":   []byte(strings.TrimRight(whole, "\r\n") + "\n"),
	}
}

func TestSE11_SE12_StreamsPassByteForByte(t *testing.T) {
	t.Parallel()
	for _, d := range formats() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			var upstream saying
			r := start(t, setup{kinds: []string{d.kind}, script: upstream.script})
			served := 0
			for name, stream := range d.oddStreams() {
				for _, size := range []int{1, 7, 64 << 10} {
					if len(stream)/size > 5000 {
						continue // the long ones only in large pieces
					}
					upstream.say(fake.Reply{Header: http.Header{"Content-Type": {"text/event-stream"}}, Chunks: pieces(stream, size)})
					got := r.ask(d, true)
					require.NoError(t, got.err)
					require.Equal(t, string(stream), string(got.body), "%s, %d bytes at once", name, size)
					require.Equal(t, "text/event-stream", got.header.Get("Content-Type"))
					served++
					require.Equal(t, providers.Success, r.attempted("a", served).Outcome.Kind, "%s, %d bytes at once", name, size)
				}
			}
		})
	}
}

func TestRelay_PassesAGiantStreamOnByteForByte(t *testing.T) {
	t.Parallel()
	for _, d := range []dialect{dialects()[0], dialects()[4]} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			chunks := d.good(true).Chunks
			middle := bytes.Repeat(chunks[1], giant/len(chunks[1]))
			stream := bytes.Join([][]byte{chunks[0], middle, bytes.Join(chunks[2:], nil)}, nil)
			reply := fake.Reply{Header: d.good(true).Header, Chunks: pieces(stream, 64<<10)}
			r := start(t, setup{kinds: []string{d.kind}, script: first(reply)})
			got := r.ask(d, true)
			require.NoError(t, got.err)
			require.Equal(t, digest(stream), digest(got.body))
		})
	}
}

func TestRelay_PassesArraysOnByteForByte(t *testing.T) {
	t.Parallel()
	d := dialects()[4]
	whole := d.want(true)
	var upstream saying
	r := start(t, setup{kinds: []string{d.kind}, script: upstream.script})
	served := 0
	for name, array := range map[string]string{
		"as it is":    whole,
		"odd spacing": " \n" + strings.ReplaceAll(whole, ",\n", "\r\n\t,\r\n\r\n") + "\n\n ",
		"one line":    strings.ReplaceAll(whole, "\n", ""),
		"brackets":    strings.Replace(whole, "word1", `]}[{\"\\`, 1),
	} {
		for _, size := range []int{1, 7, 64 << 10} {
			upstream.say(fake.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Chunks: pieces([]byte(array), size)})
			got := r.ask(d, true)
			require.NoError(t, got.err)
			require.Equal(t, array, string(got.body), "%s, %d bytes at once", name, size)
			served++
			require.Equal(t, providers.Success, r.attempted("a", served).Outcome.Kind, name)
		}
	}
}

func pieces(b []byte, size int) [][]byte {
	var all [][]byte
	for ; len(b) > size; b = b[size:] {
		all = append(all, b[:size])
	}
	return append(all, b)
}

// A stream's events reach the client one by one: each is sent only when the client has
// read the one before.
func TestRelay_HandsEventsOnAtOnce(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			reply := d.good(true)
			next := make(chan struct{})
			r := start(t, setup{kinds: []string{d.kind}, around: func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Content-Type"] = reply.Header["Content-Type"]
					for i, chunk := range reply.Chunks {
						if i > len(d.handshake()) { // those may be held back
							<-next
						}
						_, _ = w.Write(chunk)
						_ = http.NewResponseController(w).Flush()
					}
				})
			}})
			resp := r.open(r.request(http.MethodPost, d.streamed, d.questionN))
			defer resp.Body.Close()
			for i := len(d.handshake()); i < len(reply.Chunks); i++ {
				until := reply.Chunks[i]
				if i == len(d.handshake()) {
					until = bytes.Join(reply.Chunks[:i+1], nil)
				}
				got := make([]byte, len(until))
				_, err := io.ReadFull(resp.Body, got)
				require.NoError(t, err)
				require.Equal(t, string(until), string(got))
				if i < len(reply.Chunks)-1 {
					next <- struct{}{}
				}
			}
		})
	}
}

func TestRelay_SpeaksTLSAndHTTP2OnBothSides(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			front := httptest.NewUnstartedServer(nil)
			t.Cleanup(front.Close)
			startTLS(front)
			trusting := front.Client().Transport // every such server has the same certificate
			versions := make(chan int, 2)
			r := start(t, setup{
				kinds:   []string{d.kind},
				listen:  func(h http.Handler) *httptest.Server { return startTLS(httptest.NewUnstartedServer(h)) },
				options: []understudy.Option{understudy.WithTransport(trusting)},
				around: func(upstream http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
						versions <- req.ProtoMajor
						upstream.ServeHTTP(w, req)
					})
				},
			})
			front.Config.Handler = r.gateway.Handler()
			r.url, r.client = front.URL, watched(t, front.Client())
			for _, stream := range []bool{false, true} {
				resp := r.open(r.request(http.MethodPost, d.target(stream), d.question(stream)))
				require.Equal(t, 2, resp.ProtoMajor)
				require.Equal(t, 2, <-versions)
				got := read(t, resp)
				require.NoError(t, got.err)
				require.Equal(t, d.want(stream), string(got.body))
			}
		})
	}
}

func startTLS(server *httptest.Server) *httptest.Server {
	server.EnableHTTP2 = true
	server.StartTLS()
	return server
}
