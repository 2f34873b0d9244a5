package providers

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/tidwall/gjson"
)

// Judge says what an answer means for c, which made it: what its vendor's adapter says,
// changed by the first error rule of c or else of its upstream that matches, and with what
// the headers tell about limits.
//
// Rules are for failing answers with a status of 400 or more, and for error events. They
// leave Kind, Scope (but for rests), Status and RetryAfter as told; Reason names the action.
//
// A success whose headers say that nothing is left of a limit has a RetryAfter until that
// limit's reset, and a Scope as far as it reaches.
func Judge(c *Credential, a Answer) Outcome {
	o := c.Upstream.Provider.Classify(a)
	o.Quotas = Quotas(a.Header, a.Now)
	if o.Kind == Success {
		if len(o.Quotas) > 0 && drawsOnLimits(a.Call.Operation) {
			o.RetryAfter, o.Scope = usedUp(o.Quotas, a)
		}
		return o
	}
	if (a.Status < http.StatusBadRequest && len(a.Body) == 0) || errors.Is(a.Err, context.Canceled) {
		return o // nothing for a rule to look at, or nobody to act for
	}
	status := a.Status
	if status < http.StatusBadRequest {
		if named := StatusNamed(a.Body); named != 0 {
			status = named
		}
	}
	for _, rules := range [][]ErrorRule{c.Rules, c.Upstream.Rules} {
		for _, r := range rules {
			if r.matches(status, a.Body) {
				return r.apply(o)
			}
		}
	}
	return o
}

func (r ErrorRule) matches(status int, body []byte) bool {
	return (r.Status == 0 || r.Status == status) &&
		(r.Contains == "" || bytes.Contains(body, []byte(r.Contains))) &&
		(r.Pattern == nil || r.Pattern.Match(body))
}

// apply returns o as r's action changes it.
func (r ErrorRule) apply(o Outcome) Outcome {
	o.Neutral, o.Then = true, ThenByKind
	switch r.Action {
	case ActionStop:
		o.Then = ThenStop
	case ActionNext:
		o.Then = ThenNext
	case ActionRest:
		o.Neutral, o.Then, o.Rest, o.Scope = false, ThenNext, r.Rest, ScopeModel
	}
	o.Reason += ", rule: " + string(r.Action)
	return o
}

// StatusNamed returns the HTTP error status that a failing answer's body names: as the
// error's code or status, or beside the error, as WebSocket events do. 0 = it names none.
func StatusNamed(body []byte) int {
	if t := bytes.TrimLeft(body, " \t\r\n"); len(t) == 0 || t[0] != '{' && t[0] != '[' {
		return 0
	}
	root := gjson.ParseBytes(body)
	if root.IsArray() {
		root = root.Get("0")
	}
	for _, path := range []string{
		"error.code", "error.status", "response.error.code", "response.error.status", "code", "status",
	} {
		if n := root.Get(path).Int(); n >= 400 && n < 600 {
			return int(n)
		}
	}
	return 0
}
