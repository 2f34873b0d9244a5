package socket

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/gorilla/websocket"
)

// maxRefusalBytes is how much of an answer that refuses the switch is kept.
const maxRefusalBytes = 64 << 10

// Dial makes a link to where r, a request for HTTP, would go: through rt, and so with its
// proxy and certificates, and with r's headers but for those of a body. refused is the
// upstream's answer, whole, if it was any other than the switch. An error is one of the
// connection.
func Dial(rt http.RoundTripper, r *http.Request) (l *Link, refused *http.Response, err error) {
	h := &handshake{transport: rt, request: r}
	dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return h, nil }}
	// Where the request really goes is the handshake's business.
	ws, _, err := dialer.DialContext(r.Context(), "ws://"+r.URL.Host, nil)
	switch {
	case err == nil:
		return newLink(ws), nil, nil
	case h.refused != nil:
		return nil, h.refused, nil
	case h.err != nil:
		return nil, nil, h.err
	default:
		return nil, nil, fmt.Errorf("switch to WebSocket: %w", err)
	}
}

// handshake is a connection whose first request and answer go through a RoundTripper, and all
// that follows over the connection that is left of them. So the library that speaks WebSocket
// needs to know nothing of proxies and certificates.
type handshake struct {
	transport http.RoundTripper
	request   *http.Request
	sent      []byte // of the library's own request
	answer    io.Reader
	rest      io.ReadWriteCloser // nil = not switched
	conn      net.Conn           // beneath rest, for deadlines; nil = not known
	refused   *http.Response
	err       error
}

// Write is part of net.Conn.
func (h *handshake) Write(p []byte) (int, error) {
	if h.rest != nil {
		return h.rest.Write(p)
	}
	h.sent = append(h.sent, p...)
	if !bytes.HasSuffix(h.sent, []byte("\r\n\r\n")) {
		return len(p), nil
	}
	if h.err = h.switchOver(); h.err != nil {
		return 0, h.err
	}
	return len(p), nil
}

// switchOver makes the request that was written, to where it really goes.
func (h *handshake) switchOver() error {
	own, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(h.sent)))
	if err != nil {
		return err
	}
	resp, err := h.transport.RoundTrip(h.upgrade(own.Header))
	if err != nil {
		return err
	}
	rest, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusalBytes))
		_ = resp.Body.Close()
		if err != nil {
			return err
		}
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		h.refused = resp
		h.answer = bytes.NewReader([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
		return nil
	}
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	if err := resp.Header.Write(&head); err != nil {
		_ = rest.Close()
		return err
	}
	head.WriteString("\r\n")
	h.rest, h.answer = rest, io.MultiReader(&head, rest)
	return nil
}

// upgrade returns the request that asks for the switch; own are the library's headers.
func (h *handshake) upgrade(own http.Header) *http.Request {
	header := h.request.Header.Clone()
	for _, name := range [...]string{"Content-Type", "Content-Length", "Accept", "Accept-Encoding"} {
		header.Del(name)
	}
	for _, name := range [...]string{"Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version"} {
		header[name] = own[name]
	}
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { h.conn = got.Conn }}
	ctx := httptrace.WithClientTrace(h.request.Context(), trace)
	return (&http.Request{
		Method: http.MethodGet, URL: h.request.URL, Host: h.request.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
}

// Read is part of net.Conn.
func (h *handshake) Read(p []byte) (int, error) {
	if h.answer == nil {
		return 0, errors.New("nothing was asked")
	}
	return h.answer.Read(p)
}

// Close is part of net.Conn.
func (h *handshake) Close() error {
	if h.rest == nil {
		return nil
	}
	return h.rest.Close()
}

// LocalAddr is part of net.Conn.
func (h *handshake) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr is part of net.Conn.
func (h *handshake) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline is part of net.Conn. Before the switch it is the request's context that counts.
func (h *handshake) SetDeadline(t time.Time) error { return h.limit(t, net.Conn.SetDeadline) }

// SetReadDeadline is part of net.Conn.
func (h *handshake) SetReadDeadline(t time.Time) error { return h.limit(t, net.Conn.SetReadDeadline) }

// SetWriteDeadline is part of net.Conn.
func (h *handshake) SetWriteDeadline(t time.Time) error {
	return h.limit(t, net.Conn.SetWriteDeadline)
}

func (h *handshake) limit(t time.Time, set func(net.Conn, time.Time) error) error {
	if h.rest == nil || h.conn == nil {
		return nil
	}
	return set(h.conn, t)
}
