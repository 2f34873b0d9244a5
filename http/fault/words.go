package fault

import "net/http"

// statusOverloaded is Anthropic's own: the upstream as a whole is overloaded.
const statusOverloaded = 529

// codeOverloaded is OpenAI's for the same.
const codeOverloaded = "server_is_overloaded"

// The words of the formats for an error's kind go by its status, which may come from an
// upstream of another format: each vendor's SDK is to find a word that it knows.

func openAIType(e *Error) string {
	switch status := e.Status; {
	case status == http.StatusUnauthorized:
		return "authentication_error"
	case status == http.StatusPaymentRequired:
		return "insufficient_quota"
	case status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case openAICode(e) == codeOverloaded:
		return "service_unavailable_error"
	case status >= http.StatusInternalServerError:
		return "server_error"
	default:
		return "invalid_request_error"
	}
}

// openAICode returns the code of an error; where an upstream of another format has told none,
// it is OpenAI's own for the status, since its clients act on that. Empty = OpenAI has none.
func openAICode(e *Error) string {
	switch {
	case e.Code != "":
		return e.Code
	case e.Status == http.StatusPaymentRequired:
		return "insufficient_quota"
	case e.Status == http.StatusTooManyRequests:
		return "rate_limit_exceeded"
	case e.Status == http.StatusServiceUnavailable, e.Status == statusOverloaded:
		return codeOverloaded
	default:
		return ""
	}
}

// responsesCode is openAICode inside a stream of Responses, where a code is never missing.
func responsesCode(e *Error) string {
	switch code := openAICode(e); {
	case code != "":
		return code
	case e.Status == http.StatusBadRequest:
		return "invalid_prompt"
	default:
		return "server_error"
	}
}

func anthropicType(e *Error) string {
	switch e.Status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "billing_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "timeout_error"
	case http.StatusServiceUnavailable, statusOverloaded:
		if e.Final {
			return "api_error" // not a matter of load
		}
		return "overloaded_error"
	default:
		if e.Status >= http.StatusInternalServerError {
			return "api_error"
		}
		return "invalid_request_error"
	}
}

// geminiStatus returns the code of google.rpc that goes with a status.
func geminiStatus(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusPaymentRequired:
		return "FAILED_PRECONDITION"
	case http.StatusForbidden:
		return "PERMISSION_DENIED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusConflict:
		return "ABORTED"
	case http.StatusTooManyRequests:
		return "RESOURCE_EXHAUSTED"
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return "UNIMPLEMENTED"
	case http.StatusBadGateway, http.StatusServiceUnavailable, statusOverloaded:
		return "UNAVAILABLE"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "DEADLINE_EXCEEDED"
	default:
		if status >= http.StatusInternalServerError {
			return "INTERNAL"
		}
		return "INVALID_ARGUMENT"
	}
}
