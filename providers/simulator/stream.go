package simulator

import (
	"bytes"
	"net/http"

	"github.com/understudyhq/understudy/internal/sse"
)

// startStream sends the head of an event stream.
func (x *exchange) startStream(contentType string) {
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-cache")
	x.status = http.StatusOK
	x.w.WriteHeader(http.StatusOK)
}

const eventStream = "text/event-stream; charset=utf-8"

// event sends one event with v for data. An empty name is left out.
func (x *exchange) event(name string, v any) {
	x.buffer = sse.Append(x.buffer[:0], name, marshal(v))
	x.chunk(x.buffer)
}

// done sends what ends a stream of OpenAI's chat format.
func (x *exchange) done() { x.chunk([]byte("data: [DONE]\n\n")) }

// chunk sends one unit of a stream: pauses between two, and cuts the connection where the
// fault script wants it.
func (x *exchange) chunk(b []byte) {
	if x.chunks > 0 {
		x.wait(x.chunkDelay)
	}
	x.write(b)
	x.chunks++
	if x.chunks == x.fault.CutAfter {
		panic(http.ErrAbortHandler)
	}
}

// hole marks the places of a template that differ from event to event.
const hole = "\x00"

// template is an event that is encoded once and sent many times, with other values in its
// holes each time.
type template [][]byte

// newTemplate encodes an event whose data is v. Its holes are filled in the order of v's
// keys, which are sent sorted.
func newTemplate(name string, v any) template {
	return bytes.Split(sse.Append(nil, name, marshal(v)), []byte(quote(hole)))
}

// fill sends the event with values, which are JSON, in its holes.
func (x *exchange) fill(t template, values ...string) {
	x.buffer = append(x.buffer[:0], t[0]...)
	for i, value := range values {
		x.buffer = append(x.buffer, value...)
		x.buffer = append(x.buffer, t[i+1]...)
	}
	x.chunk(x.buffer)
}
