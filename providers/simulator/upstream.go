package simulator

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/understudyhq/understudy/providers/simulator/inprocess"
	"github.com/understudyhq/understudy/providers/simulator/memory"
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
	// Limits are those of accounts, by name. Model lists do not count.
	Limits map[string]Limit
	// Observe, if set, is told of every request of a credential when it has ended, model
	// lists excepted. It is called by many goroutines at once.
	Observe func(Record)
}

// Limit is how much the credentials of one account may ask for together.
type Limit struct {
	// Requests are answered per window; those beyond are a 429 until it ends. 0 = no limit.
	Requests int
	// Window begins with the first request after the last one.
	Window time.Duration
}

// Credential is one that a simulated upstream lets in.
type Credential struct {
	// ID is used as the key where Key is empty.
	ID string
	// Key is the secret, taken as bearer token, x-api-key, x-goog-api-key or query key.
	Key string
	// Account is the organisation that answers name in their headers. Its credentials share
	// a limit and what earlier answers can be referred to by. Empty = none, nothing is shared.
	Account string
	// Faults is the credential's fault script. Model lists are not subject to it.
	Faults []Fault
}

// Upstream is a simulated upstream. Make one with New; it is safe for concurrent use and
// holds no goroutine of its own.
type Upstream struct {
	credentials   map[string]*credential // by key
	conversations memory.Conversations
	models        []string
	latency       time.Duration
	chunkDelay    time.Duration
	observe       func(Record)
}

var _ http.Handler = (*Upstream)(nil)

// New returns an upstream as o describes it. Of credentials with the same key the last counts.
func New(o Options) *Upstream {
	if o.CacheTTL == 0 {
		o.CacheTTL = DefaultCacheTTL
	}
	u := &Upstream{
		credentials:   make(map[string]*credential, len(o.Credentials)),
		conversations: memory.NewConversations(),
		models:        slices.Clone(o.Models),
		latency:       o.Latency,
		chunkDelay:    o.ChunkDelay,
		observe:       o.Observe,
	}
	accounts := map[string]*memory.Account{}
	for _, c := range o.Credentials {
		owner := memory.NewAccount("credential "+c.ID, 0, 0)
		if c.Account != "" {
			if accounts[c.Account] == nil {
				limit := o.Limits[c.Account]
				accounts[c.Account] = memory.NewAccount("account "+c.Account, limit.Requests, limit.Window)
			}
			owner = accounts[c.Account]
		}
		u.credentials[cmp.Or(c.Key, c.ID)] = newCredential(c, owner, o.CacheTTL)
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
	whole := false
	defer func() { x.record(whole) }()
	if refused := x.serve(); refused != nil {
		x.refuse(refused)
	}
	whole = true
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
	id           string
	organisation string // that answers name; empty = none
	account      *memory.Account
	cache        *memory.PromptCache

	mu     sync.Mutex
	seen   int
	decide FaultFunc // nil = the script alone
	faults []Fault
	acted  []int // per fault, how often it did
}

func newCredential(c Credential, owner *memory.Account, ttl time.Duration) *credential {
	return &credential{
		id:           c.ID,
		organisation: c.Account,
		account:      owner,
		cache:        memory.NewPromptCache(ttl),
		faults:       slices.Clone(c.Faults),
		acted:        make([]int, len(c.Faults)),
	}
}

func (c *credential) requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}
