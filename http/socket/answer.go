package socket

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/internal/peek"
	"github.com/understudyhq/understudy/internal/sse"
)

// maxErrorBytes is how much of an answer that is no stream is kept: they are errors.
const maxErrorBytes = 4 << 20

// Answer is an http.ResponseWriter whose answer goes out as frames: an event stream event by
// event, an error as an error frame. Make one with NewAnswer. It is for one goroutine at a
// time.
type Answer struct {
	send   func(frame []byte) error
	lane   string
	header http.Header
	status int
	stream bool
	events sse.Scanner
	whole  []byte // of an answer that is no stream
	err    error  // of the first frame that could not be sent

	ended    bool
	response string // the id of the answer that it ended with; empty = it did not end well
	tooBig   bool
}

// NewAnswer returns the answer to a request of a lane, which send sends.
func NewAnswer(lane string, send func(frame []byte) error) *Answer {
	return &Answer{send: send, lane: lane, header: http.Header{}}
}

// Response is the id of the answer if it is whole; else empty.
func (a *Answer) Response() string { return a.response }

// TooBig reports whether an upstream found the request too big for its connection.
func (a *Answer) TooBig() bool { return a.tooBig }

// Ended reports whether the client knows how its request ended.
func (a *Answer) Ended() bool { return a.ended }

// Header is part of http.ResponseWriter.
func (a *Answer) Header() http.Header { return a.header }

// WriteHeader is part of http.ResponseWriter.
func (a *Answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
		a.stream = strings.HasPrefix(strings.ToLower(a.header.Get("Content-Type")), "text/event-stream")
	}
}

// Write is part of http.ResponseWriter. Its error means that the client is gone.
func (a *Answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if !a.stream {
		a.whole = append(a.whole, p[:min(len(p), max(0, maxErrorBytes-len(a.whole)))]...)
		return len(p), nil
	}
	if err := a.events.Feed(p, a.pass); err != nil {
		return 0, err
	}
	return len(p), a.err
}

// Flush is part of http.Flusher: nothing is held back.
func (a *Answer) Flush() {}

// SetWriteDeadline does nothing: connections have deadlines of their own.
func (a *Answer) SetWriteDeadline(time.Time) error { return nil }

// pass sends one event.
func (a *Answer) pass(e sse.Event) error {
	frame := e.Data
	kind := string(e.Name)
	if kind == "" {
		kind = gjson.GetBytes(frame, "type").String()
	}
	switch kind {
	case "":
		if len(frame) == 0 || frame[0] != '{' {
			return nil // a [DONE]
		}
	case "response.completed", "response.incomplete", "response.done":
		a.ended, a.response = true, gjson.GetBytes(frame, "response.id").String()
	case "response.failed":
		a.ended = true
	case "error":
		a.ended = true
		frame = wrapped(frame)
	}
	if a.err == nil {
		a.err = a.send(withLane(a.lane, frame))
	}
	return a.err
}

// wrapped returns an event stream's error as a frame has it, with a status and the error as an
// object of its own.
func wrapped(event []byte) []byte {
	told := gjson.GetBytes(event, "error")
	if gjson.GetBytes(event, "status").Exists() && told.IsObject() {
		return event
	}
	body := event
	if told.IsObject() {
		body = append(append([]byte(`{"error":`), told.Raw...), '}')
	} else {
		body = append(append([]byte(`{"error":`), body...), '}')
	}
	return fault.Frame(http.StatusInternalServerError, nil, body)
}

// Close sends what an answer that is no stream comes to, and an error if the stream has not
// come to its end.
func (a *Answer) Close() {
	switch {
	case a.ended || a.err != nil:
		return
	case a.stream || a.status == 0:
		a.Fail(&fault.Error{Status: http.StatusBadGateway, Code: "upstream_error", Message: "The answer broke off."})
		return
	}
	a.ended = true
	if a.status < http.StatusMultipleChoices { // an upstream that streams nothing
		a.response = gjson.GetBytes(a.whole, "id").String()
		frame := append([]byte(`{"type":"response.completed","sequence_number":0,"response":`), a.whole...)
		a.err = a.send(withLane(a.lane, append(frame, '}')))
		return
	}
	a.tooBig = a.status == http.StatusRequestEntityTooLarge && gjson.GetBytes(a.whole, "error.code").String() == "message_too_big"
	a.err = a.send(withLane(a.lane, fault.Frame(a.status, a.header, a.whole)))
}

// Fail tells the client that its request has failed, unless it has been told how it ended.
func (a *Answer) Fail(e *fault.Error) {
	if a.ended || a.err != nil {
		return
	}
	a.ended = true
	a.err = a.send(ErrorFrame(e, a.lane))
}

// withLane returns a frame that names its lane first, if it has one.
func withLane(lane string, frame []byte) []byte {
	if lane == "" {
		return frame
	}
	at := bytes.IndexByte(frame, '{')
	if at < 0 {
		return frame
	}
	out := make([]byte, 0, len(frame)+len(lane)+20)
	out = append(out, `{"stream_id":`...)
	out = peek.AppendString(out, lane)
	if rest := bytes.TrimLeft(frame[at+1:], " \t\r\n"); len(rest) > 0 && rest[0] != '}' {
		out = append(out, ',')
	}
	return append(out, frame[at+1:]...)
}
