package fault

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/peek"
	"github.com/understudyhq/understudy/providers"
)

// errorFrame is an error as a Responses client over a WebSocket is told it.
type errorFrame struct {
	Type    string            `json:"type"`
	Status  int               `json:"status"`
	Error   rawJSON           `json:"error"`
	Headers map[string]string `json:"headers,omitempty"`
}

// rawJSON is a value that is JSON already.
type rawJSON []byte

// MarshalJSON is part of json.Marshaler.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// Frame is the answer with a status, headers and a body as a client over a WebSocket is told
// it: the error in the body as it is, and of the headers those that clients act on. A body
// that tells no error in a form of this API becomes one.
func Frame(status int, h http.Header, body []byte) []byte {
	frame := errorFrame{Type: "error", Status: status}
	if told := gjson.GetBytes(body, "error"); told.IsObject() && peek.Valid(body) == nil {
		frame.Error = rawJSON(told.Raw)
	} else {
		e := &Error{Status: status, Code: "upstream_error", Message: "The upstream answers with status " + strconv.Itoa(status) + "."}
		frame.Error = Encode(newOpenAIError(e))
	}
	for name, values := range h {
		if len(values) > 0 && isTold(name) {
			if frame.Headers == nil {
				frame.Headers = map[string]string{}
			}
			frame.Headers[strings.ToLower(name)] = values[0]
		}
	}
	return Encode(frame)
}

// FrameOf is e as a client over a WebSocket is told it.
func FrameOf(e *Error) []byte {
	return Frame(e.Status, e.Header(), Body(providers.OpenAIResponses, e, ""))
}

// Header returns what headers tell of e.
func (e *Error) Header() http.Header {
	h := http.Header{}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(WholeSeconds(e.RetryAfter), 10))
	}
	if e.Final {
		h.Set("X-Should-Retry", "false")
	}
	return h
}

// isTold reports whether a header, in canonical case, goes into an error frame.
func isTold(name string) bool {
	switch name {
	case "Retry-After", "Retry-After-Ms", "X-Should-Retry", "X-Request-Id":
		return true
	default:
		return strings.HasPrefix(name, "X-Ratelimit-")
	}
}
