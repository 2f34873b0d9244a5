package config

import (
	"fmt"
	"time"
)

// The kinds of providers that come with the gateway.
const (
	KindOpenAI           = "openai"
	KindAnthropic        = "anthropic"
	KindGemini           = "gemini"
	KindVertex           = "vertex"
	KindOpenAICompatible = "openai-compatible"
	KindSimulator        = "simulator" // an upstream inside the process
)

// Default returns the settings of an empty file: every default and no provider, so it
// does not validate as it stands.
func Default() Config {
	return Config{
		Boot: Boot{Listen: "127.0.0.1:8317"},
		Live: Live{
			ShutdownGrace: 30 * time.Second,
			MaxBodyBytes:  64 << 20,
			Routing:       Routing{Strategy: RoundRobin, SessionAffinityTTL: time.Hour},
			Retry:         Retry{Rounds: 1, MaxWait: 5 * time.Second},
			Cooldown:      Cooldown{Max: 30 * time.Minute, TransientMax: time.Minute},
			Timeouts: Timeouts{
				Connect:    10 * time.Second,
				FirstByte:  300 * time.Second,
				StreamIdle: 300 * time.Second,
			},
			Streaming: Streaming{Keepalive: 15 * time.Second},
			Logging: Logging{
				Level: "info", Format: "text",
				Requests: "errors", MaxFiles: 200, MaxTotalBytes: 256 << 20, MaxBodyBytes: 8 << 20,
			},
		},
	}
}

// EmbeddedDefault returns what runs without a file: loopback only, the simulator as the
// only upstream with six credentials in two accounts, session affinity, open access.
func EmbeddedDefault() *Config {
	c := Default()
	c.Routing.SessionAffinity = true
	simulator := Provider{
		Name: "simulator",
		Kind: KindSimulator,
		Models: []Model{
			{Name: "understudy-large", Alias: []string{"gpt-5.5", "claude-sonnet", "gemini-pro"}},
			{Name: "understudy-small", Alias: []string{"gpt-5.5-mini", "claude-haiku", "gemini-flash"}},
			{Name: "understudy-embedding", Alias: []string{"text-embedding-3-small", "gemini-embedding"}},
		},
	}
	for _, account := range []string{"a", "b"} {
		for n := 1; n <= 3; n++ {
			simulator.Credentials = append(simulator.Credentials,
				Credential{ID: fmt.Sprintf("sim-%s-%d", account, n), Account: account})
		}
	}
	c.Providers = []Provider{simulator}
	Complete(&c)
	return &c
}

// Complete makes a Config that was built in Go equal to one that was loaded: it fills in
// place, in c's own slices too, what follows from other fields (names, ids, base URLs,
// formats, strategy aliases) and the defaults of fields whose zero value is not allowed.
// A zero that means "off", such as Streaming.Keepalive, stays: start from Default to get
// the defaults of those. Calling it again changes nothing.
func Complete(c *Config) {
	d := Default()
	fill(&c.Listen, d.Listen)
	fill(&c.MaxBodyBytes, d.MaxBodyBytes)
	fill(&c.Routing.Strategy, d.Routing.Strategy)
	fill(&c.Routing.SessionAffinityTTL, d.Routing.SessionAffinityTTL)
	fill(&c.Cooldown.Max, d.Cooldown.Max)
	fill(&c.Cooldown.TransientMax, min(d.Cooldown.TransientMax, c.Cooldown.Max))
	fill(&c.Logging.Level, d.Logging.Level)
	fill(&c.Logging.Format, d.Logging.Format)
	fill(&c.Logging.Requests, d.Logging.Requests)
	fill(&c.Logging.MaxFiles, d.Logging.MaxFiles)
	fill(&c.Logging.MaxTotalBytes, d.Logging.MaxTotalBytes)
	fill(&c.Logging.MaxBodyBytes, d.Logging.MaxBodyBytes)
	derive(c)
}

// derive fills what follows from other fields.
func derive(c *Config) {
	c.Routing.Strategy = c.Routing.Strategy.resolved()
	if old := c.Routing.ClaudeCodeSessionAffinity; old != nil && *old {
		c.Routing.SessionAffinity = true
	}
	for i := range c.APIKeys {
		fill(&c.APIKeys[i].Name, fmt.Sprintf("key-%d", i+1))
	}
	for i := range c.Providers {
		deriveProvider(&c.Providers[i])
	}
}

func deriveProvider(p *Provider) {
	baseURL, formats := kindDefaults(p.Kind)
	fill(&p.BaseURL, baseURL)
	if p.Formats == nil {
		p.Formats = formats
	}
	for i := range p.Credentials {
		c := &p.Credentials[i]
		fill(&c.ID, defaultID(p.Name, i))
		if p.Kind == KindSimulator && c.OAuth == nil && c.ServiceAccount == nil {
			fill(&c.APIKey, c.ID)
		}
	}
}

// defaultID is the id of the i-th credential of provider, counted from 0, if it has none.
func defaultID(provider string, i int) string { return fmt.Sprintf("%s-%d", provider, i+1) }

// resolved returns the strategy that s is an alias of, or s.
func (s Strategy) resolved() Strategy {
	switch s {
	case "rr":
		return RoundRobin
	case "ff":
		return FillFirst
	case "wrr":
		return Weighted
	default:
		return s
	}
}

// kindDefaults returns the base URL ("" = none) and the formats (nil = unknown kind) of
// a provider that gives none itself.
func kindDefaults(kind string) (baseURL string, formats []string) {
	switch kind {
	case KindOpenAI:
		return "https://api.openai.com/v1", []string{"openai-chat", "openai-responses"}
	case KindAnthropic:
		return "https://api.anthropic.com", []string{"anthropic"}
	case KindGemini:
		return "https://generativelanguage.googleapis.com", []string{"gemini"}
	case KindVertex:
		return "", []string{"gemini"}
	case KindOpenAICompatible:
		return "", []string{"openai-chat"}
	case KindSimulator:
		return "", knownFormats()
	default:
		return "", nil
	}
}

func knownKinds() []string {
	return []string{KindOpenAI, KindAnthropic, KindGemini, KindVertex, KindOpenAICompatible, KindSimulator}
}

func knownFormats() []string {
	return []string{"openai-chat", "openai-responses", "anthropic", "gemini"}
}

// fill sets field to value if it is still zero.
func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
