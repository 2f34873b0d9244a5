package ledger

import (
	"maps"
	"slices"
	"time"

	"github.com/understudyhq/understudy/internal/catalog"
	"github.com/understudyhq/understudy/providers"
)

// ListMembers asks for []Member.
type ListMembers struct{}

// Member is a credential with what is known of it.
type Member struct {
	Credential *providers.Credential
	View       CredentialView
}

func (l *Ledger) members() []Member {
	list := make([]Member, 0, len(l.credentials))
	for _, v := range l.snapshot(time.Now()).Credentials {
		list = append(list, Member{l.credentials[v.ID].credential, v})
	}
	return list
}

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
// far as members are known.
func ServedBy(names catalog.Catalog, known []Member) []Served {
	members := map[*providers.Upstream][]Member{}
	for _, m := range known {
		u := m.Credential.Upstream
		members[u] = append(members[u], m)
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

func (m *Served) add(u *providers.Upstream, model string, members []Member) {
	for _, f := range u.Formats {
		if !slices.Contains(m.Formats, f) {
			m.Formats = append(m.Formats, f)
		}
	}
	for _, one := range members {
		m.Candidates = append(m.Candidates, Candidate{Credential: one.View, Model: model, Serves: one.Credential.Serves(model)})
	}
}
