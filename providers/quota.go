package providers

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Quota is one limit as the upstream's headers tell it, on successful answers too.
type Quota struct {
	// Name is the upstream's: "requests", "tokens", "input-tokens", "unified-5h", …
	Name string
	// Limit and Remaining count what Name says; -1 = not reported.
	Limit, Remaining int64
	// Utilization is the share that is used: 1 = all of it, more if the account may
	// exceed the limit; -1 = not reported.
	Utilization float64
	// ResetAt is when the limit is whole again, in UTC; zero = not reported.
	ResetAt time.Time
	// Status is the upstream's own word, such as "allowed" or "rejected"; empty if none.
	Status string
}

// Exhausted reports whether the upstream says that nothing is left of q.
func (q Quota) Exhausted() bool { return q.Remaining == 0 || q.Status == "rejected" }

// left is the share of q that is left, for finding the limit that refused a request.
func (q Quota) left() float64 {
	switch {
	case q.Exhausted():
		return 0
	case q.Utilization >= 0:
		return 1 - q.Utilization
	case q.Remaining > 0 || q.Status != "":
		return 1
	default:
		return 0 // a limit that tells only its reset is told because it matters
	}
}

// Quotas reads the rate limits from an answer's headers, sorted by name: the families
// x-ratelimit-{limit,remaining,reset}[-NAME] and
// anthropic-ratelimit-NAME-{limit,remaining,reset,status,utilization}. It returns nil if
// there are none. What cannot be read counts as not reported.
func Quotas(h http.Header, now time.Time) []Quota {
	var quotas []Quota
	for key, values := range h {
		name, field := quotaHeader(key)
		if field == "" || len(values) == 0 {
			continue
		}
		i := slices.IndexFunc(quotas, func(q Quota) bool { return q.Name == name })
		if i < 0 {
			i = len(quotas)
			quotas = append(quotas, Quota{Name: name, Limit: -1, Remaining: -1, Utilization: -1})
		}
		quotas[i].set(field, strings.TrimSpace(values[0]), now)
	}
	for i, q := range quotas {
		if q.Utilization < 0 && q.Limit > 0 && q.Remaining >= 0 {
			quotas[i].Utilization = 1 - float64(q.Remaining)/float64(q.Limit)
		}
	}
	slices.SortFunc(quotas, func(a, b Quota) int { return cmp.Compare(a.Name, b.Name) })
	return quotas
}

// quotaHeader splits a header's name into a limit's name and field. The field is empty if
// the header is not about a limit.
func quotaHeader(key string) (name, field string) {
	const openai, anthropic = "x-ratelimit-", "anthropic-ratelimit-"
	switch {
	case hasPrefixFold(key, openai):
		field, name, _ = strings.Cut(strings.ToLower(key[len(openai):]), "-")
		if name == "" {
			name = "requests" // vendors with a single limit count requests
		}
	case hasPrefixFold(key, anthropic):
		rest := strings.ToLower(key[len(anthropic):])
		dash := strings.LastIndexByte(rest, '-')
		if dash < 0 {
			return "", ""
		}
		name, field = rest[:dash], rest[dash+1:]
		if name == "unified-overage" || name == "unified-slow-budget" {
			return "", "" // these tell what happens beyond the limits, not whether one is reached
		}
	}
	switch field {
	case "limit", "remaining", "reset", "status", "utilization":
		return name, field
	default:
		return "", ""
	}
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func (q *Quota) set(field, value string, now time.Time) {
	switch field {
	case "limit":
		q.Limit = parseCount(value)
	case "remaining":
		q.Remaining = parseCount(value)
	case "reset":
		if at, ok := parseReset(value, now); ok {
			q.ResetAt = at
		}
	case "status":
		q.Status = strings.ToLower(value)
	case "utilization":
		if share, err := strconv.ParseFloat(value, 64); err == nil && share >= 0 {
			q.Utilization = share
		}
	}
}

// parseCount reads a header's count; -1 if it is none.
func parseCount(value string) int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// drawsOnLimits reports whether o is what a model's limits are about. Side routes, such as
// counting tokens, have limits of their own, under the same names.
func drawsOnLimits(o Operation) bool {
	switch o {
	case Generate, Complete, Embed, BatchEmbed, Compact:
		return true
	default:
		return false
	}
}

// usedUp returns for how long the limits in a successful answer's headers leave nothing,
// and how far that reaches; 0 if something is left. The widest scope wins, and the latest
// reset in it: a model's own limit must not keep a whole account. Resets that have passed,
// or are more than 31 days away, are mistakes.
func usedUp(quotas []Quota, a Answer) (d time.Duration, s Scope) {
	goesOn := hasPrefixFold(a.Header.Get("Anthropic-Ratelimit-Unified-Overage-Status"), "allowed")
	for _, q := range quotas {
		goesOn = goesOn || q.Name == "unified" && strings.HasPrefix(q.Status, "allowed")
	}
	for _, q := range quotas {
		left := q.ResetAt.Sub(a.Now)
		reach, spent := q.spent(a.Call.Model, goesOn)
		switch {
		case !spent, left <= 0, left > maxHint:
		case reach == s:
			d = max(d, left)
		case reach == ScopeAccount:
			d, s = left, reach
		}
	}
	return d, s
}

// spent reports whether q, as a successful answer to model tells it, has nothing left, and
// for whom. The success is proof that the request was allowed, so that words count for less
// than numbers. A limit is spent if nothing remains of it; one of 0 is not, as vendors
// without a limit say that too. The windows of a subscription (unified-5h, unified-7d, …)
// tell no remaining number: one is spent if it is used to 1 or more and its status is
// rejected, unless the account goes on beyond, which is when its overage or the summary of
// its windows (unified) is allowed. A window for a family of models (unified-7d_opus) is
// told with every model's answers, and is about those whose names have the family's.
func (q Quota) spent(model string, goesOn bool) (Scope, bool) {
	window, unified := strings.CutPrefix(q.Name, "unified")
	if !unified {
		return ScopeModel, q.Remaining == 0 && q.Limit != 0
	}
	rejected := window != "" && !goesOn &&
		(q.Remaining == 0 || q.Utilization >= 1 && q.Status == "rejected")
	if _, family, ok := strings.Cut(window, "_"); ok {
		return ScopeModel, rejected && strings.Contains(strings.ToLower(model), family)
	}
	return ScopeAccount, rejected
}

// quotaHint returns the time to the reset of the limit with the least left, the latest of
// several; 0 if none tells a reset in the future.
func quotaHint(quotas []Quota, now time.Time) time.Duration {
	var worst Quota
	for _, q := range quotas {
		if !q.ResetAt.After(now) {
			continue
		}
		if worst.ResetAt.IsZero() || q.left() < worst.left() ||
			q.left() == worst.left() && q.ResetAt.After(worst.ResetAt) {
			worst = q
		}
	}
	if worst.ResetAt.IsZero() {
		return 0
	}
	return bound(worst.ResetAt.Sub(now))
}
