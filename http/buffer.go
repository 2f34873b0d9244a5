package httpapi

import (
	"io"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Buffers come in powers of two. Larger ones than the last are not kept: one giant request
// must not hold its memory for ever.
const (
	minBufferBits = 12 // 4 KiB
	maxBufferBits = 20 // 1 MiB
)

// maxTrustedHint is how much memory is set aside on the word of a Content-Length.
const maxTrustedHint = 8 << 20

// bufferPool hands out buffers by size. The zero value is ready; it is safe for concurrent use.
type bufferPool struct {
	classes [maxBufferBits - minBufferBits + 1]sync.Pool
}

// buffer is a shared piece of memory. Whoever keeps using it holds a reference: when the
// last one is released the memory goes back to the pool. A reference that is never
// released costs a garbage collection, nothing else.
type buffer struct {
	bytes []byte
	refs  atomic.Int32
	pool  *bufferPool
}

// get returns an empty buffer with room for size bytes and one reference.
func (p *bufferPool) get(size int64) *buffer {
	class := max(bits.Len64(uint64(max(size, 1)-1)), minBufferBits)
	if class > maxBufferBits {
		b := &buffer{bytes: make([]byte, 0, size)}
		b.refs.Store(1)
		return b
	}
	b, ok := p.classes[class-minBufferBits].Get().(*buffer)
	if !ok {
		b = &buffer{bytes: make([]byte, 0, 1<<class), pool: p}
	}
	b.refs.Store(1)
	return b
}

func (b *buffer) retain() { b.refs.Add(1) }

// release gives one reference up. The caller must not touch b.bytes any more.
func (b *buffer) release() {
	if b.refs.Add(-1) != 0 || b.pool == nil {
		return
	}
	b.bytes = b.bytes[:0]
	b.pool.classes[bits.Len64(uint64(cap(b.bytes)-1))-minBufferBits].Put(b)
}

// fill reads r to its end into a buffer. hint is how much is expected; 0 = unknown. When r
// holds more than limit bytes it stops within the first limit+1 and reports whole = false.
// It returns what was read also together with an error of r.
func (p *bufferPool) fill(r io.Reader, hint, limit int64) (b *buffer, whole bool, err error) {
	b = p.get(min(hint, limit, maxTrustedHint) + 1) // one more byte, so that the end is met without growing
	for {
		if len(b.bytes) == cap(b.bytes) {
			b = p.grow(b, limit)
		}
		room := b.bytes[len(b.bytes):cap(b.bytes)]
		if left := limit + 1 - int64(len(b.bytes)); int64(len(room)) > left {
			room = room[:left]
		}
		n, err := r.Read(room)
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case int64(len(b.bytes)) > limit:
			return b, false, nil
		case err == io.EOF:
			return b, true, nil
		case err != nil:
			return b, true, err
		}
	}
}

// grow moves b's content to a buffer of twice its size, but with no more room than for one
// byte over limit, and releases b.
func (p *bufferPool) grow(b *buffer, limit int64) *buffer {
	larger := p.get(min(2*int64(cap(b.bytes)), limit+1))
	larger.bytes = append(larger.bytes, b.bytes...)
	b.release()
	return larger
}
