package config

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Bounds of Live.MaxBodyBytes.
const (
	minBodyBytes = 1 << 10
	maxBodyBytes = 1 << 30
)

// Bounds of Logging.MaxFiles and Logging.MaxTotalBytes.
const (
	maxCaptures   = 100_000
	minTotalBytes = 1 << 20
)

// maxRounds bounds Retry.Rounds: more would only hide that nothing works.
const maxRounds = 100

// minSecretBytes is the least length of a management key in plain text.
const minSecretBytes = 8

// Validate checks everything that can be known without touching files or the network. It
// expects what Complete leaves. extraKinds are provider kinds beyond those that come with
// the gateway. Its error is nil or of type Errors, without lines.
func (c *Config) Validate(extraKinds ...string) error {
	v := validator{config: c, kinds: append(knownKinds(), extraKinds...)}
	v.boot()
	v.apiKeys()
	v.management()
	v.routing()
	v.limits()
	v.logging()
	v.providers()
	return v.errs.orNil()
}

// validator collects what is wrong with one Config.
type validator struct {
	config *Config
	kinds  []string
	errs   Errors
}

func (v *validator) failf(path, format string, args ...any) {
	v.errs = append(v.errs, &Error{Path: path, Problem: fmt.Sprintf(format, args...)})
}

// check reports err, if there is one, at path.
func (v *validator) check(path string, err error) {
	if err != nil {
		v.failf(path, "%v", err)
	}
}

// oneOf reports a value that is not among known.
func (v *validator) oneOf(path, value string, known ...string) {
	if !slices.Contains(known, value) {
		v.failf(path, "%s", unknownValue(value, known))
	}
}

// notNegative reports a number or duration below 0.
func notNegative[T int | time.Duration](v *validator, path string, n T) {
	if n < 0 {
		v.failf(path, "must not be negative")
	}
}

// unique remembers where each value was first seen.
type unique map[string]string

// add returns the path where value was seen before, or "" and remembers path. Empty
// values are reported elsewhere and never clash.
func (u unique) add(value, path string) string {
	if first, seen := u[value]; seen || value == "" {
		return first
	}
	u[value] = path
	return ""
}

func (v *validator) boot() {
	c := v.config
	_, err := loopback(c.Listen)
	v.check("listen", err)
	switch {
	case c.TLS.CertFile == "" && c.TLS.KeyFile != "":
		v.failf("tls.cert-file", "is required with key-file")
	case c.TLS.CertFile != "" && c.TLS.KeyFile == "":
		v.failf("tls.key-file", "is required with cert-file")
	}
}

func (v *validator) apiKeys() {
	c := v.config
	if len(c.APIKeys) == 0 {
		if local, err := loopback(c.Listen); err == nil && !local {
			v.failf("api-keys", "is required because listen is not a loopback address: anybody could spend your credentials")
		}
	}
	keys, names := unique{}, unique{}
	for i, k := range c.APIKeys {
		path := at("api-keys", i)
		v.check(path+".key", checkSecret(k.Key))
		if first := keys.add(k.Key, path+".key"); first != "" {
			v.failf(path+".key", "is the same as %s", first)
		}
		v.check(path+".name", checkText(k.Name))
		if first := names.add(k.Name, path+".name"); first != "" {
			v.failf(path+".name", "%q is the same as %s", k.Name, first)
		}
		v.globs(path+".models", k.Models)
	}
}

func (v *validator) management() {
	const path = "management.secret-key"
	secret := v.config.Management.SecretKey
	bcrypt := regexp.MustCompile(`^\$2[abxy]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$`)
	hash := regexp.MustCompile(`^\$2[abxy]?\$`)
	switch {
	case secret == "" || bcrypt.MatchString(secret):
	case hash.MatchString(secret):
		v.failf(path, "begins like a bcrypt hash but is not a complete one")
	case len(secret) < minSecretBytes:
		v.failf(path, "must have at least %d bytes", minSecretBytes)
	default:
		v.check(path, checkText(secret))
	}
}

func (v *validator) routing() {
	r := v.config.Routing
	v.oneOf("routing.strategy", string(r.Strategy),
		string(RoundRobin), string(FillFirst), string(Weighted), string(LeastLoaded))
	if r.SessionAffinityTTL < time.Second {
		v.failf("routing.session-affinity-ttl", "must be at least 1s")
	}
}

func (v *validator) limits() {
	c := v.config
	notNegative(v, "shutdown-grace", c.ShutdownGrace)
	if c.MaxBodyBytes < minBodyBytes || c.MaxBodyBytes > maxBodyBytes {
		v.failf("max-body-bytes", "must be between %d (1 KiB) and %d (1 GiB)", minBodyBytes, maxBodyBytes)
	}
	if c.Retry.Rounds < 0 || c.Retry.Rounds > maxRounds {
		v.failf("retry.rounds", "must be between 0 and %d", maxRounds)
	}
	notNegative(v, "retry.max-credentials", c.Retry.MaxCredentials)
	notNegative(v, "retry.max-wait", c.Retry.MaxWait)
	if c.Cooldown.TransientMax <= 0 {
		v.failf("cooldown.transient-max", "must be more than 0")
	}
	if c.Cooldown.Max < c.Cooldown.TransientMax {
		v.failf("cooldown.max", "must not be less than transient-max")
	}
	notNegative(v, "timeouts.connect", c.Timeouts.Connect)
	notNegative(v, "timeouts.first-byte", c.Timeouts.FirstByte)
	notNegative(v, "timeouts.stream-idle", c.Timeouts.StreamIdle)
	notNegative(v, "streaming.keepalive", c.Streaming.Keepalive)
}

func (v *validator) logging() {
	l := v.config.Logging
	v.oneOf("logging.level", l.Level, "debug", "info", "warn", "error")
	v.oneOf("logging.format", l.Format, "text", "json")
	v.oneOf("logging.requests", l.Requests, "off", "errors", "all")
	if l.MaxFiles < 1 || l.MaxFiles > maxCaptures {
		v.failf("logging.max-files", "must be between 1 and %d", maxCaptures)
	}
	if l.MaxTotalBytes < minTotalBytes {
		v.failf("logging.max-total-bytes", "must be at least %d (1 MiB)", minTotalBytes)
	}
	if l.MaxBodyBytes < minBodyBytes || l.MaxBodyBytes > maxBodyBytes {
		v.failf("logging.max-body-bytes", "must be between %d (1 KiB) and %d (1 GiB)", minBodyBytes, maxBodyBytes)
	}
}

// globs reports empty patterns, which would match nothing.
func (v *validator) globs(path string, globs []string) {
	for i, g := range globs {
		v.check(at(path, i), checkText(g))
	}
}
