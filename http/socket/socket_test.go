package socket

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"go.uber.org/goleak"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/internal/fake"
	"github.com/understudyhq/understudy/internal/sse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseRequest_MakesABodyForHTTP(t *testing.T) {
	t.Parallel()
	r, err := ParseRequest([]byte(` { "type" : "response.create", "stream_id":"a\u0062", "model":"m","x":{"type":1, "y":[ ]},"generate":false,"stream":false,"input":"h\"i" } `))
	require.NoError(t, err)
	require.Equal(t, Request{
		Kind: Create, Lane: "ab", Prewarm: true, Body: []byte(`{"model":"m","x":{"type":1, "y":[ ]},"input":"h\"i","stream":true}`),
	}, r)
	r, err = ParseRequest([]byte(`{"type":"response.create"}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"stream":true}`, string(r.Body))
}

func TestAnswer_BecomesFrames(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status      int
		contentType string
		body, want  string
		response    string
	}{
		"a stream": {
			200, "text/event-stream", "event: response.created\ndata: {\"type\":\"response.created\"}\n\n: sign\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\"}}\n\ndata: [DONE]\n\n",
			`{"type":"response.created"} {"type":"response.completed","response":{"id":"r"}}`, "r",
		},
		"an error before it": {
			429, "application/json", `{"error":{"message":"x","code":"c"}}`,
			`{"type":"error","status":429,"error":{"message":"x","code":"c"},"headers":{"retry-after":"7"}}`, "",
		},
		"an error that is a web page": {
			502, "text/html", `<html>`,
			`{"type":"error","status":502,"error":{"message":"The upstream answers with status 502.","type":"server_error","code":"upstream_error","param":null},"headers":{"retry-after":"7"}}`, "",
		},
		"an error in it": {
			200, "text/event-stream", "event: error\ndata: {\"type\":\"error\",\"code\":\"c\",\"message\":\"x\"}\n\n",
			`{"type":"error","status":500,"error":{"type":"error","code":"c","message":"x"}}`, "",
		},
		"a stream without an end": {
			200, "text/event-stream", "data: {\"type\":\"response.created\"}\n\n",
			`{"type":"response.created"} {"type":"error","status":502,"error":{"message":"The answer broke off.","type":"server_error","code":"upstream_error","param":null}}`, "",
		},
		"no stream": {200, "application/json", `{"id":"r"}`, `{"type":"response.completed","sequence_number":0,"response":{"id":"r"}}`, "r"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var frames []string
			a := NewAnswer("", func(frame []byte) error { frames = append(frames, string(frame)); return nil })
			a.Header().Set("Content-Type", tt.contentType)
			a.Header().Set("Retry-After", "7")
			a.WriteHeader(tt.status)
			for _, piece := range []byte(tt.body) {
				_, err := a.Write([]byte{piece})
				require.NoError(t, err)
			}
			a.Close()
			a.Close()
			a.Fail(fault.ShuttingDown())
			require.Equal(t, tt.want, strings.Join(frames, " "))
			require.Equal(t, tt.response, a.Response())
		})
	}
}

func TestAnswer_NamesItsLane(t *testing.T) {
	t.Parallel()
	for frame, want := range map[string]string{
		`{"a":1}`: `{"stream_id":"l\"","a":1}`, `{ }`: `{"stream_id":"l\"" }`, `7`: `7`,
	} {
		require.Equal(t, want, string(withLane(`l"`, []byte(frame))))
		require.Equal(t, frame, string(withLane("", []byte(frame))))
	}
}

