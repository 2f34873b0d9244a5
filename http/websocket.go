package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/socket"
	"github.com/understudyhq/understudy/providers"
)

// Sockets is what the data plane needs for clients' WebSockets of *actors.System.
type Sockets interface {
	// OpenSocket makes the actor that decides what of a line runs when.
	OpenSocket(ctx context.Context, line actors.SocketLine, turnBytes int) (*actors.Socket, error)
	// Linkable reports whether the upstream of a credential may be asked for a WebSocket.
	Linkable(context.Context, providers.CredentialID) bool
	// LinkRefused says that it does not speak it.
	LinkRefused(providers.CredentialID)
}

// maxRefusals is how many refusals of one client may wait to be told: one that takes none
// is not worth more.
const maxRefusals = 64

// line is a client's WebSocket. Each thing asked for over it becomes a request that the server
// serves as if it had come over HTTP.
type line struct {
	server *Server
	conn   *socket.Conn
	actor  *actors.Socket
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	id     string        // the upgrade's request id; those of its turns begin with it
	key    string        // names the connection, and no other
	from   *http.Request // what turns have in common; without context and body
	openAt time.Time
	code   atomic.Int32 // with which the gateway has closed it; 0 = it has not

	turns    uint64 // so far
	refusals atomic.Int32

	mu    sync.Mutex
	lanes map[string]*laneState
}

// laneState is what a lane's next request may go on from. It is for the turn that runs.
type laneState struct {
	settings []byte // of its last request
	answer   string // its last good answer; empty = none
}

// openSocket takes a client's WebSocket.
func (s *Server) openSocket(in *inbound) error {
	if s.sockets == nil || !socket.IsUpgrade(in.r) {
		return s.refuseWebSocket(in)
	}
	if origin := in.r.Header.Get("Origin"); !isLocalOrigin(origin) && !isHost(origin, in.r.Host) {
		return fault.OriginNotAllowed()
	}
	l := &line{server: s, id: in.id, key: requestID(nil), from: turnRequest(in.r), openAt: time.Now(), lanes: map[string]*laneState{}}
	h := http.Header{}
	in.stamp(h)
	conn, err := s.upgrader.Upgrade(in.w, in.r, h, in.settings.maxBodyBytes)
	if err != nil {
		if in.w.Committed {
			in.gone = true
			return fault.ErrClientGone
		}
		return fault.BadRequest("invalid_upgrade", "The request to switch to WebSocket is not valid.", err)
	}
	in.w.Status = http.StatusSwitchingProtocols
	l.conn = conn
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(in.r.Context()))
	if l.actor, err = s.sockets.OpenSocket(in.ctx, l, int(in.settings.maxBodyBytes)); err != nil {
		l.Close(actors.SocketEnd("failed"))
		conn.Release()
		in.err = err
		return nil
	}
	if !s.gate.plug(l) {
		l.actor.Leave()
	}
	go l.read()
	return nil
}

