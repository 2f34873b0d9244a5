package httpapi

import (
	"net/http"
	"time"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/providers"
)

// recall replaces a reference to an answer that the gateway has kept the conversation of by
// that conversation: then any upstream can continue it. A reference that is not known here
// stays; it may be known where the answer was made. What came over a WebSocket keeps both:
// see delta.
func (s *Server) recall(in *inbound, c *call, t target) (*call, error) {
	if c.format != providers.OpenAIResponses || len(c.pins) == 0 || c.pins[0].Kind != pin.Response {
		return c, nil
	}
	known, err := s.recallIn(in, c.pins[0].ID)
	if err != nil {
		return c, in.unserved(nil, err)
	}
	if known.items == nil {
		return c, nil
	}
	d, err := s.delta(in, c, known)
	if err != nil {
		return c, in.unserved(nil, err)
	}
	whole, err := translate.WithHistory(c.body.Bytes, known.items)
	if err != nil {
		return c, untranslatable(err)
	}
	if int64(len(whole)) > in.settings.maxBodyBytes {
		if d != nil {
			return c, nil // where the answer was made it can still be continued
		}
		return c, fault.TooLarge(in.settings.maxBodyBytes)
	}
	body := s.buffers.Get(int64(len(whole)))
	body.Bytes = append(body.Bytes, whole...)
	next, err := newCall(in, t, body)
	if err != nil {
		body.Release()
		return c, err
	}
	next.past = known
	next.input = append([]byte(nil), c.input...)
	if next.delta = d; d == nil {
		c.body.Release()
	}
	return next, nil
}

// delta is a request as the client has sent it, which only refers to the conversation so far,
// beside the one that holds it all. It is enough for whoever has made the last answer.
type delta struct {
	*call
	origin   actors.Origin // of the last answer
	volatile bool          // the upstream may have stored nothing, and know it on one connection only
}

// delta returns c as a delta; nil if nobody could continue what it refers to.
func (s *Server) delta(in *inbound, c *call, known past) (*delta, error) {
	if in.turn == nil {
		return nil, nil //nolint:nilnil // over HTTP the whole conversation is sent
	}
	origin, err := s.origin(in, c)
	if err != nil || origin.Credential == "" {
		return nil, err
	}
	c.past = known
	return &delta{call: c, origin: origin, volatile: gjson.GetBytes(c.body.Bytes, "store").Type == gjson.False}, nil
}

// release frees the bodies of a call.
func (c *call) release() {
	c.body.Release()
	if c.delta != nil {
		c.delta.body.Release()
	}
}

// choose makes the attempt send only what is new, if its credential knows the rest.
func (a *attempt) choose() {
	d := a.call.delta
	switch {
	case d == nil || a.full || a.format != a.in.format || !d.origin.SameAs(a.lease.Credential):
	case d.volatile && a.uplink.Remembers() != d.past.answer:
	default:
		a.call = d.call
		if a.uplink != nil {
			a.uplink.Volatile = d.volatile
		}
	}
}

// forgot reports whether an attempt has failed because its credential did not know any more
// what only was referred to.
func (a *attempt) forgot(r result) bool {
	if a.original.delta == nil || a.call != a.original.delta.call || r.failure == nil {
		return false
	}
	if a.uplink.Lost() {
		return true
	}
	f := r.failure
	return f.answer != nil && gjson.GetBytes(f.answer.body, "error.code").String() == "previous_response_not_found"
}

// keep notes what a translated answer has added to its conversation, so that the client can
// continue it although the upstream keeps nothing.
func (a *attempt) keep() {
	if a.translated.kept || !a.keeps() {
		return
	}
	a.translated.kept = true
	id, items := a.translated.answer.Turn(a.call.input)
	if id != "" && len(items) > 0 {
		a.server.turned(a.in, a.call, id, items, a.call.translation.Keeps())
	}
}

// keeps reports whether a translated answer may be continued by its id: always on the
// connection that it came over, and elsewhere if the client lets it be stored.
func (a *attempt) keeps() bool {
	return a.in.format == providers.OpenAIResponses && a.call.operation == providers.Generate &&
		(a.in.turn != nil || a.call.translation.Keeps())
}

// keepTurn notes what an answer in the client's format has added to its conversation, so that
// others than its maker can continue it, on the connection that it came over.
func (a *attempt) keepTurn() {
	if a.native == nil || a.native.Kept || a.native.ID() == "" {
		return
	}
	a.native.Kept = true
	if a.call.past.answer == "" && len(a.call.pins) > 0 && a.call.pins[0].Kind == pin.Response {
		return // what came before is not known
	}
	a.server.turned(a.in, a.call, a.native.ID(), a.native.Turn(a.call.input), false)
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
		scope = in.scope(scope)
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
		scopes = []string{in.scope(in.key.name), in.key.name}
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

// scope names what the connection that the request came over alone may refer to.
func (in *inbound) scope(client string) string { return client + "\x00socket\x00" + in.turn.Key() }
