package socket

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
)

// Turn is one thing that a client asks for over a Line. It is an actors.SocketTurn.
type Turn struct {
	line   *Line
	asked  Request
	number uint64
	answer *Answer
}

// Key names the line that the turn came over.
func (t *Turn) Key() string { return t.line.Key }

// Prewarm reports whether an answer without content is wanted.
func (t *Turn) Prewarm() bool { return t.asked.Prewarm }

// Answer is where the turn is answered.
func (t *Turn) Answer() *Answer { return t.answer }

// Lane is part of actors.SocketTurn.
func (t *Turn) Lane() string { return t.asked.Lane }

// Size is part of actors.SocketTurn.
func (t *Turn) Size() int { return len(t.asked.Body) }

// Start is part of actors.SocketTurn.
func (t *Turn) Start() { go t.run() }

// Refuse is part of actors.SocketTurn.
func (t *Turn) Refuse(why actors.SocketRefusal) {
	l := t.line
	if l.refusals.Add(1) > maxRefusals {
		l.close(CloseTryAgainSoon, ErrSlow.Error())
		return
	}
	go func() {
		defer l.refusals.Add(-1)
		_ = l.conn.Write(ErrorFrame(refusalOf(why), t.Lane())) // a client that is gone needs none
	}()
}

// run serves the turn.
func (t *Turn) run() {
	l := t.line
	defer l.actor.Ended(t)
	t.answer = NewAnswer(t.Lane(), l.conn.Write)
	body, err := t.body()
	if err != nil {
		t.answer.Fail(fault.As(err))
		return
	}
	t.serve(body)
	t.answer.Close()
	if id := t.answer.Response(); id != "" {
		known := l.lane(t.Lane())
		known.settings, known.answer = Settings(body), id
	}
	if t.answer.TooBig() {
		l.close(CloseTooBig, "message too big")
	}
}

// body returns that of the request which the turn is: what the lane's last one said counts
// where this one only adds to it.
func (t *Turn) body() ([]byte, error) {
	if t.asked.Kind == Create {
		return t.asked.Body, nil
	}
	last := t.line.lane(t.Lane())
	if last.settings == nil {
		return nil, fault.BadRequest("invalid_event_type", "There is no response.create that a response.append could add to.", nil)
	}
	return Extend(last.settings, t.asked.Body, last.answer), nil
}

// serve serves the turn as the request over HTTP that it stands for.
func (t *Turn) serve(body []byte) {
	l := t.line
	defer func() {
		switch p := recover(); p {
		case nil, http.ErrAbortHandler: // the answer is cut, which its frames will tell
		default:
			t.answer.Fail(fault.Internal(fmt.Errorf("panic: %v\n%s", p, debug.Stack())))
		}
	}()
	r := l.common.WithContext(l.ctx)
	r.Header = l.common.Header.Clone()
	r.Header["X-Request-Id"] = []string{l.id + "." + strconv.FormatUint(t.number, 10)}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	l.serve(t, r)
}
