// Package roster is the router's read model: which credentials could serve a name, in
// which order, and which of them are believed ready. Facts go in, candidates come out. It
// is a plain structure without actors or a clock of its own; one goroutine uses it at a
// time.
package roster

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/catalog"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/internal/strategy"
	"github.com/understudyhq/understudy/providers"
)

// Bounds on the names resolved at one time, so that a client which makes names up for an
// upstream that takes any cannot fill the memory.
const (
	maxRoutes = 4096
	maxSeats  = 1 << 20 // of all routes together, unless there is only one
)

// Roster knows every credential and whoever owns it, of type O. It may lag behind the
// owners. Make one with New.
type Roster[O any] struct {
	strategy config.Strategy
	members  map[providers.CredentialID]*member[O]
	listed   map[string][]string // by upstream name, for those without configured models
	groups   []group[O]          // members by upstream in configuration order; nil = to be made
	routes   map[routeKey]*Ring[O]
	seats    int                                  // of all routes
	memories map[routeKey]map[int]strategy.Memory // where routes were that are made anew
	uses     uint64                               // counts picks
	overload map[overloadKey]*cooldown.Evidence
}

// routeKey is a name that clients use and the format they use it in.
type routeKey struct {
	name   string
	format providers.Format
}

// overloadKey is one model of one upstream.
type overloadKey struct{ upstream, model string }

// group is the members of one upstream.
type group[O any] struct {
	upstream *providers.Upstream
	members  []*member[O]
}

// New returns a roster without credentials.
func New[O any]() *Roster[O] {
	return &Roster[O]{
		members:  map[providers.CredentialID]*member[O]{},
		listed:   map[string][]string{},
		routes:   map[routeKey]*Ring[O]{},
		memories: map[routeKey]map[int]strategy.Memory{},
		overload: map[overloadKey]*cooldown.Evidence{},
	}
}

// kind returns the present rule of picking.
func (x *Roster[O]) kind() strategy.Kind { return strategy.Kind(x.strategy) }

// Join adds a credential and its owner, or replaces them; rests and leases are kept. order
// is its place in the configuration.
func (x *Roster[O]) Join(c *providers.Credential, owner O, order int) {
	m, ok := x.members[c.ID]
	if !ok {
		m = &member[O]{slots: map[string]*Slot[O]{}}
		x.members[c.ID] = m
	}
	same := ok && m.credential == c && m.order == order && !m.down && !m.failed
	m.credential, m.owner, m.order = c, owner, order
	m.down, m.failed, m.probing = false, false, false
	m.never = x.strategy == config.Weighted && c.Weight <= 0
	for _, s := range m.slots {
		s.chooseGranter()
	}
	if !same {
		x.forget()
	}
}

// Leave removes a credential.
func (x *Roster[O]) Leave(id providers.CredentialID) {
	if _, ok := x.members[id]; ok {
		delete(x.members, id)
		x.forget()
	}
}

// SetDown notes that a credential's owner is being restarted or was given up, or neither.
func (x *Roster[O]) SetDown(id providers.CredentialID, down, failed bool, now time.Time) {
	if m, ok := x.members[id]; ok {
		m.down, m.failed, m.probing = down, failed, false
		m.refresh(now)
	}
}

// Own notes who owns one model of a credential.
func (x *Roster[O]) Own(id providers.CredentialID, model string, owner O, now time.Time) {
	if m, ok := x.members[id]; ok {
		s := m.slot(model)
		s.owner, s.owned, s.down, s.probing = owner, true, false, false
		s.refresh(now)
	}
}

// Disown notes that the owner of one model of a credential is gone or, if down, is being
// restarted and will say when it is back.
func (x *Roster[O]) Disown(id providers.CredentialID, model string, down bool, now time.Time) {
	m, ok := x.members[id]
	if !ok {
		return
	}
	if s, ok := m.slots[model]; ok {
		var none O
		s.owner, s.owned, s.down = none, false, down
		s.refresh(now)
		m.tidy(s)
	}
}

// Rest notes how a credential (empty model) or one of its models rests. One whose Until is
// zero has ended. It ends what was known of a probe.
func (x *Roster[O]) Rest(id providers.CredentialID, model string, state cooldown.State, now time.Time) {
	m, ok := x.members[id]
	if !ok {
		return
	}
	if model == "" {
		m.rest, m.probing = state, false
		m.refresh(now)
		return
	}
	s := m.slot(model)
	s.rest, s.probing = state, false
	s.refresh(now)
}

