package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// socketSetup says what a socketRig is made of. The zero value is a gateway whose credentials
// a, b and c are at an OpenAI upstream that takes WebSockets and answers everything well.
type socketSetup struct {
	setup

	say     func(fake.Frame) fake.Script // default sayTo
	refuse  func(*http.Request) int
	pings   time.Duration
	plainly bool // no credential says that its upstream takes WebSockets
}

// socketRig is a rig with networks inside the process: clients speak WebSocket to the gateway,
// and it to its upstream.
type socketRig struct {
	*rig
	sockets *fake.Sockets
	network *fake.Pipe // clients dial
}

// inSocketBubble runs f with a socketRig on the fake clock.
func inSocketBubble(t *testing.T, s socketSetup, f func(t *testing.T, r *socketRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(2 * time.Second) }) // last of all, the actor library's own timers run out
		f(t, startSockets(t, s))
	})
}

func startSockets(t *testing.T, s socketSetup) *socketRig {
	t.Helper()
	if s.say == nil {
		s.say = sayTo
	}
	if s.script == nil {
		s.script = answerTo
	}
	r := &socketRig{sockets: fake.NewSockets(s.say, s.script), network: fake.NewPipe()}
	r.sockets.Refuse, r.sockets.PingEvery = s.refuse, s.pings
	up := serveOn(t, fake.NewPipe(), r.sockets)
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return up.Dial() }}
	t.Cleanup(transport.CloseIdleConnections)
	adjust := s.adjust
	s.adjust = func(c *config.Config) {
		for i := range c.Providers {
			for j := range c.Providers[i].Credentials {
				c.Providers[i].Credentials[j].Websockets = !s.plainly
			}
		}
		if adjust != nil {
			adjust(c)
		}
	}
	s.bubble = true
	s.options = append(s.options, understudy.WithTransport(transport))
	r.rig = start(t, s.setup)
	r.rig.upstream = r.sockets.Upstream
	serveOn(t, r.network, r.gateway.Handler())
	return r
}

func serveOn(t *testing.T, p *fake.Pipe, h http.Handler) *fake.Pipe {
	server := &http.Server{Handler: h}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(p)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return p
}

// wsClient is a client's WebSocket. It takes in what comes, whether somebody waits for it or
// not: only so it sees pings.
type wsClient struct {
	*websocket.Conn
	t      *testing.T
	frames chan []byte
	err    error // why there are no more; read after frames is closed
}

func (c *wsClient) read() {
	defer close(c.frames)
	for {
		_, frame, err := c.ReadMessage()
		if err != nil {
			c.err = err
			return
		}
		c.frames <- frame
	}
}

// deaf as the first header makes a client that reads nothing by itself.
// mute is one that gives no sign of life.
const (
	deaf = "X-Deaf"
	mute = "X-Mute"
)

// dial opens a client's WebSocket. header holds names and values in turn.
func (r *socketRig) dial(header ...string) *wsClient {
	r.t.Helper()
	c, resp, err := r.tryDial(header...)
	require.NoError(r.t, err)
	require.Equal(r.t, http.StatusSwitchingProtocols, resp.StatusCode)
	return c
}

func (r *socketRig) tryDial(header ...string) (*wsClient, *http.Response, error) {
	h := http.Header{"Authorization": {"Bearer " + clientKey}}
	header = append(header, "X-Any", "thing")
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	dialer := websocket.Dialer{
		NetDialContext:    func(context.Context, string, string) (net.Conn, error) { return r.network.Dial() },
		EnableCompression: true, // as Codex
	}
	ws, resp, err := dialer.DialContext(r.t.Context(), "ws://gateway.test/v1/responses", h)
	if err != nil {
		return nil, resp, err
	}
	c := &wsClient{Conn: ws, t: r.t, frames: make(chan []byte, 10_000)}
	r.t.Cleanup(func() {
		_ = ws.Close()
		for range c.frames { // until it has ended
		}
	})
	if header[0] == mute {
		c.SetPingHandler(func(string) error { return nil })
	}
	if header[0] != deaf {
		go c.read()
	} else {
		close(c.frames)
	}
	return c, resp, nil
}

// say sends one frame.
func (c *wsClient) say(frame string) {
	c.t.Helper()
	require.NoError(c.t, c.WriteMessage(websocket.TextMessage, []byte(frame)))
}

