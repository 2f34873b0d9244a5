// Package fake is a scripted upstream for tests and benchmarks, exact to the byte: a
// function says what each request is answered with, and how badly. It knows no wire
// format of its own; Answer and Error give realistic replies in the gateway's four.
package fake

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What an Upstream remembers at most; the oldest requests go first.
const (
	maxRecorded      = 1024
	maxRecordedBytes = 64 << 20
)

// Request is what the upstream saw. Its fields are the script's to read, not to change.
type Request struct {
	Method, Path, RawQuery string
	Header                 http.Header
	Body                   []byte
	// Key is the credential in Authorization: Bearer, x-api-key or x-goog-api-key, the
	// first of them that is there; "" for none.
	Key string
	// N counts the requests with this Key, from 1.
	N int
}

// Reply says what to answer. The zero value is an empty 200.
//
// A reply is sent in pieces: Chunks, or the two halves of Body. The …After fields count
// them. An empty chunk sends the head alone.
type Reply struct {
	Status int         // 0 = 200
	Header http.Header // added to the answer; not changed
	// Body is sent with its Content-Length. Ignored when there are Chunks.
	Body []byte
	// Chunks are written and flushed one by one.
	Chunks [][]byte
	// FirstDelay is waited before the head, ChunkDelay between two pieces.
	FirstDelay, ChunkDelay time.Duration

	// Hang sends nothing more after HangAfter pieces, until the client goes. 0 = not even the head.
	Hang      bool
	HangAfter int
	// Reset ends the TCP connection with an RST after ResetAfter pieces. 0 = before the
	// head. Without a TCP connection of its own (HTTP/2, in process) it is a cut.
	Reset      bool
	ResetAfter int
	// CutAfter closes the connection after so many pieces, without the end that HTTP/1.1
	// chunking or Content-Length promise. 0 = never.
	CutAfter int
	// EndAfter ends the body in good order after so many pieces. 0 = after all. It is for
	// Chunks: half a Body breaks its Content-Length and is a cut.
	EndAfter int
}

// Upstream answers as its script says and remembers what it was asked. Make one with New.
// It is safe for concurrent use if its script is.
type Upstream struct {
	script func(Request) Reply

	mu       sync.Mutex
	calls    map[string]int
	requests []Request
	bytes    int // sum of the bodies in requests
}

// New returns an upstream that answers every request with script's reply.
func New(script func(Request) Reply) *Upstream {
	return &Upstream{script: script, calls: map[string]int{}}
}

// Requests returns what was asked, oldest first: the last 1,024 requests, fewer when their
// bodies exceed 64 MiB together, but always the last one.
func (u *Upstream) Requests() []Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]Request(nil), u.requests...)
}

// Calls returns how many requests carried the credential key.
func (u *Upstream) Calls(key string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.calls[key]
}

// ServeHTTP reads the whole request, asks the script and sends its reply. A reply that
// does not end in good order panics with http.ErrAbortHandler.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away while sending
	}
	req := u.record(Request{
		Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery,
		Header: r.Header.Clone(), Body: body, Key: keyOf(r.Header),
	})
	send(w, r, u.script(req))
}

func (u *Upstream) record(req Request) Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls[req.Key]++
	req.N = u.calls[req.Key]
	u.requests = append(u.requests, req)
	u.bytes += len(req.Body)
	for len(u.requests) > maxRecorded || (u.bytes > maxRecordedBytes && len(u.requests) > 1) {
		u.bytes -= len(u.requests[0].Body)
		u.requests[0] = Request{} // the array outlives the slice that leaves it behind
		u.requests = u.requests[1:]
	}
	return req
}

func keyOf(h http.Header) string {
	if key, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer "); ok {
		return key
	}
	if key := h.Get("X-Api-Key"); key != "" {
		return key
	}
	return h.Get("X-Goog-Api-Key")
}

func send(w http.ResponseWriter, r *http.Request, reply Reply) {
	wait(r, reply.FirstDelay)
	misbehave(w, r, reply, 0)
	pieces := reply.pieces()
	writeHead(w, reply)
	for i, piece := range pieces {
		if i > 0 {
			wait(r, reply.ChunkDelay)
		}
		if _, err := w.Write(piece); err != nil {
			panic(http.ErrAbortHandler)
		}
		if len(pieces) > 1 || len(reply.Chunks) > 0 {
			flush(w)
		}
		misbehave(w, r, reply, i+1)
		if reply.EndAfter == i+1 {
			return
		}
	}
}

// pieces returns the units that the …After fields count. A body that nothing interrupts
// stays whole, so that it costs a single write.
func (r Reply) pieces() [][]byte {
	switch {
	case len(r.Chunks) > 0:
		return r.Chunks
	case len(r.Body) == 0:
		return nil
	case r.HangAfter+r.ResetAfter+r.CutAfter+r.EndAfter == 0:
		return [][]byte{r.Body}
	default:
		half := (len(r.Body) + 1) / 2
		return [][]byte{r.Body[:half], r.Body[half:]}
	}
}

func writeHead(w http.ResponseWriter, reply Reply) {
	for name, values := range reply.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
	if len(reply.Chunks) == 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(reply.Body)))
	}
	status := reply.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
}

// misbehave does what reply wants done after the given number of pieces, if anything.
func misbehave(w http.ResponseWriter, r *http.Request, reply Reply, pieces int) {
	switch {
	case reply.Hang && reply.HangAfter == pieces:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case reply.Reset && reply.ResetAfter == pieces:
		reset(w)
		panic(http.ErrAbortHandler)
	case reply.CutAfter > 0 && reply.CutAfter == pieces:
		panic(http.ErrAbortHandler)
	}
}

// reset makes the kernel send an RST: what closing a connection does that does not linger.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// flush pushes out what was written. A writer that cannot flush does not buffer either.
func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// wait pauses for d. It aborts the answer when the client goes.
func wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}