// isHost reports whether an origin is the very host that was asked.
func isHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// turnRequest returns what the requests of a socket have in common: the upgrade as a request
// without what was about the connection, or about one request only.
func turnRequest(r *http.Request) *http.Request {
	h := make(http.Header, len(r.Header)+2)
	named := r.Header["Connection"]
	for name, values := range r.Header {
		if !isHopByHop(name) && !isNamed(named, name) && !strings.HasPrefix(name, "Sec-Websocket-") && name != turnState {
			h[name] = values
		}
	}
	h["Content-Type"] = []string{"application/json"}
	h["Accept"] = []string{"text/event-stream"}
	u := *r.URL
	return &http.Request{
		Method: http.MethodPost, URL: &u, Host: r.Host, RemoteAddr: r.RemoteAddr, TLS: r.TLS, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// read takes the client's frames until there are no more.
func (l *line) read() {
	var err error
	for err == nil {
		err = l.next()
	}
	l.cancel()
	l.actor.Gone()
	l.conn.Release()
	l.server.gate.unplug(l)
	code := int(l.code.Load())
	if code == 0 {
		code = socket.CloseCode(err)
	}
	l.server.logger.LogAttrs(context.Background(), slog.LevelInfo, "socket closed",
		slog.String("request_id", l.id), slog.Int("status", code), slog.Duration("duration", time.Since(l.openAt)))
}

// next takes one frame. An error means that the line is over.
func (l *line) next() error {
	frame, err := l.conn.Read()
	switch {
	case errors.Is(err, socket.ErrTooBig):
		_ = l.conn.Write(socket.ErrorFrame(fault.TooLarge(l.server.settings.Load().maxBodyBytes), ""))
		l.close(socket.CloseTooBig, "message too big")
	case errors.Is(err, socket.ErrNotText):
		l.close(socket.CloseInvalidText, "text is expected")
	}
	if err != nil {
		l.drain(err)
		return err
	}
	r, err := socket.ParseRequest(frame)
	if err != nil {
		return l.conn.Write(socket.ErrorFrame(err, r.Lane))
	}
	l.turns++
	l.actor.Ask(&turn{line: l, asked: r, number: l.turns})
	return nil
}

// drain reads on after a fault of the client's, so that what it was told about it arrives.
func (l *line) drain(err error) {
	if !errors.Is(err, socket.ErrTooBig) && !errors.Is(err, socket.ErrNotText) {
		return
	}
	for err != nil && (errors.Is(err, socket.ErrTooBig) || errors.Is(err, socket.ErrNotText)) {
		_, err = l.conn.Read()
	}
}

// HeardAt is part of actors.SocketLine.
func (l *line) HeardAt() time.Time { return l.conn.HeardAt() }

// Ping is part of actors.SocketLine.
func (l *line) Ping() { l.conn.Ping() }

// Close is part of actors.SocketLine.
func (l *line) Close(why actors.SocketEnd) {
	switch why {
	case "expired":
		go func() { // nothing runs any more that could be waited for
			_ = l.conn.Write(socket.ErrorFrame(refusalOf(actors.SocketRefusal(why)), ""))
			l.close(socket.CloseNormal, "the connection's life is over")
		}()
	case "leaving":
		l.close(socket.CloseGoingAway, "the gateway is shutting down")
	case "silent":
		l.close(socket.CloseGoingAway, "no sign of life")
	default:
		l.close(socket.CloseInternal, "the gateway failed")
	}
}

// close says goodbye; what runs for the client ends.
func (l *line) close(code int, reason string) {
	l.code.CompareAndSwap(0, int32(code))
	l.conn.Close(code, reason)
	l.cancel()
}

// lane returns the state of one of the line's lanes.
func (l *line) lane(name string) *laneState {
	l.mu.Lock()
	defer l.mu.Unlock()
	state := l.lanes[name]
	if state == nil {
		state = &laneState{}
		l.lanes[name] = state
	}
	return state
}

// refusalOf returns what a client is told about a turn that is not served.
func refusalOf(why actors.SocketRefusal) *fault.Error {
	limit := func(message string) *fault.Error {
		return &fault.Error{Status: http.StatusTooManyRequests, Code: "websocket_stream_limit_reached", Message: message}
	}
	switch why {
	case "lanes":
		return limit("This connection has as many named streams as it may have: 32. Use one of them, or another connection.")
	case "turns":
		return limit("This connection has as many responses in flight as it may have: 16.")
	case "bytes":
		return limit("The requests that wait on this connection are too large together.")
	case "expired":
		return fault.BadRequest("websocket_connection_limit_reached",
			"This connection has reached its limit of 60 minutes. Open a new one to continue.", nil)
	default:
		return fault.ShuttingDown()
	}
}

// requestIDOf names one turn of a line.
func (l *line) requestIDOf(number uint64) string {
	id := l.id + "." + strconv.FormatUint(number, 10)
	if !isSaneID(id) {
		return id[len(id)-maxRequestIDBytes:]
	}
	return id
}
