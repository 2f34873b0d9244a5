package providers

import (
	"net/http"
	"time"
)

// Kind is what an upstream answer means for the credential that made it.
type Kind string

// Kinds, in the order of the routing rules' table.
const (
	Success          Kind = "success"
	RequestFault     Kind = "request-fault"     // the client's request is wrong; no other credential helps
	ModelUnsupported Kind = "model-unsupported" // this credential cannot serve this model
	RateLimited      Kind = "rate-limited"
	WindowExhausted  Kind = "window-exhausted" // a longer quota window is used up
	OutOfFunds       Kind = "out-of-funds"
	Unauthorized     Kind = "unauthorized"
	Forbidden        Kind = "forbidden"
	Overloaded       Kind = "overloaded" // the upstream as a whole, not this credential
	Transient        Kind = "transient"  // 5xx, connect, TLS, reset, timeout, empty or malformed answer
	Canceled         Kind = "canceled"   // the client went away; says nothing about the credential
	GatewayBug       Kind = "gateway-bug"
)

// Scope is how far an outcome reaches.
type Scope string

// Scopes. The zero value means the (credential, model) pair.
const (
	ScopeModel      Scope = ""
	ScopeCredential Scope = "credential"
	ScopeAccount    Scope = "account"
)

// Then is what a request does after an attempt, where that does not follow from the kind.
type Then string

// What a request may do.
const (
	ThenByKind Then = ""     // as Kind says
	ThenStop   Then = "stop" // the client gets this answer
	ThenNext   Then = "next" // another credential is tried
)

// Outcome is what one attempt means for the credential that made it.
type Outcome struct {
	Kind  Kind
	Scope Scope
	// RetryAfter is the upstream's hint, from now; 0 = it gave none. With a Success it says
	// that nothing is left of a quota window until then, as far as Scope reaches.
	RetryAfter time.Duration
	// Rest is how long an error rule lets the credential's model rest, whatever the kind;
	// 0 = no rule says so.
	Rest time.Duration
	// Neutral means that this outcome leaves the credential as it is: an error rule says so,
	// or the operation fails for reasons of its own.
	Neutral bool
	// Then is what an error rule makes the request do.
	Then Then
	// Quotas are the limits that the answer's headers tell; nil = none.
	Quotas []Quota
	// Status is the upstream's HTTP status; 0 when there was no answer.
	Status int
	// Reason says in a few words why Kind was chosen. It never holds a secret or a prompt.
	Reason string
	// Usage is what the upstream says the attempt cost.
	Usage Usage
}

// Retryable reports whether another credential may do better.
func (o Outcome) Retryable() bool {
	switch o.Then {
	case ThenStop:
		return false
	case ThenNext:
		return true
	}
	switch o.Kind {
	case Success, RequestFault, Canceled, GatewayBug:
		return false
	default:
		return true
	}
}

// Plain reports whether o is a success that says nothing more of the credential.
func (o *Outcome) Plain() bool {
	return o.Kind == Success && o.RetryAfter == 0 && o.Rest == 0
}

// Usage counts tokens as the upstream reports them. Zero = not reported.
type Usage struct {
	InputTokens      int64 // all input, cached included
	OutputTokens     int64
	CachedTokens     int64 // part of InputTokens read from the prompt cache
	CacheWriteTokens int64 // part of InputTokens written to the prompt cache
}

// Answer is what came back from one attempt, as far as it says something about the credential.
type Answer struct {
	Call   Call
	Status int         // 0 when there was no answer
	Header http.Header // nil when there was no answer
	// Body is the beginning of a failing answer's decoded body (at most 64 KiB), or the
	// data of an in-stream error event; nil for a successful head.
	Body []byte
	// Err is what went wrong on the way, if anything: dial, TLS, reset, timeout, bad JSON.
	Err error
	// Now is when the answer came, for hints that are dates.
	Now time.Time
}
