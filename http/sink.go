package httpapi

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/understudyhq/understudy/http/tap"
	"github.com/understudyhq/understudy/providers"
)

const (
	// holdBack is how long the beginning of a stream is kept from the client while it holds
	// no payload, so that a failure right behind it can still be failed over.
	holdBack = time.Second
	// maxHeldBackBytes is how much of it is kept back at most: some upstream may send comments
	// without end.
	maxHeldBackBytes = 8 << 20
	// maxPartialBytes is how much of an unfinished event is kept back. Clients can do nothing
	// with half an event, and an error after half an event would be lost on them.
	maxPartialBytes = 64 << 10
)

// writeTimeoutStep is how often a stream's write deadline is moved at most: moving it costs
// more than writing an event.
const writeTimeoutStep = 15 * time.Second

// sink is where a streamed answer goes. It knows whether a byte has left, keeps back what
// must not leave yet, and fills long silences with comments. Its methods are for the
// goroutine of the request; a timer works beside it, hence the lock.
type sink struct {
	in    *inbound
	flush *http.ResponseController

	mu        sync.Mutex
	status    int         // of the answer that is passed on; 0 = none is now
	header    http.Header // its
	comments  bool        // comments may be sent into the stream
	committed bool        // the answer's head has left
	overdue   bool        // holdBack is over, or too much is held
	midEvent  bool        // what left last was no whole event
	held      []byte      // received, but not sent
	complete  int         // bytes of held that are whole events
	heldAt    time.Time   // when held began to fill
	sentAt    time.Time   // when something was sent last
	allowedAt time.Time   // when the write deadline was moved last
	timer     *time.Timer // nil = never needed yet
	closed    bool
	err       error // of the first write that failed
}

func newSink(in *inbound) *sink {
	return &sink{in: in, flush: http.NewResponseController(in.w.Writer)}
}

// begin makes an answer with that head the one that is passed on.
func (k *sink) begin(status int, header http.Header, comments bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status, k.header, k.comments = status, header, comments
	k.held, k.complete, k.overdue, k.heldAt = k.held[:0], 0, false, time.Now()
}

// drop forgets the answer and reports true, unless some of it has left already.
func (k *sink) drop() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.committed {
		return false
	}
	k.status, k.header = 0, nil
	return true
}

// pass takes the next piece of the answer, which t has seen. It is kept back until release
// is set or holdBack is over. An error means that the client is gone.
func (k *sink) pass(chunk []byte, t *tap.Tap, release bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	release = release || k.committed || k.overdue
	if release && len(k.held) == 0 && t.AtBoundary() {
		k.midEvent = false
		return k.put(chunk)
	}
	if len(k.held) == 0 && !release {
		k.heldAt = time.Now()
		k.arm(holdBack)
	}
	// Only what is new can end an event, with up to three bytes of a blank line before it.
	from := max(0, len(k.held)-3)
	k.held = tap.Keep(k.held, chunk)
	if n := t.Complete(k.held[from:]); n > 0 {
		k.complete = from + n
	}
	if k.complete > maxHeldBackBytes {
		release, k.overdue = true, true
	}
	if !release {
		return nil
	}
	return k.release()
}

// passEvents takes whole events of an answer. They are kept back like those of pass.
func (k *sink) passEvents(events []byte, release bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	release = release || k.committed || k.overdue
	if release && len(k.held) == 0 {
		return k.put(events)
	}
	if len(k.held) == 0 && len(events) > 0 {
		k.heldAt = time.Now()
		k.arm(holdBack)
	}
	k.held = append(k.held, events...)
	k.complete = len(k.held)
	if k.complete > maxHeldBackBytes {
		release, k.overdue = true, true
	}
	if !release {
		return nil
	}
	return k.release()
}

// release sends what is complete of held, and all of it when it has become too much; but never
// begins with a part of an event, which may have no end.
func (k *sink) release() error {
	n := k.complete
	switch {
	case n > 0:
		k.midEvent = false
	case k.committed && len(k.held) > maxPartialBytes:
		n, k.midEvent = len(k.held), true
	default:
		return k.err // and nothing is moved: an event may come in a thousand pieces
	}
	err := k.put(k.held[:n])
	k.held = k.held[:copy(k.held, k.held[n:])]
	k.complete = 0
	return err
}

// finish sends what is left of the answer.
func (k *sink) finish() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.put(k.held)
	k.held = k.held[:0]
	return err
}

// fail ends the answer with an error in its own format, in place of what is left of it.
func (k *sink) fail(event []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = k.held[:0]
	k.in.capture.Failing(event)
	if k.midEvent {
		event = append(k.blank(), event...)
	}
	return k.put(event)
}

// blank ends an event in the line ends of the answer's format.
func (k *sink) blank() []byte {
	if k.in.format == providers.Gemini {
		return []byte("\r\n\r\n")
	}
	return []byte("\n\n")
}

// sign is a sign of life that clients pass over: a comment, or blank lines for Google's SDKs,
// which take a comment for a broken event.
func (k *sink) sign() []byte {
	if k.in.format == providers.Gemini {
		return k.blank()
	}
	return []byte(": keepalive\n\n")
}

// commit sends the head of resp, for an answer that is written past the sink.
func (k *sink) commit(resp *http.Response) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status, k.header = resp.StatusCode, resp.Header
	k.head()
}

// close stops the timer. Nothing is sent afterwards.
func (k *sink) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	if k.timer != nil {
		k.timer.Stop()
	}
}

// put sends b, after the answer's head if that has not left. The lock is held.
func (k *sink) put(b []byte) error {
	if len(b) == 0 || k.err != nil {
		return k.err
	}
	if !k.committed {
		k.head()
		if k.comments && k.in.settings.keepalive > 0 {
			k.arm(k.in.settings.keepalive)
		}
	}
	k.allow()
	if _, k.err = k.in.w.Write(b); k.err == nil {
		if err := k.flush.Flush(); !errors.Is(err, http.ErrNotSupported) {
			k.err = err
		}
	}
	k.sentAt = time.Now()
	return k.err
}

// allow gives the client time to take what is written next. The lock is held.
func (k *sink) allow() {
	if now := time.Now(); now.Sub(k.allowedAt) >= writeTimeoutStep {
		k.allowedAt = now
		k.in.limitWrites(now.Add(writeTimeout + writeTimeoutStep))
	}
}

// head sends the answer's status and headers. The lock is held.
func (k *sink) head() {
	h := k.in.w.Header()
	copyAnswerHeader(h, k.header)
	k.in.stamp(h)
	k.in.w.WriteHeader(k.status)
	k.committed = true
}

// arm sets the one timer. The lock is held.
func (k *sink) arm(d time.Duration) {
	if k.timer == nil {
		k.timer = time.AfterFunc(d, k.tick)
		return
	}
	k.timer.Reset(d)
}

// tick is the timer's. It looks at what is due, so that it need not be set for each event.
func (k *sink) tick() {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed || k.status == 0 || k.err != nil:
	case !k.committed && len(k.held) == 0:
	case !k.committed:
		if left := holdBack - time.Since(k.heldAt); left > 0 {
			k.arm(left)
			return
		}
		k.overdue = true
		if k.complete > 0 {
			_ = k.release() // remembered in k.err
		}
	case k.comments && k.in.settings.keepalive > 0:
		silence := time.Since(k.sentAt)
		if silence >= k.in.settings.keepalive && !k.midEvent {
			_ = k.put(k.sign()) // remembered in k.err
			silence = 0
		}
		k.arm(max(k.in.settings.keepalive-silence, time.Millisecond))
	}
}
