package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"
)

const (
	idleSockets   = 10_000
	socketStreams = 200
	// socketEvents are those of one stream; they come socketPause apart.
	socketEvents = 250
	socketPause  = 20 * time.Millisecond
	socketRounds = 5
)

// socketsRow is what clients over WebSocket cost.
type socketsRow struct {
	Idle          int     `json:"idle"`
	ResidentBytes float64 `json:"resident_bytes"` // per idle socket, as the rest
	HeapBytes     float64 `json:"heap_bytes"`
	StackBytes    float64 `json:"stack_bytes"`
	Goroutines    float64 `json:"goroutines"`

	Streams int    `json:"streams"`
	Events  spread `json:"stream_microseconds"` // of CPU per event over an event stream
	Frames  spread `json:"socket_microseconds"` // and over a WebSocket
	Ratio   spread `json:"cpu_ratio"`

	Turns      int     `json:"turns"`
	Deltas     int     `json:"deltas"`
	DeltaBytes int64   `json:"delta_bytes"` // that went upstream
	WholeBytes int64   `json:"whole_bytes"` // that would have without a memory
	DeltaShare float64 `json:"delta_share"`
}

// benchSockets measures idle sockets, streaming ones against event streams, and what goes
// upstream of a long loop of tools.
func benchSockets(ctx context.Context, s settings, out *report) (err error) {
	row := socketsRow{Idle: idleSockets, Streams: socketStreams}
	upstream, err := startRole(ctx, roleResponses, "-chunks", strconv.Itoa(socketEvents), "-pause", socketPause.String())
	if err != nil {
		return err
	}
	defer stopping(upstream, &err)
	gateway, err := startRole(ctx, roleGateway, "-upstream", "http://"+upstream.address, "-responses")
	if err != nil {
		return err
	}
	defer stopping(gateway, &err)
	if err := row.stream(ctx, gateway); err != nil {
		return err
	}
	if err := row.hold(ctx, gateway); err != nil {
		return err
	}
	if err := row.loop(ctx); err != nil {
		return err
	}
	out.Sockets = &row
	return nil
}

// hold opens many sockets and measures what the gateway holds for them.
func (row *socketsRow) hold(ctx context.Context, gateway *process) error {
	before, err := gateway.memory(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var open []*websocket.Conn
	defer func() {
		for _, ws := range open {
			_ = ws.Close()
		}
	}()
	var group errgroup.Group
	group.SetLimit(32)
	for range row.Idle {
		group.Go(func() error {
			ws, err := dialSocket(ctx, gateway.address)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			open = append(open, ws)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	after, err := gateway.memory(ctx)
	if err != nil {
		return err
	}
	n := float64(row.Idle)
	row.ResidentBytes = float64(after.ResidentBytes-before.ResidentBytes) / n
	row.HeapBytes = float64(after.HeapBytes-before.HeapBytes) / n
	row.StackBytes = float64(after.StackBytes-before.StackBytes) / n
	row.Goroutines = float64(after.Goroutines-before.Goroutines) / n
	return nil
}

// stream lets many streams run at once, over event streams and over WebSockets in turn.
func (row *socketsRow) stream(ctx context.Context, gateway *process) error {
	var events, frames, ratios []float64
	for round := range socketRounds + 1 {
		sse, err := perEvent(ctx, gateway, readStream)
		if err != nil {
			return fmt.Errorf("event streams: %w", err)
		}
		socket, err := perEvent(ctx, gateway, readSocket)
		if err != nil {
			return fmt.Errorf("sockets: %w", err)
		}
		if round > 0 { // the first one warms up
			events, frames, ratios = append(events, sse), append(frames, socket), append(ratios, socket/sse)
		}
	}
	row.Events, row.Frames, row.Ratio = spreadOf(events), spreadOf(frames), spreadOf(ratios)
	return nil
}

// perEvent returns the microseconds of CPU that an event costs when so many streams run.
func perEvent(ctx context.Context, gateway *process, read func(context.Context, string) (int, error)) (float64, error) {
	before, err := gateway.usage(ctx)
	if err != nil {
		return 0, err
	}
	var group errgroup.Group
	for range socketStreams {
		group.Go(func() error {
			n, err := read(ctx, gateway.address)
			if err == nil && n < socketEvents {
				err = fmt.Errorf("%d of %d events", n, socketEvents)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	after, err := gateway.usage(ctx)
	if err != nil {
		return 0, err
	}
	return float64(after.since(before).CPU.Microseconds()) / (socketStreams * socketEvents), nil
}

const socketQuestion = `{"type":"response.create","model":"` + modelStream + `","input":"hi"}`

// readStream reads one answer over an event stream and counts its events.
func readStream(ctx context.Context, address string) (int, error) {
	body := strings.NewReader(`{"model":"` + modelStream + `","stream":true,"input":"hi"}`)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/responses", body)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+clientKey)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return strings.Count(string(text), "event: "), err
}

// readSocket reads one answer over a WebSocket and counts its frames.
func readSocket(ctx context.Context, address string) (int, error) {
	ws, err := dialSocket(ctx, address)
	if err != nil {
		return 0, err
	}
	defer ws.Close()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(socketQuestion)); err != nil {
		return 0, err
	}
	for n := 1; ; n++ {
		_, frame, err := ws.ReadMessage()
		if err != nil {
			return n, err
		}
		if strings.Contains(string(frame), `"response.completed"`) {
			return n, nil
		}
	}
}

func dialSocket(ctx context.Context, address string) (*websocket.Conn, error) {
	h := http.Header{"Authorization": {"Bearer " + clientKey}}
	ws, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+address+"/v1/responses", h)
	if resp != nil && resp.Body != nil {
		err = errors.Join(err, resp.Body.Close())
	}
	return ws, err
}
