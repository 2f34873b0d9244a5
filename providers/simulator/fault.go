package simulator

import "time"

// Fault is one line of a credential's fault script. The first line that is due decides
// what happens to a request.
type Fault struct {
	// Status answers with this HTTP status and the format's own error body. Below 200 = answer normally.
	Status int
	// Headers are added to the answer.
	Headers map[string]string
	// Delay is waited before the answer's first byte.
	Delay time.Duration
	// CutAfter ends the connection after so many stream events or, for plain answers,
	// half of the body; 0 = never.
	CutAfter int
	// Every makes the line due for each Nth request only, counted per credential; 0 or 1 = each.
	Every int
	// Times is how often the line acts at most; 0 = no limit.
	Times int
}

// FaultFunc decides what happens to a credential's nth request, counted from 1, that came
// at now. With false the fault script decides. Every and Times of what it returns mean
// nothing. It is called by many goroutines at once.
type FaultFunc func(n int, now time.Time) (Fault, bool)

// SetFault makes f decide, before the fault script, about requests with key from now on;
// nil = the script alone does. It reports whether key is that of a credential.
func (u *Upstream) SetFault(key string, f FaultFunc) bool {
	c, ok := u.credentials[key]
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.decide = f
	return true
}

// next counts one request and returns the fault it meets; the zero Fault is none.
func (c *credential) next(now time.Time) Fault {
	n, decide := c.count()
	if decide != nil {
		if f, ok := decide(n, now); ok {
			return f
		}
	}
	return c.scripted(n)
}

func (c *credential) count() (int, FaultFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen++
	return c.seen, c.decide
}

func (c *credential) scripted(n int) Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, f := range c.faults {
		due := f.Every <= 1 || n%f.Every == 0
		if !due || (f.Times > 0 && c.acted[i] >= f.Times) {
			continue
		}
		c.acted[i]++
		return f
	}
	return Fault{}
}
