package understudy

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/providers"
	"github.com/understudyhq/understudy/providers/anthropic"
	"github.com/understudyhq/understudy/providers/compat"
	"github.com/understudyhq/understudy/providers/gemini"
	"github.com/understudyhq/understudy/providers/grant"
	"github.com/understudyhq/understudy/providers/openai"
	"github.com/understudyhq/understudy/providers/simulator"
	"github.com/understudyhq/understudy/providers/vertex"
)

// builder turns configurations into upstreams and credentials. What did not change since
// the last one stays the same object, which is how owners see that nothing is to be done.
type builder struct {
	options  options
	registry *providers.Registry
	last     built
	limits   *grant.Limits // of all logins
}

// built is one configuration made usable.
type built struct {
	upstreams []builtUpstream // in configuration order
	network   networks
}

type builtUpstream struct {
	source      config.Provider
	upstream    *providers.Upstream
	transports  []http.RoundTripper // of the credentials
	credentials []*providers.Credential
	logins      map[loginKey]heldLogin
}

func newBuilder(o options) *builder {
	r := providers.NewRegistry()
	r.Add(config.KindOpenAI, openai.Provider{})
	r.Add(config.KindAnthropic, anthropic.Provider{})
	r.Add(config.KindGemini, gemini.Provider{})
	r.Add(config.KindVertex, vertex.Provider{})
	r.Add(config.KindOpenAICompatible, compat.Provider{})
	r.Add(config.KindSimulator, simulator.Provider{})
	for kind, p := range o.kinds {
		r.Add(kind, p)
	}
	return &builder{options: o, registry: r, limits: grant.NewLimits(renewalsAtOnce)}
}

// build makes cfg usable without changing what is in use.
func (b *builder) build(cfg *config.Config) (built, error) {
	next := built{network: newNetworks(cfg.Timeouts.Connect)}
	for i, source := range cfg.Providers {
		transports, err := b.transports(&next.network, fmt.Sprintf("providers[%d]", i), source)
		if err != nil {
			return built{}, err
		}
		u, err := b.upstream(source, transports)
		if err != nil {
			return built{}, fmt.Errorf("provider %s: %w", source.Name, err)
		}
		next.upstreams = append(next.upstreams, u)
	}
	return next, nil
}

// adopt makes next what later builds are compared with, and retires the transports that it
// does not use.
func (b *builder) adopt(next built) {
	for _, u := range next.upstreams {
		for _, l := range u.logins {
			l.way.Store(&l.transport)
		}
	}
	b.last.network.retire(next.network)
	b.last = next
}

func (b *builder) close() { b.last.network.retire(networks{}) }

func (b *builder) upstream(source config.Provider, transports []http.RoundTripper) (builtUpstream, error) {
	old := b.lastOf(source.Name)
	if same(old.source, source) && slices.Equal(old.transports, transports) {
		return old, nil
	}
	adapter, err := b.registry.Get(source.Kind)
	if err != nil {
		return builtUpstream{}, err
	}
	base, err := url.Parse(source.BaseURL)
	if err != nil {
		return builtUpstream{}, fmt.Errorf("base-url: %w", err)
	}
	next := builtUpstream{source: source, transports: transports, upstream: describe(source, adapter, base)}
	if next.upstream.Rules, err = errorRules(source.ErrorRules); err != nil {
		return builtUpstream{}, err
	}
	before := map[providers.CredentialID]*providers.Credential{}
	if sameUpstream(old, next) {
		next.upstream = old.upstream
		for _, c := range old.credentials {
			before[c.ID] = c
		}
	}
	for i, c := range source.Credentials {
		made, err := credential(c, source, next.upstream, transports[i])
		if err != nil {
			return builtUpstream{}, fmt.Errorf("credential %s: %w", c.ID, err)
		}
		login, err := next.login(old, c, transports[i], b.limits)
		if err != nil {
			return builtUpstream{}, fmt.Errorf("credential %s: %w", c.ID, err)
		}
		if login != nil {
			made.Grant, made.Token = login, true
			made.Secret, made.ExpiresAt = providers.Secret{}, time.Time{} // they come from it
		}
		if kept := before[made.ID]; kept != nil && sameCredential(kept, made) {
			made = kept
		}
		next.credentials = append(next.credentials, made)
	}
	return next, nil
}

// lastOf returns what the last build made of the provider called name.
func (b *builder) lastOf(name string) builtUpstream {
	for _, u := range b.last.upstreams {
		if u.source.Name == name {
			return u
		}
	}
	return builtUpstream{}
}

// sameUpstream reports whether two builds differ at most in their credentials and in how
// these reach the upstream.
func sameUpstream(old, next builtUpstream) bool {
	a, b := old.source, next.source
	a.Credentials, b.Credentials = nil, nil
	a.ProxyURL, b.ProxyURL = "", ""
	a.CAFile, b.CAFile = "", ""
	return same(a, b)
}

