package simulator

import (
	"container/list"
	"hash/maphash"
	"sync"
	"time"
)

// maxCachedPrefixes bounds one credential's prompt cache.
const maxCachedPrefixes = 16384

// digest names one prefix of one prompt: its hash under the cache's seed.
type digest uint64

// promptCache remembers prompt prefixes for a time after their last use, the latest used
// ones if there are too many. It is safe for concurrent use.
type promptCache struct {
	seed  maphash.Seed
	ttl   time.Duration
	limit int

	mu      sync.Mutex
	entries map[digest]*list.Element // of cachedPrefix
	byUse   *list.List               // latest first
}

type cachedPrefix struct {
	name  digest
	until time.Time
}

func newPromptCache(ttl time.Duration) *promptCache {
	return &promptCache{
		seed: maphash.MakeSeed(), ttl: ttl, limit: maxCachedPrefixes,
		entries: map[digest]*list.Element{}, byUse: list.New(),
	}
}

// use returns how many elements of prefixes, which grow from first to last, lead up to the
// longest cached one, itself included; 0 = none is cached. Afterwards all are.
func (c *promptCache) use(prefixes []digest, now time.Time) int {
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
func (c *promptCache) touch(name digest, now time.Time) bool {
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

func (c *promptCache) evictOldest() {
	oldest := c.byUse.Back()
	delete(c.entries, oldest.Value.(cachedPrefix).name)
	c.byUse.Remove(oldest)
}
