package socket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/gorilla/websocket"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/internal/sse"
)

// ErrDead means that a kept link was found dead before anything of an answer came: the same
// may be asked again over another one.
var ErrDead = errors.New("the connection was closed")

// frameBacklog is how many frames of an upstream may wait to be read.
const frameBacklog = 16

// Link is a kept connection to an upstream, which answers one request after the other. It is
// for one request at a time; Close is for anybody.
type Link struct {
	ws      *websocket.Conn
	frames  chan []byte   // closed when the upstream says no more
	gone    chan struct{} // closed by Close
	once    sync.Once
	err     error  // why it says no more; read after frames is closed
	used    bool   // it has been asked something
	last    string // the answer that it remembers best: the last one, if it was good
	release atomic.Pointer[func() bool]
}

func newLink(ws *websocket.Conn) *Link {
	l := &Link{ws: ws, frames: make(chan []byte, frameBacklog), gone: make(chan struct{})}
	ws.SetReadLimit(sse.MaxEventBytes)
	go l.read()
	return l
}

// CloseWith closes the link when ctx ends.
func (l *Link) CloseWith(ctx context.Context) {
	stop := context.AfterFunc(ctx, l.Close)
	l.release.Store(&stop)
}

// Last is the id of the answer that the upstream remembers even if it stores none; empty =
// none.
func (l *Link) Last() string { return l.last }

// Close ends the link. Further calls do nothing.
func (l *Link) Close() {
	l.once.Do(func() {
		close(l.gone)
		_ = l.ws.Close()
		if stop := l.release.Load(); stop != nil {
			(*stop)()
		}
	})
}

// read takes frames in, and answers pings while nobody asks anything.
func (l *Link) read() {
	defer close(l.frames)
	defer l.ws.Close()
	for {
		_, frame, err := l.ws.ReadMessage()
		if err != nil {
			l.err = err
			return
		}
		select {
		case l.frames <- frame:
		case <-l.gone:
			l.err = ErrClosed
			return
		}
	}
}

// Exchange asks for what body, that of a request over HTTP, says. The answer is what the same
// upstream would have answered over HTTP: an event stream, or an error. idle is called when
// its body is closed and the link can be asked again; else the link is closed by then. The
// error is ErrDead, one of the connection, or the cause of ctx; the link is closed.
func (l *Link) Exchange(ctx context.Context, body []byte, idle func()) (*http.Response, error) {
	reused := l.used
	l.used = true
	if !l.drop() {
		l.Close()
		return nil, died(reused, l.err) // whatever it was closed for, it was not this
	}
	s := &stream{link: l, ctx: ctx, idle: idle}
	frame, err := s.first(createFrame(body))
	if err != nil {
		l.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, died(reused, err)
	}
	if reused && isLifeOver(frame) {
		l.Close()
		return nil, ErrDead
	}
	if resp := s.refusal(frame); resp != nil {
		return resp, nil
	}
	s.take(frame)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}},
		ContentLength: -1, Body: s,
	}, nil
}

// first sends a frame and waits for the first that comes back.
func (s *stream) first(ask []byte) ([]byte, error) {
	stop := context.AfterFunc(s.ctx, s.link.Close) // an upstream may be slow to take it
	err := s.link.ws.WriteMessage(websocket.TextMessage, ask)
	stop()
	frame, readErr := s.next() // which may say why it could not be sent
	if err != nil && readErr != nil {
		return nil, err
	}
	return frame, readErr
}

// drop forgets what came while nobody had asked, and reports whether more can come.
func (l *Link) drop() bool {
	for {
		select {
		case _, ok := <-l.frames:
			if !ok {
				return false
			}
		default:
			return true
		}
	}
}

func died(reused bool, err error) error {
	if reused {
		return errors.Join(ErrDead, err)
	}
	return err
}

// isLifeOver reports whether a frame says that the connection is too old.
func isLifeOver(frame []byte) bool {
	return bytes.Contains(frame, []byte("websocket_connection_limit_reached")) &&
		gjson.GetBytes(frame, "error.code").String() == "websocket_connection_limit_reached"
}

// stream is an answer as an event stream. Its methods are for one goroutine.
type stream struct {
	link   *Link
	ctx    context.Context
	idle   func()
	events []byte // the last frame as an event, as far as it has not been read
	buffer []byte // what events lies in
	over   bool   // the answer has ended
	spent  bool   // and nothing more is to be asked over the link
	closed bool
}

// next waits for a frame. The end that an upstream puts to a connection because of what it was
// sent is a frame like any other.
func (s *stream) next() ([]byte, error) {
	select {
	case frame, ok := <-s.link.frames:
		if ok {
			return frame, nil
		}
		if frame := faultFrame(closeOf(s.link.err)); frame != nil {
			s.spent = true
			return frame, nil
		}
		if errors.Is(s.link.err, io.EOF) {
			return nil, io.ErrUnexpectedEOF // the end of a connection, which is none of an answer
		}
		return nil, s.link.err
	case <-s.ctx.Done():
		return nil, context.Cause(s.ctx)
	case <-s.link.gone:
		return nil, ErrClosed
	}
}

// take makes an event of a frame.
func (s *stream) take(frame []byte) {
	kind := gjson.GetBytes(frame, "type").String()
	switch kind {
	case "response.completed", "response.incomplete", "response.done":
		s.over, s.link.last = true, gjson.GetBytes(frame, "response.id").String()
	case "response.failed", "error":
		s.over, s.link.last = true, ""
	}
	if !isName(kind) {
		kind = ""
	}
	s.buffer = sse.Append(s.buffer[:0], kind, frame)
	s.events = s.buffer
}

// isName reports whether a type can be an event's name.
func isName(kind string) bool {
	for i := range len(kind) {
		if c := kind[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Read is part of io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	for len(s.events) == 0 {
		if s.over {
			return 0, io.EOF
		}
		frame, err := s.next()
		if err != nil {
			return 0, err
		}
		s.take(frame)
	}
	n := copy(p, s.events)
	s.events = s.events[n:]
	return n, nil
}

// Close gives the link back, or closes it if the answer has not come to its end: what is left
// of it could be taken for that of the next request.
func (s *stream) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.over && !s.spent {
		s.idle()
	} else {
		s.link.Close()
	}
	return nil
}
