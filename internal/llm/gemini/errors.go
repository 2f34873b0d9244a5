package gemini

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

type (
	errorBody struct {
		Error errorInfo `json:"error"`
	}

	errorInfo struct {
		Code    integer        `json:"code"`
		Message loose          `json:"message"`
		Status  loose          `json:"status"`
		Details jsontext.Value `json:"details"`
	}

	// errorDetail is one of google.rpc's ErrorInfo, RetryInfo and BadRequest.
	errorDetail struct {
		Reason          loose `json:"reason"`
		RetryDelay      loose `json:"retryDelay"`
		FieldViolations []struct {
			Field loose `json:"field"`
		} `json:"fieldViolations"`
	}
)

// DecodeError implements llm.Codec.
func (Codec) DecodeError(status int, body []byte) *llm.Failure {
	f := &llm.Failure{Status: status}
	info, ok := errorOf(body)
	if !ok {
		f.Message = plainMessage(body)
		return f
	}
	if code := int(info.Code); status == 0 && code >= http.StatusBadRequest && code < 600 {
		f.Status = code
	}
	f.Type, f.Message = string(info.Status), string(info.Message)
	if f.Message == "" {
		f.Message = noMessage
	}
	if info.Details.Kind() == '[' {
		f.Details = []byte(info.Details)
	}
	for _, raw := range elements(info.Details) {
		var d errorDetail
		if wire.Decode(raw, &d) == nil {
			d.note(f)
		}
	}
	return f
}

// errorOf finds the error in a body: an object, the first of an array, or the error itself
// without anything around it.
func errorOf(body []byte) (errorInfo, bool) {
	var all oneOrMore[errorBody]
	if wire.Decode(body, &all) == nil && len(all) > 0 && all[0].Error.told() {
		return all[0].Error, true
	}
	var bare errorInfo
	if wire.Decode(body, &bare) == nil && bare.told() {
		return bare, true
	}
	var words struct {
		Error loose `json:"error"`
	}
	if wire.Decode(body, &words) == nil && words.Error != "" {
		return errorInfo{Message: words.Error}, true
	}
	return errorInfo{}, false
}

func (e *errorInfo) told() bool { return e.Message != "" || e.Status != "" || e.Code != 0 }

func (d *errorDetail) note(f *llm.Failure) {
	if d.Reason != "" && f.Code == "" {
		f.Code = string(d.Reason)
	}
	if delay, err := time.ParseDuration(string(d.RetryDelay)); err == nil && delay > 0 {
		f.RetryAfter = delay
	}
	if len(d.FieldViolations) > 0 && f.Param == "" {
		f.Param = string(d.FieldViolations[0].Field)
	}
}

const noMessage = "the upstream gave no reason"

// plainMessage returns a body that is a short line of text, as proxies on the way send it;
// markup and the like tell a client nothing.
func plainMessage(body []byte) string {
	const longest = 200
	line := strings.TrimSpace(string(body[:min(len(body), longest+1)]))
	if line == "" || len(line) > longest || !utf8.ValidString(line) || strings.ContainsAny(line, "<{[\r\n\x00") {
		return noMessage
	}
	return line
}

// failure appends f as an error body.
func (w *writer) failure(f *llm.Failure) {
	status := f.Status
	if status < http.StatusBadRequest {
		status = http.StatusInternalServerError
	}
	w.raw(`{"error":{`)
	w.num(`"code":`, int64(status))
	message := f.Message
	if message == "" {
		message = noMessage
	}
	w.str(`"message":`, message)
	w.str(`"status":`, statusWord(f.Type, status))
	switch {
	case jsontext.Value(f.Details).Kind() == '[' && isValue([]byte(f.Details)):
		w.member(`"details":`)
		w.value(f.Details)
	case f.RetryAfter > 0:
		w.raw(`,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"` +
			seconds(f.RetryAfter) + `"}]`)
	}
	w.raw("}}")
}

// seconds writes a duration as protobuf does.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}

// statusWord returns the code of google.rpc for an HTTP status, or the upstream's own word
// if that is one.
func statusWord(word string, status int) string {
	words := map[int]string{
		400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
		409: "ABORTED", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED",
		503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED", 529: "UNAVAILABLE",
	}
	switch word {
	case "FAILED_PRECONDITION", "OUT_OF_RANGE", "ALREADY_EXISTS", "DATA_LOSS", "UNKNOWN":
		return word
	}
	for _, known := range words {
		if word == known {
			return word
		}
	}
	switch known := words[status]; {
	case known != "":
		return known
	case status < http.StatusInternalServerError:
		return "FAILED_PRECONDITION"
	default:
		return "INTERNAL"
	}
}
