package grant

import (
	"net/url"
	"sync"
)

// Limits bounds how many renewals run at a time at one authorization server, of all grants
// that share it: ten thousand logins that expired while the gateway was down must not overrun
// their server, nor one that hangs keep others waiting. Whoever comes first goes first. Make
// one with NewLimits; nil is no bound.
type Limits struct {
	most int

	mu      sync.Mutex
	servers map[string]*turns // by host, while anybody renews there
}

// turns are those at one server.
type turns struct {
	slots chan struct{}
	users int // running and waiting; guarded by the lock of Limits
}

// NewLimits returns bounds of most renewals at a time.
func NewLimits(most int) *Limits { return &Limits{most: most, servers: map[string]*turns{}} }

// enter waits for a turn at the server of a token endpoint, which leave ends.
func (l *Limits) enter(tokenURL string) (leave func()) {
	if l == nil {
		return func() {}
	}
	host := tokenURL
	if u, err := url.Parse(tokenURL); err == nil {
		host = u.Host
	}
	t := l.join(host)
	t.slots <- struct{}{} // a channel serves its senders in the order they came
	return func() {
		<-t.slots
		l.quit(host, t)
	}
}

func (l *Limits) join(host string) *turns {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.servers[host]
	if t == nil {
		t = &turns{slots: make(chan struct{}, l.most)}
		l.servers[host] = t
	}
	t.users++
	return t
}

func (l *Limits) quit(host string, t *turns) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(l.servers, host)
	}
}
