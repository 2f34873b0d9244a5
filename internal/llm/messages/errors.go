package messages

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

const (
	statusOverloaded   = 529
	maxUnreadableBytes = 300
)

// errorTypes are the vendor's words for kinds of errors with the statuses that they have.
var errorTypes = [...]struct {
	word   string
	status int
}{
	{"invalid_request_error", http.StatusBadRequest},
	{"authentication_error", http.StatusUnauthorized},
	{"billing_error", http.StatusPaymentRequired},
	{"permission_error", http.StatusForbidden},
	{"not_found_error", http.StatusNotFound},
	{"request_too_large", http.StatusRequestEntityTooLarge},
	{"rate_limit_error", http.StatusTooManyRequests},
	{"api_error", http.StatusInternalServerError},
	{"timeout_error", http.StatusGatewayTimeout},
	{"overloaded_error", statusOverloaded},
}

// faultyField finds the member that the vendor's message begins with.
var faultyField = regexp.MustCompile(`^([a-z_]+(?:\.[a-z_0-9]+)*): `)

// DecodeError implements llm.Codec.
func (Codec) DecodeError(status int, body []byte) *llm.Failure {
	f := &llm.Failure{Status: status}
	if !wire.IsObject(body) {
		f.Message = unreadable(status, body)
		return f
	}
	root := gjson.ParseBytes(body)
	e := root.Get("error")
	if !e.IsObject() { // not the vendor's shape: take a message wherever it is
		f.Message = first(e.Str, root.Get("message").Str, root.Get("detail").Str)
		e = gjson.Result{}
	} else {
		f.Message = first(e.Get("message").Str, e.Get("type").Str)
	}
	f.Type, f.Code = valid(e.Get("type").Str), valid(first(e.Get("code").String(), e.Get("details.error_code").Str))
	f.Message = valid(f.Message)
	if f.Message == "" {
		f.Message = unreadable(status, nil)
	}
	f.Param = valid(e.Get("param").Str)
	if m := faultyField.FindStringSubmatch(f.Message); f.Param == "" && m != nil && f.Type == "invalid_request_error" {
		f.Param = m[1]
	}
	if details := e.Get("details"); details.IsObject() || details.IsArray() {
		f.Details = []byte(details.Raw)
	}
	if f.Status == 0 {
		f.Status = statusOf(f.Type)
	}
	f.RetryAfter = seconds(first(e.Get("retry_after").String(), e.Get("reset_seconds").String(), root.Get("retry_after").String()))
	return f
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// valid replaces what is no UTF-8.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// maxRetry bounds what is believed of a retry hint in a body.
const maxRetry = 366 * 24 * time.Hour

func seconds(text string) time.Duration {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n <= 0 || n > maxRetry.Seconds() {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// unreadable is what to tell of a body that is none of the format's: its beginning if it is
// text for people, else what the status means.
func unreadable(status int, body []byte) string {
	text := strings.TrimSpace(string(body[:min(len(body), maxUnreadableBytes)]))
	if text != "" && utf8.ValidString(text) && !strings.ContainsAny(text[:1], "<{[\x00") {
		return text
	}
	if words := http.StatusText(status); words != "" {
		return "the upstream answered " + strconv.Itoa(status) + " " + words
	}
	return "the upstream answered with an error that says nothing"
}

func statusOf(word string) int {
	for _, t := range errorTypes {
		if t.word == word {
			return t.status
		}
	}
	return 0
}

// errorType is the vendor's word for a failure: the failure's own if it is one, else that of
// its status.
func errorType(f *llm.Failure) string {
	if statusOf(f.Type) != 0 {
		return f.Type
	}
	for _, t := range errorTypes {
		if t.status == f.Status {
			return t.word
		}
	}
	switch {
	case f.Status == http.StatusServiceUnavailable:
		return "overloaded_error"
	case f.Status >= http.StatusBadRequest && f.Status < http.StatusInternalServerError:
		return "invalid_request_error"
	default:
		return "api_error"
	}
}
