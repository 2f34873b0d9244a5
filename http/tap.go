package httpapi

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// progress is how far a stream has come, for the error that may have to end it.
type progress struct {
	elements   int    // events, or elements of an array, so far
	responseID string // Responses only; empty = not told yet
	sequence   int64  // Responses only: the next sequence number
}

// tap understands a streamed answer while it passes by. It is for one goroutine.
type tap struct {
	format providers.Format
	events sse.Scanner
	array  *arrayScanner // instead of events, if the stream is a JSON array

	seen    progress
	usage   providers.Usage
	begun   bool   // payload has been seen
	ended   bool   // the format's end mark has been seen
	sealed  bool   // ended, and nothing that follows can matter
	failure []byte // the data of the upstream's own error event; nil = none
}

// newTap returns what understands an answer with header h, or nil if it is no stream. JSON
// is one only where an array was asked for.
func newTap(f providers.Format, array bool, h http.Header) *tap {
	contentType := h.Get("Content-Type")
	switch {
	case hasPrefixFold(contentType, "text/event-stream"):
		return &tap{format: f}
	case array && hasPrefixFold(contentType, "application/json"):
		return &tap{format: f, array: &arrayScanner{}}
	default:
		return nil
	}
}

// feed takes the next piece. An error means that this is no stream of its kind.
func (t *tap) feed(chunk []byte) error {
	if t.array != nil {
		err := t.array.feed(chunk, t.take)
		t.ended = t.array.closed || t.failure != nil
		t.sealed = t.ended
		return err
	}
	return t.events.Feed(chunk, t.take)
}

// close takes the end of the stream.
func (t *tap) close() error {
	if t.array != nil {
		return nil
	}
	return t.events.Close(t.take)
}

// atBoundary reports whether an event of the gateway's own could follow what was fed.
func (t *tap) atBoundary() bool {
	if t.array != nil {
		return t.array.tail == 0
	}
	return t.events.AtBoundary()
}

// complete returns how many bytes of pending, the last ones fed, are whole events.
func (t *tap) complete(pending []byte) int {
	switch {
	case t.atBoundary():
		return len(pending)
	case t.array != nil:
		return max(0, len(pending)-t.array.tail)
	default:
		return lastBoundary(pending)
	}
}

// take looks at one event.
func (t *tap) take(e sse.Event) error {
	t.seen.elements++
	if t.format == providers.OpenAIResponses {
		t.follow(e.Data)
	}
	switch meaningOf(t.format, e) {
	case handshake:
	case payload:
		t.begun = true
	case last:
		t.begun, t.ended = true, true
		t.sealed = t.format != providers.Gemini
	case end:
		t.ended, t.sealed = true, true
	case failed:
		t.ended, t.sealed = true, true
		if t.failure == nil {
			t.failure = bytes.Clone(e.Data)
		}
	}
	if hasUsage(e.Data) {
		if u, ok := providers.ReadUsage(t.format, e.Data); ok {
			t.usage = t.usage.Merge(u)
		}
	}
	return nil
}

// follow keeps a Responses stream's id and sequence number. Only its beginning is read:
// each event's number is one more than the last.
func (t *tap) follow(data []byte) {
	if t.seen.elements == 1 {
		t.seen.sequence = gjson.GetBytes(data, "sequence_number").Int()
	}
	t.seen.sequence++
	if t.seen.responseID == "" && !t.begun {
		t.seen.responseID = gjson.GetBytes(data, "response.id").String()
	}
}

// hasUsage reports whether it is worth looking for usage in an event's data. Streams of
// OpenAI's carry a null in every chunk but the last.
func hasUsage(data []byte) bool {
	return bytes.Contains(data, []byte(`"usage`)) && !bytes.Contains(data, []byte(`"usage":null`))
}

// lastBoundary returns the offset after the last blank line of a piece of an event stream;
// 0 = there is none.
func lastBoundary(p []byte) int {
	for n := len(p); n > 1; n-- {
		if blank := lineEnd(p, n); blank > 0 && lineEnd(p, blank) >= 0 {
			return n
		}
	}
	return 0
}

// lineEnd returns where the line end right before offset n starts, or -1 if there is none.
func lineEnd(p []byte, n int) int {
	switch {
	case n > 1 && p[n-1] == '\n' && p[n-2] == '\r':
		return n - 2
	case p[n-1] == '\n', p[n-1] == '\r':
		return n - 1
	default:
		return -1
	}
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
