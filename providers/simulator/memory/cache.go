// Package memory is what a simulated upstream remembers: prompt prefixes, earlier answers,
// conversations, and how much an account has asked for.
package memory

import (
	"container/list"
	"hash/maphash"
	"sync"
	"time"
)

// maxCachedPrefixes bounds one credential's prompt cache.
const maxCachedPrefixes = 16384

// PromptCache remembers prompt prefixes for a time after their last use, the latest used
// ones if there are too many. It is safe for concurrent use.
type PromptCache struct {
	Seed  maphash.Seed // of the hashes that name prefixes
	ttl   time.Duration
	limit int

	mu      sync.Mutex
	entries map[uint64]*list.Element // of cachedPrefix
	byUse   *list.List               // latest first
}

type cachedPrefix struct {
	name  uint64
	until time.Time
}

// NewPromptCache returns an empty cache. ttl is how long a prefix lives after its last use.
func NewPromptCache(ttl time.Duration) *PromptCache {
	return &PromptCache{
		Seed: maphash.MakeSeed(), ttl: ttl, limit: maxCachedPrefixes,
		entries: map[uint64]*list.Element{}, byUse: list.New(),
	}
}

// Use returns how many elements of prefixes, which grow from first to last, lead up to the
// longest cached one, itself included; 0 = none is cached. Afterwards all are.
func (c *PromptCache) Use(prefixes []uint64, now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached := 0
	// Backwards, so that the shortest prefix, which most prompts share, is the latest used.
	for i := len(prefixes) - 1; i >= 0; i-- {
		if c.touch(prefixes[i], now) && cached == 0 {
			cached = i + 1
		}
	}
	for len(c.entries) > c.limit {
		c.evictOldest()
	}
	return cached
}

// touch makes one prefix the latest used and reports whether it was cached.
func (c *PromptCache) touch(name uint64, now time.Time) bool {
	until := now.Add(c.ttl)
	at, ok := c.entries[name]
	if !ok {
		c.entries[name] = c.byUse.PushFront(cachedPrefix{name, until})
		return false
	}
	alive := now.Before(at.Value.(cachedPrefix).until)
	at.Value = cachedPrefix{name, until}
	c.byUse.MoveToFront(at)
	return alive
}

func (c *PromptCache) evictOldest() {
	oldest := c.byUse.Back()
	delete(c.entries, oldest.Value.(cachedPrefix).name)
	c.byUse.Remove(oldest)
}
