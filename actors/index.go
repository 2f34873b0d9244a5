package actors

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/cooldown"
	"github.com/understudyhq/understudy/internal/strategy"
	"github.com/understudyhq/understudy/providers"
)

// maxRoutes bounds the names resolved at one time, so that a client which makes names up
// for an upstream that takes any cannot fill the memory.
const maxRoutes = 4096

// index is the router's read model: facts in, candidates out. It may lag behind the
// owners, so it only ranks; they grant. A plain struct, used by the router alone.
type index struct {
	settings Settings
	members  map[providers.CredentialID]*member
	listed   map[string][]string // upstream name -> what it lists; for upstreams without configured models
	groups   []group             // members by upstream in configuration order; nil = to be made
	routes   map[routeKey]*ring  // resolved names; dropped when members or settings change
	cursors  map[routeKey]providers.CredentialID
}

// member is one credential as the router sees it.
type member struct {
	credential *providers.Credential
	pid        *actor.PID
	order      int            // in the configuration
	down       bool           // its actor is being restarted
	failed     bool           // its actor was given up
	gone       bool           // removed
	rest       cooldown.State // of the credential as a whole
	slots      map[string]*slot
}

// slot is one (credential, upstream model).
type slot struct {
	member *member
	model  string
	rest   cooldown.State
	seats  []seat
}

// seat is a slot's place in one ring.
type seat struct {
	ring *ring
	at   int
}

// routeKey is a name that clients use and the format they use it in.
type routeKey struct {
	name   string
	format providers.Format
}

// ring is the candidates of one route, in the order its strategy wants.
type ring struct {
	slots  []*slot
	at     map[*member]int // each member's first seat
	ready  *strategy.Set
	picker strategy.Picker
	last   providers.CredentialID // picked last by the strategy
}

// group is the members of one upstream.
type group struct {
	upstream *providers.Upstream
	members  []*member
}

func newIndex(s Settings) *index {
	return &index{
		settings: s,
		members:  map[providers.CredentialID]*member{},
		listed:   map[string][]string{},
		routes:   map[routeKey]*ring{},
		cursors:  map[routeKey]providers.CredentialID{},
	}
}

// join adds a credential or replaces its description; rests are kept.
func (x *index) join(c *providers.Credential, pid *actor.PID, order int) {
	m, ok := x.members[c.ID]
	if !ok {
		m = &member{slots: map[string]*slot{}}
		x.members[c.ID] = m
	}
	m.credential, m.pid, m.order = c, pid, order
	m.down, m.failed = false, false
	x.forget()
}

func (x *index) leave(id providers.CredentialID) {
	if m, ok := x.members[id]; ok {
		m.gone = true
		delete(x.members, id)
		x.forget()
	}
}

// setDown notes that a credential's actor cannot grant for now, or can again.
func (x *index) setDown(id providers.CredentialID, down, failed bool) {
	if m, ok := x.members[id]; ok {
		m.down, m.failed = down, failed
		m.refresh()
	}
}

// rested notes a rest of a credential (empty model) or of one of its models.
func (x *index) rested(f Rested) {
	m, ok := x.members[f.Credential]
	if !ok {
		return
	}
	if f.Model == "" {
		m.rest = f.State
		m.refresh()
		return
	}
	s := m.slot(f.Model)
	s.rest = f.State
	s.refresh()
}

// configure takes new settings. Cursors are kept unless the strategy changed.
func (x *index) configure(s Settings) {
	changed := s.Routing.Strategy != x.settings.Routing.Strategy
	x.settings = s
	x.forget()
	if changed {
		clear(x.cursors)
	}
}

// list notes the models that an upstream without configured ones has.
func (x *index) list(upstream string, models []string) {
	x.listed[upstream] = models
	x.forget()
}

// forget drops what was derived from members and settings, but for the cursors.
func (x *index) forget() {
	x.groups = nil
	for key := range x.routes {
		x.drop(key)
	}
}

// drop forgets one route and what only it needed.
func (x *index) drop(key routeKey) {
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
		s.seats = slices.DeleteFunc(s.seats, func(t seat) bool { return t.ring == r })
		if len(s.seats) == 0 && s.rest.Until.IsZero() {
			delete(s.member.slots, s.model)
		}
	}
}

// route returns the candidates for name in format f; nil if there are none.
func (x *index) route(name string, f providers.Format) *ring {
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
	r := x.newRing(slots, x.cursors[key])
	x.routes[key] = r
	return r
}

