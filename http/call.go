package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/understudyhq/understudy/actors"
	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/http/payload"
	"github.com/understudyhq/understudy/http/translate"
	"github.com/understudyhq/understudy/internal/peek"
	"github.com/understudyhq/understudy/internal/pin"
	"github.com/understudyhq/understudy/internal/session"
	"github.com/understudyhq/understudy/providers"
)

// call is one request as the gateway understands it: what is asked of which model, and the
// bytes that say so. Its owner releases body.
type call struct {
	format    providers.Format // the client's
	operation providers.Operation
	model     string    // as the client named it, reasoning suffix included
	modelAt   peek.Span // where the body names it; zero = it does not
	stream    bool
	array     bool   // Gemini only: streamed as one JSON array, not as events
	query     string // the client's raw query without its key
	resource  string // the response that is asked for by its id; empty = none
	body      *payload.Buffer
	acquire   actors.Acquire // what is asked of the engine first

	threads   bool       // it is part of an Anthropic message thread
	pins      []pin.Pin  // what it refers to, which lies at one organisation
	encrypted []reasoned // reasoning in it that only its maker can read
	inputAt   int        // where the body's input begins, which holds encrypted

	past        past            // what it continues by the gateway's own memory
	delta       *delta          // the same without its past; nil = it is not to be sent so
	input       []byte          // Responses: the input of this turn alone, inside some body
	translation *translate.Call // nil = no upstream of another format was met yet
}

// reasoned is an item of encrypted reasoning and where it was made.
type reasoned struct {
	pin.Item
	origin actors.Origin
}

// target is what a route and its path tell about a call.
type target struct {
	operation providers.Operation
	model     string // empty = the body names it
	stream    bool
	array     bool // streamed as one JSON array
}

// parse reads and checks one request. Its errors are answers: see package fault.
func (s *Server) parse(in *inbound, t target) (*call, error) {
	body, err := s.readBody(in)
	if err != nil {
		return nil, err
	}
	c, err := newCall(in, t, body)
	if err != nil {
		body.Release()
		return nil, err
	}
	return c, nil
}

func newCall(in *inbound, t target, body *payload.Buffer) (*call, error) {
	peeked, err := peek.Scan(body.Bytes)
	if err != nil {
		return nil, bodyError(err)
	}
	c := &call{
		format: in.format, operation: t.operation, model: t.model, stream: t.stream, array: t.array,
		query: withoutKey(in.r.URL.RawQuery), body: body, input: peeked.Input,
	}
	if c.model == "" {
		c.model, c.modelAt, c.stream = peeked.Model, peeked.ModelAt, peeked.Stream
	}
	if c.model == "" {
		return nil, missingModel("The request names no model.", nil)
	}
	route, suffix := cutSuffix(c.model)
	if !in.key.allows(c.model) && !in.key.allows(route) {
		return nil, fault.ModelNotFound(c.model)
	}
	c.acquire = actors.Acquire{Model: route, Suffix: suffix}
	if !translatable(t.operation) {
		c.acquire.Format = in.format
	}
	if hasSession(t.operation) {
		body := sessionBody(peeked)
		if in.turn != nil {
			body.Socket = in.turn.Key()
		}
		c.acquire.Session = session.From(in.r.Header, body, in.key.name+"\x00"+route)
		c.refer(in.r.Header, peeked)
	}
	return c, nil
}

// bodyError returns what a client is told about an error of peek.Scan.
func bodyError(err error) error {
	switch {
	case errors.Is(err, peek.ErrNotObject):
		return fault.BadRequest("invalid_json", "The request body is not a JSON object.", err)
	case errors.Is(err, peek.ErrDuplicateModel):
		return fault.BadRequest("invalid_json", "The request body names more than one model.", err)
	case errors.Is(err, peek.ErrModelNotString):
		return missingModel("The request's model is not a string.", err)
	case errors.Is(err, peek.ErrTooDeep):
		return fault.BadRequest("invalid_json", fmt.Sprintf("The request body is nested more than %d levels deep.", peek.MaxDepth), err)
	default:
		return fault.BadRequest("invalid_json", "The request body is not valid JSON.", err)
	}
}

