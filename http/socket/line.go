package socket

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
)

// maxRefusals is how many refusals of one client may wait to be told: one that takes none
// is not worth more.
const maxRefusals = 64

// Line is a client's WebSocket. Each thing asked for over it becomes a request, which its
// server serves as if it had come over HTTP. Make one with NewLine; it is an
// actors.SocketLine.
type Line struct {
	// Key names the line, and no other.
	Key string

	conn     *Conn
	id       string        // of the upgrade; those of its turns begin with it
	common   *http.Request // what turns have in common; without context and body
	serve    func(*Turn, *http.Request)
	actor    *actors.Socket
	ctx      context.Context // ends with the connection
	cancel   context.CancelFunc
	code     atomic.Int32 // with which the gateway has closed it; 0 = it has not
	turns    uint64       // so far
	refusals atomic.Int32

	mu    sync.Mutex
	lanes map[string]*lane
}

// lane is what a lane's next request may go on from. It is for the turn that runs.
type lane struct {
	settings []byte // of its last request that was answered well
	answer   string // the id of that answer; empty = there is none
}

// NewLine returns the line of a connection whose upgrade had the request id. common is what its
// requests have in common, and serve serves one of them.
func NewLine(conn *Conn, key, id string, common *http.Request, serve func(*Turn, *http.Request)) *Line {
	l := &Line{Key: key, conn: conn, id: id, common: common, serve: serve, lanes: map[string]*lane{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Run takes the client's frames until there are no more, under the rule of actor. It returns
// the code with which the connection was closed, by whichever side.
func (l *Line) Run(actor *actors.Socket) (code int) {
	l.actor = actor
	var err error
	for err == nil {
		err = l.next()
	}
	l.cancel()
	actor.Gone()
	l.conn.Release()
	if code = int(l.code.Load()); code == 0 {
		code = closeOf(err).Code
	}
	return code
}

// Release frees a line that was never run.
func (l *Line) Release() {
	l.cancel()
	l.conn.Release()
}

// next takes one frame. An error means that the line is over.
func (l *Line) next() error {
	frame, err := l.conn.Read()
	switch {
	case errors.Is(err, ErrTooBig):
		_ = l.conn.Write(ErrorFrame(fault.TooLarge(l.conn.limit), ""))
		l.close(CloseTooBig, "message too big")
		return l.drain()
	case errors.Is(err, ErrNotText):
		l.close(CloseInvalidText, "text is expected")
		return l.drain()
	case err != nil:
		return err
	}
	r, err := ParseRequest(frame)
	if err != nil {
		return l.conn.Write(ErrorFrame(err, r.Lane))
	}
	l.turns++
	l.actor.Ask(&Turn{line: l, asked: r, number: l.turns})
	return nil
}

// drain reads on after a fault of the client's, so that what it was told about it arrives.
func (l *Line) drain() error {
	for {
		if _, err := l.conn.Read(); err != nil && !errors.Is(err, ErrTooBig) && !errors.Is(err, ErrNotText) {
			return err
		}
	}
}

// HeardAt is part of actors.SocketLine.
func (l *Line) HeardAt() time.Time { return l.conn.HeardAt() }

// Ping is part of actors.SocketLine.
func (l *Line) Ping() { l.conn.Ping() }

// Close is part of actors.SocketLine.
func (l *Line) Close(why actors.SocketEnd) {
	switch why {
	case actors.SocketExpired:
		go func() { // nothing runs any more that could be waited for
			_ = l.conn.Write(ErrorFrame(refusalOf(actors.SocketRefusal(why)), ""))
			l.close(CloseNormal, "the connection's life is over")
		}()
	case actors.SocketLeaving:
		l.close(CloseGoingAway, "the gateway is shutting down")
	case actors.SocketSilent:
		l.close(CloseGoingAway, "no sign of life")
	default:
		l.close(CloseInternal, "the gateway failed")
	}
}

// close says goodbye; what runs for the client ends.
func (l *Line) close(code int32, reason string) {
	l.code.CompareAndSwap(0, code)
	l.conn.Close(int(code), reason)
	l.cancel()
}

// lane returns what the line knows of one of its lanes.
func (l *Line) lane(name string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.lanes[name]
	if known == nil {
		known = &lane{}
		l.lanes[name] = known
	}
	return known
}

// refusalOf returns what a client is told about a turn that is not served.
func refusalOf(why actors.SocketRefusal) *fault.Error {
	limit := func(message string) *fault.Error {
		return &fault.Error{Status: http.StatusTooManyRequests, Code: "websocket_stream_limit_reached", Message: message}
	}
	switch why {
	case actors.SocketRefusedLane:
		return limit("This connection has as many named streams as it may have: 32. Use one of them, or another connection.")
	case actors.SocketRefusedTurn:
		return limit("This connection has as many responses in flight as it may have: 16.")
	case actors.SocketRefusedBytes:
		return limit("The requests that wait on this connection are too large together.")
	case actors.SocketRefusal(actors.SocketExpired):
		return fault.BadRequest("websocket_connection_limit_reached",
			"This connection has reached its limit of 60 minutes. Open a new one to continue.", nil)
	default:
		return fault.ShuttingDown()
	}
}
