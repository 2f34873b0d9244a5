package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"runtime/pprof"
	"sync"
)

// Paths of a role's control server, which listens on a port of its own.
const (
	pathUsage       = "/usage"
	pathMemory      = "/memory"
	pathBegun       = "/begun"
	pathProfile     = "/profile/start"  // begins a CPU profile
	pathProfileDone = "/profile/stop"   // ends and returns it
	pathAllocations = "/profile/allocs" // returns what was allocated since the process began
)

// newControl returns the handler of a role's figures. begun counts requests; nil = the role
// does not count them.
func newControl(begun func() int) http.Handler {
	if begun == nil {
		begun = func() int { return 0 }
	}
	mux := http.NewServeMux()
	mux.HandleFunc(pathUsage, func(w http.ResponseWriter, _ *http.Request) {
		u, err := ownUsage()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		writeJSON(w, u)
	})
	mux.HandleFunc(pathMemory, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, ownMemory()) })
	mux.HandleFunc(pathBegun, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, begun()) })
	p := &profiler{}
	mux.HandleFunc(pathProfile, p.start)
	mux.HandleFunc(pathProfileDone, p.stop)
	mux.HandleFunc(pathAllocations, p.allocations)
	return mux
}

// profiler takes one CPU profile at a time.
type profiler struct {
	mu  sync.Mutex
	cpu bytes.Buffer
}

func (p *profiler) start(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cpu.Reset()
	if err := pprof.StartCPUProfile(&p.cpu); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

func (p *profiler) stop(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pprof.StopCPUProfile()
	_, _ = w.Write(p.cpu.Bytes()) // the reader sees what is missing
}

func (p *profiler) allocations(w http.ResponseWriter, _ *http.Request) {
	if err := pprof.Lookup("allocs").WriteTo(w, 0); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
