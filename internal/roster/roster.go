// Package roster is the router's read model: which credentials could serve a name, in
// which order, and which of them are believed ready. Facts go in, candidates come out. It
// is a plain structure without clock or actor; one goroutine uses it at a time.
package roster

import (
	"cmp"
	"maps"
	"slices"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/catalog"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/providers"
)

// maxRoutes bounds the names resolved at one time, so that a client which makes names up
// for an upstream that takes any cannot fill the memory.
const maxRoutes = 4096

// Roster knows every credential and whoever owns it, of type O. It may lag behind the
// owners. Make one with New.
type Roster[O any] struct {
	strategy config.Strategy
	members  map[providers.CredentialID]*member[O]
	listed   map[string][]string // by upstream name, for those without configured models
	groups   []group[O]          // members by upstream in configuration order; nil = to be made
	routes   map[routeKey]*Ring[O]
	cursors  map[routeKey]providers.CredentialID // picked last, for routes that are made anew
}

// member is one credential as the router sees it.
type member[O any] struct {
	credential *providers.Credential
	owner      O
	order      int            // in the configuration
	down       bool           // its owner is being restarted
	failed     bool           // its owner was given up
	rest       cooldown.State // of the credential as a whole
	slots      map[string]*Slot[O]
}

// routeKey is a name that clients use and the format they use it in.
type routeKey struct {
	name   string
	format providers.Format
}

// group is the members of one upstream.
type group[O any] struct {
	upstream *providers.Upstream
	members  []*member[O]
}

// New returns a roster without credentials.
func New[O any]() *Roster[O] {
	return &Roster[O]{
		members: map[providers.CredentialID]*member[O]{},
		listed:  map[string][]string{},
		routes:  map[routeKey]*Ring[O]{},
		cursors: map[routeKey]providers.CredentialID{},
	}
}

// Join adds a credential and its owner, or replaces them; rests are kept. order is its
// place in the configuration.
func (x *Roster[O]) Join(c *providers.Credential, owner O, order int) {
	m, ok := x.members[c.ID]
	if !ok {
		m = &member[O]{slots: map[string]*Slot[O]{}}
		x.members[c.ID] = m
	}
	m.credential, m.owner, m.order = c, owner, order
	m.down, m.failed = false, false
	x.forget()
}

// Leave removes a credential.
func (x *Roster[O]) Leave(id providers.CredentialID) {
	if _, ok := x.members[id]; ok {
		delete(x.members, id)
		x.forget()
	}
}

// SetDown notes that a credential's owner is being restarted or was given up, or neither.
func (x *Roster[O]) SetDown(id providers.CredentialID, down, failed bool) {
	if m, ok := x.members[id]; ok {
		m.down, m.failed = down, failed
		m.refresh()
	}
}

// Own notes who owns one model of a credential.
func (x *Roster[O]) Own(id providers.CredentialID, model string, owner O) {
	if m, ok := x.members[id]; ok {
		s := m.slot(model)
		s.owner, s.owned, s.down = owner, true, false
		s.refresh()
	}
}

// Disown notes that the owner of one model of a credential is gone or, if down, is being
// restarted and will say when it is back.
func (x *Roster[O]) Disown(id providers.CredentialID, model string, down bool) {
	m, ok := x.members[id]
	if !ok {
		return
	}
	if s, ok := m.slots[model]; ok {
		var none O
		s.owner, s.owned, s.down = none, false, down
		s.refresh()
		m.tidy(s)
	}
}

// Rest notes a rest of a credential (empty model) or of one of its models. One whose Until
// is zero has ended.
func (x *Roster[O]) Rest(id providers.CredentialID, model string, state cooldown.State) {
	m, ok := x.members[id]
	if !ok {
		return
	}
	if model == "" {
		m.rest = state
		m.refresh()
		return
	}
	s := m.slot(model)
	s.rest = state
	s.refresh()
}

// SetStrategy changes how candidates are picked. The same one again changes nothing.
func (x *Roster[O]) SetStrategy(s config.Strategy) {
	if s == x.strategy {
		return
	}
	x.strategy = s
	x.forget()
	clear(x.cursors)
}

// List notes the models that an upstream without configured ones has; nil = not known.
func (x *Roster[O]) List(upstream string, models []string) {
	if x.listed[upstream] = models; models == nil {
		delete(x.listed, upstream)
	}
	x.forget()
}

// forget drops what was derived from members and settings, but for the cursors.
func (x *Roster[O]) forget() {
	x.groups = nil
	for key := range x.routes {
		x.drop(key)
	}
}