func (x *index) newRing(slots []*slot, last providers.CredentialID) *ring {
	r := &ring{slots: slots, at: make(map[*member]int, len(slots)), ready: strategy.NewSet(len(slots)), last: last}
	if x.settings.Routing.Strategy == config.FillFirst {
		slices.SortStableFunc(slots, func(a, b *slot) int { return cmp.Compare(a.member.order, b.member.order) })
		r.picker = strategy.FillFirst{}
	} else {
		slices.SortStableFunc(slots, func(a, b *slot) int { return cmp.Compare(a.member.credential.ID, b.member.credential.ID) })
		start := rand.IntN(len(slots))
		if last != "" {
			start, _ = slices.BinarySearchFunc(slots, last, func(s *slot, id providers.CredentialID) int {
				if s.member.credential.ID <= id {
					return -1
				}
				return 1
			})
		}
		r.picker = strategy.NewRoundRobin(start)
	}
	for i, s := range slots {
		if _, ok := r.at[s.member]; !ok {
			r.at[s.member] = i
		}
		s.seats = append(s.seats, seat{r, i})
		if s.ready() {
			r.ready.Add(i)
		}
	}
	return r
}

// candidates resolves name to the (credential, upstream model) pairs that serve it in f.
func (x *index) candidates(name string, f providers.Format) []*slot {
	var slots []*slot
	for _, g := range x.grouped() {
		if !g.upstream.Speaks(f) {
			continue
		}
		for _, model := range x.resolve(g.upstream, name) {
			for _, m := range g.members {
				if m.credential.Serves(model) {
					slots = append(slots, m.slot(model))
				}
			}
		}
	}
	return slots
}

// formats lists the formats in which anybody serves name.
func (x *index) formats(name string) []providers.Format {
	var formats []providers.Format
	for _, f := range providers.AllFormats() {
		if _, ok := x.routes[routeKey{name, f}]; ok || len(x.candidates(name, f)) > 0 {
			formats = append(formats, f)
		}
	}
	return formats
}

func (x *index) grouped() []group {
	if x.groups != nil {
		return x.groups
	}
	members := slices.SortedFunc(maps.Values(x.members), func(a, b *member) int { return cmp.Compare(a.order, b.order) })
	at := map[*providers.Upstream]int{}
	for _, m := range members {
		u := m.credential.Upstream
		i, ok := at[u]
		if !ok {
			i = len(x.groups)
			at[u] = i
			x.groups = append(x.groups, group{upstream: u})
		}
		x.groups[i].members = append(x.groups[i].members, m)
	}
	return x.groups
}

// resolve returns the upstream's own names for a name that clients use: a model, an
// alias, either behind the upstream's name or prefix and a slash. An upstream without
// configured models serves what it lists, and any name while its list is unknown.
func (x *index) resolve(u *providers.Upstream, name string) []string {
	if rest, ok := strings.CutPrefix(name, u.Name+"/"); ok {
		if models := x.own(u, rest, true); len(models) > 0 {
			return models
		}
	}
	if rest, ok := strings.CutPrefix(name, u.Prefix+"/"); ok && u.Prefix != "" {
		if models := x.own(u, rest, true); len(models) > 0 {
			return models
		}
	}
	return x.own(u, name, false)
}

// own returns the upstream's names for an unqualified name. addressed says that the
// client named the upstream.
func (x *index) own(u *providers.Upstream, name string, addressed bool) []string {
	if len(u.Models) > 0 {
		var models []string
		for _, m := range u.Models {
			if m.Name == name || slices.Contains(m.Aliases, name) {
				models = append(models, m.Name)
			}
		}
		return models
	}
	listed, known := x.listed[u.Name]
	if known {
		if slices.ContainsFunc(listed, func(l string) bool { return l == name || undated(l) == name }) {
			return []string{name}
		}
		return nil
	}
	if addressed || !x.qualified(name) {
		return []string{name}
	}
	return nil
}

// qualified reports whether name begins with some upstream's name or prefix.
func (x *index) qualified(name string) bool {
	head, _, ok := strings.Cut(name, "/")
	return ok && slices.ContainsFunc(x.grouped(), func(g group) bool {
		return g.upstream.Name == head || g.upstream.Prefix == head
	})
}

// undated takes the date off names such as claude-x-20250929 and gpt-x-2025-09-29:
// upstreams serve the name without it too, but do not always list it.
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

// models lists every name that clients can use and somebody enabled serves.
func (x *index) models() []ModelInfo {
	var infos []ModelInfo
	at := map[string]int{}
	add := func(name string, u *providers.Upstream) {
		i, ok := at[name]
		if !ok {
			i = len(infos)
			at[name] = i
			infos = append(infos, ModelInfo{Name: name, Provider: u.Name})
		}
		for _, f := range u.Formats {
			if !slices.Contains(infos[i].Formats, f) {
				infos[i].Formats = append(infos[i].Formats, f)
			}
		}
	}
	for _, g := range x.grouped() {
		for _, m := range x.served(g) {
			for _, name := range append([]string{m.Name}, m.Aliases...) {
				add(name, g.upstream)
				if g.upstream.Prefix != "" {
					add(g.upstream.Prefix+"/"+name, g.upstream)
				}
			}
		}
	}
	return infos
}

