// Package httpapi is the data plane: it turns clients' HTTP requests into leases on
// credentials and calls to upstreams, moves the bytes, and answers every error in the
// client's own format.
//
// One request goes through these files, in this order:
//
//	server.go    the server: its options, live settings and graceful stop
//	routes.go    every route, in one table
//	inbound.go   one HTTP request: its id, admission, recovery, log line
//	call.go      the request as the gateway understands it; body.go reads it
//	generate.go  the failover loop: lease, attempt, next
//	exchange.go  one attempt: outbound.go builds the request, headers.go cleans the headers
//	relay.go     a whole answer: bytes in = bytes out
//	stream.go    a streamed answer; watchdog.go ends one that hangs
//	websocket.go requests that come over a WebSocket, and upstreams that speak it
//	lineage.go   conversations that a request only refers to
//	sink.go      the client's side of a stream: knows whether a byte has left
//	record.go    what is told of the request when it is over
//
// Its parts: payload holds bodies in memory, tap understands the streams that pass by, and
// fault is the only place where errors become bodies. tracing and capture look on; they are nil
// where nobody wants to know.
//
// # Promises
//
// Until the first payload byte has left for the client, a failed attempt is invisible:
// another credential is tried. After it, a failure is told inside the stream in the
// client's format, and the stream ends; nothing is ever cut off silently.
//
// A relayed body is passed on byte for byte in both directions. Only the value of a
// top-level `model` is replaced, and only if the upstream knows the model by another name.
// So that answers can be checked and their usage read, upstreams are asked for uncompressed
// ones (`Accept-Encoding: identity`).
//
// The folder is named http; inside it, http is net/http.
package httpapi
