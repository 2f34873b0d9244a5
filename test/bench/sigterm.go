package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// What is under way when the signal comes: streams that take two seconds, and plain answers
// that take as long as stopThinks says, a stop each: slow ones are all open then, fast ones
// meet connections on the point of being closed.
const (
	stopChunks  = 20
	stopPause   = 100 * time.Millisecond
	stopAfter   = 2 * time.Second
	stopClients = 64
)

var stopThinks = [...]time.Duration{500 * time.Millisecond, 5 * time.Millisecond, 0}

// sigtermRow is what became of the requests of a gateway that was told to stop, over
// several stops.
type sigtermRow struct {
	Stops    int `json:"stops"`
	Whole    int `json:"whole"`     // answered in full, to the byte
	Refused  int `json:"refused"`   // answered 503 after the signal
	NotBegun int `json:"not_begun"` // met a closed port or connection; no upstream saw them
}

// benchSigterm stops the built command under load. A request that an upstream saw and the
// client did not get in full fails the bench.
func benchSigterm(ctx context.Context, _ settings, out *report) error {
	folder, err := os.MkdirTemp("", "understudy-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	program, err := buildCommand(ctx, folder)
	if err != nil {
		return err
	}
	row := sigtermRow{}
	for _, think := range stopThinks {
		if err := stopOnce(ctx, folder, program, think, &row); err != nil {
			return err
		}
	}
	out.Sigterm = &row
	return nil
}

// stopOnce starts a gateway, loads it, stops it and counts.
func stopOnce(ctx context.Context, folder, program string, think time.Duration, row *sigtermRow) (err error) {
	upstream, err := startRole(ctx, roleUpstream, "-chunks", strconv.Itoa(stopChunks),
		"-pause", stopPause.String(), "-think", think.String())
	if err != nil {
		return err
	}
	defer stopping(upstream, &err)
	gateway, address, err := startCommand(ctx, folder, program, upstream.address)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	ends := make([]clientEnd, stopClients)
	for i := range ends {
		wait.Go(func() { ends[i] = loadUntilStopped(ctx, address, i) })
	}
	err = pause(ctx, stopAfter)
	err = errors.Join(err, gateway.Process.Signal(syscall.SIGTERM), gateway.Wait())
	wait.Wait()
	if err != nil {
		return fmt.Errorf("the command did not end well: %w", err)
	}
	begun, err := upstream.begun(ctx)
	if err != nil {
		return err
	}
	whole := 0
	for _, end := range ends {
		if end.lost != nil {
			err = errors.Join(err, end.lost)
		}
		whole += end.whole
		row.Refused += end.refused
		row.NotBegun += end.notBegun
	}
	if whole != begun {
		err = errors.Join(err, fmt.Errorf("the upstream saw %d requests, the clients got %d answers", begun, whole))
	}
	row.Stops++
	row.Whole += whole
	return err
}

// startCommand starts the gateway's command with a configuration for one upstream, and
// returns the address that it prints.
func startCommand(ctx context.Context, folder, program, upstream string) (*exec.Cmd, string, error) {
	file := filepath.Join(folder, "config.yaml")
	text := fmt.Sprintf(`listen: 127.0.0.1:0
api-keys: [%s]
routing: {session-affinity: true}
logging: {level: warn}
providers:
  - name: upstream
    kind: openai-compatible
    base-url: http://%s/v1
    models: [%s, %s]
    credentials: [{api-key: one}, {api-key: two}, {api-key: three}]
`, clientKey, upstream, modelChat, modelStream)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, "", err
	}
	return serveCommand(ctx, program, file)
}

// clientEnd is what one client of a stopping gateway has seen.
type clientEnd struct {
	whole, refused, notBegun int
	lost                     error
}

// loadUntilStopped sends requests, one after the other, until the gateway takes no more.
// Half of the clients stream.
func loadUntilStopped(ctx context.Context, address string, client int) clientEnd {
	model, want := modelChat, chatAnswer()
	if client%2 == 1 {
		model, want = modelStream, slices.Concat(streamEvents(stopChunks)...)
	}
	var end clientEnd
	c, err := dial(ctx, address)
	if err != nil {
		end.lost = err
		return end
	}
	defer c.close()
	request := rawRequest(chatBody(model, client, 300))
	for {
		err := c.do(request, want, exchangeTimeout)
		var other *statusError
		switch {
		case err == nil:
			end.whole++
			continue
		case errors.Is(err, errNotBegun):
			end.notBegun++
		case errors.As(err, &other) && other.status == http.StatusServiceUnavailable:
			end.refused++
		default:
			end.lost = err
		}
		return end
	}
}