// served lists the models of g that at least one enabled credential may use.
func (x *index) served(g group) []providers.Model {
	all := g.upstream.Models
	if len(all) == 0 {
		for _, name := range x.listed[g.upstream.Name] {
			all = append(all, providers.Model{Name: name})
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(m providers.Model) bool {
		return !slices.ContainsFunc(g.members, func(c *member) bool {
			return !c.credential.Disabled && c.credential.Serves(m.Name)
		})
	})
}

// pick asks the strategy for a ready slot that tried does not name.
func (r *ring) pick(tried []providers.CredentialID) *slot {
	var skip func(int) bool
	if len(tried) > 0 {
		skip = func(i int) bool { return slices.Contains(tried, r.slots[i].member.credential.ID) }
	}
	i, ok := r.picker.Pick(r.ready, skip)
	if !ok {
		return nil
	}
	r.last = r.slots[i].member.credential.ID
	return r.slots[i]
}

// seated returns m's slot in r if it is ready and not tried.
func (r *ring) seated(m *member, tried []providers.CredentialID) *slot {
	if m == nil || m.gone || slices.Contains(tried, m.credential.ID) {
		return nil
	}
	if i, ok := r.at[m]; ok && r.ready.Has(i) {
		return r.slots[i]
	}
	return nil
}

// wake makes slots ready whose rest ended at or before now but whose owner has not said
// so yet. It runs only when nobody else is ready.
func (r *ring) wake(now time.Time) (woken bool) {
	for _, s := range r.slots {
		if !s.rest.Until.IsZero() && !s.rest.Resting(now) {
			s.rest.Until = time.Time{}
			s.refresh()
		}
		if m := s.member; !m.rest.Until.IsZero() && !m.rest.Resting(now) {
			m.rest.Until = time.Time{}
			m.refresh()
		}
		woken = woken || s.ready()
	}
	return woken
}

// shortage says why nobody in r can serve.
func (r *ring) shortage(model string, tried []providers.CredentialID, now time.Time) *NoCredentialError {
	e := &NoCredentialError{Model: model, Reasons: map[string]int{}}
	soonest := time.Time{}
	for i, s := range r.slots {
		reason, until := s.unready(tried)
		e.Reasons[reason]++
		if !until.IsZero() && (soonest.IsZero() || until.Before(soonest)) {
			soonest = until
		}
		switch name := s.member.credential.Upstream.Name; {
		case i == 0:
			e.Provider = name
		case e.Provider != name:
			e.Provider = ""
		}
	}
	if !soonest.IsZero() {
		e.RetryAfter = max(soonest.Sub(now), time.Millisecond)
	}
	return e
}

// slot returns m's slot for an upstream model, made on first use.
func (m *member) slot(model string) *slot {
	s, ok := m.slots[model]
	if !ok {
		s = &slot{member: m, model: model}
		m.slots[model] = s
	}
	return s
}

func (m *member) refresh() {
	for _, s := range m.slots {
		s.refresh()
	}
}

// ready reports whether s may be picked, as far as the index knows. A rest counts until
// its owner says that it ended, or wake finds it over.
func (s *slot) ready() bool {
	m := s.member
	return !m.credential.Disabled && !m.down && !m.failed && m.rest.Until.IsZero() && s.rest.Until.IsZero()
}

// refresh carries s's readiness to every ring it sits in.
func (s *slot) refresh() {
	ready := s.ready()
	for _, t := range s.seats {
		if ready {
			t.ring.ready.Add(t.at)
		} else {
			t.ring.ready.Remove(t.at)
		}
	}
}

// unready says what keeps s out and, if that ends by itself, when.
func (s *slot) unready(tried []providers.CredentialID) (reason string, until time.Time) {
	m := s.member
	rest := m.rest
	if s.rest.Until.After(rest.Until) {
		rest = s.rest
	}
	switch {
	case m.credential.Disabled:
		return "disabled", time.Time{}
	case m.failed:
		return "failed", time.Time{}
	case rest.Kind == providers.Unauthorized && !rest.Until.IsZero():
		return "unauthorized", time.Time{}
	case !rest.Until.IsZero():
		return "resting:" + string(rest.Kind), rest.Until
	case slices.Contains(tried, m.credential.ID):
		return "tried", time.Time{}
	default:
		return "restarting", time.Time{}
	}
}
