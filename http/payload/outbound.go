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

// Outbound returns a reader of the body in from, in which value stands in place of the bytes
// from start to end; nil = the body as it is. It copies nothing, unless the body is small,
// and holds from until it is closed.
func Outbound(from *Buffer, start, end int, value []byte) io.ReadCloser {
	b := newOutbound(from, start, end, value)
	length := 0
	for _, segment := range b.segments {
		length += len(segment)
	}
	if length > smallBytes {
		return b
	}
	defer b.Close()
	small := make([]byte, 0, length)
	for _, segment := range b.segments {
		small = append(small, segment...)
	}
	return io.NopCloser(bytes.NewReader(small))
}

// outboundBody is what Outbound returns for a body that is not small.
//
// Transports may close a body while they still read it, and read it after they have
// answered, hence the lock.
type outboundBody struct {
	mu       sync.Mutex
	segments [3][]byte // before, instead of, and after what is replaced
	at       int       // the segment that is read next
	from     *Buffer   // nil once closed
}

func newOutbound(from *Buffer, start, end int, value []byte) *outboundBody {
	from.Retain()
	b := &outboundBody{from: from}
	if value == nil {
		b.segments[0] = from.Bytes
	} else {
		b.segments = [3][]byte{from.Bytes[:start], value, from.Bytes[end:]}
	}
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
		b.segments = [3][]byte{}
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
