// Package config holds the gateway's settings: their types, defaults, strict loading
// from YAML, validation and the difference between two versions. It imports nothing else
// of this module and touches no global state.
//
// The yaml tag of a field is its key in the file. A config tag says what else the package
// has to know about it:
//
//	id      the field that identifies an element of its list
//	secret  the value may hold a secret and is never shown
//	short   a plain value in place of the whole struct stands for this field
//	one     a plain value stands for a list of one
//	file    the key may be given only in a file of credentials-dir
package config

import "time"

// Config is everything an operator can set. The zero value is not usable: start from
// Default, Load or Parse.
type Config struct {
	Boot `yaml:",inline"`
	Live `yaml:",inline"`
}

// Boot holds the settings that need a restart.
type Boot struct {
	// Listen is the TCP address to serve on, host:port. Default 127.0.0.1:8317.
	Listen string `yaml:"listen"`
	// TLS, when both files are set, serves https. Default none: plain http.
	TLS TLS `yaml:"tls"`
}

// TLS names the PEM files of the served certificate. Both or neither.
type TLS struct {
	CertFile string `yaml:"cert-file"`
	KeyFile  string `yaml:"key-file"`
}

// Live holds the settings that apply at once when they change.
type Live struct {
	// ShutdownGrace is how long open requests may go on after a stop signal; 0 = not at
	// all. Default 30s.
	ShutdownGrace time.Duration `yaml:"shutdown-grace"`
	// MaxBodyBytes bounds a request body after decompression, 1 KiB to 1 GiB. Default 64 MiB.
	MaxBodyBytes int64 `yaml:"max-body-bytes"`
	// APIKeys are the client keys. Empty = open access, allowed only on loopback.
	APIKeys []APIKey `yaml:"api-keys"`
	// Management configures the management API and the dashboard.
	Management Management `yaml:"management"`
	// CredentialsDir is a folder with one file per credential, relative to that of the
	// configuration file. Empty = none.
	CredentialsDir string     `yaml:"credentials-dir"`
	Routing        Routing    `yaml:"routing"`
	Retry          Retry      `yaml:"retry"`
	Cooldown       Cooldown   `yaml:"cooldown"`
	Timeouts       Timeouts   `yaml:"timeouts"`
	Streaming      Streaming  `yaml:"streaming"`
	Logging        Logging    `yaml:"logging"`
	Providers      []Provider `yaml:"providers"`
}

// APIKey is one client key. In YAML a plain string is a key without name or limits.
type APIKey struct {
	// Key is the secret itself, unique.
	Key string `yaml:"key" config:"short,secret"`
	// Name shows in logs and records instead of the key; unique. Default key-N, counted from 1.
	Name string `yaml:"name" config:"id"`
	// Models is an allow-list of globs over the names clients use. Empty = all.
	Models []string `yaml:"models"`
}

// Management configures the management API.
type Management struct {
	// SecretKey is plain text of 8 bytes or more, or a bcrypt hash. Empty = the API answers 404.
	SecretKey string `yaml:"secret-key" config:"secret"`
	// AllowRemote lets peers other than loopback in. Default false.
	AllowRemote bool `yaml:"allow-remote"`
}

// Strategy names a routing strategy.
type Strategy string

// Strategies. The aliases rr, ff and wrr are resolved while loading.
const (
	RoundRobin  Strategy = "round-robin"
	FillFirst   Strategy = "fill-first"
	Weighted    Strategy = "weighted"
	LeastLoaded Strategy = "least-loaded"
)

// Routing says how a credential is chosen.
type Routing struct {
	// Strategy ranks the ready candidates. Default round-robin.
	Strategy Strategy `yaml:"strategy"`
	// SessionAffinity keeps a conversation on the credential that served it last. Default false.
	SessionAffinity bool `yaml:"session-affinity"`
	// SessionAffinityTTL is how long a binding lives after its last served request, at
	// least 1s. Default 1h.
	SessionAffinityTTL time.Duration `yaml:"session-affinity-ttl"`
	// ClaudeCodeSessionAffinity is a deprecated alias: true turns SessionAffinity on.
	// nil = not set.
	ClaudeCodeSessionAffinity *bool `yaml:"claude-code-session-affinity"`
}

// Retry bounds the attempts of one request.
type Retry struct {
	// Rounds is how many more times the credentials are gone through, at most 100. Default 1.
	Rounds int `yaml:"rounds"`
	// MaxCredentials is how many different credentials one round tries; 0 = all. Default 0.
	MaxCredentials int `yaml:"max-credentials"`
	// MaxWait is how long one request may wait for the soonest recovery; 0 = never. Default 5s.
	MaxWait time.Duration `yaml:"max-wait"`
}

