package e2e

import (
	"bytes"
	"context"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/internal/fake"
)

// A link goes the way of its credential: through the proxy, and with the certificates that are
// trusted for it, to a server that would rather speak HTTP/2.
func TestSocketLinks_GoTheWayOfTheirCredential(t *testing.T) {
	sockets := fake.NewSockets(sayTo, answerTo)
	upstream := httptest.NewUnstartedServer(sockets)
	upstream.EnableHTTP2 = true
	upstream.StartTLS()
	defer upstream.Close()
	var ca bytes.Buffer
	require.NoError(t, pem.Encode(&ca, &pem.Block{Type: "CERTIFICATE", Bytes: upstream.Certificate().Raw}))
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, ca.Bytes(), 0o600))
	proxy := &fake.Proxy{To: map[string]string{"example.com:443": upstream.Listener.Addr().String()}}
	between := httptest.NewServer(proxy)
	defer proxy.Wait()
	defer between.Close()

	c := config.Default()
	c.Providers = []config.Provider{{
		Name: "up", Kind: config.KindOpenAI, BaseURL: "https://example.com/v1", CAFile: file, ProxyURL: between.URL,
		Models: []config.Model{{Name: "m"}}, Credentials: []config.Credential{{ID: "a", APIKey: secretOf("a"), Websockets: true}},
	}}
	gateway, err := understudy.New(&c, understudy.WithLogger(logger(t)))
	require.NoError(t, err)
	front := httptest.NewServer(gateway.Handler())
	defer front.Close()
	ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(front.URL, "http")+"/v1/responses", nil)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, ws.WriteMessage(websocket.TextMessage, []byte(create(`"hi"`, ``))))
		for kind := ""; kind != "response.completed"; {
			_, frame, err := ws.ReadMessage()
			require.NoError(t, err)
			kind = gjson.GetBytes(frame, "type").String()
			require.NotEqual(t, "error", kind, "%s", frame)
		}
	}
	require.NoError(t, ws.Close())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, gateway.Shutdown(ctx))
	require.Len(t, sockets.Frames(), 2)
	opened, _ := sockets.Conns()
	require.Equal(t, 1, opened)
	require.Equal(t, []string{"example.com:443"}, proxy.Asked())
	require.Empty(t, sockets.Requests())
}

// WS23: a long conversation is kept once, not once for each of its turns.
func TestSockets_KeepALongConversationOnce(t *testing.T) {
	const turns, itemBytes = 40, 50_000
	say := func(f fake.Frame) fake.Script {
		return fake.Script{Frames: fake.SocketAnswer("resp_"+strconv.Itoa(f.N), 1)}
	}
	inSocketBubble(t, socketSetup{say: say}, func(t *testing.T, r *socketRig) {
		r.sockets.ForgetBodies = true
		c := r.dial()
		c.ask(create(`"hi"`, ``))
		before := liveBytes()
		id, text := "", strings.Repeat("x", itemBytes)
		for n := range turns {
			rest := `,"store":false`
			if n > 0 {
				rest = after(id)
			}
			id = c.ask(create(userSays(text), rest))
		}
		r.settle()
		require.Less(t, liveBytes()-before, int64(5*turns*itemBytes), "a copy for each turn would be %d times as much as one", turns/2)
	})
}

func liveBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
