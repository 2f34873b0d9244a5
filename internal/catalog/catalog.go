// Package catalog resolves the names that clients use for models into the names that
// upstreams know. It is pure: upstreams and lists in, names out.
package catalog

import (
	"slices"
	"strings"
	"time"

	"github.com/understudyhq/understudy/providers"
)

// Catalog is what the upstreams of one gateway serve. The zero value serves nothing.
type Catalog struct {
	Upstreams []*providers.Upstream // in configuration order
	// Listed are the models that upstreams without configured ones say they have, by
	// upstream name. One that is missing is taken to serve any name.
	Listed map[string][]string
}

// Resolve returns u's own names for a name that clients use: a model or an alias, bare or
// behind u's name or prefix and a slash. Several names under one alias form a pool.
func (c Catalog) Resolve(u *providers.Upstream, name string) []string {
	for _, qualifier := range []string{u.Name, u.Prefix} {
		rest, qualified := strings.CutPrefix(name, qualifier+"/")
		if !qualified || qualifier == "" {
			continue
		}
		if models := c.own(u, rest, true); len(models) > 0 {
			return models
		}
	}
	return c.own(u, name, false)
}

// own resolves a name without qualifier. addressed says that the client named u.
func (c Catalog) own(u *providers.Upstream, name string, addressed bool) []string {
	if len(u.Models) > 0 {
		var models []string
		for _, m := range u.Models {
			if m.Name == name || slices.Contains(m.Aliases, name) {
				models = append(models, m.Name)
			}
		}
		return models
	}
	listed, known := c.Listed[u.Name]
	switch {
	case known && slices.ContainsFunc(listed, func(l string) bool { return l == name || undated(l) == name }):
		return []string{name}
	case !known && name != "" && (addressed || !c.qualified(name)):
		return []string{name}
	default:
		return nil
	}
}

// Named reports whether name is configured as it stands: as a model's name or an alias, bare
// or behind a qualifier.
func (c Catalog) Named(name string) bool {
	return slices.ContainsFunc(c.Upstreams, func(u *providers.Upstream) bool {
		return len(u.Models) > 0 && len(c.Resolve(u, name)) > 0
	})
}

// Fallbacks returns the names to try when nobody can serve name: those of all models that
// it stands for, in order, without repetition.
func (c Catalog) Fallbacks(name string) []string {
	var all []string
	for _, u := range c.Upstreams {
		models := c.Resolve(u, name)
		for _, m := range u.Models {
			if !slices.Contains(models, m.Name) {
				continue
			}
			for _, next := range m.Fallback {
				if next != name && !slices.Contains(all, next) {
					all = append(all, next)
				}
			}
		}
	}
	return all
}

// qualified reports whether name begins with some upstream's name or prefix.
func (c Catalog) qualified(name string) bool {
	head, _, ok := strings.Cut(name, "/")
	return ok && slices.ContainsFunc(c.Upstreams, func(u *providers.Upstream) bool {
		return u.Name == head || u.Prefix == head
	})
}

// undated takes the date off names such as model-20250929 and model-2025-09-29: upstreams
// serve the name without it too, but do not always list it.
func undated(name string) string {
	for _, layout := range []string{"-20060102", "-2006-01-02"} {
		if at := len(name) - len(layout); at > 0 {
			if _, err := time.Parse(layout, name[at:]); err == nil {
				return name[:at]
			}
		}
	}
	return name
}

// Models returns the models of u, configured or listed. The result is not to be changed.
func (c Catalog) Models(u *providers.Upstream) []providers.Model {
	if len(u.Models) > 0 {
		return u.Models
	}
	var models []providers.Model
	for _, name := range c.Listed[u.Name] {
		models = append(models, providers.Model{Name: name})
	}
	return models
}

// Names returns the names under which clients find m of u in lists: its own and its
// aliases, each behind u's prefix as well if it has one.
func Names(u *providers.Upstream, m providers.Model) []string {
	names := append([]string{m.Name}, m.Aliases...)
	if u.Prefix != "" {
		for _, name := range names[:len(names):len(names)] {
			names = append(names, u.Prefix+"/"+name)
		}
	}
	return names
}
