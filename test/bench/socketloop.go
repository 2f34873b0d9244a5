package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/gorilla/websocket"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy"
	"github.com/understudyhq/understudy/internal/fake"
)

// loopTurns is how many turns the loop of tools has; each adds a result of resultBytes.
const (
	loopTurns   = 30
	resultBytes = 2000
)

// loop lets a client use tools in many turns, and weighs what goes upstream.
func (row *socketsRow) loop(ctx context.Context) error {
	upstream := fake.NewSockets(func(f fake.Frame) fake.Script {
		return fake.Script{Frames: fake.SocketAnswer(fmt.Sprintf("resp_%d_%d", f.Conn, f.N), 20)}
	}, func(fake.Request) fake.Reply { return fake.Error("openai-responses", 404) })
	server := httptest.NewServer(upstream)
	defer server.Close()
	c := gatewayConfig(server.URL, 1)
	speakResponses(c)
	gateway, err := understudy.New(c)
	if err != nil {
		return err
	}
	front := httptest.NewServer(gateway.Handler())
	defer front.Close()
	if err := talk(ctx, strings.TrimPrefix(front.URL, "http://")); err != nil {
		return err
	}
	row.weigh(upstream.Frames())
	return gateway.Shutdown(ctx)
}

// talk asks so many questions over one socket, as an agent does that stores nothing upstream.
func talk(ctx context.Context, address string) error {
	ws, err := dialSocket(ctx, address)
	if err != nil {
		return err
	}
	defer ws.Close()
	previous := ""
	for n := range loopTurns {
		input := fmt.Sprintf(`[{"type":"function_call_output","call_id":"call_%d","output":"%s"}]`, n, strings.Repeat("x", resultBytes))
		if n == 0 {
			input = `"` + strings.Repeat("y", resultBytes) + `"`
		}
		frame := `{"type":"response.create","model":"` + modelStream + `","store":false,"input":` + input
		if previous != "" {
			frame += `,"previous_response_id":"` + previous + `"`
		}
		if err := ws.WriteMessage(websocket.TextMessage, []byte(frame+"}")); err != nil {
			return err
		}
		for previous = ""; previous == ""; {
			_, text, err := ws.ReadMessage()
			if err != nil {
				return err
			}
			switch gjson.GetBytes(text, "type").String() {
			case "response.completed":
				previous = gjson.GetBytes(text, "response.id").String()
			case "response.failed", "error":
				return fmt.Errorf("turn %d: %s", n, text)
			}
		}
	}
	return nil
}

// weigh compares what was sent with what would have been without an upstream's memory. The
// first turn has nothing to refer to, and counts as one that refers.
func (row *socketsRow) weigh(frames []fake.Frame) {
	conversation := int64(0)
	row.Turns = len(frames)
	for i, f := range frames {
		conversation += int64(len(f.Body))
		row.DeltaBytes += int64(len(f.Body))
		row.WholeBytes += conversation
		if i == 0 || gjson.GetBytes(f.Body, "previous_response_id").Exists() && int64(len(f.Body)) < 2*resultBytes {
			row.Deltas++
		}
	}
	row.DeltaShare = float64(row.Deltas) / float64(row.Turns)
}