// next returns the next frame.
func (c *wsClient) next() gjson.Result {
	c.t.Helper()
	frame, ok := <-c.frames
	if !ok {
		require.NoError(c.t, c.err)
	}
	require.True(c.t, gjson.ValidBytes(frame), "%s", frame)
	inspect(c.t, "frame", frame)
	return gjson.ParseBytes(frame)
}

// end returns the frame that ends an answer, and how many came before it.
func (c *wsClient) end() (last gjson.Result, before int) {
	c.t.Helper()
	for n := 0; ; n++ {
		frame := c.next()
		switch frame.Get("type").String() {
		case "response.completed", "response.incomplete", "response.failed", "response.done", "error":
			return frame, n
		}
	}
}

// ask sends a frame and returns the id of its answer, which must be a good one.
func (c *wsClient) ask(frame string) string {
	c.t.Helper()
	c.say(frame)
	last, _ := c.end()
	require.Equal(c.t, "response.completed", last.Get("type").String(), "%s", last.Raw)
	return last.Get("response.id").String()
}

// refused sends a frame and returns the error that it is answered with.
func (c *wsClient) refused(frame string) (status int64, code string) {
	c.t.Helper()
	c.say(frame)
	got := c.next()
	require.Equal(c.t, "error", got.Get("type").String(), "%s", got.Raw)
	return got.Get("status").Int(), got.Get("error.code").String()
}

// closed returns the code with which the gateway closes, and the frames before.
func (c *wsClient) closed() (code int, frames []gjson.Result) {
	c.t.Helper()
	for frame := range c.frames {
		frames = append(frames, gjson.ParseBytes(frame))
	}
	var closed *websocket.CloseError
	require.ErrorAs(c.t, c.err, &closed)
	return closed.Code, frames
}

// create returns the frame of a turn. rest is further members, each behind a comma.
func create(input, rest string) string {
	return `{"type":"response.create","model":"m","input":` + input + rest + `}`
}

// userSays returns an input of one message.
func userSays(text string) string {
	return `[{"type":"message","role":"user","content":"` + text + `"}]`
}

// after returns the member that continues an answer, of a client that stores nothing.
func after(id string) string { return `,"store":false,"previous_response_id":"` + id + `"` }

// sayTo answers each frame well, with an id that no other has.
func sayTo(f fake.Frame) fake.Script {
	return fake.Script{Frames: fake.SocketAnswer(fmt.Sprintf("resp_%s_%d_%d", idOf(f.Key), f.Conn, f.N), 3)}
}

// idOf returns the credential that a secret belongs to.
func idOf(key string) string { return strings.TrimPrefix(key, upstreamMark) }

// sent returns what the upstream was asked over WebSockets, as credential, connection and
// body, in order.
func (r *socketRig) sent() []string {
	var all []string
	for _, f := range r.sockets.Frames() {
		all = append(all, fmt.Sprintf("%s%d %s", idOf(f.Key), f.Conn, f.Body))
	}
	return all
}

func texts(input gjson.Result) string {
	var all []string
	for _, item := range input.Array() {
		text := item.Get("content")
		if text.IsArray() {
			text = text.Get("0.text")
		}
		all = append(all, item.Get("role").String()+":"+text.String())
	}
	return strings.Join(all, " ")
}

// lastBody returns what the upstream was asked last, over whichever way.
func (r *socketRig) lastBody() gjson.Result {
	r.t.Helper()
	if frames := r.sockets.Frames(); len(frames) > 0 {
		return gjson.ParseBytes(frames[len(frames)-1].Body)
	}
	requests := r.sockets.Requests()
	require.NotEmpty(r.t, requests)
	return gjson.ParseBytes(requests[len(requests)-1].Body)
}

// pipe dials the gateway.
func (r *socketRig) pipe(context.Context, string, string) (net.Conn, error) { return r.network.Dial() }

// closedOr1006 is closed for a client whose own message is still under way.
func (c *wsClient) closedOr1006() (code int, frames []gjson.Result) {
	c.t.Helper()
	for frame := range c.frames {
		frames = append(frames, gjson.ParseBytes(frame))
	}
	var closed *websocket.CloseError
	if errors.As(c.err, &closed) {
		return closed.Code, frames
	}
	return websocket.CloseAbnormalClosure, frames
}
