package openai

import (
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers"
)

// Classify implements providers.Provider.
func (Provider) Classify(a providers.Answer) providers.Outcome {
	return providers.Classify(a, readSignals)
}

// readSignals reads the error forms of OpenAI, of its WebSocket and of the many servers
// that speak its formats.
func readSignals(a providers.Answer) providers.Signals {
	root := gjson.ParseBytes(a.Body)
	e := errorObject(root)
	code, class := strings.ToLower(e.Get("code").String()), strings.ToLower(e.Get("type").String())
	s := providers.Signals{
		Kind:    kindOf(code),
		Scope:   providers.ScopeCredential,
		Status:  providers.StatusNamed(a.Body),
		Code:    code,
		Message: e.Get("message").String(),
	}
	if e.Type == gjson.String { // {"error":"invalid_grant"}, {"detail":"Not Found"}
		s.Kind, s.Code, s.Message = kindOf(strings.ToLower(e.Str)), e.Str, e.Str
	}
	if s.Kind == "" {
		s.Kind = kindOf(class)
	}
	if s.Kind == "" {
		s.Kind = kindOfText(providers.Searchable(s.Message))
	}
	if s.Code == "" {
		s.Code = class
	}
	s.Kind = adjust(s.Kind, code, class, a.Status)
	return s
}

// adjust handles the codes that mean one thing beside one status and another beside others.
func adjust(k providers.Kind, code, class string, status int) providers.Kind {
	switch {
	case code == "slow_down" && status == http.StatusServiceUnavailable:
		return providers.Overloaded
	case k == "" && class == "invalid_request_error" && status < http.StatusBadRequest:
		return providers.RequestFault // an error event; elsewhere the status says more than this class
	default:
		return k
	}
}

// errorObject finds the error in a body: under "error" (whole answers, chat streams,
// WebSocket events), "response.error" (response.failed), "detail" (FastAPI servers), or
// the body itself (Mistral, the Responses stream's "error" event).
func errorObject(root gjson.Result) gjson.Result {
	if root.IsArray() {
		root = root.Get("0")
	}
	for _, path := range []string{"error", "response.error"} {
		if e := root.Get(path); e.IsObject() || e.Type == gjson.String {
			return e
		}
	}
	if root.Get("message").Exists() {
		return root
	}
	if detail := root.Get("detail"); detail.Str != "Not Found" { // that is what an unknown route says
		return detail
	}
	return gjson.Result{}
}

// kindOf maps an error code, or the type in its place, to what it means.
func kindOf(code string) providers.Kind {
	switch code {
	case "insufficient_quota", "credit_balance_exhausted", "billing_not_active",
		"insufficient_balance", "insufficient_credits", "insufficient_user_quota":
		return providers.OutOfFunds
	case "usage_limit_reached", "billing_hard_limit_reached":
		return providers.WindowExhausted
	case "rate_limit_exceeded", "rate_limit_error", "slow_down", "rate_limited", "too_many_requests":
		return providers.RateLimited
	case "server_is_overloaded", "service_unavailable_error", "overloaded_error", "engine_overloaded",
		"engine_overloaded_error", "overloaded":
		return providers.Overloaded
	case "invalid_api_key", "invalid_grant", "token_expired", "account_deactivated", "authentication_error":
		return providers.Unauthorized
	case "data_residency_mismatch", "usage_not_included", "unsupported_country_region_territory":
		return providers.Forbidden
	case "model_not_found", "model_not_available", "model_not_supported", "invalid_model", "deploymentnotfound":
		return providers.ModelUnsupported
	case "server_error", "vector_store_timeout":
		return providers.Transient
	case "context_length_exceeded", "string_above_max_length", "previous_response_not_found",
		"invalid_encrypted_content", "content_filter", "empty_image_file", "failed_to_download_image":
		return providers.RequestFault
	case "invalid_request_error":
		return "" // a class as wide as 400 itself
	}
	switch {
	case strings.Contains(code, "spend_limit"), strings.Contains(code, "spending_limit"):
		return providers.WindowExhausted
	case strings.HasPrefix(code, "invalid_"), strings.HasPrefix(code, "unsupported_"),
		strings.HasPrefix(code, "image_"), strings.Contains(code, "policy"):
		return providers.RequestFault
	default:
		return ""
	}
}

// kindOfText recognises what some vendors say in words only, next to a status that means
// something else. message is in lower case.
func kindOfText(message string) providers.Kind {
	switch {
	case strings.Contains(message, "insufficient balance"),
		strings.Contains(message, "insufficient credits"),
		strings.Contains(message, "used all available credits"):
		return providers.OutOfFunds
	case strings.Contains(message, "input was flagged"):
		return providers.RequestFault // moderation, behind a 403
	default:
		return ""
	}
}
