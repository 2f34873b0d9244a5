// Package tap understands streamed answers while they pass by: where an event ends, which
// one is the first that a client waits for, which ends the stream, what is an error of the
// upstream's, and what it all cost. It changes no byte and sends none.
package tap

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/internal/sse"
	"github.com/understudyhq/understudy/providers"
)

// Progress is how far a stream has come, for the error that may have to end it.
type Progress struct {
	Elements   int    // events, or elements of an array, so far
	ResponseID string // Responses only; empty = not told yet
	Sequence   int64  // Responses only: the next sequence number
}

// Tap looks at one stream. Make one with New. It is for one goroutine; its fields are for
// reading.
type Tap struct {
	Progress Progress
	Usage    providers.Usage
	Begun    bool   // payload has been seen
	Ended    bool   // the format's end mark has been seen
	Sealed   bool   // ended, and nothing that follows can matter
	Failure  []byte // the data of the upstream's own error event; nil = none
	// Makes asks for what later requests may refer to: Made collects it.
	Makes bool
	Made  []pin.Key
	// Each, if set, is called for every event, whose name and data are valid only meanwhile.
	// Its errors are Feed's and Close's.
	Each func(sse.Event) error

	named  bool // the ids have been seen
	format providers.Format
	events sse.Scanner
	array  *arrayScanner // instead of events, if the stream is a JSON array
}

// New returns what understands an answer with header h, or nil if it is no stream. JSON
// is one only where an array was asked for.
func New(f providers.Format, array bool, h http.Header) *Tap {
	contentType := h.Get("Content-Type")
	switch {
	case hasPrefixFold(contentType, "text/event-stream"):
		return &Tap{format: f}
	case array && hasPrefixFold(contentType, "application/json"):
		return &Tap{format: f, array: &arrayScanner{}}
	default:
		return nil
	}
}

// Feed takes the next piece. An error means that this is no stream of its kind.
func (t *Tap) Feed(chunk []byte) error {
	if t.array != nil {
		err := t.array.feed(chunk, t.take)
		t.Ended = t.array.closed || t.Failure != nil
		t.Sealed = t.Ended
		return err
	}
	return t.events.Feed(chunk, t.take)
}

// Close takes the end of the stream. Its errors are Feed's. A last event without its blank
// line counts if it is whole, as upstreams do end with a bare [DONE]; half of one is none.
func (t *Tap) Close() error {
	if t.array != nil {
		return nil
	}
	return t.events.Close(func(e sse.Event) error {
		if !gjson.ValidBytes(e.Data) && !bytes.Equal(e.Data, []byte("[DONE]")) {
			return nil
		}
		return t.take(e)
	})
}

// IsArray reports whether the stream is a JSON array, not one of events.
func (t *Tap) IsArray() bool { return t.array != nil }

// AtBoundary reports whether an event of the gateway's own could follow what was fed.
func (t *Tap) AtBoundary() bool {
	if t.array != nil {
		return t.array.tail == 0
	}
	return t.events.AtBoundary()
}

// Complete returns how many bytes of pending, the last ones fed, are whole events.
func (t *Tap) Complete(pending []byte) int {
	switch {
	case t.AtBoundary():
		return len(pending)
	case t.array != nil:
		return max(0, len(pending)-t.array.tail)
	default:
		return lastBoundary(pending)
	}
}

// Keep appends piece to the pieces of a stream that are kept back, which may become many.
func Keep(kept, piece []byte) []byte { return sse.Extend(kept, piece) }

// take looks at one event.
func (t *Tap) take(e sse.Event) error {
	t.Progress.Elements++
	if t.format == providers.OpenAIResponses {
		t.follow(e.Data)
	}
	switch meaningOf(t.format, e) {
	case handshake:
	case payload:
		t.Begun = true
	case last:
		t.Begun, t.Ended = true, true
		t.Sealed = t.format != providers.Gemini
	case end:
		t.Ended, t.Sealed = true, true
	case failed:
		t.Ended, t.Sealed = true, true
		if t.Failure == nil {
			t.Failure = bytes.Clone(e.Data)
		}
	}
	if t.Makes {
		t.collect(e)
	}
	if t.Each != nil {
		if err := t.Each(e); err != nil {
			return err
		}
	}
	if hasUsage(e.Data) {
		if u, ok := providers.ReadUsage(t.format, e.Data); ok {
			t.Usage = t.Usage.Merge(u)
		}
	}
	return nil
}

// collect finds ids and encrypted reasoning. A stream tells its ids when it begins, which need
// not be in its first event: pings and limits may come before.
func (t *Tap) collect(e sse.Event) {
	kind := eventType(e)
	switch {
	case t.format == providers.Anthropic:
		if !t.named && kind == "message_start" {
			t.add(pin.Thread, pin.FromMessage(e.Data))
		}
	case !t.named && strings.HasPrefix(kind, "response."):
		response, conversation := pin.FromResponse(e.Data)
		t.add(pin.Response, response)
		t.add(pin.Conversation, conversation)
	}
	if kind == "response.output_item.done" {
		t.Made = append(t.Made, pin.FromItem(e.Data)...)
	}
}

func (t *Tap) add(k pin.Kind, id string) {
	if id != "" {
		t.Made, t.named = append(t.Made, pin.KeyOf(k, id)), true
	}
}

// follow keeps a Responses stream's id and sequence number. Only its beginning is read:
// each event's number is one more than the last.
func (t *Tap) follow(data []byte) {
	if t.Progress.Elements == 1 {
		t.Progress.Sequence = gjson.GetBytes(data, "sequence_number").Int()
	}
	t.Progress.Sequence++
	if t.Progress.ResponseID == "" && !t.Begun {
		t.Progress.ResponseID = gjson.GetBytes(data, "response.id").String()
	}
}

// hasUsage reports whether it is worth looking for usage in an event's data. Streams of
// OpenAI's carry a null in every chunk but the last.
func hasUsage(data []byte) bool {
	// Without its quote the name is found several times as fast: quotes are everywhere.
	return bytes.Contains(data, []byte("usage")) && !bytes.Contains(data, []byte(`"usage":null`))
}

// lastBoundary returns the offset after the last blank line of a piece of an event stream;
// 0 = there is none.
func lastBoundary(p []byte) int {
	lf, cr := bytes.LastIndexByte(p, '\n'), bytes.LastIndexByte(p, '\r')
	for n := max(lf, cr) + 1; n > 1; n = max(lf, cr) + 1 {
		if blank := lineEnd(p, n); blank > 0 && lineEnd(p, blank) >= 0 {
			return n
		}
		if lf == n-1 {
			lf = bytes.LastIndexByte(p[:lf], '\n')
		} else {
			cr = bytes.LastIndexByte(p[:cr], '\r')
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
