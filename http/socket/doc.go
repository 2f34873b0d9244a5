// Package socket is Responses over WebSocket as bytes, on both sides: clients' connections
// and the frames on them (conn.go, request.go, answer.go), and kept connections to upstreams
// (link.go, dial.go). It turns frames into what the rest of the gateway serves and asks for,
// which is HTTP with event streams, and back; what runs when, and where, is decided elsewhere.
package socket

import "errors"

// Close codes that have a meaning here (RFC 6455 and its registry).
const (
	CloseNormal       = 1000
	CloseGoingAway    = 1001
	CloseUnsupported  = 1003 // a message that is not text
	CloseInvalidText  = 1007
	ClosePolicy       = 1008
	CloseTooBig       = 1009
	CloseInternal     = 1011
	CloseTryAgainSoon = 1013
)

// Errors of Conn.
var (
	// ErrTooBig means that a client's message exceeds the limit.
	ErrTooBig = errors.New("the message is too big")
	// ErrNotText means that a client's message is binary, or is no UTF-8.
	ErrNotText = errors.New("the message is not text")
	// ErrClosed means that the connection is closed, or is about to be.
	ErrClosed = errors.New("the connection is closed")
	// ErrSlow means that the client did not take what was sent.
	ErrSlow = errors.New("the client reads too slowly")
)
