package session

import "slices"

// maxIDs bounds the ids of one conversation; beyond it the oldest ones, but for the lead, are
// forgotten (AF39).
const maxIDs = 64

// Directory knows which ids name one conversation. A conversation is known by its lead, the
// id it was met by first; the others lead there. The zero value is not usable: see
// NewDirectory. It is for one goroutine.
type Directory struct {
	leads  map[Key]Key  // ids that are not their conversation's lead
	groups map[Key][]ID // by lead: all ids of conversations that have several
}

// NewDirectory returns a directory that knows no id.
func NewDirectory() *Directory {
	return &Directory{leads: map[Key]Key{}, groups: map[Key][]ID{}}
}

// Lead returns the lead of the conversation that a request with keys belongs to, among those
// for which known is true; else the id by which it would be known.
//
// Of several ids, the most specific one that is known decides, unless the conversation it
// leads to has, of a more specific rank, another id than the request: two conversations that
// share a cache key are two.
func (d *Directory) Lead(keys Keys, known func(Key) bool) Key {
	if keys.IDs == nil {
		if lead, ok := d.leads[keys.Primary]; ok {
			return lead
		}
		return keys.Primary
	}
	for i, id := range keys.IDs {
		lead := id.Key
		if other, ok := d.leads[id.Key]; ok {
			lead = other
		}
		if known(lead) && !d.contradicts(lead, keys.IDs[:i]) {
			return lead
		}
	}
	return keys.IDs[0].Key
}

// contradicts reports whether the conversation of lead has other ids of the ranks that ids
// have, and none of them.
func (d *Directory) contradicts(lead Key, ids []ID) bool {
	group := d.groups[lead]
	return slices.ContainsFunc(ids, func(id ID) bool {
		return !slices.Contains(group, id) && slices.ContainsFunc(group, func(g ID) bool { return g.Rank == id.Rank })
	})
}

// Join adds those of ids that no other conversation has to the conversation of lead, and
// returns its ids if that changed them, else nil.
func (d *Directory) Join(lead Key, ids []ID) []ID {
	group := d.groups[lead]
	grown := group
	for _, id := range ids {
		if _, taken := d.leads[id.Key]; taken || slices.Contains(group, id) {
			continue
		}
		if _, leads := d.groups[id.Key]; leads && id.Key != lead {
			continue
		}
		grown = append(slices.Clip(grown), id)
	}
	if len(grown) == len(group) || len(grown) == 1 { // alone, the lead is no group
		return nil
	}
	for len(grown) > maxIDs {
		oldest := slices.IndexFunc(grown, func(id ID) bool { return id.Key != lead })
		grown = slices.Delete(slices.Clone(grown), oldest, oldest+1)
	}
	d.Set(lead, grown)
	return grown
}

// Set makes ids those of the conversation of lead. It keeps the slice, which must not be
// changed any more.
func (d *Directory) Set(lead Key, ids []ID) {
	d.Drop(lead)
	d.groups[lead] = ids
	for _, id := range ids {
		if id.Key != lead {
			d.leads[id.Key] = lead
		}
	}
}

// Drop forgets the conversation of lead.
func (d *Directory) Drop(lead Key) {
	for _, id := range d.groups[lead] {
		if d.leads[id.Key] == lead {
			delete(d.leads, id.Key)
		}
	}
	delete(d.groups, lead)
}

// Groups calls fn for every conversation that has several ids.
func (d *Directory) Groups(fn func(lead Key, ids []ID)) {
	for lead, ids := range d.groups {
		fn(lead, ids)
	}
}
