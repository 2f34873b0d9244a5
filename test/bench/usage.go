package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// usage is what a process has used since it began.
type usage struct {
	CPU         time.Duration `json:"cpu"` // user and system
	Allocations uint64        `json:"allocations"`
	AllocBytes  uint64        `json:"alloc_bytes"`
}

// ownUsage returns the usage of this process. Work that other goroutines have queued is
// not waited for.
func ownUsage() (usage, error) {
	cpu, err := cpuTime()
	if err != nil {
		return usage{}, fmt.Errorf("read CPU time: %w", err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{CPU: cpu, Allocations: m.Mallocs, AllocBytes: m.TotalAlloc}, nil
}

// since returns what was used after before.
func (u usage) since(before usage) usage {
	return usage{
		CPU:         u.CPU - before.CPU,
		Allocations: u.Allocations - before.Allocations,
		AllocBytes:  u.AllocBytes - before.AllocBytes,
	}
}

// memory is what a process holds at one instant.
type memory struct {
	ResidentBytes int64 `json:"resident_bytes"` // 0 where there is no /proc
	HeapBytes     int64 `json:"heap_bytes"`     // live
	StackBytes    int64 `json:"stack_bytes"`
	Goroutines    int   `json:"goroutines"`
}

// ownMemory collects garbage and returns what is left. The second collection takes what
// pools and finalizers held through the first.
func ownMemory() memory {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memory{
		ResidentBytes: residentBytes(),
		HeapBytes:     int64(m.HeapAlloc),
		StackBytes:    int64(m.StackInuse),
		Goroutines:    runtime.NumGoroutine(),
	}
}

func residentBytes() int64 { return residentBytesOf("self") }

// residentBytesOf returns what the process with that id, or "self", has in memory.
func residentBytesOf(process string) int64 {
	statm, err := os.ReadFile("/proc/" + process + "/statm")
	if err != nil {
		return 0
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(statm), &total, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
