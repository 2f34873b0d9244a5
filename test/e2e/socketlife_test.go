package e2e

import (
	"bytes"
	"compress/flate"
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

func TestSockets_LiveForAnHour(t *testing.T) {
	inSocketBubble(t, socketSetup{}, func(t *testing.T, r *socketRig) {
		c, began := r.dial(), time.Now()
		code, frames := c.closed()
		require.Equal(t, websocket.CloseNormalClosure, code)
		require.Len(t, frames, 1)
		require.Equal(t, "websocket_connection_limit_reached", frames[0].Get("error.code").String())
		require.Equal(t, time.Hour, time.Since(began))
	})
	slow := func(f fake.Frame) fake.Script {
		script := sayTo(f)
		script.Delay = time.Minute
		return script
	}
	inSocketBubble(t, socketSetup{say: slow}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		time.Sleep(time.Hour - time.Second)
		c.say(create(`"hi"`, ``))
		last, _ := c.end()
		require.Equal(t, "response.completed", last.Get("type").String(), "what runs may end")
		code, frames := c.closed()
		require.Equal(t, websocket.CloseNormalClosure, code)
		require.Len(t, frames, 1)
	})
}

// WS18: the client reads nothing, and then all of it.
func TestSockets_CloseClientsThatReadTooSlowly(t *testing.T) {
	say := func(f fake.Frame) fake.Script { // payload at once: nothing is held back, with a timer that waits for a lock
		return fake.Script{Frames: fake.SocketAnswer("resp_1", 5)[2:]}
	}
	inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
		c := r.dial(deaf, "1")
		c.say(create(`"hi"`, ``))
		time.Sleep(35 * time.Second)
		var err error
		for err == nil {
			_, _, err = c.ReadMessage()
		}
		require.True(t, websocket.IsCloseError(err, websocket.CloseTryAgainLater), "%v", err)
		r.settle()
		records, err := r.gateway.Records(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, 499, records[0].Status)
	})
	inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
		c := r.dial(deaf, "1")
		c.say(create(`"hi"`, ``))
		time.Sleep(time.Minute) // it never reads: the gateway does not wait for ever
		_, open := r.sockets.Conns()
		require.Zero(t, open)
	})
}

func TestSockets_LeaveWithTheGateway(t *testing.T) {
	slow := func(f fake.Frame) fake.Script {
		script := sayTo(f)
		script.Delay = time.Second
		return script
	}
	inSocketBubble(t, socketSetup{say: slow}, func(t *testing.T, r *socketRig) {
		idle, busy := r.dial(), r.dial()
		busy.say(create(`"hi"`, ``))
		busy.next()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		ended := make(chan error)
		go func() { ended <- r.gateway.Shutdown(ctx) }()
		code, frames := idle.closed()
		require.Equal(t, websocket.CloseGoingAway, code)
		require.Empty(t, frames)
		busy.say(create(`"hi"`, ``))
		require.Equal(t, "shutting_down", busy.until("error").Get("error.code").String())
		last, _ := busy.end()
		require.Equal(t, "response.completed", last.Get("type").String())
		code, _ = busy.closed()
		require.Equal(t, websocket.CloseGoingAway, code)
		require.NoError(t, <-ended)
	})
	hang := func(fake.Frame) fake.Script {
		return fake.Script{Frames: fake.SocketAnswer("resp_1", 9)[:6], Hang: true}
	}
	inSocketBubble(t, socketSetup{say: hang}, func(t *testing.T, r *socketRig) {
		c := r.dial()
		c.say(create(`"hi"`, ``))
		c.until("response.output_text.delta")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		require.Error(t, r.gateway.Shutdown(ctx))
		last, _ := c.end()
		require.Equal(t, "response.failed", last.Get("type").String())
		require.Equal(t, "shutting_down", last.Get("response.error.code").String())
		code, _ := c.closed()
		require.Equal(t, websocket.CloseGoingAway, code)
	})
}

// until returns the next frame of a type.
func (c *wsClient) until(kind string) (frame gjson.Result) {
	c.t.Helper()
	for frame.Get("type").String() != kind {
		frame = c.next()
	}
	return frame
}

func TestSockets_TakeNoMessageThatIsTooBig(t *testing.T) {
	limit := func(c *config.Config) { c.MaxBodyBytes = 100_000 }
	inSocketBubble(t, socketSetup{setup: setup{adjust: limit}}, func(t *testing.T, r *socketRig) {
		for _, compressed := range []bool{false, true} {
			c := r.dial()
			c.EnableWriteCompression(compressed)
			require.NoError(t, c.SetCompressionLevel(flate.BestCompression))
			_ = c.WriteMessage(websocket.TextMessage, bytes.Repeat([]byte(" "), 50_000_000)) // a small one on the wire
			code, frames := c.closedOr1006()
			require.Contains(t, []int{websocket.CloseMessageTooBig, websocket.CloseAbnormalClosure}, code)
			if compressed {
				require.Equal(t, websocket.CloseMessageTooBig, code)
				require.Equal(t, "request_too_large", frames[0].Get("error.code").String())
			}
		}
		c := r.dial()
		c.EnableWriteCompression(true)
		c.ask(create(`"`+strings.Repeat("x", 90_000)+`"`, ``))
		require.Len(t, r.lastBody().Get("input").String(), 90_000)
	})
}

func TestSockets_TakeOnlyText(t *testing.T) {
	inSocketBubble(t, socketSetup{}, func(t *testing.T, r *socketRig) {
		for _, kind := range []int{websocket.BinaryMessage, websocket.TextMessage} {
			c := r.dial()
			require.NoError(t, c.WriteMessage(kind, []byte("{\"type\":\"\xff\"}")))
			code, _ := c.closed()
			require.Equal(t, websocket.CloseInvalidFramePayloadData, code)
		}
	})
}

func TestSockets_CloseClientsThatGiveNoSignOfLife(t *testing.T) {
	inSocketBubble(t, socketSetup{}, func(t *testing.T, r *socketRig) {
		c := r.dial(mute, "1")
		began := time.Now()
		code, _ := c.closed()
		require.Equal(t, websocket.CloseGoingAway, code)
		require.Equal(t, 15*time.Minute, time.Since(began))
	})
}

// Nothing of clients that vanish is left. The bubble fails if a goroutine is.
func TestSockets_LeaveNothingOfClientsThatVanish(t *testing.T) {
	inSocketBubble(t, socketSetup{}, func(t *testing.T, r *socketRig) {
		for n := range 1000 {
			c := r.dial()
			switch n % 4 {
			case 0:
				c.say(create(`"hi"`, ``))
			case 1:
				c.ask(create(`"hi"`, ``))
			case 2:
				_, _ = c.NetConn().Write([]byte{0x81, 0xfe, 0xff}) // half a frame
			}
			require.NoError(t, c.NetConn().Close())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		_, open := r.sockets.Conns()
		require.Zero(t, open)
	})
}

func TestSockets_AreNotForRequestsThatOnlyLookLikeOne(t *testing.T) {
	inSocketBubble(t, socketSetup{}, func(t *testing.T, r *socketRig) {
		transport := &http.Transport{DialContext: r.pipe}
		defer transport.CloseIdleConnections()
		req := r.request(http.MethodGet, "/v1/responses", "", "Connection", "Upgrade", "Upgrade", "websocket")
		resp, err := transport.RoundTrip(req)
		require.NoError(t, err)
		got := read(t, resp)
		require.Equal(t, http.StatusBadRequest, got.status)
		require.Contains(t, string(got.body), "invalid_upgrade")
	})
}
