package httpapi

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
var (
	errFirstByteTimeout = errors.New("the upstream's answer did not begin in time")
	errIdleTimeout      = errors.New("the upstream's answer fell silent")
	errShuttingDown     = errors.New("the gateway is shutting down")
)

// What may be wrong with an answer that arrived.
var (
	errEmptyAnswer     = errors.New("the upstream's answer is empty")
	errMalformedAnswer = errors.New("the upstream's answer is malformed")
	errUnfinished      = errors.New("the upstream's stream ended before its end")
)

// errClientGone means that nobody is left to answer.
var errClientGone = errors.New("client went away")

// apiError is a condition that the gateway itself tells a client. Its texts are shown to
// clients: they hold no secret and nothing about the inside of the operator's network.
type apiError struct {
	status  int
	code    string
	message string
	// param is the request's field at fault, for the formats that tell it.
	param string
	// retryAfter, if positive, goes out as Retry-After, in whole seconds, rounded up.
	retryAfter time.Duration
	// final tells the client that trying again cannot help.
	final bool
	// cooldown is set for code model_cooldown only.
	cooldown *cooldown
	// cause is for the log.
	cause error
}

func (e *apiError) Error() string {
	if e.cause != nil {
		return e.code + ": " + e.cause.Error()
	}
	return e.code + ": " + e.message
}

func (e *apiError) Unwrap() error { return e.cause }

// cooldown says, inside an error object, which model rests until when.
type cooldown struct {
	Model        string `json:"model"`
	Provider     string `json:"provider,omitempty"`
	ResetTime    string `json:"reset_time"` // RFC 3339, UTC
	ResetSeconds int64  `json:"reset_seconds"`
}

// badRequest is a 400 that only another request can cure.
func badRequest(code, message string, cause error) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, message: message, final: true, cause: cause}
}

func errModelNotFound(model string) *apiError {
	return &apiError{
		status: http.StatusNotFound, code: "model_not_found", param: "model", final: true,
		message: fmt.Sprintf("The model %q does not exist or this key has no access to it.", model),
	}
}

func errTooLarge(limit int64) *apiError {
	return &apiError{
		status: http.StatusRequestEntityTooLarge, code: "request_too_large", final: true,
		message: fmt.Sprintf("The request body exceeds the limit of %d bytes.", limit),
	}
}

func errUnavailable() *apiError {
	return &apiError{
		status: http.StatusServiceUnavailable, code: "shutting_down", retryAfter: time.Second,
		message: "The gateway is shutting down.", cause: errShuttingDown,
	}
}

func errInternal(cause error) *apiError {
	return &apiError{
		status: http.StatusInternalServerError, code: "internal_error",
		message: "The gateway failed to handle this request.", cause: cause,
	}
}

// asAPIError returns what a client is told about err, whatever it is.
func asAPIError(err error) *apiError {
	var own *apiError
	if errors.As(err, &own) {
		return own
	}
	return errInternal(err)
}

// acquireError returns what a client is told about an error of Pool.Acquire.
func acquireError(err error, now time.Time) *apiError {
	var (
		unknown *actors.UnknownModelError
		format  *actors.FormatError
		nobody  *actors.NoCredentialError
	)
	switch {
	case errors.As(err, &unknown):
		return errModelNotFound(unknown.Model)
	case errors.As(err, &format):
		return &apiError{
			status: http.StatusNotImplemented, code: "format_not_supported", param: "model", final: true, cause: err,
			message: fmt.Sprintf("The model %q is served only in other formats: %s.", format.Model, joinFormats(format.Formats)),
		}
	case errors.As(err, &nobody):
		return noCredential(nobody, now)
	case errors.Is(err, actors.ErrOverloaded):
		return &apiError{
			status: http.StatusServiceUnavailable, code: "overloaded", retryAfter: time.Second, cause: err,
			message: "Too many requests are waiting for a credential.",
		}
	case errors.Is(err, actors.ErrStopped), errors.Is(err, errShuttingDown):
		return errUnavailable()
	case errors.Is(err, context.DeadlineExceeded):
		return transportError(err)
	default:
		return errInternal(err)
	}
}

func noCredential(e *actors.NoCredentialError, now time.Time) *apiError {
	if e.RetryAfter <= 0 {
		return &apiError{
			status: http.StatusServiceUnavailable, code: "no_credential_available", final: true, cause: e,
			message: fmt.Sprintf("No credential can serve the model %q: %s.", e.Model, joinReasons(e.Reasons)),
		}
	}
	return &apiError{
		status: http.StatusTooManyRequests, code: "model_cooldown", retryAfter: e.RetryAfter, cause: e,
		message: fmt.Sprintf("All credentials for the model %q are cooling down.", e.Model),
		cooldown: &cooldown{
			Model: e.Model, Provider: e.Provider,
			ResetTime:    now.Add(e.RetryAfter + time.Second - 1).UTC().Format(time.RFC3339), // rounded up
			ResetSeconds: wholeSeconds(e.RetryAfter),
		},
	}
}

// transportError returns what a client is told about an attempt that brought no answer
// worth passing on.
func transportError(cause error) *apiError {
	var (
		own     *apiError
		timeout net.Error
	)
	switch {
	case errors.As(cause, &own):
		return own
	case errors.Is(cause, errShuttingDown):
		return errUnavailable()
	case errors.Is(cause, errFirstByteTimeout), errors.Is(cause, errIdleTimeout):
		return &apiError{status: http.StatusGatewayTimeout, code: "upstream_timeout", message: sentence(cause), cause: cause}
	case errors.As(cause, &timeout) && timeout.Timeout():
		return &apiError{
			status: http.StatusGatewayTimeout, code: "upstream_timeout", cause: cause,
			message: "The upstream could not be reached in time.",
		}
	case errors.Is(cause, errEmptyAnswer), errors.Is(cause, errMalformedAnswer), errors.Is(cause, errUnfinished):
		return &apiError{status: http.StatusBadGateway, code: "upstream_error", message: sentence(cause), cause: cause}
	default:
		return &apiError{
			status: http.StatusBadGateway, code: "upstream_error", cause: cause,
			message: "The connection to the upstream failed.",
		}
	}
}

// contextCause returns why ctx ended, or err if it has not.
func contextCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// sentence makes one of this package's own error texts fit for a client.
func sentence(err error) string {
	for _, known := range []error{errFirstByteTimeout, errIdleTimeout, errEmptyAnswer, errMalformedAnswer, errUnfinished} {
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

// wholeSeconds rounds a wait up to seconds, at least one.
func wholeSeconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}
