// Package payload holds the bodies of requests and answers: in memory that is used again,
// and without the content codings they came in.
package payload

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

// Pool hands out buffers by size. The zero value is ready; it is safe for concurrent use.
type Pool struct {
	classes [maxBufferBits - minBufferBits + 1]sync.Pool
}

// Buffer is a shared piece of memory. Whoever keeps using it holds a reference: when the
// last one is released the memory goes back to the pool. A reference that is never
// released costs a garbage collection, nothing else.
type Buffer struct {
	Bytes []byte
	refs  atomic.Int32
	pool  *Pool
}

// Get returns an empty buffer with room for size bytes and one reference.
func (p *Pool) Get(size int64) *Buffer {
	class := max(bits.Len64(uint64(max(size, 1)-1)), minBufferBits)
	if class > maxBufferBits {
		b := &Buffer{Bytes: make([]byte, 0, size)}
		b.refs.Store(1)
		return b
	}
	b, ok := p.classes[class-minBufferBits].Get().(*Buffer)
	if !ok {
		b = &Buffer{Bytes: make([]byte, 0, 1<<class), pool: p}
	}
	b.refs.Store(1)
	return b
}

// Retain adds a reference.
func (b *Buffer) Retain() { b.refs.Add(1) }

// Release gives one reference up. The caller must not touch b.Bytes any more.
func (b *Buffer) Release() {
	if b.refs.Add(-1) != 0 || b.pool == nil {
		return
	}
	b.Bytes = b.Bytes[:0]
	b.pool.classes[bits.Len64(uint64(cap(b.Bytes)-1))-minBufferBits].Put(b)
}

// Fill reads r to its end into a buffer. hint is how much is expected; 0 = unknown. When r
// holds more than limit bytes it stops within the first limit+1 and reports whole = false.
// It returns what was read also together with an error of r.
func (p *Pool) Fill(r io.Reader, hint, limit int64) (b *Buffer, whole bool, err error) {
	b = p.Get(min(hint, limit, maxTrustedHint) + 1) // one more byte, so that the end is met without growing
	for {
		if len(b.Bytes) == cap(b.Bytes) {
			b = p.grow(b, limit)
		}
		room := b.Bytes[len(b.Bytes):cap(b.Bytes)]
		if left := limit + 1 - int64(len(b.Bytes)); int64(len(room)) > left {
			room = room[:left]
		}
		n, err := r.Read(room)
		b.Bytes = b.Bytes[:len(b.Bytes)+n]
		switch {
		case int64(len(b.Bytes)) > limit:
			return b, false, nil
		case err == io.EOF:
			return b, true, nil
		case err != nil:
			return b, true, err
		}
	}
}

// grow moves b's content to a buffer of twice its size, but with no more room than for one
// byte over limit, and releases b. It moves it in steps: a garbage collection that begins has
// to wait for each, and with it every other request.
func (p *Pool) grow(b *Buffer, limit int64) *Buffer {
	const step = 256 << 10
	larger := p.Get(min(2*int64(cap(b.Bytes)), limit+1))
	for rest := b.Bytes; len(rest) > 0; {
		n := min(len(rest), step)
		larger.Bytes, rest = append(larger.Bytes, rest[:n]...), rest[n:]
	}
	b.Release()
	return larger
}
