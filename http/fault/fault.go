// Package fault holds what goes wrong between a client and an upstream, and is the only
// place where errors become bodies: for each condition a status and a code of the
// gateway's, in the shape of the client's own format.
package fault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/providers"
)

// What may end an attempt or a request early, besides errors of the network. They are the
// causes of canceled contexts.
const (
	ErrFirstByteTimeout = timeoutError("the upstream's answer did not begin in time")
	ErrIdleTimeout      = timeoutError("the upstream's answer fell silent")
)

// ErrShuttingDown is another of them.
var ErrShuttingDown = errors.New("the gateway is shutting down")

// timeoutError says what took too long. Like the network's own, it says that it is one.
type timeoutError string

func (e timeoutError) Error() string { return string(e) }

// Timeout reports true.
func (timeoutError) Timeout() bool { return true }

// What may be wrong with an answer that arrived.
var (
	ErrEmptyAnswer     = errors.New("the upstream's answer is empty")
	ErrMalformedAnswer = errors.New("the upstream's answer is malformed")
	ErrUnfinished      = errors.New("the upstream's stream ended before its end")
)

// ErrClientGone means that nobody is left to answer.
var ErrClientGone = errors.New("client went away")

// Error is a condition that the gateway itself tells a client. Its texts are shown to
// clients: they hold no secret and nothing about the inside of the operator's network.
type Error struct {
	Status int // of HTTP; it decides the word that each format has for this kind of error
	// Code is the gateway's own word for the condition, or that of an upstream of another
	// format for its error; empty = that upstream has told none.
	Code    string
	Message string // one or two sentences
	// Param is the request's field at fault, for the formats that tell it; empty = none.
	Param string
	// RetryAfter, if positive, goes out as Retry-After, in WholeSeconds.
	RetryAfter time.Duration
	// Final tells the client that trying again cannot help.
	Final bool
	// ErrorCode goes into an Anthropic error's details, where its clients look for it.
	ErrorCode string
	// Cooldown is set for code model_cooldown only.
	Cooldown *Cooldown
	// Cause is for the log; nil = Message says it all.
	Cause error
}

func (e *Error) Error() string {
	text := e.Message
	if e.Cause != nil {
		text = e.Cause.Error()
	}
	if e.Code == "" {
		return text
	}
	return e.Code + ": " + text
}

func (e *Error) Unwrap() error { return e.Cause }

// Cooldown says, inside an error object, which model rests until when.
type Cooldown struct {
	Model        string `json:"model"`
	Provider     string `json:"provider,omitempty"`
	ResetTime    string `json:"reset_time"` // RFC 3339, UTC
	ResetSeconds int64  `json:"reset_seconds"`
}

// BadRequest is a 400 that only another request can cure.
func BadRequest(code, message string, cause error) *Error {
	return &Error{Status: http.StatusBadRequest, Code: code, Message: message, Final: true, Cause: cause}
}

// ModelNotFound is for a model that does not exist or that the client's key may not use.
func ModelNotFound(model string) *Error {
	return &Error{
		Status: http.StatusNotFound, Code: "model_not_found", Param: "model", Final: true,
		Message: fmt.Sprintf("The model %q does not exist or this key has no access to it.", model),
	}
}

// TooLarge is for a request body of more than limit bytes.
func TooLarge(limit int64) *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Code: "request_too_large", Final: true,
		Message: fmt.Sprintf("The request body exceeds the limit of %d bytes.", limit),
	}
}

// ShuttingDown is for requests that come, or are still open, when the gateway stops.
func ShuttingDown() *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "shutting_down", RetryAfter: time.Second,
		Message: "The gateway is shutting down.", Cause: ErrShuttingDown,
	}
}

// Internal is for what should not have happened.
func Internal(cause error) *Error {
	return &Error{
		Status: http.StatusInternalServerError, Code: "internal_error",
		Message: "The gateway failed to handle this request.", Cause: cause,
	}
}

// As returns what a client is told about err, whatever it is.
func As(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	return Internal(err)
}

// Code names err in one word, for records.
func Code(err error) string {
	if errors.Is(err, ErrClientGone) {
		return "client_gone"
	}
	return OfAttempt(err).Code
}

// NotFound is for what a request refers to and nobody has, or not for this client. message
// and code are the format's own vendor's; param is the request's field, if it was one.
func NotFound(code, message, param string) *Error {
	return &Error{Status: http.StatusNotFound, Code: code, Message: message, Param: param, Final: true}
}

// OfAcquire returns what a client is told about an error of Pool.Acquire.
func OfAcquire(err error, now time.Time) *Error {
	var (
		unknown *actors.UnknownModelError
		format  *actors.FormatError
		nobody  *actors.NoCredentialError
	)
	switch {
	case errors.As(err, &unknown):
		return ModelNotFound(unknown.Model)
	case errors.As(err, &format):
		return &Error{
			Status: http.StatusNotImplemented, Code: "format_not_supported", Param: "model", Final: true, Cause: err,
			Message: fmt.Sprintf("The model %q is served only in other formats: %s.", format.Model, joinFormats(format.Formats)),
		}
	case errors.As(err, &nobody):
		return noCredential(nobody, now)
	case errors.Is(err, actors.ErrOverloaded):
		return &Error{
			Status: http.StatusServiceUnavailable, Code: "overloaded", RetryAfter: time.Second, Cause: err,
			Message: "Too many requests are waiting for a credential.",
		}
	case errors.Is(err, actors.ErrStopped), errors.Is(err, ErrShuttingDown):
		return ShuttingDown()
	case errors.Is(err, context.DeadlineExceeded):
		return OfAttempt(err)
	default:
		return Internal(err)
	}
}

