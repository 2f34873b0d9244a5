package gemini

import (
	"net/http"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers"
)

// Classify implements providers.Provider.
func (Provider) Classify(a providers.Answer) providers.Outcome {
	return providers.Classify(a, Signals)
}

// Signals reads {"error":{"code","message","status","details"}}, which a stream sent
// as an array holds in its first element.
func Signals(a providers.Answer) providers.Signals {
	root := gjson.ParseBytes(a.Body)
	if root.IsArray() {
		root = root.Get("0")
	}
	e := root.Get("error")
	status := e.Get("status").String()
	s := providers.Signals{
		Kind:    kindOf(status, a.Status),
		Scope:   providers.ScopeCredential,
		Status:  providers.StatusNamed(a.Body),
		Code:    status,
		Message: e.Get("message").String(),
	}
	for _, reason := range e.Get("details.#.reason").Array() {
		s.Code = reason.String()
		if k := kindOfReason(s.Code); k != "" {
			s.Kind = k
		}
	}
	if k := kindOfText(status, providers.Searchable(s.Message)); k != "" {
		s.Kind = k
	}
	if perDay, perModel := dailyQuota(e); perDay && s.Kind != providers.OutOfFunds {
		s.Kind, s.RetryAfter = providers.WindowExhausted, untilDailyReset(a.Now)
		if perModel {
			s.Scope = providers.ScopeModel
		}
	}
	return s
}

// kindOf maps Google's status to what it means. NOT_FOUND is left to the text, and where
// there is an HTTP status, so are those that only repeat it.
func kindOf(status string, httpStatus int) providers.Kind {
	inStream := httpStatus < http.StatusBadRequest
	switch status {
	case "RESOURCE_EXHAUSTED":
		return providers.RateLimited // behind a 499 as well
	case "UNAVAILABLE":
		return providers.Overloaded
	case "UNAUTHENTICATED":
		return providers.Unauthorized
	case "PERMISSION_DENIED":
		if inStream {
			return providers.Forbidden
		}
	case "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED":
		if inStream {
			return providers.RequestFault
		}
	}
	return ""
}

func kindOfReason(reason string) providers.Kind {
	switch reason {
	case "API_KEY_INVALID", "ACCESS_TOKEN_EXPIRED":
		return providers.Unauthorized
	case "RATE_LIMIT_EXCEEDED":
		return providers.RateLimited
	case "QUOTA_EXHAUSTED":
		return providers.WindowExhausted
	default:
		return ""
	}
}

// kindOfText recognises what Google tells in words only. message is in lower case.
func kindOfText(status, message string) providers.Kind {
	switch {
	case strings.Contains(message, "api key not valid"), strings.Contains(message, "api key expired"):
		return providers.Unauthorized
	case strings.Contains(message, "credits are depleted"):
		return providers.OutOfFunds
	case strings.Contains(message, "spending cap"):
		return providers.WindowExhausted
	case status == "FAILED_PRECONDITION" &&
		(strings.Contains(message, "location is not supported") || strings.Contains(message, "billing")):
		return providers.Forbidden
	case status == "PERMISSION_DENIED" &&
		(strings.Contains(message, "cachedcontent") || strings.Contains(message, "access the file")):
		return providers.RequestFault // another project's object; the key itself is fine
	case strings.Contains(message, "not supported for embedcontent"),
		strings.Contains(message, "not supported for batchembedcontents"):
		return providers.RequestFault // asking a chat model for embeddings must not rest its chats
	default:
		return ""
	}
}

// dailyQuota reports whether a violated quota is one per day, or has a limit of 0 (the
// project is not entitled to the model at all), and whether it is one per model.
func dailyQuota(e gjson.Result) (perDay, perModel bool) {
	message := e.Get("message").String()
	perDay = strings.Contains(message, "limit: 0,") || strings.HasSuffix(message, "limit: 0")
	perModel = true
	for _, violations := range e.Get("details.#.violations").Array() {
		for _, v := range violations.Array() {
			id := v.Get("quotaId").String()
			if strings.Contains(id, "PerDay") || v.Get("quotaValue").String() == "0" {
				perDay = true
				perModel = perModel && strings.Contains(id, "PerModel")
			}
		}
	}
	return perDay, perModel
}

// untilDailyReset returns the time to the next reset of the quotas per day, which is at
// midnight in California. In summer this says an hour too much; probes find out.
func untilDailyReset(now time.Time) time.Duration {
	const midnightPacific = 8 * time.Hour // UTC
	day := now.UTC().Add(-midnightPacific).Truncate(24 * time.Hour).Add(midnightPacific)
	return day.Add(24 * time.Hour).Sub(now)
}
