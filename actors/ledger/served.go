package ledger

import (
	"maps"
	"slices"

	"github.com/understudyhq/understudy/internal/catalog"
	"github.com/understudyhq/understudy/providers"
)

// Candidate is a credential that could serve a name, by one model of its upstream.
type Candidate struct {
	Credential CredentialView
	Model      string // the upstream's own name
	Serves     bool   // its lists and those of its upstream allow it
}

// Served is one name that clients can use, and who could serve it.
type Served struct {
	Name       string
	Formats    []providers.Format // without translation
	Candidates []Candidate
}

// ServedBy returns every name that clients find in lists, in order, with who could serve it as
// far as s knows.
func ServedBy(names catalog.Catalog, known Snapshot) []Served {
	members := map[*providers.Upstream][]CredentialView{}
	for _, v := range known.Credentials {
		u := v.Described().Upstream
		members[u] = append(members[u], v)
	}
	all := map[string]*Served{}
	for _, u := range names.Upstreams {
		for _, m := range names.Models(u) {
			for _, name := range catalog.Names(u, m) {
				if all[name] == nil {
					all[name] = &Served{Name: name}
				}
				all[name].add(u, m.Name, members[u])
			}
		}
	}
	list := make([]Served, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, *all[name])
	}
	return list
}

func (m *Served) add(u *providers.Upstream, model string, members []CredentialView) {
	for _, f := range u.Formats {
		if !slices.Contains(m.Formats, f) {
			m.Formats = append(m.Formats, f)
		}
	}
	for _, v := range members {
		m.Candidates = append(m.Candidates, Candidate{Credential: v, Model: model, Serves: v.Described().Serves(model)})
	}
}