// Cooldown bounds the rests of credentials.
type Cooldown struct {
	// Disabled records failures without resting anybody. Default false.
	Disabled bool `yaml:"disabled"`
	// Max caps every computed rest; a longer upstream hint is probed this often. At least
	// TransientMax. Default 30m.
	Max time.Duration `yaml:"max"`
	// TransientMax caps rests for overload and transient trouble; more than 0. Default 60s.
	TransientMax time.Duration `yaml:"transient-max"`
}

// Timeouts bound the waits of one upstream attempt. 0 = no bound.
type Timeouts struct {
	// Connect covers all that a new connection takes: looking the name up, dialling, what a
	// proxy needs, TLS. Default 10s.
	Connect time.Duration `yaml:"connect"`
	// FirstByte is from sending the request to the answer's first payload byte. Default 300s.
	FirstByte time.Duration `yaml:"first-byte"`
	// StreamIdle is the longest silence inside an answer. Default 300s.
	StreamIdle time.Duration `yaml:"stream-idle"`
}

// Streaming configures event streams to clients.
type Streaming struct {
	// Keepalive is the silence after which an SSE comment is sent; 0 = off. Default 15s.
	Keepalive time.Duration `yaml:"keepalive"`
}

// Logging configures the log.
type Logging struct {
	// Level is debug, info, warn or error. Default info.
	Level string `yaml:"level"`
	// Format is text or json. Default text.
	Format string `yaml:"format"`
	// Requests says which requests are captured, with their answers, in files in Dir: off,
	// errors (those that fail) or all. Default errors.
	Requests string `yaml:"requests"`
	// Dir is the folder for captured requests, which belongs to one gateway. LoadAll takes it as
	// relative to the configuration file, and fills in its default, logs. Empty otherwise:
	// nothing is captured.
	Dir string `yaml:"dir"`
	// MaskContents leaves out of captures what was said, but not how it was asked for.
	// Default false.
	MaskContents bool `yaml:"mask-contents"`
	// MaxFiles bounds how many captures are kept, 1 to 100000. Default 200.
	MaxFiles int `yaml:"max-files"`
	// MaxTotalBytes bounds how much all captures take, 1 MiB or more. Default 256 MiB.
	MaxTotalBytes int64 `yaml:"max-total-bytes"`
	// MaxBodyBytes bounds what is captured of one body, 1 KiB to 1 GiB. Default 8 MiB.
	MaxBodyBytes int64 `yaml:"max-body-bytes"`
}

// Provider is one configured upstream.
type Provider struct {
	// Name is unique, of letters, digits, '.', '_' and '-', and part of model addressing
	// (NAME/MODEL).
	Name string `yaml:"name" config:"id"`
	// Kind is the vendor adapter: one of the Kind constants or one the host program registered.
	Kind string `yaml:"kind"`
	// BaseURL is where the upstream is, http or https, without query. Default by kind, for
	// vertex where Google serves Location; required for openai-compatible.
	BaseURL string `yaml:"base-url"`
	// Project and Location are the Google Cloud project, by id or number, and where its
	// requests are processed: a region, or "us", "eu" or "global". For kind vertex only,
	// which needs both; Project may be left to the credentials in CredentialsDir.
	Project  string `yaml:"project"`
	Location string `yaml:"location"`
	// Formats this upstream speaks; default by kind.
	Formats []string `yaml:"formats"`
	// ProxyURL is http, https or socks5, or "direct"; empty = the environment's proxy. It
	// may hold a user and a password.
	ProxyURL string `yaml:"proxy-url" config:"secret"`
	// CAFile is a PEM file of certificates that are trusted beside the system's, for the
	// upstream and an https proxy before it. Empty = none.
	CAFile string `yaml:"ca-file"`
	// Headers are added to every upstream call; "$X-Foo" copies the client's X-Foo.
	Headers map[string]string `yaml:"headers" config:"secret"`
	// Prefix exposes the models as PREFIX/NAME as well. No slash.
	Prefix string `yaml:"prefix"`
	// Models served; empty = whatever the upstream lists.
	Models []Model `yaml:"models"`
	// ExcludeModels are globs of models that are not served.
	ExcludeModels []string `yaml:"exclude-models"`
	// ErrorRules classify upstream failures before the built-in table.
	ErrorRules []ErrorRule `yaml:"error-rules"`
	// Credentials at this upstream. At least one, unless CredentialsDir is set.
	Credentials []Credential `yaml:"credentials"`
}

