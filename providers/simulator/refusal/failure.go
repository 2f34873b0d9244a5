// Package refusal holds the reasons why a simulated upstream refuses a request, and how
// each format words them.
package refusal

import (
	"cmp"
	"net/http"

	"github.com/understudyhq/understudy/providers"
)

// statusOverloaded is Anthropic's own: the upstream as a whole is overloaded.
const statusOverloaded = 529

// Failure is a refused request.
type Failure struct {
	Status  int
	Message string
	Param   string // the offending member, for OpenAI's formats; empty = none
	Code    string // OpenAI's, where the status alone does not tell it
	Detail  string // Anthropic's code of errors that have one; empty = none
}

// Invalid refuses a request that is wrong in itself.
func Invalid(param, message string) *Failure {
	return &Failure{Status: http.StatusBadRequest, Message: message, Param: param}
}

// UnknownModel refuses a model that the upstream does not serve.
func UnknownModel(name string) *Failure {
	return &Failure{Status: http.StatusNotFound, Message: "The model `" + name + "` does not exist.", Param: "model", Code: "model_not_found"}
}

// Limited refuses a request whose account may ask again after some seconds.
func Limited(format providers.Format, seconds string) *Failure {
	f := &Failure{Status: http.StatusTooManyRequests}
	switch format {
	case providers.Anthropic:
		f.Message = "This request would exceed your account's rate limit. Please try again later."
	case providers.Gemini:
		f.Message = "Resource has been exhausted (e.g. check quota). Please retry in " + seconds + "s."
	default:
		f.Message = "Rate limit reached for your organization on requests. Please try again in " + seconds + "s."
	}
	return f
}

// object is a JSON object to be sent.
type object = map[string]any

// Body returns what tells a client of f, as JSON values. request is the request's id.
func (f *Failure) Body(format providers.Format, request string) map[string]any {
	switch format {
	case providers.Anthropic:
		e := object{"type": anthropicType(f.Status), "message": f.Message}
		if f.Detail != "" {
			e["details"] = object{"error_code": f.Detail}
		}
		return object{"type": "error", "error": e, "request_id": request}
	case providers.Gemini:
		return object{"error": object{"code": f.Status, "message": f.Message, "status": geminiStatus(f.Status)}}
	default:
		kind, code := openAIType(f.Status)
		return object{"error": object{"message": f.Message, "type": kind, "code": orNull(cmp.Or(f.Code, code)), "param": orNull(f.Param)}}
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
		http.StatusPaymentRequired:     "FAILED_PRECONDITION",
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
