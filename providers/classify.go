package providers

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tidwall/gjson"
)

// challengeRest is the hint for a bot-protection page: it is about the moment's traffic
// from our address, not about the credential.
const challengeRest = 10 * time.Second

// Signals is what a vendor's adapter reads from a failing answer, for Classify.
type Signals struct {
	// Kind is what the vendor's own error code means, whatever the status; empty = the
	// code decides nothing. Codes that stand for a whole class of errors, as
	// invalid_request_error does, leave it empty when there is a status to go by.
	Kind Kind
	// Scope is how far a WindowExhausted reaches. Other kinds have a scope of their own.
	Scope Scope
	// RetryAfter overrides RetryHint; 0 = it does not.
	RetryAfter time.Duration
	// Status is the HTTP status the body names; 0 if none. It stands in for that of the
	// answer in error events, which come after a 200.
	Status int
	// Code is the vendor's error code, for Outcome.Reason.
	Code string
	// Message is the vendor's text for people. It is searched, never kept. Without code
	// and message the answer is not an error of the vendor's API at all.
	Message string
}

// Classify applies the routing rules that all vendors share to an answer. read returns
// what is the vendor's own; it is called only for answers that hold an error.
func Classify(a Answer, read func(Answer) Signals) Outcome {
	o := Outcome{Status: a.Status}
	switch {
	case errors.Is(a.Err, context.Canceled):
		o.Kind, o.Reason = Canceled, "client went away"
		return o
	case a.Err != nil && a.Status < http.StatusBadRequest:
		o.Kind, o.Reason = Transient, errorReason(a.Err)
		return o
	case a.Status == 0 && len(a.Body) == 0:
		o.Kind, o.Reason = Transient, "no answer"
		return o
	case isSuccess(a.Status) && len(a.Body) == 0:
		o.Kind = Success
		return o
	}
	var s Signals
	if read != nil {
		s = read(a)
	}
	if s.Kind == "" && refusesGrant(a.Body) {
		s.Kind, s.Code = Unauthorized, invalidGrant
	}
	status := a.Status
	if isSuccess(status) {
		status = s.Status // an error event speaks for itself
	}
	o.Kind = weigh(status, s, a.Call)
	o.Scope = scope(o.Kind, s, a.Call)
	o.RetryAfter = wait(o.Kind, s, a)
	o.Reason = reason(status, s.Code)
	// Compaction fails by itself, on inputs that are no trouble elsewhere: that must not
	// keep the model from its conversations.
	o.Neutral = a.Call.Operation == Compact && o.Kind == Transient && status >= 500
	return o
}

// invalidGrant is how an OAuth token endpoint says that the login behind a token has ended.
const invalidGrant = "invalid_grant"

// refusesGrant reports whether body says so: as such an endpoint does, or passed on in the
// error of a vendor that asked one.
func refusesGrant(body []byte) bool {
	if !bytes.Contains(body, []byte(invalidGrant)) {
		return false
	}
	e := gjson.GetBytes(body, "error")
	if e.Type == gjson.String {
		return e.Str == invalidGrant
	}
	for _, member := range []string{"code", "type", "status"} {
		if e.Get(member).Str == invalidGrant {
			return true
		}
	}
	return strings.HasPrefix(e.Get("message").Str, invalidGrant)
}

// isSuccess counts the switch to WebSocket as a success.
func isSuccess(status int) bool {
	return status == http.StatusSwitchingProtocols || status >= 200 && status < 300
}

// weigh sets the status against the vendor's code and text. What is wrong with the
// account outranks the status; a status that speaks of the credential outranks a code
// that blames the request, because vendors put such codes on any 4xx.
func weigh(status int, s Signals, call Call) Kind {
	switch {
	case status == http.StatusPaymentRequired || s.Kind == OutOfFunds:
		return OutOfFunds
	case s.Kind == WindowExhausted:
		return WindowExhausted
	case status == http.StatusTooManyRequests:
		return RateLimited
	case status == http.StatusUnauthorized || s.Kind == Unauthorized:
		return Unauthorized
	case status == 529:
		return Overloaded
	case status == http.StatusForbidden:
		if s.Kind == RequestFault {
			return RequestFault
		}
		return Forbidden
	case status >= 500 && (s.Kind == RequestFault || s.Kind == ModelUnsupported):
		return Transient // an upstream in trouble is no judge of the request
	case s.Kind != "":
		return s.Kind
	default:
		return weighStatus(status, s, call)
	}
}

