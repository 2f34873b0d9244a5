package simulator

import (
	"cmp"
	"net/http"

	"github.com/understudyhq/understudy/providers"
)

// statusOverloaded is Anthropic's own: the upstream as a whole is overloaded.
const statusOverloaded = 529

// failure is a refused request.
type failure struct {
	status  int
	message string
	param   string // the offending member, for OpenAI's formats; empty = none
}

// invalid refuses a request that is wrong in itself.
func invalid(param, message string) *failure {
	return &failure{status: http.StatusBadRequest, message: message, param: param}
}

func unknownModel(name string) *failure {
	return &failure{status: http.StatusNotFound, message: "The model `" + name + "` does not exist.", param: "model"}
}

// refuse tells the client of f in its own format.
func (x *exchange) refuse(f *failure) {
	x.fault.CutAfter = 0 // a refusal is whole
	x.sendStatus(f.status, f.body(formatOf(x.r), x.id("req_")))
}

func (f *failure) body(format providers.Format, request string) object {
	switch format {
	case providers.Anthropic:
		return object{
			"type":       "error",
			"error":      object{"type": anthropicType(f.status), "message": f.message},
			"request_id": request,
		}
	case providers.Gemini:
		return object{"error": object{"code": f.status, "message": f.message, "status": geminiStatus(f.status)}}
	default:
		kind, code := openAIType(f.status)
		return object{"error": object{"message": f.message, "type": kind, "code": orNull(code), "param": orNull(f.param)}}
	}
}

// orNull returns s, or JSON's null for "".
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// openAIType returns an error's type and its code; "" = null.
func openAIType(status int) (kind, code string) {
	const wrong = "invalid_request_error"
	switch status {
	case http.StatusUnauthorized:
		return wrong, "invalid_api_key"
	case http.StatusPaymentRequired:
		return "insufficient_quota", "insufficient_quota"
	case http.StatusNotFound:
		return wrong, "model_not_found"
	case http.StatusTooManyRequests:
		return "rate_limit_error", "rate_limit_exceeded"
	case http.StatusServiceUnavailable, statusOverloaded:
		return "service_unavailable_error", "server_is_overloaded"
	}
	if status >= http.StatusInternalServerError {
		return "server_error", ""
	}
	return wrong, ""
}

func anthropicType(status int) string {
	known := map[int]string{
		http.StatusUnauthorized:          "authentication_error",
		http.StatusPaymentRequired:       "billing_error",
		http.StatusForbidden:             "permission_error",
		http.StatusNotFound:              "not_found_error",
		http.StatusRequestEntityTooLarge: "request_too_large",
		http.StatusTooManyRequests:       "rate_limit_error",
		http.StatusGatewayTimeout:        "timeout_error",
		http.StatusServiceUnavailable:    "overloaded_error",
		statusOverloaded:                 "overloaded_error",
	}
	if status >= http.StatusInternalServerError {
		return cmp.Or(known[status], "api_error")
	}
	return cmp.Or(known[status], "invalid_request_error")
}

// geminiStatus returns the google.rpc code of a status.
func geminiStatus(status int) string {
	known := map[int]string{
		http.StatusUnauthorized:        "UNAUTHENTICATED",
		http.StatusForbidden:           "PERMISSION_DENIED",
		http.StatusNotFound:            "NOT_FOUND",
		http.StatusConflict:            "ABORTED",
		http.StatusTooManyRequests:     "RESOURCE_EXHAUSTED",
		http.StatusNotImplemented:      "UNIMPLEMENTED",
		http.StatusServiceUnavailable:  "UNAVAILABLE",
		statusOverloaded:               "UNAVAILABLE",
		http.StatusGatewayTimeout:      "DEADLINE_EXCEEDED",
		http.StatusInternalServerError: "INTERNAL",
	}
	if status >= http.StatusInternalServerError {
		return cmp.Or(known[status], "INTERNAL")
	}
	return cmp.Or(known[status], "INVALID_ARGUMENT")
}
