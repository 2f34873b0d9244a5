// Package socket is Responses over WebSocket as bytes, on both sides. It turns frames into what
// the rest of the gateway serves and asks for, which is HTTP with event streams, and back; what
// runs when, and where, is decided elsewhere.
//
//	conn.go      a client's connection: messages in and out
//	line.go      the client's side as its actor sees it; turn.go is one thing asked over it
//	request.go   a client's frame as a request, common.go what all of them share
//	answer.go    the answer to one as frames
//	uplink.go    the way to an upstream that speaks WebSocket too
//	link.go      a connection to it, upstream.go its frames; dial.go opens one
package socket

import "errors"

// Close codes that have a meaning here (RFC 6455 and its registry).
const (
	CloseNormal       = 1000
	CloseGoingAway    = 1001
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