// Unprobed notes that a probe of a credential's model ended without news.
func (x *Roster[O]) Unprobed(id providers.CredentialID, model string, now time.Time) {
	if m, ok := x.members[id]; ok {
		m.probing = false
		if s, ok := m.slots[model]; ok {
			s.probing = false
		}
		m.refresh(now)
	}
}

// Probing notes that somebody probes what rests of a credential and its model.
func (x *Roster[O]) Probing(id providers.CredentialID, model string, now time.Time) {
	if s := x.Slot(id, model); s != nil {
		s.probed(now)
	}
}

// Owner returns who owns a credential.
func (x *Roster[O]) Owner(id providers.CredentialID) (owner O, ok bool) {
	if m, known := x.members[id]; known {
		return m.owner, true
	}
	return owner, false
}

// Tracked reports whether leases of a picked slot's credential are counted: Used and
// Released must be called for them then.
func (x *Roster[O]) Tracked(s *Slot[O]) bool {
	return s.limited || x.strategy == config.LeastLoaded
}

// Used counts a lease of a tracked slot.
func (x *Roster[O]) Used(s *Slot[O], now time.Time) {
	x.uses++
	m := s.member
	m.inFlight++
	m.usedAt = x.uses
	m.loaded(now)
}

// Released counts the end of a tracked lease.
func (x *Roster[O]) Released(id providers.CredentialID, now time.Time) {
	if m, ok := x.members[id]; ok && m.inFlight > 0 {
		m.inFlight--
		m.loaded(now)
	}
}

// SetInFlight notes how many leases of a credential its owner says are open.
func (x *Roster[O]) SetInFlight(id providers.CredentialID, n int, now time.Time) {
	if m, ok := x.members[id]; ok && m.inFlight != n {
		m.inFlight = n
		m.loaded(now)
	}
}

// SetStrategy changes how candidates are picked. The same one again changes nothing.
func (x *Roster[O]) SetStrategy(s config.Strategy) {
	if s == x.strategy {
		return
	}
	x.strategy = s
	for _, m := range x.members {
		m.never = s == config.Weighted && m.credential.Weight <= 0
	}
	x.forget()
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
	x.seats -= len(r.seats)
	x.memories[key] = r.memory()
	if len(x.memories) > maxRoutes {
		for k := range x.memories { // any one: a cursor is only fairness
			delete(x.memories, k)
			break
		}
	}
	for i := range r.seats {
		t := &r.seats[i]
		for _, s := range t.pool {
			s.seats = slices.DeleteFunc(s.seats, func(other *seat[O]) bool { return other == t })
			if !slices.Contains(s.names, key) {
				s.names = append(s.names, key)
			}
			s.member.tidy(s)
		}
	}
}

// Ring returns the candidates for name in format f, or in any if that is empty; nil if there are none.
func (x *Roster[O]) Ring(name string, f providers.Format, now time.Time) *Ring[O] {
	key := routeKey{name, f}
	if r, ok := x.routes[key]; ok {
		return r
	}
	slots, excluded := x.candidates(name, f)
	if len(slots) == 0 {
		return nil // not remembered: made-up names must not push out real ones
	}
	for len(x.routes) > 0 && (len(x.routes) >= maxRoutes || x.seats+len(slots) > maxSeats) {
		for k := range x.routes {
			x.drop(k)
			break
		}
	}
	r := newRing(x, slots, x.memories[key], now)
	r.fallbacks = x.catalog().Fallbacks(name)
	r.lists, r.excluded = len(excluded), excluded[:min(len(excluded), maxRejections)]
	x.routes[key] = r
	x.seats += len(r.seats)
	return r
}

// Named reports whether name is configured as it stands: as a model's name or an alias.
func (x *Roster[O]) Named(name string) bool { return x.catalog().Named(name) }