func TestExtend_GoesOnFromTheRequestBefore(t *testing.T) {
	t.Parallel()
	before := Settings([]byte(`{"model":"m","input":"x","tools":[1],"previous_response_id":"p","stream":true}`))
	require.JSONEq(t, `{"model":"m","tools":[1],"stream":true}`, string(before))
	for body, want := range map[string]string{
		`{"input":"y"}`:                                   `{"model":"m","tools":[1],"input":"y","previous_response_id":"q","stream":true}`,
		`{"input":"y","tools":[],"stream":true}`:          `{"model":"m","tools":[],"input":"y","previous_response_id":"q","stream":true}`,
		`{"input":[{"role":"assistant","content":"z"}]}`:  `{"model":"m","tools":[1],"input":[{"role":"assistant","content":"z"}],"stream":true}`,
		`{"input":[{"role":"developer","content":"z"}]}`:  `{"model":"m","tools":[1],"input":[{"role":"developer","content":"z"}],"previous_response_id":"q","stream":true}`,
		`{"input":[{"type":"function_call"},7,"a",null]}`: `{"model":"m","tools":[1],"input":[{"type":"function_call"},7,"a",null],"stream":true}`,
	} {
		require.JSONEq(t, want, string(Extend(before, []byte(body), "q")), body)
	}
}

func TestDropBeta_LeavesTheRest(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"responses_websockets=2026-02-06": "", "a=1, responses_websockets=x,b": "a=1, b", "a=1": "a=1", "": "",
	} {
		h := http.Header{"Openai-Beta": {value}}
		DropBeta(h)
		require.Equal(t, want, h.Get("Openai-Beta"))
	}
}

