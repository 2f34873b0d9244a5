package fake

import (
	"bytes"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Frame is what the upstream was sent over a WebSocket.
type Frame struct {
	Conn   int // counts the connections, from 1
	N      int // counts the frames of this one, from 1
	Key    string
	Header http.Header // of the upgrade
	Body   []byte
}

// CutOff as a Script's Close ends the connection without a goodbye.
const CutOff = -1

// Script says what a frame is answered with.
type Script struct {
	Frames [][]byte
	Delay  time.Duration // before each of them
	// Close ends the connection, with this code or CutOff, after the first CloseAfter frames,
	// or after all if there are not so many, and CloseDelay. 0 = it stays open.
	Close      int
	CloseAfter int
	CloseDelay time.Duration
	Reason     string // of the close
	// Hang sends nothing more after the frames, and reads nothing, until the client goes.
	Hang bool
}

// Sockets is an upstream that takes WebSockets too: what comes over HTTP goes to its Upstream.
// Make one with NewSockets.
type Sockets struct {
	*Upstream
	// Refuse, if set, says with which status an upgrade is refused; 0 = it is not.
	Refuse func(*http.Request) int
	// PingEvery is how often clients are asked for a sign of life; 0 = never. Set it first.
	PingEvery time.Duration

	// ForgetBodies leaves what was asked out of Frames.
	ForgetBodies bool

	script func(Frame) Script
	mu     sync.Mutex
	conns  int
	open   int
	pongs  int
	frames []Frame
}

// NewSockets returns an upstream whose frames are answered as script says, and its requests
// over HTTP as plain says.
func NewSockets(script func(Frame) Script, plain func(Request) Reply) *Sockets {
	return &Sockets{Upstream: New(plain), script: script}
}

// Frames returns what was asked over WebSockets, oldest first.
func (s *Sockets) Frames() []Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Frame(nil), s.frames...)
}

// Conns returns how many WebSockets have been opened, and how many are open.
func (s *Sockets) Conns() (opened, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns, s.open
}

// Pongs returns how many signs of life clients have given when asked.
func (s *Sockets) Pongs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pongs
}

// ServeHTTP takes a WebSocket, or hands the request on.
func (s *Sockets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		s.Upstream.ServeHTTP(w, r)
		return
	}
	if s.Refuse != nil {
		if status := s.Refuse(r); status != 0 {
			send(w, r, Error(responses, status))
			return
		}
	}
	ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	s.serve(r, ws)
}

func (s *Sockets) serve(r *http.Request, ws *websocket.Conn) {
	key, h := keyOf(r.Header), r.Header.Clone()
	s.mu.Lock()
	s.conns++
	s.open++
	conn := s.conns
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.open--
		s.mu.Unlock()
	}()
	ws.SetPongHandler(func(string) error {
		s.mu.Lock()
		s.pongs++
		s.mu.Unlock()
		return nil
	})
	defer s.ping(ws)()
	for n := 1; ; n++ {
		_, body, err := ws.ReadMessage()
		if err != nil {
			return
		}
		frame := Frame{Conn: conn, N: n, Key: key, Header: h, Body: body}
		s.note(frame)
		if !say(r, ws, s.script(frame)) {
			return
		}
	}
}

func (s *Sockets) note(f Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ForgetBodies {
		f.Body = nil
	}
	s.frames = append(s.frames, f)
}

// ping asks for signs of life until the returned function is called.
func (s *Sockets) ping(ws *websocket.Conn) (stop func()) {
	if s.PingEvery == 0 {
		return func() {}
	}
	var next *time.Timer
	var mu sync.Mutex
	mu.Lock()
	defer mu.Unlock()
	next = time.AfterFunc(s.PingEvery, func() {
		mu.Lock()
		defer mu.Unlock()
		if ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) == nil {
			next.Reset(s.PingEvery)
		}
	})
	return func() {
		_ = ws.Close()
		mu.Lock()
		defer mu.Unlock()
		next.Stop()
	}
}

// say answers one frame and reports whether the connection stays open.
func say(r *http.Request, ws *websocket.Conn, script Script) bool {
	for i, frame := range script.Frames {
		if script.Close != 0 && i == script.CloseAfter {
			break
		}
		wait(r, script.Delay)
		if ws.WriteMessage(websocket.TextMessage, frame) != nil {
			return false
		}
	}
	if script.Hang {
		_, _, err := ws.ReadMessage()
		return err == nil
	}
	if script.Close == 0 {
		return true
	}
	wait(r, script.CloseDelay)
	if script.Close != CutOff {
		_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(script.Close, script.Reason), time.Now().Add(time.Second))
	}
	return false
}

// SocketAnswer returns a good answer with an id of so many words, as frames.
func SocketAnswer(id string, words int) [][]byte {
	return AsFrames(Answer(responses, true, words), id)
}

// AsFrames returns a streamed Responses answer as frames, with id in place of its own.
func AsFrames(reply Reply, id string) [][]byte {
	var frames [][]byte
	for _, chunk := range reply.Chunks {
		_, data, _ := bytes.Cut(chunk, []byte("\ndata: "))
		frames = append(frames, bytes.ReplaceAll(bytes.TrimSpace(data), []byte("resp_fake"), []byte(id)))
	}
	return frames
}

// Pipe is a network of one address, inside the process: what is dialled is accepted. Make one
// with NewPipe.
type Pipe struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewPipe returns a network that nobody has dialled yet.
func NewPipe() *Pipe { return &Pipe{conns: make(chan net.Conn), closed: make(chan struct{})} }

// Dial connects to whoever accepts.
func (p *Pipe) Dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Accept is part of net.Listener.
func (p *Pipe) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close is part of net.Listener.
func (p *Pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr is part of net.Listener.
func (p *Pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
