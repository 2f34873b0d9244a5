package httpapi

import (
	"io"
	"net/http"

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
		Body:          payload.Outbound(a.call.body, a.call.modelAt.Start, a.call.modelAt.End, model),
		ContentLength: int64(length),
	}).WithContext(a.ctx)
	// A transport that finds its kept connection closed sends the body again.
	req.GetBody = func() (io.ReadCloser, error) {
		return payload.Outbound(a.call.body, a.call.modelAt.Start, a.call.modelAt.End, model), nil
	}
	return req, nil
}
