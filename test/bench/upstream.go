package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Models of the upstream: by them it tells what to answer.
const (
	modelChat   = "bench-chat"
	modelStream = "bench-stream"
)

// pathToken is where the upstream is an authorization server.
const pathToken = "/token"

// upstreamScript says how the upstream answers.
type upstreamScript struct {
	chunks int           // of a stream, its end mark not counted
	pause  time.Duration // between two chunks
	think  time.Duration // before a plain answer
}

// upstream answers chat requests in OpenAI's format, always alike, as cheaply as net/http
// can. It is safe for concurrent use.
type upstream struct {
	script upstreamScript
	answer []byte
	events [][]byte
	bodies sync.Pool
	begun  atomic.Int64
	tokens atomic.Int64 // given out
}

func newUpstream(s upstreamScript) *upstream {
	return &upstream{script: s, answer: chatAnswer(), events: streamEvents(s.chunks)}
}

func (u *upstream) role() role {
	return role{handler: u, begun: func() int { return int(u.begun.Load()) }}
}

// ServeHTTP is part of http.Handler.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := u.bodies.Get().(*bytes.Buffer)
	if !ok {
		body = &bytes.Buffer{}
	}
	defer u.bodies.Put(body)
	body.Reset()
	if _, err := body.ReadFrom(r.Body); err != nil {
		return // the client went away
	}
	if r.URL.Path == pathToken {
		u.token(w)
		return
	}
	if u.trouble(w, r, body.Bytes()) {
		return
	}
	u.begun.Add(1)
	h := w.Header()
	for _, pair := range upstreamHeader {
		h[pair[0]] = []string{pair[1]}
	}
	if wantsStream(body.Bytes()) {
		u.stream(r.Context(), w)
		return
	}
	if pause(r.Context(), u.script.think) != nil {
		return
	}
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{strconv.Itoa(len(u.answer))}
	_, _ = w.Write(u.answer) // the driver sees what is missing
}

// token answers as an authorization server does.
func (u *upstream) token(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":"bench-token-%d","token_type":"Bearer","expires_in":3600}`, u.tokens.Add(1))
}

func (u *upstream) stream(ctx context.Context, w http.ResponseWriter) {
	w.Header()["Content-Type"] = []string{"text/event-stream; charset=utf-8"}
	flush := http.NewResponseController(w)
	for i, event := range u.events {
		if i > 0 && pause(ctx, u.script.pause) != nil {
			return
		}
		if _, err := w.Write(event); err != nil {
			return
		}
		if flush.Flush() != nil {
			return
		}
	}
}

// pause waits for d, or returns ctx's error when that ends first.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wantsStream looks where requests of this program name their model: at the end.
func wantsStream(body []byte) bool {
	return bytes.Contains(body[max(0, len(body)-128):], []byte(modelStream))
}

// upstreamHeader is what real upstreams send along, in part.
var upstreamHeader = [][2]string{
	{"X-Request-Id", "req_3f1c52a4b1d64f0f9a1be61c4f2a7d10"},
	{"Openai-Processing-Ms", "412"},
	{"Openai-Version", "2020-10-01"},
	{"X-Ratelimit-Limit-Requests", "30000"},
	{"X-Ratelimit-Remaining-Requests", "29999"},
	{"X-Ratelimit-Reset-Requests", "2ms"},
	{"X-Ratelimit-Limit-Tokens", "150000000"},
	{"X-Ratelimit-Remaining-Tokens", "149999000"},
	{"X-Ratelimit-Reset-Tokens", "0s"},
}

func chatAnswer() []byte {
	return []byte(`{"id":"chatcmpl-bench","object":"chat.completion","created":1767225600,"model":"` + modelChat + `",` +
		`"choices":[{"index":0,"message":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog."},` +
		`"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":57,"completion_tokens":11,"total_tokens":68}}`)
}

// streamEvents returns the chunks of a streamed answer. The last one holds the usage and is
// followed by the format's end mark.
func streamEvents(chunks int) [][]byte {
	const chunk = `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"model":"` + modelStream + `",%s}` + "\n\n"
	events := make([][]byte, 0, chunks)
	for i := range chunks - 1 {
		text := fmt.Sprintf(`"choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}],"usage":null`, i)
		events = append(events, fmt.Appendf(nil, chunk, text))
	}
	usage := fmt.Sprintf(`"choices":[],"usage":{"prompt_tokens":57,"completion_tokens":%d,"total_tokens":%d}`, chunks, chunks+57)
	return append(events, append(fmt.Appendf(nil, chunk, usage), "data: [DONE]\n\n"...))
}

// respond answers the Responses API with a stream, as cheaply as net/http can.
func (u upstreamScript) respond(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // the client went away
	}
	w.Header()["Content-Type"] = []string{"text/event-stream; charset=utf-8"}
	flush := http.NewResponseController(w)
	say := func(kind, rest string) bool {
		_, err := fmt.Fprintf(w, "event: %s\ndata: {\"type\":\"%s\",%s}\n\n", kind, kind, rest)
		return err == nil && flush.Flush() == nil
	}
	say("response.created", `"sequence_number":0,"response":{"id":"resp_bench","object":"response","status":"in_progress","output":[]}`)
	for n := range u.chunks {
		if pause(r.Context(), u.pause) != nil {
			return
		}
		if !say("response.output_text.delta", fmt.Sprintf(`"sequence_number":%d,"item_id":"msg_bench","output_index":0,"content_index":0,"delta":" word%d"`, n+1, n)) {
			return
		}
	}
	say("response.completed", `"sequence_number":1000,"response":{"id":"resp_bench","object":"response","status":"completed","output":[],"usage":{"input_tokens":9,"output_tokens":9,"total_tokens":18}}`)
}