// drop forgets one route and what only it needed.
func (x *Roster[O]) drop(key routeKey) {
	r := x.routes[key]
	delete(x.routes, key)
	if r.last != "" {
		x.cursors[key] = r.last
	}
	if len(x.cursors) > maxRoutes {
		for k := range x.cursors { // any one: a cursor is only fairness
			delete(x.cursors, k)
			break
		}
	}
	for _, s := range r.slots {
		s.seats = slices.DeleteFunc(s.seats, func(t seat[O]) bool { return t.ring == r })
		s.member.tidy(s)
	}
}

// Ring returns the candidates for name in format f; nil if there are none.
func (x *Roster[O]) Ring(name string, f providers.Format) *Ring[O] {
	key := routeKey{name, f}
	if r, ok := x.routes[key]; ok {
		return r
	}
	slots := x.candidates(name, f)
	if len(slots) == 0 {
		return nil // not remembered: made-up names must not push out real ones
	}
	if len(x.routes) >= maxRoutes {
		for k := range x.routes {
			x.drop(k)
			break
		}
	}
	r := newRing(slots, x.strategy, x.cursors[key])
	x.routes[key] = r
	return r
}

// candidates resolves name to the (credential, upstream model) pairs that serve it in f.
func (x *Roster[O]) candidates(name string, f providers.Format) []*Slot[O] {
	var slots []*Slot[O]
	names := x.catalog()
	for _, g := range x.grouped() {
		if !g.upstream.Speaks(f) {
			continue
		}
		for _, model := range names.Resolve(g.upstream, name) {
			for _, m := range g.members {
				if m.credential.Serves(model) {
					slots = append(slots, m.slot(model))
				}
			}
		}
	}
	return slots
}

// Formats lists the formats in which anybody serves name.
func (x *Roster[O]) Formats(name string) []providers.Format {
	var formats []providers.Format
	names := x.catalog()
	for _, g := range x.grouped() {
		models := names.Resolve(g.upstream, name)
		if !slices.ContainsFunc(models, g.serves) {
			continue
		}
		for _, f := range g.upstream.Formats {
			if !slices.Contains(formats, f) {
				formats = append(formats, f)
			}
		}
	}
	return formats
}

// serves reports whether the lists of any credential of g allow model.
func (g group[O]) serves(model string) bool {
	return slices.ContainsFunc(g.members, func(m *member[O]) bool { return m.credential.Serves(model) })
}

func (x *Roster[O]) grouped() []group[O] {
	if x.groups != nil {
		return x.groups
	}
	members := slices.SortedFunc(maps.Values(x.members), func(a, b *member[O]) int { return cmp.Compare(a.order, b.order) })
	at := map[*providers.Upstream]int{}
	for _, m := range members {
		u := m.credential.Upstream
		i, ok := at[u]
		if !ok {
			i = len(x.groups)
			at[u] = i
			x.groups = append(x.groups, group[O]{upstream: u})
		}
		x.groups[i].members = append(x.groups[i].members, m)
	}
	return x.groups
}

// Model is one name that clients can use.
type Model struct {
	Name     string
	Provider string             // the first upstream that serves it
	Formats  []providers.Format // in which it is served without translation
}

// Models lists every name that clients can use and somebody enabled serves.
func (x *Roster[O]) Models() []Model {
	var infos []Model
	at := map[string]int{}
	add := func(name string, u *providers.Upstream) {
		i, ok := at[name]
		if !ok {
			i = len(infos)
			at[name] = i
			infos = append(infos, Model{Name: name, Provider: u.Name})
		}
		for _, f := range u.Formats {
			if !slices.Contains(infos[i].Formats, f) {
				infos[i].Formats = append(infos[i].Formats, f)
			}
		}
	}
	c := x.catalog()
	for _, g := range x.grouped() {
		for _, m := range c.Models(g.upstream) {
			if !g.enabled(m.Name) {
				continue
			}
			for _, name := range catalog.Names(g.upstream, m) {
				add(name, g.upstream)
			}
		}
	}
	return infos
}

// catalog returns the names there are.
func (x *Roster[O]) catalog() catalog.Catalog {
	c := catalog.Catalog{Listed: x.listed}
	for _, g := range x.grouped() {
		c.Upstreams = append(c.Upstreams, g.upstream)
	}
	return c
}

// enabled reports whether a credential of g may be used for model.
func (g group[O]) enabled(model string) bool {
	return slices.ContainsFunc(g.members, func(m *member[O]) bool {
		return !m.credential.Disabled && m.credential.Serves(model)
	})
}
