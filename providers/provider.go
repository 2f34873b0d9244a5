// Package providers holds what the rest of the gateway knows about upstreams: the
// wire formats, the adapter a vendor needs, the immutable description of a configured
// upstream and of one credential at it, and what an upstream's answer means.
//
// It imports nothing else of this module. Vendor adapters live in its subpackages.
package providers

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Format is a wire format, inbound (client side) or outbound (upstream side).
type Format string

// The four formats.
const (
	OpenAIChat      Format = "openai-chat"
	OpenAIResponses Format = "openai-responses"
	Anthropic       Format = "anthropic"
	Gemini          Format = "gemini"
)

// AllFormats lists every format, in the order documents use.
func AllFormats() []Format { return []Format{OpenAIChat, OpenAIResponses, Anthropic, Gemini} }

// Operation is what a client asks of a format's API.
type Operation string

// Operations. Not every format has every one: see Provider.URL.
const (
	Generate    Operation = "generate"     // chat completions, responses, messages, generateContent; streamed or not
	Complete    Operation = "complete"     // OpenAI's legacy completions
	Embed       Operation = "embed"        // embeddings, embedContent
	BatchEmbed  Operation = "batch-embed"  // Gemini's batchEmbedContents
	CountTokens Operation = "count-tokens" // count_tokens, countTokens, responses/input_tokens
	Compact     Operation = "compact"      // responses/compact
	ListModels  Operation = "list-models"  // the upstream's own model list
	Retrieve    Operation = "retrieve"     // GET responses/{id}
	Delete      Operation = "delete"       // DELETE responses/{id}
	Cancel      Operation = "cancel"       // responses/{id}/cancel
	ListInput   Operation = "list-input"   // GET responses/{id}/input_items
)

// Method returns the HTTP method with which o is asked of an upstream.
func (o Operation) Method() string {
	switch o {
	case ListModels, Retrieve, ListInput:
		return http.MethodGet
	case Delete:
		return http.MethodDelete
	default:
		return http.MethodPost
	}
}

// ErrUnsupported is returned by Provider.URL for an operation this upstream does not have.
var ErrUnsupported = errors.New("operation not supported by this provider")

// Call is one request as the gateway wants it made upstream.
type Call struct {
	Format    Format
	Operation Operation
	Model     string // the upstream's own name; empty for ListModels
	Stream    bool   // the answer is an event stream (Gemini: streamGenerateContent)
	Query     string // the client's raw query without its key; empty if none
	Resource  string // the response that Retrieve, Delete, Cancel and ListInput are about; else empty
}

// Provider is one vendor adapter. It is stateless, safe for concurrent use, and shared by
// all credentials of every upstream of its kind.
type Provider interface {
	// Formats lists what this vendor speaks by default, preferred first.
	Formats() []Format
	// URL returns where call is served below base. It never modifies base.
	// It returns ErrUnsupported if the vendor has no such operation.
	URL(base *url.URL, call Call) (*url.URL, error)
	// Authorize adds the secret to h in the vendor's form. h holds no client key any more.
	Authorize(h http.Header, s Secret)
	// Classify says what an answer (or the lack of one) means for the credential that
	// made it. It is called for failures and, with a nil Body, for successful heads.
	Classify(a Answer) Outcome
}

// CredentialID names one credential; unique in a gateway.
type CredentialID string

// Model is one configured model of an upstream.
type Model struct {
	Name     string   // the upstream's own name
	Aliases  []string // other names clients may use
	Fallback []string // model names to try when this one's candidates are exhausted
	// Reasoning lists the levels of reasoning that the model takes, in the words of model
	// suffixes; "none" alone = it does not think; empty = not known.
	Reasoning []string
}

// Upstream is one configured provider: an adapter, where it is reached, and what it
// serves. It is immutable once built; a change makes a new one.
type Upstream struct {
	Name     string
	Kind     string
	Provider Provider
	Base     *url.URL
	Formats  []Format    // what this upstream speaks; never empty
	Headers  []Header    // added to every call
	Prefix   string      // if set, models are also addressed as Prefix/NAME
	Models   []Model     // empty = whatever the upstream lists
	Exclude  []string    // globs of models that are not served
	Rules    []ErrorRule // what failures mean, before the built-in rules
}

// Speaks reports whether u serves format f without translation.
func (u *Upstream) Speaks(f Format) bool { return slices.Contains(u.Formats, f) }

// Reasoning returns the levels of reasoning that a model takes, by the upstream's own name for
// it, as Model.Reasoning lists them; nil = not known.
func (u *Upstream) Reasoning(model string) []string {
	for i := range u.Models {
		if u.Models[i].Name == model {
			return u.Models[i].Reasoning
		}
	}
	return nil
}

// Header is one configured header. A Value of the form "$X-Foo" copies the client's
// X-Foo, if it sent one. Values may be secrets.
type Header struct {
	Name  string
	Value Secret
}

// Credential is one secret at one upstream, with everything needed to use it. It is
// immutable once built; a change makes a new one.
type Credential struct {
	ID             CredentialID
	Upstream       *Upstream
	Base           *url.URL // where it is served, if that is its own; nil = the upstream's Base
	Secret         Secret
	Grant          Grant             // where the secret comes from, if it expires; nil = it is fixed
	Token          bool              // Secret is an access token, not a key of the vendor's kind
	ExpiresAt      time.Time         // when Secret does, if it comes from Grant; zero = not known
	Account        string            // credentials of one account share limits; empty = its own
	Transport      http.RoundTripper // shared by credentials with the same proxy; never nil
	Headers        []Header          // added after the upstream's own
	Weight         int               // weighted strategy: 0 = never, default 1
	Priority       int               // higher tier first
	MaxConcurrency int               // 0 = no limit
	Disabled       bool
	Draining       bool     // set by the engine: no new requests, those that run go on
	WebSockets     bool     // its upstream takes Responses over WebSocket too
	Models         []string // globs; empty = all of the upstream's
	Exclude        []string // globs
	// DisableCooldown keeps the credential ready whatever happens; nil = as the gateway's
	// own setting says.
	DisableCooldown *bool
	Rules           []ErrorRule // before those of the upstream
}

// URL returns where call is served for c. Its errors are those of Provider.URL.
func (c *Credential) URL(call Call) (*url.URL, error) {
	base := c.Base
	if base == nil {
		base = c.Upstream.Base
	}
	return c.Upstream.Provider.URL(base, call)
}

// WithToken returns c with t as its secret.
func (c *Credential) WithToken(t Token) *Credential {
	next := *c
	next.Secret, next.ExpiresAt = t.Secret, t.ExpiresAt
	return &next
}

// Authorize adds c's secret to the headers of a call: an access token as RFC 6750 has it, a
// key in its vendor's form.
func (c *Credential) Authorize(h http.Header) {
	if !c.Token {
		c.Upstream.Provider.Authorize(h, c.Secret)
		return
	}
	h.Del("Authorization")
	if !c.Secret.Empty() {
		h.Set("Authorization", "Bearer "+c.Secret.Reveal())
	}
}

// Serves reports whether the lists of c and its upstream let it serve the upstream's model name.
func (c *Credential) Serves(model string) bool {
	return (len(c.Models) == 0 || MatchAny(c.Models, model)) &&
		!MatchAny(c.Exclude, model) && !MatchAny(c.Upstream.Exclude, model)
}
