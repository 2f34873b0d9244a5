package socket

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

const (
	// slowAfter is how long a client may take nothing of what is sent.
	slowAfter = 30 * time.Second
	// slowGrace is how much longer it has for what is under way, so that it can be told.
	slowGrace = 10 * time.Second
	// messageTimeout bounds how long a client may take to send one message.
	messageTimeout = 5 * time.Minute
	// closeGrace is how long the other side may take to say goodbye.
	closeGrace = 2 * time.Second
)

// writeBufferBytes is up to where a message is sent in one piece from one buffer.
const writeBufferBytes = 4 << 10

// Upgrader makes connections of clients' requests. The zero value is ready; it is safe for
// concurrent use.
type Upgrader struct {
	// buffers are lent to connections while they write: most are idle.
	buffers sync.Pool
}

// IsUpgrade reports whether r asks for a WebSocket.
func IsUpgrade(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

// Upgrade answers r, whose origin has been checked, with header and the switch to WebSocket.
// Messages of more than limit bytes are not read. An error has been answered with nothing.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request, header http.Header, limit int64) (*Conn, error) {
	upgrader := websocket.Upgrader{
		CheckOrigin: func(*http.Request) bool { return true },
		Error:       func(http.ResponseWriter, *http.Request, int, error) {},
		// What clients compress is read. Nothing is compressed for them: events are small, and
		// without a common context there is little to win.
		EnableCompression: true,
		WriteBufferPool:   &u.buffers,
		WriteBufferSize:   writeBufferBytes,
	}
	ws, err := upgrader.Upgrade(w, r, header)
	if err != nil {
		return nil, err
	}
	ws.EnableWriteCompression(false)
	c := &Conn{ws: ws, limit: limit}
	c.hear()
	ws.SetPongHandler(func(string) error { c.hear(); return nil })
	answer := ws.PingHandler()
	ws.SetPingHandler(func(text string) error { c.hear(); return answer(text) })
	return c, nil
}

// Conn is one client's connection: whole text messages in and out. Read is for one goroutine,
// the rest for any.
type Conn struct {
	ws      *websocket.Conn
	limit   int64
	heardAt atomic.Int64
	writing sync.Mutex
	closing atomic.Bool
}

func (c *Conn) hear() { c.heardAt.Store(time.Now().UnixNano()) }

// HeardAt is when something came from the client last.
func (c *Conn) HeardAt() time.Time { return time.Unix(0, c.heardAt.Load()) }

// Read returns the next message. After an error there is none.
func (c *Conn) Read() ([]byte, error) {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return nil, err
	}
	c.hear()
	if kind != websocket.TextMessage {
		return nil, ErrNotText
	}
	if !c.closing.Load() {
		_ = c.ws.SetReadDeadline(time.Now().Add(messageTimeout))
	}
	text, err := io.ReadAll(&hearing{c, io.LimitReader(r, c.limit+1)})
	switch {
	case err != nil:
		return nil, err
	case int64(len(text)) > c.limit:
		return nil, ErrTooBig
	case !utf8.Valid(text):
		return nil, ErrNotText
	}
	if !c.closing.Load() {
		_ = c.ws.SetReadDeadline(time.Time{})
	}
	return text, nil
}

// hearing takes every piece of a long message for a sign of life.
type hearing struct {
	conn *Conn
	r    io.Reader
}

func (h *hearing) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.conn.hear()
	return n, err
}

// Write sends a message. It waits for others that are being sent, and for a slow client, but
// not for ever: that one is closed with 1013.
func (c *Conn) Write(text []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closing.Load() {
		return ErrClosed
	}
	began := time.Now()
	_ = c.ws.SetWriteDeadline(began.Add(slowAfter + slowGrace))
	err := c.ws.WriteMessage(websocket.TextMessage, text)
	if time.Since(began) >= slowAfter {
		c.Close(CloseTryAgainSoon, ErrSlow.Error())
		return ErrSlow
	}
	return err
}

// Ping asks the client for a sign of life. It does not wait.
func (c *Conn) Ping() {
	go func() { _ = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(slowAfter)) }()
}

// Close says goodbye and makes Read end, at the latest after a moment. It does not wait for a
// message that is stuck. Further calls do nothing.
func (c *Conn) Close(code int, reason string) {
	if c.closing.Swap(true) {
		return
	}
	go func() {
		deadline := time.Now().Add(closeGrace)
		_ = c.ws.SetReadDeadline(deadline)
		_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), deadline)
	}()
}

// Release frees the connection. It is called once nobody reads any more.
func (c *Conn) Release() {
	c.closing.Store(true)
	_ = c.ws.Close()
}
