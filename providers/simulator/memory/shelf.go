package memory

import (
	"container/list"
	"sync"
)

// Bounds of one shelf.
const (
	maxKept      = 4096
	maxKeptBytes = 64 << 20
)

// shelf keeps values by id, the latest put ones if there are too many or too large ones.
// It is safe for concurrent use.
type shelf[T any] struct {
	limit    int
	maxBytes int

	mu      sync.Mutex
	bytes   int
	entries map[string]*list.Element // of kept[T]
	byAge   *list.List               // latest first
}

type kept[T any] struct {
	id    string
	value T
	bytes int
}

func newShelf[T any]() *shelf[T] {
	return &shelf[T]{limit: maxKept, maxBytes: maxKeptBytes, entries: map[string]*list.Element{}, byAge: list.New()}
}

func (s *shelf[T]) get(id string) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.entries[id]
	if !ok {
		var none T
		return none, false
	}
	return at.Value.(kept[T]).value, true
}

// put makes id's value what change returns, with its size in bytes, and the latest.
// change gets the value so far, if there is one; it must not call s.
func (s *shelf[T]) put(id string, change func(old T, ok bool) (T, int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var old T
	at, ok := s.entries[id]
	if ok {
		old = at.Value.(kept[T]).value
		s.drop(at)
	}
	value, bytes := change(old, ok)
	s.entries[id] = s.byAge.PushFront(kept[T]{id, value, bytes})
	s.bytes += bytes
	for s.byAge.Len() > 1 && (s.byAge.Len() > s.limit || s.bytes > s.maxBytes) {
		s.drop(s.byAge.Back())
	}
}

func (s *shelf[T]) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.entries[id]; ok {
		s.drop(at)
	}
}

func (s *shelf[T]) drop(at *list.Element) {
	entry := s.byAge.Remove(at).(kept[T])
	delete(s.entries, entry.id)
	s.bytes -= entry.bytes
}
