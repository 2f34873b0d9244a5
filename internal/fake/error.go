package fake

import (
	"fmt"
	"net/http"
)

// Error returns an upstream's refusal with this status, in format's own shape. It sends no
// Retry-After: add one to Header where the test is about it. It panics on an unknown format.
func Error(format string, status int) Reply {
	reply := Reply{Status: status, Header: contentType("application/json")}
	says := fmt.Sprintf("The fake upstream answers %d.", status)
	switch format {
	case chat, responses:
		kind, code := openAIError(status)
		reply.Body = fmt.Appendf(nil, `{"error":{"message":"%s","type":"%s","param":null,"code":%s}}`, says, kind, code)
	case anthropic:
		reply.Body = fmt.Appendf(nil, `{"type":"error","error":{"type":"%s","message":"%s"},"request_id":"req_fake"}`, anthropicError(status), says)
	case gemini:
		reply.Body = fmt.Appendf(nil, `{"error":{"code":%d,"message":"%s","status":"%s"}}`, status, says, geminiError(status))
	default:
		panic("fake: unknown format " + format)
	}
	return reply
}

// openAIError returns the error's type and its code as JSON.
func openAIError(status int) (kind, code string) {
	switch {
	case status == http.StatusUnauthorized:
		return "invalid_request_error", `"invalid_api_key"`
	case status == http.StatusPaymentRequired:
		return "insufficient_quota", `"insufficient_quota"`
	case status == http.StatusNotFound:
		return "invalid_request_error", `"model_not_found"`
	case status == http.StatusTooManyRequests:
		return "requests", `"rate_limit_exceeded"`
	case status == http.StatusServiceUnavailable:
		return "service_unavailable_error", `"server_is_overloaded"`
	case status >= http.StatusInternalServerError:
		return "server_error", "null"
	default:
		return "invalid_request_error", "null"
	}
}

func anthropicError(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "authentication_error"
	case status == http.StatusPaymentRequired:
		return "billing_error"
	case status == http.StatusForbidden:
		return "permission_error"
	case status == http.StatusNotFound:
		return "not_found_error"
	case status == http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case status == 529: // Anthropic's own: overloaded
		return "overloaded_error"
	case status >= http.StatusInternalServerError:
		return "api_error"
	default:
		return "invalid_request_error"
	}
}

func geminiError(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusForbidden:
		return "PERMISSION_DENIED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusTooManyRequests:
		return "RESOURCE_EXHAUSTED"
	case http.StatusInternalServerError:
		return "INTERNAL"
	case http.StatusServiceUnavailable:
		return "UNAVAILABLE"
	case http.StatusGatewayTimeout:
		return "DEADLINE_EXCEEDED"
	default:
		return "INVALID_ARGUMENT"
	}
}