// Model is one model of a provider. In YAML a plain string is a name alone.
type Model struct {
	// Name is what the upstream calls it; unique among names and aliases of its provider.
	Name string `yaml:"name" config:"id,short"`
	// Alias are further names clients may use; a plain string is one alias.
	Alias []string `yaml:"alias" config:"one"`
	// Fallback are models to try when this one's candidates are exhausted.
	Fallback []string `yaml:"fallback" config:"one"`
	// Reasoning are the levels of reasoning that the model takes: none, minimal, low, medium,
	// high, xhigh and max; none alone = it does not think. Default nil = not known, the upstream
	// decides.
	Reasoning []string `yaml:"reasoning" config:"one"`
}

// Credential is one secret at a provider.
type Credential struct {
	// ID is unique over the whole configuration, of letters, digits and ".-_:@+". Default
	// PROVIDER-N, counted from 1; in a file of credentials-dir its name without the ending.
	ID string `yaml:"id" config:"id"`
	// APIKey is the secret. One of APIKey, OAuth and ServiceAccount is required, except for
	// kind simulator, where APIKey defaults to the id.
	APIKey string `yaml:"api-key" config:"secret"`
	// OAuth is a login in place of a secret that stays.
	OAuth *OAuth `yaml:"oauth" config:"file,secret"`
	// ServiceAccount is a Google service account in place of a secret that stays.
	ServiceAccount *ServiceAccount `yaml:"service-account" config:"file,secret"`
	// Project is which of its account's projects the credential is for, else the provider's
	// project, else the one that its service account belongs to; empty = the provider's, if
	// any. Not a key: LoadAll sets it for credentials from files.
	Project string `yaml:"-"`
	// Source is the file of credentials-dir that the credential is from; empty = the
	// configuration file. Credentials of one Source share one login. Not a key: LoadAll
	// sets it.
	Source string `yaml:"-"`
	// Account groups credentials that share limits. Empty = its own.
	Account string `yaml:"account"`
	// Weight is for strategy weighted: 0 = never, at most 1000000. nil = 1.
	Weight *int `yaml:"weight"`
	// Priority: the higher tier is used first. Default 0.
	Priority int `yaml:"priority"`
	// Disabled takes the credential out. Default false.
	Disabled bool `yaml:"disabled"`
	// Websockets says this credential's upstream accepts Responses over WebSocket. Default false.
	Websockets bool `yaml:"websockets"`
	// MaxConcurrency bounds its requests in flight; 0 = no limit. Default 0.
	MaxConcurrency int `yaml:"max-concurrency"`
	// ProxyURL overrides the provider's.
	ProxyURL string `yaml:"proxy-url" config:"secret"`
	// Headers are added after the provider's.
	Headers map[string]string `yaml:"headers" config:"secret"`
	// Models is an allow-list of globs. Empty = all of the provider's.
	Models []string `yaml:"models"`
	// ExcludeModels are globs of models this credential does not serve.
	ExcludeModels []string `yaml:"exclude-models"`
	// DisableCooldown keeps the credential ready whatever happens; false lets it rest even
	// with cooldown.disabled. Default nil = as cooldown.disabled says.
	DisableCooldown *bool `yaml:"disable-cooldown"`
	// ErrorRules come before the provider's.
	ErrorRules []ErrorRule `yaml:"error-rules"`
	// Faults is the fault script of a simulator credential; an error for other kinds.
	Faults []Fault `yaml:"faults"`
}

// ErrorRule classifies upstream failures by hand.
type ErrorRule struct {
	// Status matches the upstream's HTTP status; 0 = any.
	Status int `yaml:"status"`
	// BodyContains and BodyRegex match the body; empty = any. At most one of them.
	BodyContains string `yaml:"body-contains"`
	BodyRegex    string `yaml:"body-regex"`
	// Action is stop, next, rest or ignore.
	Action string `yaml:"action"`
	// Rest is how long action rest lasts.
	Rest time.Duration `yaml:"rest"`
}

// Fault is one line of a simulator credential's fault script. The first line that is due
// decides what happens to a request.
type Fault struct {
	// Status answers with this HTTP status and the format's own error body; 0 = answer normally.
	Status int `yaml:"status"`
	// Headers are added to the answer.
	Headers map[string]string `yaml:"headers" config:"secret"`
	// Delay is waited before the answer's first byte.
	Delay time.Duration `yaml:"delay"`
	// CutAfter ends the connection after so many stream events or, for plain answers,
	// half of the body; 0 = never.
	CutAfter int `yaml:"cut-after"`
	// Every makes the line due for each Nth request only, counted per credential; 0 or 1 = each.
	Every int `yaml:"every"`
	// Times is how often the line acts at most; 0 = no limit.
	Times int `yaml:"times"`
}
