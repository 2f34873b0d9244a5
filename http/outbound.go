package httpapi

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/understudyhq/understudy/http/payload"
	"github.com/understudyhq/understudy/internal/peek"
)

// request builds the upstream call by hand: net/http's own constructor would parse the URL
// again and copy what is known already.
func (a *attempt) request() (*http.Request, error) {
	credential := a.lease.Credential
	url, err := credential.Upstream.Provider.URL(credential.Upstream.Base, a.upstreamCall)
	if err != nil {
		return nil, err
	}
	var model []byte // nil = the body names the right one, or none
	length := len(a.call.body.Bytes)
	if at := a.call.modelAt; at != (peek.Span{}) && a.upstreamCall.Model != a.call.model {
		model = peek.AppendString(nil, a.upstreamCall.Model)
		length += len(model) - (at.End - at.Start)
	}
	req := (&http.Request{
		Method: http.MethodPost, URL: url, Host: url.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        outboundHeader(a.in.r.Header, credential),
		Body:          outbound(a.call, model, length),
		ContentLength: int64(length),
	}).WithContext(a.ctx)
	// A transport that finds its kept connection closed sends the body again.
	req.GetBody = func() (io.ReadCloser, error) { return outbound(a.call, model, length), nil }
	return req, nil
}

// smallBytes is up to where a body is copied: net/http sends a body that it knows to be in
// memory together with the headers, any other in a write of its own.
const smallBytes = 3 << 10

// outbound returns the body of one attempt, of length bytes.
func outbound(c *call, model []byte, length int) io.ReadCloser {
	b := newOutboundBody(c, model)
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

// outboundBody reads one attempt's request body out of the client's: the same bytes, but
// for a model that is named differently upstream. It copies nothing up front, and holds
// the client's buffer until it is closed.
//
// Transports may close a body while they still read it, and read it after they have
// answered, hence the lock.
type outboundBody struct {
	mu       sync.Mutex
	segments [3][]byte       // before, instead of, and after the model's value
	at       int             // the segment that is read next
	from     *payload.Buffer // nil once closed
}

func newOutboundBody(c *call, model []byte) *outboundBody {
	c.body.Retain()
	b := &outboundBody{from: c.body}
	if model == nil {
		b.segments[0] = c.body.Bytes
	} else {
		b.segments = [3][]byte{c.body.Bytes[:c.modelAt.Start], model, c.body.Bytes[c.modelAt.End:]}
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
