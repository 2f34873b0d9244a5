package responses

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	jsonx "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// errorBody is an error as the vendor and those who resemble it tell it: an object or a
// text.
type errorBody struct {
	Message wire.Word      `json:"message"`
	Type    wire.Word      `json:"type"`
	Code    wire.Word      `json:"code"`
	Param   wire.Word      `json:"param"`
	Status  wire.Word      `json:"status"`
	Resets  wire.Word      `json:"resets_in_seconds"`
	Details jsontext.Value `json:"details"`
}

func (e *errorBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain errorBody
	switch dec.PeekKind() {
	case '{':
		return jsonx.UnmarshalDecode(dec, (*plain)(e))
	case '"':
		return jsonx.UnmarshalDecode(dec, &e.Message)
	default:
		return dec.SkipValue()
	}
}

// told reports whether there is an error.
func (e *errorBody) told() bool { return e.Message != "" || e.Code != "" || e.Type != "" }

// DecodeError reads the body of an answer with an error status, or the data of an event
// (status 0): a bare error, one with an error inside, or response.failed.
func (Codec) DecodeError(status int, body []byte) *llm.Failure {
	var b struct {
		Message wire.Word      `json:"message"`
		Type    wire.Word      `json:"type"`
		Code    wire.Word      `json:"code"`
		Param   wire.Word      `json:"param"`
		Status  wire.Word      `json:"status"`
		Details jsontext.Value `json:"details"`

		Error    errorBody `json:"error"`
		Response struct {
			Error errorBody `json:"error"`
		} `json:"response"`
		Detail     wire.Word `json:"detail"` // of servers made with FastAPI
		StatusCode wire.Word `json:"status_code"`
	}
	if wire.Decode(body, &b) != nil {
		return garbled(status, body)
	}
	e := b.Error
	if !e.told() {
		e = b.Response.Error
	}
	if !e.told() {
		e = errorBody{Message: b.Message, Type: b.Type, Code: b.Code, Param: b.Param, Details: b.Details}
	}
	e.Message = cmp.Or(e.Message, b.Message, b.Detail)
	e.Status = cmp.Or(e.Status, b.Status, b.StatusCode)
	if e.Message == "" && !e.told() {
		return garbled(status, body)
	}
	f := e.failure()
	if status != 0 {
		f.Status = status
	}
	return f
}

// failure is an error in the canonical form.
func (e *errorBody) failure() *llm.Failure {
	f := &llm.Failure{
		Type: string(e.Type), Code: string(e.Code), Message: string(e.Message), Param: string(e.Param),
		Details: json.RawMessage(e.Details),
	}
	if f.Type == "error" || strings.HasPrefix(f.Type, "response.") { // what kind of event it is
		f.Type = ""
	}
	if f.Message == "" {
		f.Message = "The upstream failed: " + cmp.Or(f.Code, f.Type, "it does not say why") + "."
	}
	if n, err := strconv.Atoi(string(e.Status)); err == nil && n >= 100 && n < 600 {
		f.Status = n
	} else {
		f.Status = statusOf(f)
	}
	f.RetryAfter = e.retryAfter()
	return f
}

// statusOf is the status that goes with a word, for errors inside a stream; 0 = not known.
func statusOf(f *llm.Failure) int {
	switch cmp.Or(f.Code, f.Type) {
	case "rate_limit_exceeded", "rate_limit_error", "slow_down", "insufficient_quota", "usage_limit_reached", "credit_balance_exhausted":
		return http.StatusTooManyRequests
	case "server_is_overloaded", "service_unavailable_error", "overloaded_error":
		return http.StatusServiceUnavailable
	case "server_error", "internal_error":
		return http.StatusInternalServerError
	case "invalid_prompt", "invalid_request_error", "context_length_exceeded", "invalid_encrypted_content", "bio_policy", "misalignment_policy_violation":
		return http.StatusBadRequest
	case "previous_response_not_found", "model_not_found":
		return http.StatusNotFound
	case "invalid_api_key", "authentication_error":
		return http.StatusUnauthorized
	}
	switch {
	case strings.HasPrefix(f.Code, "invalid_image"), strings.HasPrefix(f.Code, "image_"):
		return http.StatusBadRequest
	default:
		return 0
	}
}

// tryAgain finds when to come back in the vendor's own words: "Please try again in 1m2.5s."
var tryAgain = regexp.MustCompile(`try again in ((?:[0-9.]+(?:ms|h|m|s))+)`)

func (e *errorBody) retryAfter() time.Duration {
	const longest = 100 * 24 * time.Hour
	if seconds, err := strconv.ParseFloat(string(e.Resets), 64); err == nil && seconds > 0 && seconds < longest.Seconds() {
		return time.Duration(seconds * float64(time.Second))
	}
	found := tryAgain.FindStringSubmatch(string(e.Message))
	if found == nil {
		return 0
	}
	d, err := time.ParseDuration(found[1])
	if err != nil || d < 0 || d > longest {
		return 0
	}
	return d
}

// garbled is an error that is not told in this format: its first words, unless they are a
// web page's.
func garbled(status int, body []byte) *llm.Failure {
	const maxBytes = 200
	message := "The upstream failed and does not say why in a form that can be read."
	line, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	if len(line) > 0 && !bytes.ContainsAny(line[:1], "<{[") {
		message = strings.ToValidUTF8(string(line[:min(len(line), maxBytes)]), "")
	}
	return &llm.Failure{Status: status, Message: message}
}
