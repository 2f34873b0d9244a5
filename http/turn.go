package httpapi

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/socket"
	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/providers"
)

// turn is one thing that a client asks for over a WebSocket.
type turn struct {
	line   *line
	asked  socket.Request
	number uint64
	answer *socket.Answer
}

// Lane is part of actors.SocketTurn.
func (t *turn) Lane() string { return t.asked.Lane }

// Size is part of actors.SocketTurn.
func (t *turn) Size() int { return len(t.asked.Body) }

// Start is part of actors.SocketTurn.
func (t *turn) Start() { go t.run() }

// Refuse is part of actors.SocketTurn.
func (t *turn) Refuse(why actors.SocketRefusal) {
	l := t.line
	if l.refusals.Add(1) > maxRefusals {
		l.close(socket.CloseTryAgainSoon, socket.ErrSlow.Error())
		return
	}
	go func() {
		defer l.refusals.Add(-1)
		_ = l.conn.Write(socket.ErrorFrame(refusalOf(why), t.Lane())) // a client that is gone needs none
	}()
}

// scope names what this connection alone may refer to.
func (t *turn) scope(client string) string { return client + "\x00socket\x00" + t.line.key }

// run serves the turn.
func (t *turn) run() {
	l := t.line
	defer l.actor.Ended(t)
	t.answer = socket.NewAnswer(t.Lane(), l.conn.Write)
	body, err := t.body()
	if err != nil {
		t.answer.Fail(fault.As(err))
		return
	}
	t.serve(body)
	t.answer.Close()
	state := l.lane(t.Lane())
	state.settings, state.answer = socket.Settings(body), t.answer.Response()
	if t.answer.TooBig() {
		l.close(socket.CloseTooBig, "message too big")
	}
}

// body returns that of the request which the turn is: what the lane's last one said counts
// where this one only adds to it.
func (t *turn) body() ([]byte, error) {
	if t.asked.Kind == socket.Create {
		return t.asked.Body, nil
	}
	last := t.line.lane(t.Lane())
	if last.settings == nil {
		return nil, fault.BadRequest("invalid_event_type", "There is no response.create that a response.append could add to.", nil)
	}
	return socket.Extend(last.settings, t.asked.Body, last.answer), nil
}

// serve serves the turn as the request over HTTP that it stands for.
func (t *turn) serve(body []byte) {
	l := t.line
	defer func() {
		switch p := recover(); p {
		case nil, http.ErrAbortHandler: // the answer is cut, which its frames will tell
		default:
			t.answer.Fail(fault.Internal(fmt.Errorf("panic: %v\n%s", p, debug.Stack())))
		}
	}()
	r := l.from.WithContext(l.ctx)
	r.Header = l.from.Header.Clone()
	r.Header["X-Request-Id"] = []string{l.requestIDOf(t.number)}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	s := l.server
	in := newInbound(s, s.turnRoute, echo.NewResponse(t.answer, s.echo), r)
	in.turn = t
	defer in.finish()
	if err := in.run(); err != nil {
		in.refuse(err)
	}
}

// prewarm answers a request that wants no answer yet: with an empty one, which later requests
// on the same connection can continue.
func (s *Server) prewarm(in *inbound, c *call) error {
	if c.past.answer == "" && len(c.pins) > 0 {
		return c.pinLost() // nothing could continue both it and what it refers to
	}
	id := "resp_" + requestID(nil)
	items := translate.Items(c.input)
	s.turned(in, c, id, items, false)
	in.usage = providers.Usage{}
	in.w.Header().Set("Content-Type", "text/event-stream")
	in.stamp(in.w.Header())
	in.w.WriteHeader(http.StatusOK)
	if _, err := in.w.Write(translate.EmptyAnswer(id, c.model, time.Now())); err != nil {
		in.gone = true
		return fault.ErrClientGone
	}
	return nil
}

// turned notes what an answer has added to its conversation. shared tells that the client may
// continue it elsewhere than on the connection that it came over.
func (s *Server) turned(in *inbound, c *call, id string, items []byte, shared bool) {
	scope := in.key.name
	if !shared {
		scope = in.turn.scope(scope)
	}
	before := c.past.answer
	if before != "" && c.past.scope != scope {
		items = translate.JoinItems(c.past.items, items)
		before = ""
	}
	s.pool.Turned(actors.Turned{Client: scope, Answer: id, Before: before, Items: items})
}

// past is the conversation that a request continues, as far as the gateway knows it.
type past struct {
	answer string // the id of its last answer; empty = it continues none that is known
	scope  string // who may refer to it
	items  []byte // comma-separated JSON
}

// recallIn looks for the conversation up to an answer, among those of the connection and
// those of the client.
func (s *Server) recallIn(in *inbound, answer string) (past, error) {
	scopes := []string{in.key.name}
	if in.turn != nil {
		scopes = []string{in.turn.scope(in.key.name), in.key.name}
	}
	for _, scope := range scopes {
		items, err := s.pool.Transcript(in.ctx, scope, answer)
		if err != nil || items != nil {
			return past{answer, scope, items}, err
		}
	}
	return past{}, nil
}

// origin returns where the answer that c continues was made; the zero Origin if no upstream
// knows it, or none that the client may use.
func (s *Server) origin(in *inbound, c *call) (actors.Origin, error) {
	origins, err := s.pool.Origins(in.ctx, in.key.name, []pin.Key{c.pins[0].Key()})
	if err != nil || origins[0].Foreign {
		return actors.Origin{}, err
	}
	return origins[0], nil
}
