package socket

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/gorilla/websocket"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/jsonwalk"
)

// createFrame returns the frame that asks for what the body of a request over HTTP does.
func createFrame(body []byte) []byte {
	out := make([]byte, 0, len(body)+32)
	out = append(out, `{"type":"response.create"`...)
	w := jsonwalk.Walk{JSON: body}
	if w.Enter('{') {
		w.Members(func(name, value []byte) {
			switch string(name) {
			case "type", "stream", "background", "stream_options":
			default:
				out = appendMember(out, name, value)
			}
		})
	}
	return append(out, '}')
}

// appendMember appends a member behind others. name is what is between its quotes.
func appendMember(out, name, value []byte) []byte {
	out = append(out, ',', '"')
	out = append(out, name...)
	out = append(out, '"', ':')
	return append(out, value...)
}

// closeOf returns with which code and words a connection was closed.
func closeOf(err error) websocket.CloseError {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return *closed
	}
	return websocket.CloseError{Code: websocket.CloseAbnormalClosure}
}

// faultFrame returns the end of a connection as the error that it is, if the upstream has
// closed it because of what it was sent; else nil.
func faultFrame(closed websocket.CloseError) []byte {
	status, code, message := http.StatusBadRequest, "policy_violation", "The upstream refuses the request."
	switch closed.Code {
	case ClosePolicy:
	case CloseTooBig:
		status, code, message = http.StatusRequestEntityTooLarge, "message_too_big", "The request is too big for the upstream."
	default:
		return nil
	}
	if closed.Text != "" {
		message = closed.Text
	}
	text, err := json.Marshal(message)
	if err != nil {
		return nil
	}
	out := append([]byte(`{"type":"error","status":`), strconv.Itoa(status)...)
	out = append(out, `,"error":{"type":"invalid_request_error","code":"`+code+`","message":`...)
	out = append(out, text...)
	return append(out, `,"param":null}}`...)
}

// refusal returns a first frame that is an error as the answer which it would be over HTTP;
// nil if it is none, or does not tell its status.
func (s *stream) refusal(frame []byte) *http.Response {
	if !bytes.Contains(frame, []byte(`"error"`)) || gjson.GetBytes(frame, "type").String() != "error" {
		return nil
	}
	status := int(gjson.GetBytes(frame, "status").Int())
	if status == 0 {
		status = int(gjson.GetBytes(frame, "status_code").Int())
	}
	told := gjson.GetBytes(frame, "error")
	if status < 400 || status > 599 || !told.IsObject() {
		return nil
	}
	h := http.Header{"Content-Type": {"application/json"}}
	headers := gjson.GetBytes(frame, "headers")
	if !headers.IsObject() {
		headers = told.Get("headers")
	}
	headers.ForEach(func(name, value gjson.Result) bool {
		h.Set(name.String(), value.String())
		return true
	})
	h.Set("Content-Type", "application/json")
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	body := append(append([]byte(`{"error":`), told.Raw...), '}')
	s.over, s.link.last = true, ""
	// Another secret needs another connection.
	s.spent = s.spent || status == http.StatusUnauthorized || status == http.StatusForbidden
	s.events = body
	return &http.Response{StatusCode: status, Header: h, ContentLength: int64(len(body)), Body: io.ReadCloser(s)}
}
