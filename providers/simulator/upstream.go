package simulator

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/understudyhq/understudy/providers/simulator/inprocess"
)

// DefaultCacheTTL is how long a prompt prefix stays cached after its last use.
const DefaultCacheTTL = 5 * time.Minute

// Options describe a simulated upstream.
type Options struct {
	// Credentials that are let in; everything else is a 401.
	Credentials []Credential
	// Models it serves; another is a 404. Empty = every name is served and the list is empty.
	Models []string
	// Latency is waited before the first byte of every answer but model lists.
	Latency time.Duration
	// ChunkDelay is waited between two chunks of a stream.
	ChunkDelay time.Duration
	// CacheTTL is how long a prompt prefix stays cached after its last use; 0 = DefaultCacheTTL.
	CacheTTL time.Duration
}

// Credential is one that a simulated upstream lets in.
type Credential struct {
	// ID is used as the key where Key is empty.
	ID string
	// Key is the secret, taken as bearer token, x-api-key, x-goog-api-key or query key.
	Key string
	// Account is the organisation that answers name in their headers; empty = none.
	Account string
	// Faults is the credential's fault script. Model lists are not subject to it.
	Faults []Fault
}

// Upstream is a simulated upstream. Make one with New; it is safe for concurrent use and
// holds no goroutine of its own.
type Upstream struct {
	credentials map[string]*credential // by key
	models      []string
	latency     time.Duration
	chunkDelay  time.Duration
}

var _ http.Handler = (*Upstream)(nil)

// New returns an upstream as o describes it. Of credentials with the same key the last counts.
func New(o Options) *Upstream {
	if o.CacheTTL == 0 {
		o.CacheTTL = DefaultCacheTTL
	}
	u := &Upstream{
		credentials: make(map[string]*credential, len(o.Credentials)),
		models:      slices.Clone(o.Models),
		latency:     o.Latency,
		chunkDelay:  o.ChunkDelay,
	}
	for _, c := range o.Credentials {
		key := c.Key
		if key == "" {
			key = c.ID
		}
		u.credentials[key] = newCredential(c, o.CacheTTL)
	}
	return u
}

// Requests returns how many requests carried the key of a credential, failed ones included
// and model lists not. It is 0 for an unknown key.
func (u *Upstream) Requests(key string) int {
	c, ok := u.credentials[key]
	if !ok {
		return 0
	}
	return c.requests()
}

// ServeHTTP answers one request. Where a fault script cuts the connection, and when the
// client is gone, it panics with http.ErrAbortHandler.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{upstream: u, w: w, r: r}
	if refused := x.serve(); refused != nil {
		x.refuse(refused)
	}
}

// Transport returns a RoundTripper that calls u in process, whatever the URL's host. It is
// as good as a connection: see [inprocess.Transport].
func (u *Upstream) Transport() http.RoundTripper { return inprocess.Transport{Handler: u} }

func (u *Upstream) serves(model string) bool {
	return len(u.models) == 0 || slices.Contains(u.models, model)
}

// keyOf returns the credential key of a request, wherever its vendor's SDK puts it.
func keyOf(r *http.Request) string {
	if key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return key
	}
	for _, name := range []string{"X-Api-Key", "X-Goog-Api-Key"} {
		if key := r.Header.Get(name); key != "" {
			return key
		}
	}
	return r.URL.Query().Get("key")
}

// credential is the state of one credential: how often it was used, how far its fault
// script has come, and its prompt cache.
type credential struct {
	account string
	cache   *promptCache

	mu     sync.Mutex
	seen   int
	faults []Fault
	acted  []int // per fault, how often it did
}

func newCredential(c Credential, ttl time.Duration) *credential {
	return &credential{
		account: c.Account,
		cache:   newPromptCache(ttl),
		faults:  slices.Clone(c.Faults),
		acted:   make([]int, len(c.Faults)),
	}
}

func (c *credential) requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

// Fault is one line of a credential's fault script. The first line that is due decides
// what happens to a request.
type Fault struct {
	// Status answers with this HTTP status and the format's own error body. Below 200 = answer normally.
	Status int
	// Headers are added to the answer.
	Headers map[string]string
	// Delay is waited before the answer's first byte.
	Delay time.Duration
	// CutAfter ends the connection after so many stream events or, for plain answers,
	// half of the body; 0 = never.
	CutAfter int
	// Every makes the line due for each Nth request only, counted per credential; 0 or 1 = each.
	Every int
	// Times is how often the line acts at most; 0 = no limit.
	Times int
}

// next counts one request and returns the fault it meets; the zero Fault is none.
func (c *credential) next() Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen++
	for i, f := range c.faults {
		due := f.Every <= 1 || c.seen%f.Every == 0
		if !due || (f.Times > 0 && c.acted[i] >= f.Times) {
			continue
		}
		c.acted[i]++
		return f
	}
	return Fault{}
}
