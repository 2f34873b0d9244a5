package httpapi

import (
	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/providers"
)

// recall replaces a reference to an answer that the gateway has kept the conversation of by
// that conversation: then any upstream can continue it. A reference that is not known here
// stays; it may be known where the answer was made.
func (s *Server) recall(in *inbound, c *call, t target) (*call, error) {
	if c.format != providers.OpenAIResponses || len(c.pins) == 0 || c.pins[0].Kind != pin.Response {
		return c, nil
	}
	before := c.pins[0].ID
	items, err := s.pool.Transcript(in.ctx, in.key.name, before)
	if err != nil {
		return c, in.unserved(nil, err)
	}
	if items == nil {
		return c, nil
	}
	whole, err := translate.WithHistory(c.body.Bytes, items)
	if err != nil {
		return c, untranslatable(err)
	}
	if int64(len(whole)) > in.settings.maxBodyBytes {
		return c, fault.TooLarge(in.settings.maxBodyBytes)
	}
	body := s.buffers.Get(int64(len(whole)))
	body.Bytes = append(body.Bytes, whole...)
	next, err := newCall(in, t, body)
	if err != nil {
		body.Release()
		return c, err
	}
	next.before, next.input = before, append([]byte(nil), c.input...)
	c.body.Release()
	return next, nil
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
		a.server.pool.Turned(actors.Turned{Client: a.in.key.name, Answer: id, Before: a.call.before, Items: items})
	}
}

// keeps reports whether a translated answer may be continued by its id.
func (a *attempt) keeps() bool {
	return a.in.format == providers.OpenAIResponses && a.call.operation == providers.Generate && a.call.translation.Keeps()
}
