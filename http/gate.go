package httpapi

import (
	"context"
	"sync"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/socket"
)

// gate knows the open requests and WebSockets and lets no more in while the server drains.
type gate struct {
	mu       sync.Mutex
	open     map[*inbound]struct{}
	lines    map[*socket.Line]*actors.Socket
	draining bool
	idle     chan struct{} // closed when the last of both leaves; nil unless somebody waits
}

// enter lets in pass unless the gate is draining.
func (g *gate) enter(in *inbound) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining && !in.route.always {
		return false
	}
	g.open[in] = struct{}{}
	return true
}

// leave is the counterpart of enter. It may be called for requests that were not let in.
func (g *gate) leave(in *inbound) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, in)
	g.tell()
}

// plug notes a WebSocket that has been opened.
func (g *gate) plug(l *socket.Line, actor *actors.Socket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lines[l] = actor
	if g.draining {
		actor.Leave()
	}
}

// unplug is the counterpart of plug.
func (g *gate) unplug(l *socket.Line) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.lines, l)
	g.tell()
}

// tell tells who waits that nothing is open. The lock is held.
func (g *gate) tell() {
	if len(g.open) == 0 && len(g.lines) == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// count returns how many requests are open, without those that only look at the server.
func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for in := range g.open {
		if !in.route.always {
			n++
		}
	}
	return n
}

func (g *gate) drain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.draining = true
	for _, actor := range g.lines {
		actor.Leave()
	}
}

func (g *gate) isDraining() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.draining
}

// abort drains and cancels every open request.
func (g *gate) abort() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.draining = true
	for in := range g.open {
		in.cancel(fault.ErrShuttingDown)
	}
	for _, actor := range g.lines {
		actor.Leave()
	}
}

// wait waits until nothing is open or ctx ends, and returns how many requests are open:
// WebSockets over which nothing is asked are closed, and count no more.
func (g *gate) wait(ctx context.Context) int {
	g.mu.Lock()
	if len(g.open) == 0 && len(g.lines) == 0 {
		g.mu.Unlock()
		return 0
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()

	select {
	case <-idle:
		return 0
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.open)
	}
}