// weighStatus decides by status and text where the vendor's code says nothing.
func weighStatus(status int, s Signals, call Call) Kind {
	text := ownWords(s.Message, call.Model)
	switch status {
	case http.StatusNotFound:
		switch {
		case blamesModel(text, call.Model), names(text, call.Model) && !blamesEndpoint(text):
			return ModelUnsupported
		case s.Message == "" && s.Code == "" && call.Operation == Generate:
			return Transient // a proxy's page or a lost route: the API itself did not answer
		default:
			return RequestFault
		}
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		if blamesModel(text, call.Model) {
			return ModelUnsupported
		}
		return RequestFault
	case http.StatusServiceUnavailable:
		if strings.Contains(text, "overloaded") || strings.Contains(text, "at capacity") {
			return Overloaded
		}
		return Transient
	case http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusMisdirectedRequest,
		http.StatusTooEarly, 499:
		return Transient
	}
	if status >= 400 && status < 500 {
		return RequestFault
	}
	return Transient
}

func scope(k Kind, s Signals, call Call) Scope {
	switch k {
	case WindowExhausted:
		return s.Scope
	case OutOfFunds, Unauthorized:
		return ScopeCredential
	case Forbidden:
		if names(ownWords(s.Message, call.Model), call.Model) {
			return ScopeModel
		}
		return ScopeCredential
	default:
		return ScopeModel
	}
}

// wait is the hint that goes with k. Limits that every answer carries in its headers count
// only for a refusal because of limits.
func wait(k Kind, s Signals, a Answer) time.Duration {
	switch k {
	case RateLimited, WindowExhausted:
		if s.RetryAfter > 0 {
			return bound(s.RetryAfter)
		}
		return RetryHint(a.Header, a.Body, a.Now)
	case Overloaded, Transient:
		return statedHint(a.Header, a.Body, a.Now)
	case Forbidden:
		if isHTML(a) {
			return challengeRest
		}
	}
	return 0
}

func isHTML(a Answer) bool {
	return strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") ||
		bytes.HasPrefix(bytes.TrimSpace(a.Body), []byte("<"))
}

// reason is the status and the code. Upstreams may repeat anything in a body, so a code is
// taken over only if it looks like one.
func reason(status int, code string) string {
	var parts []string
	if status != 0 {
		parts = append(parts, strconv.Itoa(status))
	}
	if isCode(code) {
		parts = append(parts, code)
	}
	if len(parts) == 0 {
		return "error event"
	}
	return strings.Join(parts, " ")
}

// isCode reports whether s is written as error codes are: a short name in one case. Some
// vendors repeat the status in its place, which adds nothing.
func isCode(s string) bool {
	oneCase := (strings.ToLower(s) == s) != (strings.ToUpper(s) == s) // a number is in both
	if !oneCase || len(s) > 40 {
		return false
	}
	for _, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// errorReason names the sort of err; its text may hold an address or a query.
func errorReason(err error) string {
	var (
		timeout interface{ Timeout() bool }
		trust   *tls.CertificateVerificationError
		lookup  *net.DNSError
		op      *net.OpError
	)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.As(err, &op) && (op.Op == "proxyconnect" || op.Op == "socks connect"):
		return "proxy failed"
	case errors.As(err, &trust):
		return "certificate not trusted"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed early"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.As(err, &lookup):
		return "host not found"
	case errors.As(err, &op) && op.Op == "dial":
		return "connect failed"
	default:
		return "broken answer"
	}
}