func noCredential(e *actors.NoCredentialError, now time.Time) *Error {
	switch {
	case e.Reasons["saturated"] > 0: // that may be over at any moment
		return &Error{
			Status: http.StatusServiceUnavailable, Code: "overloaded", RetryAfter: time.Second, Cause: e,
			Message: fmt.Sprintf("No credential can take more requests for the model %q: %s.", e.Model, joinReasons(e.Reasons)),
		}
	case e.RetryAfter <= 0:
		return &Error{
			Status: http.StatusServiceUnavailable, Code: "no_credential_available", Final: true, Cause: e,
			Message: fmt.Sprintf("No credential can serve the model %q: %s.", e.Model, joinReasons(e.Reasons)),
		}
	}
	return &Error{
		Status: http.StatusTooManyRequests, Code: "model_cooldown", RetryAfter: e.RetryAfter, Cause: e,
		Message: fmt.Sprintf("All credentials for the model %q are cooling down.", e.Model),
		Cooldown: &Cooldown{
			Model: e.Model, Provider: e.Provider,
			ResetTime:    now.Add(e.RetryAfter + time.Second - 1).UTC().Format(time.RFC3339), // rounded up
			ResetSeconds: WholeSeconds(e.RetryAfter),
		},
	}
}

// OfAttempt returns what a client is told about an attempt that brought no answer
// worth passing on.
func OfAttempt(cause error) *Error {
	var (
		own     *Error
		timeout net.Error
	)
	switch {
	case errors.As(cause, &own):
		return own
	case errors.Is(cause, ErrShuttingDown):
		return ShuttingDown()
	case errors.Is(cause, ErrFirstByteTimeout), errors.Is(cause, ErrIdleTimeout):
		return &Error{Status: http.StatusGatewayTimeout, Code: "upstream_timeout", Message: sentence(cause), Cause: cause}
	case errors.As(cause, &timeout) && timeout.Timeout():
		return &Error{
			Status: http.StatusGatewayTimeout, Code: "upstream_timeout", Cause: cause,
			Message: "The upstream could not be reached in time.",
		}
	case errors.Is(cause, ErrEmptyAnswer), errors.Is(cause, ErrMalformedAnswer), errors.Is(cause, ErrUnfinished):
		return &Error{Status: http.StatusBadGateway, Code: "upstream_error", Message: sentence(cause), Cause: cause}
	default:
		return &Error{
			Status: http.StatusBadGateway, Code: "upstream_error", Cause: cause,
			Message: "The connection to the upstream failed.",
		}
	}
}

// sentence makes one of this package's own error texts fit for a client.
func sentence(err error) string {
	for _, known := range []error{ErrFirstByteTimeout, ErrIdleTimeout, ErrEmptyAnswer, ErrMalformedAnswer, ErrUnfinished} {
		if errors.Is(err, known) {
			text := known.Error()
			return strings.ToUpper(text[:1]) + text[1:] + "."
		}
	}
	return ""
}

func joinFormats(formats []providers.Format) string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// joinReasons lists counted reasons in a stable order, as "2 disabled, 1 unauthorized".
func joinReasons(reasons map[string]int) string {
	if len(reasons) == 0 {
		return "there is none"
	}
	texts := make([]string, 0, len(reasons))
	for reason, n := range reasons {
		texts = append(texts, strconv.Itoa(n)+" "+reason)
	}
	slices.SortFunc(texts, func(a, b string) int {
		_, a, _ = strings.Cut(a, " ")
		_, b, _ = strings.Cut(b, " ")
		return strings.Compare(a, b)
	})
	return strings.Join(texts, ", ")
}

// WholeSeconds rounds a wait up to seconds, at least one.
func WholeSeconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}

// InvalidKey means that the client gave no key, or a wrong one.
func InvalidKey() *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "invalid_api_key", Final: true, Message: "The API key is missing or wrong."}
}

// OriginNotAllowed means that a web page from elsewhere asks a gateway without client keys.
func OriginNotAllowed() *Error {
	return &Error{
		Status: http.StatusForbidden, Code: "origin_not_allowed", Final: true,
		Message: "Without client keys the gateway serves no web pages from elsewhere.",
	}
}

// HeadersTooLarge means that the upstream would not take the request's headers.
func HeadersTooLarge(cause error) *Error {
	return &Error{
		Status: http.StatusRequestHeaderFieldsTooLarge, Code: "headers_too_large", Final: true, Cause: cause,
		Message: "The request's headers are too large for the upstream.",
	}
}

// NotSupported means that the provider does not have the operation.
func NotSupported(cause error) *Error {
	return &Error{
		Status: http.StatusNotImplemented, Code: "operation_not_supported", Final: true, Cause: cause,
		Message: "The model's provider does not support this operation.",
	}
}
