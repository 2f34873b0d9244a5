package httpapi

import (
	"io"
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
		Body:          newOutboundBody(a.call, model),
		ContentLength: int64(length),
	}).WithContext(a.ctx)
	// A transport that finds its kept connection closed sends the body again.
	req.GetBody = func() (io.ReadCloser, error) { return newOutboundBody(a.call, model), nil }
	return req, nil
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