// FuzzParseRequest takes any frame: it is an error that is an answer, or a body that is an
// object, and streams, without what is about the socket.
func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{
		`{"type":"response.create","model":"m","input":"hi"}`, `{"type":"response.append","input":[],"stream_id":"a"}`,
		`{"type":"response.create","generate":false,"stream":1,"stream":2}`, `{"type":"response.create","stream_id":"\ud800"}`,
		`[]`, `{`, `{"type":{}}`, "{\"type\":\"response.create\",\"\\u0000\":\"\xff\"}", ` {"":"","type":"response.create"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, err := ParseRequest(frame)
		if err != nil {
			told := ErrorFrame(err, r.Lane)
			require.True(t, gjson.ValidBytes(told), "%s", told)
			status := gjson.GetBytes(told, "status").Int()
			require.True(t, 400 <= status && status < 500)
			return
		}
		require.True(t, gjson.ValidBytes(r.Body) || !utf8.Valid(frame), "%s", r.Body)
		require.True(t, gjson.GetBytes(r.Body, "stream").Bool())
		require.LessOrEqual(t, len(r.Body), len(frame)+len(`"stream":true`))
		extended := Extend(Settings(r.Body), r.Body, "id")
		require.True(t, gjson.ValidBytes(extended) || !utf8.Valid(frame), "%s", extended)
		again, err := ParseRequest(createFrame(r.Body))
		require.NoError(t, err)
		require.Equal(t, Create, again.Kind)
	})
}

// FuzzAnswer takes any stream in any pieces: all that goes out for JSON is JSON.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("event: error\ndata: {\"error\":{}}\n\n"), uint8(3), true)
	f.Add([]byte("data: {\"type\":\"response.completed\"}\n\ndata: [DONE]\n\n"), uint8(7), true)
	f.Add([]byte(`{"error":{"code":1}}`), uint8(1), false)
	f.Fuzz(func(t *testing.T, body []byte, size uint8, stream bool) {
		valid := true
		_ = (&sse.Scanner{}).Feed(body, func(e sse.Event) error {
			valid = valid && gjson.ValidBytes(e.Data)
			return nil
		})
		a := NewAnswer("l", func(frame []byte) error {
			require.True(t, !valid || gjson.ValidBytes(frame), "%q", frame)
			return nil
		})
		if stream {
			a.Header().Set("Content-Type", "text/event-stream")
		} else {
			a.WriteHeader(http.StatusBadGateway)
		}
		for len(body) > 0 {
			n := min(int(size)+1, len(body))
			_, _ = a.Write(body[:n])
			body = body[n:]
		}
		a.Close()
		require.True(t, a.Ended())
	})
}

// FuzzConn sends a client's connection any bytes: it ends, and never yields a message beyond
// its limit.
func FuzzConn(f *testing.F) {
	const limit = 1000
	f.Add([]byte{0x81, 0x80, 0, 0, 0, 0})
	f.Add([]byte{0x01, 0x81, 0, 0, 0, 0, 'a', 0x80, 0x80, 0, 0, 0, 0})                                     // fragments
	f.Add([]byte{0xc1, 0x87, 0, 0, 0, 0, 0xca, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00})                        // compressed
	f.Add([]byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 'a'})             // a giant
	f.Add([]byte{0x89, 0x80, 0, 0, 0, 0, 0x8a, 0x80, 0, 0, 0, 0, 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8})      // ping, pong, close
	f.Add(append([]byte{0x81, 0xfe, 0x04, 0x00, 0, 0, 0, 0}, bytes.Repeat([]byte{'x'}, 1024)...))          // too big
	f.Add([]byte{0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28, 0x82, 0x81, 0, 0, 0, 0, 'a', 0xf1, 0x80, 1, 2, 3, 4}) // no UTF-8, binary
	f.Fuzz(func(t *testing.T, sent []byte) {
		var upgrader Upgrader
		var reading sync.WaitGroup
		reading.Add(1)
		network := fake.NewPipe()
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer reading.Done()
			c, err := upgrader.Upgrade(w, r, nil, limit)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Release()
			for {
				text, err := c.Read()
				if err != nil {
					return
				}
				if len(text) > limit || !utf8.Valid(text) {
					t.Errorf("a message of %d bytes: %.100q", len(text), text)
				}
			}
		})}
		go func() { _ = server.Serve(network) }()
		conn, err := network.Dial()
		require.NoError(t, err)
		_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
		require.NoError(t, err)
		head := make([]byte, 4096)
		_, err = conn.Read(head)
		require.NoError(t, err)
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			_, _ = io.Copy(io.Discard, conn)
		}()
		_, _ = conn.Write(sent)
		_ = conn.Close()
		reading.Wait()
		<-drained
		_ = server.Close()
	})
}

func TestDial_ShowsHowTheSwitchWasRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			t.Error("no upgrade")
		}
		w.Header().Set("Retry-After", "5")
		http.Error(w, "no", http.StatusUpgradeRequired)
	}))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/responses", nil)
	require.NoError(t, err)
	link, refused, err := Dial(transport, r)
	require.NoError(t, err)
	require.Nil(t, link)
	require.Equal(t, http.StatusUpgradeRequired, refused.StatusCode)
	require.Equal(t, "5", refused.Header.Get("Retry-After"))
	text, err := io.ReadAll(refused.Body)
	require.NoError(t, err)
	require.Equal(t, "no\n", string(text))
	server.Close()
	_, _, err = Dial(transport, r)
	require.ErrorContains(t, err, "connect")
}

func TestLine_ClosesWithWhatItsActorSays(t *testing.T) {
	t.Parallel()
	for why, want := range map[actors.SocketEnd]int{
		"failed": CloseInternal, actors.SocketLeaving: CloseGoingAway, actors.SocketSilent: CloseGoingAway,
	} {
		t.Run(string(why), func(t *testing.T) {
			t.Parallel()
			var upgrader Upgrader
			over := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := upgrader.Upgrade(w, r, nil, 1000)
				if err != nil {
					t.Error(err)
					return
				}
				l := NewLine(c, "key", "id", r, nil)
				l.Close(why)
				l.Close("failed") // the first one counts
				<-over
				l.Release()
			}))
			defer server.Close()
			ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), nil)
			require.NoError(t, err)
			defer ws.Close()
			_, _, err = ws.ReadMessage()
			close(over)
			require.True(t, websocket.IsCloseError(err, want), "%v", err)
		})
	}
}
