// Package admission decides who may see what only the operator may: by key, by where the
// question comes from, and by how often that place has guessed wrong. It is pure: it is told
// the time, and the address of the TCP peer, never one that a header claims.
package admission

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

const (
	// Tries is how many wrong guesses in a row lock an address out.
	Tries = 5
	// Pause is how long it is locked out then.
	Pause = 30 * time.Minute
	// kept bounds the addresses that are remembered, those that are locked out and the others
	// each: whoever has more of them makes the oldest forgotten.
	kept = 4096
)

// Lockout counts the wrong guesses of addresses. The IPv6 addresses of one /64 network count
// as one, because one guest of it has them all. The zero value is ready for use, by several
// goroutines at once.
type Lockout struct {
	mu     sync.Mutex
	wrong  table // in a row so far
	locked table // until when
}

// Left returns for how long an address is locked out from now on; 0 = it is not. Nothing that
// it guesses meanwhile may be looked at.
func (l *Lockout) Left(addr netip.Addr, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.locked.get(normal(addr))
	if !ok {
		return 0
	}
	return max(0, e.until.Sub(now))
}

// Wrong takes note of a wrong guess. Those of an address that is locked out do not count.
func (l *Lockout) Wrong(addr netip.Addr, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	addr = normal(addr)
	if e, ok := l.locked.get(addr); ok {
		if e.until.After(now) {
			return
		}
		l.locked.remove(addr)
	}
	e, _ := l.wrong.get(addr)
	if e.wrong++; e.wrong < Tries {
		l.wrong.put(addr, e)
		return
	}
	l.wrong.remove(addr)
	l.locked.put(addr, entry{until: now.Add(Pause)})
}

// Right takes note of a right guess: it ends a row of wrong ones, but not a lock.
func (l *Lockout) Right(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong.remove(normal(addr))
}

// normal returns what addr counts as.
func normal(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() && !addr.IsLoopback() {
		return netip.PrefixFrom(addr, 64).Masked().Addr()
	}
	return addr
}

// entry is what is known of one address.
type entry struct {
	addr  netip.Addr
	wrong int
	until time.Time
}

// table holds up to kept entries, those that were put last. The zero value is empty.
type table struct {
	at    map[netip.Addr]*list.Element
	order list.List // of entry, the one that was put last in front
}

func (t *table) get(addr netip.Addr) (entry, bool) {
	found, ok := t.at[addr]
	if !ok {
		return entry{}, false
	}
	return found.Value.(entry), true
}

func (t *table) put(addr netip.Addr, e entry) {
	t.remove(addr)
	if t.at == nil {
		t.at = map[netip.Addr]*list.Element{}
	}
	e.addr = addr
	t.at[addr] = t.order.PushFront(e)
	if t.order.Len() > kept {
		t.remove(t.order.Back().Value.(entry).addr)
	}
}

func (t *table) remove(addr netip.Addr) {
	if found, ok := t.at[addr]; ok {
		t.order.Remove(found)
		delete(t.at, addr)
	}
}