// candidates resolves name to the (credential, upstream model) pairs that serve it in f (empty = in any),
// and tells whose lists leave it out.
func (x *Roster[O]) candidates(name string, f providers.Format) (slots []*Slot[O], excluded []Rejection) {
	names := x.catalog()
	for _, g := range x.grouped() {
		if f != "" && !g.upstream.Speaks(f) {
			continue
		}
		models := names.Resolve(g.upstream, name)
		for _, m := range g.members {
			before := len(slots)
			for _, model := range models {
				if m.credential.Serves(model) {
					slots = append(slots, m.slot(model))
				}
			}
			if len(models) > 0 && len(slots) == before {
				excluded = append(excluded, Rejection{m.credential.ID, ExcludedModel})
			}
		}
	}
	return slots, excluded
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

// Models lists every name that clients can use and that somebody can serve, if not now, then
// after a rest.
func (x *Roster[O]) Models(now time.Time) []Model {
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
			if !g.offers(m.Name, now) {
				continue
			}
			for _, name := range catalog.Names(g.upstream, m) {
				add(name, g.upstream)
			}
		}
	}
	return infos
}

// Names returns the names there are, for use elsewhere.
func (x *Roster[O]) Names() catalog.Catalog {
	c := x.catalog()
	c.Listed = maps.Clone(c.Listed)
	return c
}

// catalog returns the names there are.
func (x *Roster[O]) catalog() catalog.Catalog {
	c := catalog.Catalog{Listed: x.listed}
	for _, g := range x.grouped() {
		c.Upstreams = append(c.Upstreams, g.upstream)
	}
	return c
}

// offers reports whether a credential of g may be used for model, at least after a rest that
// does not say that it cannot.
func (g group[O]) offers(model string, now time.Time) bool {
	return slices.ContainsFunc(g.members, func(m *member[O]) bool {
		if m.credential.Disabled || m.credential.Draining || m.never || m.failed || !m.credential.Serves(model) {
			return false
		}
		if m.rest.Resting(now) && m.rest.Kind == providers.Unauthorized {
			return false
		}
		s, met := m.slots[model]
		return !met || !s.rest.Resting(now) || s.rest.Kind != providers.ModelUnsupported
	})
}

// Overloaded takes note that a model of a credential is overloaded and reports whether its
// whole provider is, and whether that is news.
func (x *Roster[O]) Overloaded(id providers.CredentialID, model string, at time.Time) (wide, news bool) {
	m, ok := x.members[id]
	if !ok {
		return false, false
	}
	key := overloadKey{m.credential.Upstream.Name, model}
	e, ok := x.overload[key]
	if !ok {
		if len(x.overload) >= maxRoutes {
			clear(x.overload)
		}
		e = &cooldown.Evidence{}
		x.overload[key] = e
	}
	before := e.Wide(at)
	wide = e.Note(id, at)
	return wide, wide && !before
}

// Resting calls fn for every credential of the upstream of id whose model rests for kind.
func (x *Roster[O]) Resting(id providers.CredentialID, model string, kind providers.Kind, now time.Time, fn func(*Slot[O])) {
	m, ok := x.members[id]
	if !ok {
		return
	}
	for _, other := range x.members {
		if other.credential.Upstream.Name != m.credential.Upstream.Name {
			continue
		}
		if s, ok := other.slots[model]; ok && s.rest.Resting(now) && s.rest.Kind == kind {
			fn(s)
		}
	}
}

// Ready reports whether a model of a credential is ready under any name that clients use.
func (x *Roster[O]) Ready(id providers.CredentialID, model string, now time.Time) bool {
	s := x.Slot(id, model)
	if s == nil {
		return false
	}
	names := s.names
	s.names = nil
	for _, key := range names { // nobody may have asked for them since they were dropped
		x.Ring(key.name, key.format, now)
	}
	return slices.ContainsFunc(s.seats, func(t *seat[O]) bool { return t.ring.standings[t.at].ready })
}

// LastOut reports whether nobody is ready any more under some name for a model of a
// credential. If it was Ready before, it was the last one.
func (x *Roster[O]) LastOut(id providers.CredentialID, model string) (*Slot[O], bool) {
	s := x.Slot(id, model)
	if s == nil {
		return nil, false
	}
	return s, slices.ContainsFunc(s.seats, func(t *seat[O]) bool { return t.ring.ready == 0 })
}

// Slot returns what is known of one model of a credential; nil if nothing is.
func (x *Roster[O]) Slot(id providers.CredentialID, model string) *Slot[O] {
	if m, ok := x.members[id]; ok {
		return m.slots[model]
	}
	return nil
}
