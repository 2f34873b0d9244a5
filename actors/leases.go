package actors

import (
	"slices"
	"time"

	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// openLease is a lease that was not reported yet.
type openLease struct {
	id         uint64
	granted    time.Time
	asked      *Acquire
	credential *providers.Credential // as it was then
	session    session.Key
	tentative  bool // the router counts it as a pick that has not served
	tracked    bool // the router counts it
	handed     bool // the credential counts it
	probe      bool // of the model's rest
	wideProbe  bool // of the credential's rest
}

// fewLeases is up to how many leases are looked through one by one.
const fewLeases = 16

// openLeases is the open leases of one model. Most have none or a few, in the order of their
// grants, which takes less memory, and fewer cold places in it, than a map. The zero value is
// empty.
type openLeases struct {
	few  []openLease
	many map[uint64]openLease // instead, once there are more than a few
}

func (o *openLeases) len() int { return len(o.few) + len(o.many) }

func (o *openLeases) add(l openLease) {
	switch {
	case o.many != nil:
		o.many[l.id] = l
	case len(o.few) < fewLeases:
		o.few = append(o.few, l)
	default:
		o.many = make(map[uint64]openLease, 2*fewLeases)
		for _, old := range o.few {
			o.many[old.id] = old
		}
		o.many[l.id] = l
		o.few = nil
	}
}

// take removes a lease and returns it, if it is open.
func (o *openLeases) take(id uint64) (l openLease, ok bool) {
	if o.many != nil {
		if l, ok = o.many[id]; ok {
			if delete(o.many, id); len(o.many) == 0 {
				o.many = nil
			}
		}
		return l, ok
	}
	for i := range o.few {
		if o.few[i].id == id {
			l = o.few[i]
			o.few = slices.Delete(o.few, i, i+1) // clears the last one: nothing is held on to
			return l, true
		}
	}
	return openLease{}, false
}

// change lets fn change every open lease.
func (o *openLeases) change(fn func(*openLease)) {
	for i := range o.few {
		fn(&o.few[i])
	}
	for id, l := range o.many {
		fn(&l)
		o.many[id] = l
	}
}

// each calls fn for every open lease; fn may not change them.
func (o *openLeases) each(fn func(openLease)) {
	for _, l := range o.few {
		fn(l)
	}
	for _, l := range o.many {
		fn(l)
	}
}