func missingModel(message string, cause error) error {
	e := fault.BadRequest("missing_model", message, cause)
	e.Param = "model"
	return e
}

// hasSession reports whether requests of an operation belong to conversations. The others
// would make a session of every text they carry.
func hasSession(op providers.Operation) bool {
	switch op {
	case providers.Generate, providers.CountTokens, providers.Compact:
		return true
	default:
		return false
	}
}

func sessionBody(r peek.Request) session.Body {
	return session.Body{
		Metadata: r.Metadata, PromptCacheKey: r.PromptCacheKey,
		SessionID: r.SessionID, CamelSessionID: r.CamelSessionID, Request: r.Request,
		Conversation: r.Conversation, ConversationID: r.ConversationID,
		Messages: r.Messages, System: r.System,
		Contents: r.Contents, SystemInstruction: r.SystemInstruction,
		Input: r.Input, Instructions: r.Instructions,
	}
}

// cutSuffix splits the reasoning suffix off a model name: "gpt(high)" is "gpt" and "(high)".
// What is no level and no number of tokens is part of the name.
func cutSuffix(model string) (name, suffix string) {
	if !strings.HasSuffix(model, ")") {
		return model, ""
	}
	i := strings.LastIndexByte(model, '(')
	if i <= 0 {
		return model, ""
	}
	switch effort := model[i+1 : len(model)-1]; effort {
	case "none", "auto", "minimal", "low", "medium", "high", "xhigh", "max":
		return model[:i], model[i:]
	default:
		if _, err := strconv.ParseUint(effort, 10, 31); err != nil {
			return model, ""
		}
		return model[:i], model[i:]
	}
}

// relayCall serves every route whose body names the model.
func (s *Server) relayCall(in *inbound) error {
	return s.relayTo(in, target{operation: in.route.operation})
}

// relayGeminiCall serves Gemini's routes, whose path ends in {model}:{action}.
func (s *Server) relayGeminiCall(in *inbound) error {
	t, ok := geminiTarget(pathModel(in.r))
	if !ok {
		return &fault.Error{
			Status: http.StatusNotFound, Code: "unknown_action", Final: true,
			Message: "Unknown action: " + in.r.URL.Path + ".",
		}
	}
	t.array = t.stream && in.r.URL.Query().Get("alt") != "sse"
	return s.relayTo(in, t)
}

func (s *Server) relayTo(in *inbound, t target) error {
	c, err := s.parse(in, t)
	if err != nil {
		return err
	}
	if c, err = s.recall(in, c, t); err != nil {
		c.body.Release()
		return err
	}
	defer c.release()
	in.call = c
	if in.turn != nil && in.turn.Prewarm() {
		return s.prewarm(in, c)
	}
	if err := s.locate(in, c); err != nil {
		return err
	}
	if c.delta != nil {
		c.acquire.Prefer = c.delta.origin
	}
	return s.serve(in, c)
}

// pathModel returns what follows /models/ in the path; model names may hold slashes.
func pathModel(r *http.Request) string {
	_, model, _ := strings.Cut(r.URL.Path, "/models/")
	return model
}

// geminiTarget splits {model}:{action} at the last colon. It reports false for an unknown
// action or no model.
func geminiTarget(path string) (target, bool) {
	colon := strings.LastIndexByte(path, ':')
	if colon <= 0 {
		return target{}, false
	}
	t := target{model: path[:colon]}
	switch path[colon+1:] {
	case "generateContent":
		t.operation = providers.Generate
	case "streamGenerateContent":
		t.operation, t.stream = providers.Generate, true
	case "countTokens":
		t.operation = providers.CountTokens
	case "embedContent":
		t.operation = providers.Embed
	case "batchEmbedContents":
		t.operation = providers.BatchEmbed
	default:
		return target{}, false
	}
	return t, true
}
