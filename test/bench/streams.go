package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// chunkEvery is the pace of the long streams.
const chunkEvery = time.Second

// streamsRow is many long streams at once through one process.
type streamsRow struct {
	Via     string        `json:"via"`
	Streams int           `json:"streams"`
	For     time.Duration `json:"for"`
	Failed  int           `json:"failed"`
	// What the process holds per open stream, beyond what it held idle.
	ResidentBytes float64 `json:"resident_bytes"`
	HeapBytes     float64 `json:"heap_bytes"`
	StackBytes    float64 `json:"stack_bytes"`
	Goroutines    float64 `json:"goroutines"`
	// CPUMicroseconds is per chunk, the opening and the end of the streams included.
	CPUMicroseconds float64 `json:"cpu_microseconds"`
}

// benchStreams holds many streams open whose upstream sends a chunk a second. One that does
// not bring every byte fails the bench.
func benchStreams(ctx context.Context, s settings, out *report) (err error) {
	chunks := int(s.streamFor/chunkEvery) + 1 // the first one comes at once
	upstream, err := startRole(ctx, roleUpstream, "-chunks", strconv.Itoa(chunks), "-pause", chunkEvery.String())
	if err != nil {
		return err
	}
	defer stopping(upstream, &err)
	relay, err := startRole(ctx, s.via, "-upstream", "http://"+upstream.address)
	if err != nil {
		return err
	}
	defer stopping(relay, &err)
	warmup := load{title: "warm-up", requests: requestsOf(modelChat, 300), answer: chatAnswer()}
	if _, err := drive(ctx, relay.address, warmup, 1000, s.connections); err != nil {
		return err
	}
	row, failures, err := holdStreams(ctx, s, relay, chunks)
	if err != nil {
		return err
	}
	out.Streams = &row
	if len(failures) > 0 {
		return fmt.Errorf("%d of %d streams failed, the first ones: %w", len(failures), s.streams, errors.Join(failures[:min(len(failures), 5)]...))
	}
	return nil
}

// holdStreams opens the streams and measures relay half-way, when all of them are open. It
// returns the failure of each stream that had one.
func holdStreams(ctx context.Context, s settings, relay *process, chunks int) (streamsRow, []error, error) {
	idle, err := relay.memory(ctx)
	if err != nil {
		return streamsRow{}, nil, err
	}
	before, err := relay.usage(ctx)
	if err != nil {
		return streamsRow{}, nil, err
	}
	ended := make(chan []error, 1)
	go func() { ended <- openStreams(ctx, s, relay.address, chunks) }()
	if err := pause(ctx, s.streamFor/2); err != nil {
		return streamsRow{}, nil, err
	}
	open, err := relay.memory(ctx)
	if err != nil {
		return streamsRow{}, nil, err
	}
	if s.profile != "" {
		if err := writeAllocations(ctx, s, "streams", relay); err != nil {
			return streamsRow{}, nil, err
		}
	}
	failures := <-ended
	after, err := relay.usage(ctx)
	if err != nil {
		return streamsRow{}, nil, err
	}
	n := float64(s.streams)
	return streamsRow{
		Via: s.via, Streams: s.streams, For: s.streamFor, Failed: len(failures),
		ResidentBytes:   float64(open.ResidentBytes-idle.ResidentBytes) / n,
		HeapBytes:       float64(open.HeapBytes-idle.HeapBytes) / n,
		StackBytes:      float64(open.StackBytes-idle.StackBytes) / n,
		Goroutines:      float64(open.Goroutines-idle.Goroutines) / n,
		CPUMicroseconds: float64(after.since(before).CPU.Microseconds()) / (n * float64(chunks)),
	}, failures, nil
}

// openStreams opens all streams within the first interval between two chunks, evenly, as
// independent clients would, and reads them to their ends.
func openStreams(ctx context.Context, s settings, address string, chunks int) []error {
	requests := requestsOf(modelStream, 300)
	want := slices.Concat(streamEvents(chunks)...)
	failures := make([]error, s.streams)
	var wait sync.WaitGroup
	for i := range s.streams {
		wait.Go(func() {
			if failures[i] = pause(ctx, chunkEvery*time.Duration(i)/time.Duration(s.streams)); failures[i] != nil {
				return
			}
			c, err := dial(ctx, address)
			if err != nil {
				failures[i] = err
				return
			}
			defer c.close()
			failures[i] = c.do(requests[i%len(requests)], want, s.streamFor+exchangeTimeout)
		})
	}
	wait.Wait()
	return slices.DeleteFunc(failures, func(err error) bool { return err == nil })
}