func sameCredential(old, next *providers.Credential) bool {
	if old.Transport != next.Transport || old.Upstream != next.Upstream || old.Grant != next.Grant {
		return false // these are compared by identity: they are alive
	}
	a, b := *old, *next
	a.Transport, b.Transport, a.Upstream, b.Upstream = nil, nil, nil, nil
	a.Grant, b.Grant = nil, nil
	a.Rules, b.Rules = nil, nil // these hold compiled patterns, of which only the text counts
	return same(a, b) && slices.EqualFunc(old.Rules, next.Rules, providers.ErrorRule.Equal)
}

func describe(p config.Provider, adapter providers.Provider, base *url.URL) *providers.Upstream {
	u := &providers.Upstream{
		Name: p.Name, Kind: p.Kind, Provider: adapter, Base: base,
		Headers: headers(p.Headers), Prefix: p.Prefix, Exclude: p.ExcludeModels,
	}
	for _, f := range p.Formats {
		u.Formats = append(u.Formats, providers.Format(f))
	}
	if len(u.Formats) == 0 {
		u.Formats = adapter.Formats()
	}
	for _, m := range p.Models {
		u.Models = append(u.Models, providers.Model{Name: m.Name, Aliases: m.Alias, Fallback: m.Fallback, Reasoning: m.Reasoning})
	}
	return u
}

func credential(c config.Credential, source config.Provider, u *providers.Upstream, transport http.RoundTripper) (*providers.Credential, error) {
	rules, err := errorRules(c.ErrorRules)
	if err != nil {
		return nil, err
	}
	base, err := ownBase(c, source, u)
	if err != nil {
		return nil, err
	}
	secret, expiresAt := c.APIKey, time.Time{}
	if c.OAuth != nil {
		secret, expiresAt = c.OAuth.AccessToken, c.OAuth.ExpiresAt
	}
	if secret == "" && u.Kind == config.KindSimulator {
		secret = c.ID
	}
	weight := 1
	if c.Weight != nil {
		weight = *c.Weight
	}
	return &providers.Credential{
		ID: providers.CredentialID(c.ID), Upstream: u, Base: base, Secret: providers.NewSecret(secret), Account: c.Account,
		Token: c.OAuth != nil, ExpiresAt: expiresAt,
		Transport: transport, Headers: headers(c.Headers), Weight: weight, Priority: c.Priority,
		MaxConcurrency: c.MaxConcurrency, Disabled: c.Disabled, WebSockets: c.Websockets, Models: c.Models, Exclude: c.ExcludeModels,
		DisableCooldown: c.DisableCooldown, Rules: rules,
	}, nil
}

// ownBase returns the base URL of a credential where it is not the upstream's; else nil.
func ownBase(c config.Credential, source config.Provider, u *providers.Upstream) (*url.URL, error) {
	if _, ok := u.Provider.(vertex.Provider); !ok {
		return nil, nil
	}
	return vertex.Base(u.Base, cmp.Or(c.Project, source.Project), source.Location)
}

func errorRules(configured []config.ErrorRule) ([]providers.ErrorRule, error) {
	var rules []providers.ErrorRule
	for i, c := range configured {
		r := providers.ErrorRule{
			Status: c.Status, Contains: c.BodyContains, Action: providers.Action(c.Action), Rest: c.Rest,
		}
		if c.BodyRegex != "" {
			pattern, err := regexp.Compile(c.BodyRegex)
			if err != nil {
				return nil, fmt.Errorf("error-rules[%d].body-regex: %w", i, err)
			}
			r.Pattern = pattern
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// headers puts configured headers in a fixed order.
func headers(m map[string]string) []providers.Header {
	var hs []providers.Header
	for name, value := range m {
		hs = append(hs, providers.Header{Name: name, Value: providers.NewSecret(value)})
	}
	slices.SortFunc(hs, func(a, b providers.Header) int { return strings.Compare(a.Name, b.Name) })
	return hs
}

// simulated makes the upstream inside the process that a simulator provider stands for.
func simulated(p config.Provider) *simulator.Upstream {
	o := simulator.Options{}
	for _, m := range p.Models {
		o.Models = append(o.Models, m.Name)
	}
	for _, c := range p.Credentials {
		s := simulator.Credential{ID: c.ID, Key: c.APIKey, Account: c.Account}
		for _, f := range c.Faults {
			s.Faults = append(s.Faults, simulator.Fault(f))
		}
		o.Credentials = append(o.Credentials, s)
	}
	return simulator.New(o)
}

// plan is what the engine works with.
func (b built) plan(cfg *config.Config) actors.Plan {
	p := actors.Plan{Settings: actors.Settings{Routing: cfg.Routing, Cooldown: cfg.Cooldown}}
	for _, u := range b.upstreams {
		p.Credentials = append(p.Credentials, u.credentials...)
	}
	return p
}

// unlisted returns the credentials, by upstream, whose models the upstream itself lists.
func (b built) unlisted() map[string][]*providers.Credential {
	m := map[string][]*providers.Credential{}
	for _, u := range b.upstreams {
		if _, lists := u.upstream.Provider.(providers.Lister); lists && len(u.upstream.Models) == 0 {
			m[u.upstream.Name] = u.credentials
		}
	}
	return m
}
