package config

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// maxWeight bounds Credential.Weight.
const maxWeight = 1_000_000

func (v *validator) providers() {
	c := v.config
	if len(c.Providers) == 0 {
		v.failf("providers", "at least one provider is required")
	}
	names, ids := unique{}, unique{}
	for i := range c.Providers {
		p, path := &c.Providers[i], at("providers", i)
		v.provider(path, p)
		if first := names.add(p.Name, path+".name"); first != "" {
			v.failf(path+".name", "%q is the same as %s", p.Name, first)
		}
		for j := range p.Credentials {
			cred, path := &p.Credentials[j], at(path+".credentials", j)
			v.credential(path, p.Kind, cred)
			if cred.ID != defaultID(p.Name, j) { // else it is as good as the name, which is checked
				v.check(path+".id", checkID(cred.ID))
			}
			if first := ids.add(cred.ID, path+".id"); first != "" {
				v.failf(path+".id", "%q is the same as %s", cred.ID, first)
			}
		}
	}
}

func (v *validator) provider(path string, p *Provider) {
	v.check(path+".name", checkName(p.Name))
	if p.Kind == "" {
		v.failf(path+".kind", "is required")
	} else {
		v.oneOf(path+".kind", p.Kind, v.kinds...)
	}
	if p.BaseURL != "" {
		v.check(path+".base-url", checkBaseURL(p.BaseURL))
	} else if p.Kind == KindOpenAICompatible {
		v.failf(path+".base-url", "is required for kind %s", p.Kind)
	}
	v.place(path, p)
	v.formats(path+".formats", p.Formats)
	v.check(path+".proxy-url", checkProxyURL(p.ProxyURL))
	if p.CAFile != "" {
		v.check(path+".ca-file", checkText(p.CAFile))
	}
	v.requestHeaders(path+".headers", p.Headers)
	if p.Prefix != "" {
		v.check(path+".prefix", checkName(p.Prefix))
	}
	v.models(path+".models", p.Models)
	v.globs(path+".exclude-models", p.ExcludeModels)
	v.errorRules(path+".error-rules", p.ErrorRules)
	if len(p.Credentials) == 0 && v.config.CredentialsDir == "" {
		v.failf(path+".credentials", "at least one credential is required unless credentials-dir is set")
	}
}

// place checks where in Google Cloud a provider is.
func (v *validator) place(path string, p *Provider) {
	if p.Kind != KindVertex {
		if p.Project != "" {
			v.failf(path+".project", "is only for providers of kind %s", KindVertex)
		}
		if p.Location != "" {
			v.failf(path+".location", "is only for providers of kind %s", KindVertex)
		}
		return
	}
	if p.Project != "" || v.config.CredentialsDir == "" {
		v.check(path+".project", checkProject(p.Project))
	}
	v.check(path+".location", checkLocation(p.Location))
}

func (v *validator) formats(path string, formats []string) {
	if formats != nil && len(formats) == 0 {
		v.failf(path, "must not be empty; leave the key out for the kind's own formats")
	}
	for i, f := range formats {
		v.oneOf(at(path, i), f, knownFormats()...)
		if slices.Contains(formats[:i], f) {
			v.failf(at(path, i), "%q is listed twice", f)
		}
	}
}

func (v *validator) models(path string, models []Model) {
	names, aliases := unique{}, unique{}
	claim := func(path, name string, taken ...unique) {
		v.check(path, checkText(name))
		for _, by := range taken {
			if first := by[name]; first != "" {
				v.failf(path, "%q is the same as %s", name, first)
				return
			}
		}
	}
	for i, m := range models {
		path := at(path, i)
		claim(path+".name", m.Name, names, aliases)
		names.add(m.Name, path+".name")
		own := unique{}
		for j, alias := range m.Alias { // several models under one alias are a pool
			path := at(path+".alias", j)
			claim(path, alias, names, own)
			own.add(alias, path)
			aliases.add(alias, path)
		}
		v.globs(path+".fallback", m.Fallback)
		if j := slices.Index(m.Fallback, m.Name); j >= 0 && m.Name != "" {
			v.failf(at(path+".fallback", j), "%q is the model itself", m.Name)
		}
		v.reasoning(path+".reasoning", m.Reasoning)
	}
}

