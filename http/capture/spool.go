package capture

import (
	"bytes"
	"io"
	"os"
)

const (
	// maxMemoryBytes is up to where an answer is held in memory.
	maxMemoryBytes = 1 << 20
	// spoolPrefix begins the names of temporary files.
	spoolPrefix = ".spool-"
)

// spool holds an answer that is taken down while it passes: in memory up to maxMemoryBytes,
// beyond that in a temporary file, and not more than limit bytes of it. It never fails: what
// cannot be held is only counted.
type spool struct {
	store  *Store
	limit  int64
	memory []byte
	file   *os.File // nil = all is in memory
	remove func()
	held   int64
	seen   int64
	full   bool
}

// Write takes what can be held of p.
func (s *spool) Write(p []byte) (int, error) {
	s.seen += int64(len(p))
	if left := s.limit - s.held; int64(len(p)) > left {
		s.take(p[:max(0, left)])
		s.full = true
	} else {
		s.take(p)
	}
	return len(p), nil
}

func (s *spool) take(p []byte) {
	switch {
	case s.full || len(p) == 0:
		return
	case s.file == nil && len(s.memory)+len(p) <= maxMemoryBytes:
		s.memory = append(s.memory, p...)
		s.held += int64(len(p))
		return
	case s.file == nil:
		file, remove, err := s.store.spool()
		if err != nil {
			s.full = true
			s.store.trouble(err)
			return
		}
		s.file, s.remove = file, remove
		if !s.toFile(s.memory) {
			return // memory still has it
		}
		s.memory = nil
	}
	if s.toFile(p) {
		s.held += int64(len(p))
	}
}

// toFile writes p to the file, of which only what was written whole counts.
func (s *spool) toFile(p []byte) bool {
	if _, err := s.file.Write(p); err != nil {
		s.full = true
		s.store.trouble(err)
		return false
	}
	return true
}

// reader returns what is held.
func (s *spool) reader() io.Reader {
	if s.file == nil || s.memory != nil {
		return bytes.NewReader(s.memory)
	}
	return io.NewSectionReader(s.file, 0, s.held)
}

// drop forgets what is held.
func (s *spool) drop() {
	if s.file != nil {
		s.remove()
		s.file = nil
	}
	s.memory = nil
}
