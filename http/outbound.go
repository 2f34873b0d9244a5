package httpapi

import (
	"bytes"
	"io"
	"net/http"

	"github.com/understudyhq/understudy/http/payload"
	"github.com/understudyhq/understudy/http/socket"
)

// request builds the upstream call by hand: net/http's own constructor would parse the URL
// again and copy what is known already.
func (a *attempt) request() (*http.Request, error) {
	credential := a.lease.Credential
	url, err := credential.URL(a.upstreamCall)
	if err != nil {
		return nil, err
	}
	req := (&http.Request{
		Method: a.call.operation.Method(), URL: url, Host: url.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header(),
	}).WithContext(a.ctx)
	if err := a.setBody(req); err != nil {
		return nil, err
	}
	return req, nil
}

// setBody gives req its body, and what makes another one for a transport that finds its kept
// connection closed.
func (a *attempt) setBody(req *http.Request) error {
	own, err := a.ownBody()
	if err != nil {
		return err
	}
	if own != nil {
		req.ContentLength = int64(len(own))
		req.Body = io.NopCloser(bytes.NewReader(own))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(own)), nil }
		return nil
	}
	edits := a.edits()
	body, length := payload.Outbound(a.call.body, edits)
	req.Body, req.ContentLength = body, int64(length)
	req.GetBody = func() (io.ReadCloser, error) {
		again, _ := payload.Outbound(a.call.body, edits)
		return again, nil
	}
	return nil
}

// header returns the headers of the upstream call.
func (a *attempt) header() http.Header {
	client := a.in.r.Header
	if a.translated != nil {
		client = a.translatedHeader()
	}
	if a.in.capture != nil {
		a.in.hide(a.lease.Credential)
	}
	h := outboundHeader(client, a.lease.Credential)
	a.trace.Inject(h)
	if a.in.turn != nil && a.uplink == nil {
		socket.DropBeta(h)
	}
	return h
}
