package httpapi

import (
	"errors"
	"io"
	"sync/atomic"
)

const (
	// maxHeldBytes bounds what all answers together that are held back until they are whole
	// may take, so that an upstream which answers without end costs no more than that.
	maxHeldBytes = 256 << 20
	// heldFreelyBytes of each are not counted: nearly all answers are shorter.
	heldFreelyBytes = 1 << 20
)

// errCrowded means that there is no room to hold more of an answer back.
var errCrowded = errors.New("too much is held back")

// held counts the bytes of large answers that are held back. The zero value is ready.
type held struct{ bytes atomic.Int64 }

// share is one answer's part of what is held back, and reads that answer. It is for one
// goroutine.
type share struct {
	of      *held
	r       io.Reader
	read    int64
	counted int64
}

// share begins to count what is read of r. It must be released when that is held no more.
func (h *held) share(r io.Reader) *share { return &share{of: h, r: r} }

// Read reads on, or returns errCrowded together with what was read last.
func (s *share) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.read += int64(n)
	if more := s.read - heldFreelyBytes - s.counted; more > 0 {
		s.counted += more
		if s.of.bytes.Add(more) > maxHeldBytes && err == nil {
			err = errCrowded
		}
	}
	return n, err
}

// release gives the share back. It may be called more than once.
func (s *share) release() {
	s.of.bytes.Add(-s.counted)
	s.counted = 0
}
