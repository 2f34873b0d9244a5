package httpapi

import (
	"net/http"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/payload"
	"github.com/understudyhq/understudy/internal/peek"
	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/providers"
)

// turnState is the header in which Responses answers name the state of a turn, for clients
// to repeat.
const turnState = "X-Codex-Turn-State"

// refer finds what a request refers to that lies at one organisation only.
func (c *call) refer(h http.Header, r peek.Request) {
	b := pin.Body{}
	switch c.format {
	case providers.OpenAIResponses:
		b.PreviousResponseID, b.Conversation = r.PreviousResponseID, r.Conversation
		for _, item := range pin.Encrypted(r.Input) {
			c.encrypted = append(c.encrypted, reasoned{Item: item})
		}
		c.inputAt = r.InputAt.Start
	case providers.Anthropic:
		b.Thread = r.Thread
		c.threads = r.Thread != nil
	default:
		return
	}
	c.pins = pin.Of(h, b)
}

// locate asks where the things lie that the request refers to: nobody but their makers can
// serve it, or, as far as it is only encrypted reasoning, they go first. What nobody knows
// any more is left to the upstream to judge.
func (s *Server) locate(in *inbound, c *call) error {
	if len(c.pins) == 0 && len(c.encrypted) == 0 {
		return nil
	}
	keys := make([]pin.Key, 0, len(c.pins)+len(c.encrypted))
	for _, p := range c.pins {
		keys = append(keys, p.Key())
	}
	for _, e := range c.encrypted {
		keys = append(keys, e.Key)
	}
	origins, err := s.pool.Origins(in.ctx, in.key.name, keys)
	if err != nil {
		return in.unserved(nil, err)
	}
	for i, at := range origins[:len(c.pins)] {
		if at.Foreign {
			c.pins = c.pins[i:]
			return c.pinLost()
		}
		if at.Credential != "" && c.acquire.Pin.Credential == "" {
			c.acquire.Pin = at
			c.pins[0], c.pins[i] = c.pins[i], c.pins[0] // the one that errors are about
		}
	}
	for i, at := range origins[len(c.pins):] {
		c.encrypted[i].origin = at
		if at.Credential != "" {
			c.acquire.Prefer = at // the latest one decides
		}
	}
	return nil
}

// pinLost is what a client is told whose request refers to what is out of reach, in the
// words of the format's own vendor.
func (c *call) pinLost() *fault.Error {
	p := c.pins[0]
	switch p.Kind {
	case pin.Response:
		if c.resource != "" {
			return fault.NotFound("response_not_found", "Response with id '"+p.ID+"' not found.", "")
		}
		return fault.NotFound("previous_response_not_found", "Previous response with id '"+p.ID+"' not found.", "previous_response_id")
	case pin.Conversation:
		return fault.NotFound("conversation_not_found", "Conversation with id '"+p.ID+"' not found.", "conversation")
	case pin.Thread:
		e := fault.NotFound("thread_not_found", "The message thread of "+p.ID+" was not found.", "")
		e.ErrorCode = "thread_not_found"
		return e
	default:
		return fault.NotFound("turn_state_not_found", "The state of this turn was not found.", "")
	}
}

// unreadable returns the encrypted items that c cannot read: those known to be made
// elsewhere.
func (c *call) unreadable(at *providers.Credential) []pin.Item {
	var items []pin.Item
	for _, e := range c.encrypted {
		if e.origin.Foreign || e.origin.Credential != "" && !e.origin.SameAs(at) {
			items = append(items, e.Item)
		}
	}
	return items
}

// edits returns how the body changes for a credential: it gets that credential's name of the
// model, and loses what the credential could not read.
func (a *attempt) edits() []payload.Edit {
	edits := a.edited[:0]
	if at := a.call.modelAt; at != (peek.Span{}) && a.upstreamCall.Model != a.call.model {
		edits = append(edits, payload.Edit{Start: at.Start, End: at.End, Value: peek.AppendString(nil, a.upstreamCall.Model)})
	}
	if len(a.call.encrypted) == 0 {
		return edits
	}
	drop := a.call.unreadable(a.lease.Credential)
	a.dropped = len(drop)
	from := a.call.inputAt
	input := a.call.body.Bytes[from:]
	cuts := make([]payload.Edit, 0, len(drop))
	for _, s := range pin.Cut(input, drop) {
		cuts = append(cuts, payload.Edit{Start: from + s.Start, End: from + s.End})
	}
	if len(edits) > 0 && a.call.modelAt.Start > from { // in the order of the body
		return append(cuts, edits...)
	}
	return append(edits, cuts...)
}

// maker reports whether the answer to a call makes things that later requests may refer to.
func (c *call) maker() bool {
	switch c.operation {
	case providers.Generate, providers.Compact:
		return c.format == providers.OpenAIResponses || c.threads
	default:
		return false
	}
}

// made notes what a whole answer has made.
func (a *attempt) made(h http.Header, body []byte) {
	if !a.call.maker() {
		return
	}
	a.pin(madeIn(a.in.format, body))
	a.pinTurn(h)
}

// pinTurn notes the state of a turn that an answer's head names.
func (a *attempt) pinTurn(h http.Header) {
	if state := h.Get(turnState); state != "" && a.call.maker() {
		a.pin([]pin.Key{pin.KeyOf(pin.Turn, state)})
	}
}

func (a *attempt) pin(keys []pin.Key) {
	if len(keys) > 0 {
		a.server.pool.Made(a.lease, a.in.key.name, keys)
	}
}

// madeIn returns the keys of what a whole answer has made.
func madeIn(f providers.Format, body []byte) []pin.Key {
	if f == providers.Anthropic {
		if id := pin.FromMessage(body); id != "" {
			return []pin.Key{pin.KeyOf(pin.Thread, id)}
		}
		return nil
	}
	var keys []pin.Key
	response, conversation := pin.FromResponse(body)
	if response != "" {
		keys = append(keys, pin.KeyOf(pin.Response, response))
	}
	if conversation != "" {
		keys = append(keys, pin.KeyOf(pin.Conversation, conversation))
	}
	return append(keys, pin.FromItem(body)...)
}

// byID serves the routes of one response, which only its maker has.
func (s *Server) byID(in *inbound) error {
	id := in.param
	c := &call{format: in.format, operation: in.route.operation, resource: id, query: withoutKey(in.r.URL.RawQuery), pins: []pin.Pin{{Kind: pin.Response, ID: id}}}
	if in.r.Method == http.MethodPost {
		body, err := s.readBody(in)
		if err != nil {
			return err
		}
		defer body.Release()
		if len(body.Bytes) > 0 && !gjson.ValidBytes(body.Bytes) {
			return bodyError(peek.ErrNotJSON)
		}
		c.body = body
	}
	in.call = c
	origins, err := s.pool.Origins(in.ctx, in.key.name, []pin.Key{c.pins[0].Key()})
	if err != nil {
		return in.unserved(nil, err)
	}
	made := origins[0]
	route, suffix := cutSuffix(made.Model)
	if made.Foreign || made.Credential == "" || !in.key.allows(made.Model) && !in.key.allows(route) {
		return c.pinLost()
	}
	c.model = made.Model
	c.acquire = actors.Acquire{Model: route, Suffix: suffix, Format: in.format, Pin: made}
	return s.serve(in, c)
}