func (v *validator) reasoning(path string, levels []string) {
	for i, l := range levels {
		v.oneOf(at(path, i), l, "none", "minimal", "low", "medium", "high", "xhigh", "max")
		if slices.Contains(levels[:i], l) {
			v.failf(at(path, i), "%q is listed twice", l)
		}
	}
}

func (v *validator) credential(path, kind string, c *Credential) {
	v.secret(path, c)
	if c.Account != "" {
		v.check(join(path, "account"), checkText(c.Account))
	}
	if c.Weight != nil && (*c.Weight < 0 || *c.Weight > maxWeight) {
		v.failf(join(path, "weight"), "must be between 0 and %d", maxWeight)
	}
	notNegative(v, join(path, "max-concurrency"), c.MaxConcurrency)
	v.check(join(path, "proxy-url"), checkProxyURL(c.ProxyURL))
	v.requestHeaders(join(path, "headers"), c.Headers)
	v.globs(join(path, "models"), c.Models)
	v.globs(join(path, "exclude-models"), c.ExcludeModels)
	v.errorRules(join(path, "error-rules"), c.ErrorRules)
	if len(c.Faults) > 0 && kind != KindSimulator {
		v.failf(join(path, "faults"), "is only for providers of kind %s", KindSimulator)
		return
	}
	v.faults(join(path, "faults"), c.Faults)
}

func (v *validator) errorRules(path string, rules []ErrorRule) {
	for i, r := range rules {
		path := at(path, i)
		switch {
		case r.Status == 0 && r.BodyContains == "" && r.BodyRegex == "":
			v.failf(path, "needs status, body-contains or body-regex")
		case r.BodyContains != "" && r.BodyRegex != "":
			v.failf(path+".body-regex", "must not be used together with body-contains")
		}
		if r.Status != 0 && (r.Status < 100 || r.Status > 599) {
			v.failf(path+".status", "must be between 100 and 599")
		}
		if _, err := regexp.Compile(r.BodyRegex); err != nil {
			v.failf(path+".body-regex", "%v", err)
		}
		if r.Action == "" {
			v.failf(path+".action", "is required")
		} else {
			v.oneOf(path+".action", r.Action, "stop", "next", "rest", "ignore")
		}
		if r.Action == "rest" && r.Rest <= 0 {
			v.failf(path+".rest", "must be more than 0 with action rest")
		} else if r.Action != "rest" && r.Rest != 0 {
			v.failf(path+".rest", "is only for action rest")
		}
	}
}

func (v *validator) faults(path string, faults []Fault) {
	for i, f := range faults {
		path := at(path, i)
		// A 1xx answer is not a final one: the client would wait on.
		if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
			v.failf(path+".status", "must be between 200 and 599")
		}
		v.headers(path+".headers", f.Headers)
		notNegative(v, path+".delay", f.Delay)
		notNegative(v, path+".cut-after", f.CutAfter)
		notNegative(v, path+".every", f.Every)
		notNegative(v, path+".times", f.Times)
	}
}

// requestHeaders checks headers for upstream calls.
func (v *validator) requestHeaders(path string, headers map[string]string) {
	v.headers(path, headers)
	for _, name := range sortedKeys(headers) {
		switch http.CanonicalHeaderKey(name) {
		case "Connection", "Content-Length", "Host", "Transfer-Encoding", "Upgrade":
			v.failf(join(path, name), "is set by the gateway itself")
		}
	}
}

func (v *validator) headers(path string, headers map[string]string) {
	spelled := map[string]string{}
	for _, name := range sortedKeys(headers) {
		if !httpguts.ValidHeaderFieldName(name) {
			v.failf(join(path, printable(name)), "is not a valid header name")
			continue
		}
		if !httpguts.ValidHeaderFieldValue(headers[name]) {
			v.failf(join(path, name), "must not hold line breaks or other control characters")
		}
		lower := strings.ToLower(name)
		if first, seen := spelled[lower]; seen {
			v.failf(join(path, name), "is the same header as %s", first)
		}
		spelled[lower] = name
	}
}
