package anthropic

import (
	"net/http"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers"
)

// Classify implements providers.Provider.
func (Provider) Classify(a providers.Answer) providers.Outcome {
	return providers.Classify(a, readSignals)
}

// readSignals reads {"type":"error","error":{"type","message"}} and, beside a 429, the
// windows of a subscription.
func readSignals(a providers.Answer) providers.Signals {
	e := gjson.GetBytes(a.Body, "error")
	class := e.Get("type").String()
	s := providers.Signals{
		Kind:    kindOf(class, a.Status),
		Scope:   providers.ScopeCredential,
		Code:    class,
		Message: e.Get("message").String(),
	}
	if scope, reset, rejected := rejectedWindows(a); rejected {
		s.Kind, s.Scope, s.RetryAfter = providers.WindowExhausted, scope, reset
		return s
	}
	message, detail := providers.Searchable(s.Message), e.Get("details.error_code").String()
	switch {
	case detail == "thread_not_found":
		s.Kind, s.Code = providers.RequestFault, detail // the client sends its history again, in a new thread
	case strings.Contains(message, "oauth token has been revoked"):
		s.Kind = providers.Unauthorized // behind a 403; a refresh may help
	case strings.HasPrefix(message, "your credit balance is too low"):
		s.Kind = providers.OutOfFunds
	case strings.Contains(message, "api usage limits"),
		strings.Contains(detail, "spend_limit"):
		s.Kind, s.RetryAfter = providers.WindowExhausted, regainedAccess(message, a.Now)
	case strings.Contains(message, "organization has been disabled"):
		s.Kind = providers.Forbidden
	}
	return s
}

// kindOf maps an error type to what it means. Where there is a status, the wide types say
// no more than it does.
func kindOf(class string, status int) providers.Kind {
	inStream := status < http.StatusBadRequest
	switch class {
	case "authentication_error":
		return providers.Unauthorized
	case "billing_error":
		return providers.OutOfFunds
	case "permission_error":
		return providers.Forbidden
	case "rate_limit_error":
		return providers.RateLimited
	case "overloaded_error":
		return providers.Overloaded
	case "request_too_large":
		return providers.RequestFault
	case "api_error", "timeout_error":
		if inStream {
			return providers.Transient
		}
	case "invalid_request_error", "not_found_error":
		if inStream {
			return providers.RequestFault
		}
	}
	return ""
}

// rejectedWindows reads the windows that a subscription shares among all its users, if
// they are why a request was refused: how far that reaches and how long it lasts. The
// windows unified-5h and unified-7d are for everything; one such as unified-7d_opus is for
// a family of models, and told with the answers of others too. unified itself sums them up:
// where it says that the request was allowed, something else refused it.
func rejectedWindows(a providers.Answer) (scope providers.Scope, reset time.Duration, rejected bool) {
	if a.Status != http.StatusTooManyRequests {
		return "", 0, false
	}
	summary := strings.ToLower(a.Header.Get("Anthropic-Ratelimit-Unified-Status"))
	if strings.HasPrefix(summary, "allowed") {
		return "", 0, false
	}
	var general, family bool
	for _, q := range providers.Quotas(a.Header, a.Now) {
		window, unified := strings.CutPrefix(q.Name, "unified")
		if !unified || q.Status != "rejected" {
			continue
		}
		_, name, ofFamily := strings.Cut(window, "_")
		if ofFamily && summary == "" && !strings.Contains(strings.ToLower(a.Call.Model), name) {
			continue
		}
		rejected = true
		reset = max(reset, q.ResetAt.Sub(a.Now))
		family = family || ofFamily
		general = general || window != "" && !ofFamily
	}
	if family && !general {
		return providers.ScopeModel, reset, rejected
	}
	return providers.ScopeAccount, reset, rejected
}

// regainedAccess reads when a spend limit ends from "You will regain access on 2026-12-01
// at 00:00 UTC.", in lower case; 0 if text does not tell.
func regainedAccess(text string, now time.Time) time.Duration {
	const form = "2006-01-02 at 15:04 utc"
	_, date, _ := strings.Cut(text, "regain access on ")
	at, err := time.Parse(form, date[:min(len(date), len(form))])
	if err != nil {
		return 0
	}
	return at.Sub(now)
}
