package payload

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
)

// smallBytes is up to where a body is copied: net/http sends a body that it knows to be in
// memory together with the headers, any other in a write of its own.
const smallBytes = 3 << 10

// Edit puts Value in place of the bytes from Start to End of a body.
type Edit struct {
	Start, End int
	Value      []byte
}

// Outbound returns a reader of the body in from with edits made, which are in its order and
// do not overlap, and how many bytes it will read. It copies nothing, unless the body is
// small, and holds from until it is closed. A nil from is no body.
func Outbound(from *Buffer, edits []Edit) (body io.ReadCloser, length int) {
	if from == nil {
		return http.NoBody, 0
	}
	b := newOutbound(from, edits)
	for _, segment := range b.segments {
		length += len(segment)
	}
	if length > smallBytes {
		return b, length
	}
	defer b.Close()
	small := make([]byte, 0, length)
	for _, segment := range b.segments {
		small = append(small, segment...)
	}
	return io.NopCloser(bytes.NewReader(small)), length
}

// outboundBody is what Outbound returns for a body that is not small.
//
// Transports may close a body while they still read it, and read it after they have
// answered, hence the lock.
type outboundBody struct {
	mu       sync.Mutex
	few      [3][]byte // room for the segments of one edit, which is the most there usually are
	segments [][]byte  // what the body is made of
	at       int       // the segment that is read next
	from     *Buffer   // nil once closed
}

func newOutbound(from *Buffer, edits []Edit) *outboundBody {
	from.Retain()
	b := &outboundBody{from: from}
	b.segments = b.few[:0]
	done := 0
	for _, e := range edits {
		b.segments = append(b.segments, from.Bytes[done:e.Start], e.Value)
		done = e.End
	}
	b.segments = append(b.segments, from.Bytes[done:])
	return b
}

func (b *outboundBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.from == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	n := 0
	for b.at < len(b.segments) && n < len(p) {
		copied := copy(p[n:], b.segments[b.at])
		b.segments[b.at] = b.segments[b.at][copied:]
		n += copied
		if len(b.segments[b.at]) == 0 {
			b.at++
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// writeTo writes what has not been read yet to conn in one system call, if it takes so much,
// instead of piece by piece through a buffer. The lock is not held meanwhile: closing the body
// must not wait for a connection that is stuck.
func (b *outboundBody) writeTo(conn *net.TCPConn) (int64, error) {
	b.mu.Lock()
	if b.from == nil {
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	from := b.from
	from.Retain()
	segments := make(net.Buffers, 0, len(b.segments))
	for ; b.at < len(b.segments); b.at++ {
		segments = append(segments, b.segments[b.at])
	}
	b.mu.Unlock()
	defer from.Release()
	return segments.WriteTo(conn)
}

func (b *outboundBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.from != nil {
		b.from.Release()
		b.from = nil
		b.segments, b.few = nil, [3][]byte{}
	}
	return nil
}

// DialFunc is what net/http dials with.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// Dial makes the connections of dial take what Outbound returns without a copy.
func Dial(dial DialFunc) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			return directConn{tcp}, nil
		}
		return conn, err
	}
}

// directConn is a connection that knows outbound bodies. net/http asks a plain connection to
// read a body by itself, behind a limit of the body's length; TLS and HTTP/2 do not get here.
type directConn struct{ *net.TCPConn }

// ReadFrom writes all of r to the connection.
func (c directConn) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if body, ok := limited.R.(*outboundBody); ok {
			n, err := body.writeTo(c.TCPConn)
			limited.N -= n
			return n, err
		}
	}
	return c.TCPConn.ReadFrom(r)
}
