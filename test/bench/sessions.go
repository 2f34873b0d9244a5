package main

import (
	"context"
	"runtime"
)

// sessionsRow is what live sessions hold, their actors and timers included.
type sessionsRow struct {
	Sessions int `json:"sessions"`
	// Per session.
	HeapBytes  float64 `json:"heap_bytes"`
	StackBytes float64 `json:"stack_bytes"`
	Goroutines float64 `json:"goroutines"`
}

// benchSessions binds many sessions and compares the live heap before and after.
func benchSessions(ctx context.Context, s settings, out *report) error {
	e, err := startEngine(ctx, 10)
	if err != nil {
		return err
	}
	defer e.stop()
	if err := e.lease(ctx, 1000, 0, false); err != nil {
		return err
	}
	if err := e.settle(ctx, 0); err != nil {
		return err
	}
	before := ownMemory()
	if err := e.lease(ctx, s.sessions, s.sessions, false); err != nil {
		return err
	}
	if err := e.settle(ctx, s.sessions); err != nil {
		return err
	}
	after := ownMemory()
	runtime.KeepAlive(e)
	n := float64(s.sessions)
	out.Sessions = &sessionsRow{
		Sessions:   s.sessions,
		HeapBytes:  float64(after.HeapBytes-before.HeapBytes) / n,
		StackBytes: float64(after.StackBytes-before.StackBytes) / n,
		Goroutines: float64(after.Goroutines-before.Goroutines) / n,
	}
	return nil
}
