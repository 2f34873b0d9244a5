package httpapi

import (
	"io"
	"net/http"

	"github.com/understudyhq/understudy/http/payload"
)

// request builds the upstream call by hand: net/http's own constructor would parse the URL
// again and copy what is known already.
func (a *attempt) request() (*http.Request, error) {
	credential := a.lease.Credential
	url, err := credential.URL(a.upstreamCall)
	if err != nil {
		return nil, err
	}
	edits := a.edits()
	body, length := payload.Outbound(a.call.body, edits)
	req := (&http.Request{
		Method: a.call.operation.Method(), URL: url, Host: url.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        outboundHeader(a.in.r.Header, credential),
		Body:          body,
		ContentLength: int64(length),
	}).WithContext(a.ctx)
	// A transport that finds its kept connection closed sends the body again.
	req.GetBody = func() (io.ReadCloser, error) {
		again, _ := payload.Outbound(a.call.body, edits)
		return again, nil
	}
	return req, nil
}
