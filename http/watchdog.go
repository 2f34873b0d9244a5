package httpapi

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudyhq/understudy/http/fault"
)

// notWaiting is watchdog.waitingSince while nobody waits for the upstream.
const notWaiting = -1

// watchdog ends an attempt whose upstream is silent for too long: by canceling its context
// with fault.ErrFirstByteTimeout or fault.ErrIdleTimeout. It has one timer, which is not touched for
// every piece of an answer: when it fires it looks how long the silence really was.
//
// waiting and notices are for the goroutine that reads, the rest for any.
type watchdog struct {
	cancel       context.CancelCauseFunc
	startedAt    time.Time
	waitingSince atomic.Int64 // nanoseconds after startedAt, or notWaiting

	mu       sync.Mutex
	timer    *time.Timer // nil = no limit is in force
	answered bool        // the limit is idle, no longer the one for the first byte
	idle     time.Duration
	stopped  bool
}

// start begins the wait for the first byte; 0 = no limit.
func (w *watchdog) start(firstByte time.Duration) {
	w.startedAt = time.Now()
	w.waitingSince.Store(notWaiting)
	if firstByte <= 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(firstByte, w.fire)
}

// begun tells that the answer's first payload byte is there. From now on only silences
// count; 0 = no limit.
func (w *watchdog) begun(idle time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered, w.idle = true, idle
	switch {
	case idle <= 0 && w.timer != nil:
		w.timer.Stop()
	case idle > 0 && w.timer != nil:
		w.timer.Reset(idle)
	case idle > 0:
		w.timer = time.AfterFunc(idle, w.fire)
	}
}

// waiting tells that a read from the upstream begins, received that it is over. Between
// received and waiting the time is the client's, who may be slow.
func (w *watchdog) waiting()  { w.waitingSince.Store(int64(time.Since(w.startedAt))) }
func (w *watchdog) received() { w.waitingSince.Store(notWaiting) }

func (w *watchdog) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopped:
	case !w.answered:
		w.cancel(fault.ErrFirstByteTimeout)
	case w.idle > 0:
		silence := time.Duration(0)
		if since := w.waitingSince.Load(); since != notWaiting {
			silence = time.Since(w.startedAt) - time.Duration(since)
		}
		if silence >= w.idle {
			w.cancel(fault.ErrIdleTimeout)
			return
		}
		w.timer.Reset(w.idle - silence)
	}
}

// stop ends the watch and frees the attempt's context.
func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.cancel(nil)
}

// watched reads an answer under the eyes of a watchdog. Its first byte counts as payload.
type watched struct {
	r     io.Reader
	dog   *watchdog
	idle  time.Duration
	begun bool
}

func (w *watched) Read(p []byte) (int, error) {
	w.dog.waiting()
	n, err := w.r.Read(p)
	w.dog.received()
	if n > 0 && !w.begun {
		w.begun = true
		w.dog.begun(w.idle)
	}
	return n, err
}

// causeOf returns why ctx ended, or err if it has not.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
