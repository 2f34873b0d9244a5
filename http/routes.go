package httpapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/understudyhq/understudy/http/fault"
	"github.com/understudyhq/understudy/providers"
)

// route is one line of the table of routes.
type route struct {
	method    string
	path      string // as echo spells it
	format    providers.Format
	operation providers.Operation
	// dialect, if set, tells the format by the request.
	dialect func(*http.Request) providers.Format
	// serve answers, or returns an error and has written nothing.
	serve func(*inbound) error
	// open routes need no client key.
	open bool
	// always routes are served also while the server drains, and logged at debug.
	always bool
}

// routes is every route there is.
func (s *Server) routes() []route {
	const (
		chat      = providers.OpenAIChat
		responses = providers.OpenAIResponses
		messages  = providers.Anthropic
		gemini    = providers.Gemini
	)
	return []route{
		{method: "POST", path: "/v1/chat/completions", format: chat, operation: providers.Generate, serve: s.relayCall},
		{method: "POST", path: "/v1/completions", format: chat, operation: providers.Complete, serve: s.relayCall},
		{method: "POST", path: "/v1/embeddings", format: chat, operation: providers.Embed, serve: s.relayCall},

		{method: "POST", path: "/v1/responses", format: responses, operation: providers.Generate, serve: s.relayCall},
		{method: "GET", path: "/v1/responses", format: responses, serve: s.openSocket},
		{method: "POST", path: "/v1/responses/compact", format: responses, operation: providers.Compact, serve: s.relayCall},
		{method: "GET", path: "/v1/responses/:id", format: responses, operation: providers.Retrieve, serve: s.byID},
		{method: "DELETE", path: "/v1/responses/:id", format: responses, operation: providers.Delete, serve: s.byID},
		{method: "POST", path: "/v1/responses/:id/cancel", format: responses, operation: providers.Cancel, serve: s.byID},
		{method: "GET", path: "/v1/responses/:id/input_items", format: responses, operation: providers.ListInput, serve: s.byID},
		{method: "POST", path: "/v1/responses/input_tokens", format: responses, operation: providers.CountTokens, serve: s.relayCall},

		{method: "POST", path: "/v1/messages", format: messages, operation: providers.Generate, serve: s.relayCall},
		{method: "POST", path: "/v1/messages/count_tokens", format: messages, operation: providers.CountTokens, serve: s.relayCall},

		{method: "POST", path: "/v1beta/models/*", format: gemini, serve: s.relayGeminiCall},
		{method: "POST", path: "/v1/models/*", format: gemini, serve: s.relayGeminiCall},

		{method: "GET", path: "/v1/models", dialect: listDialect, serve: s.listModels},
		{method: "GET", path: "/v1/models/*", dialect: listDialect, serve: s.showModel},
		{method: "GET", path: "/v1beta/models", format: gemini, serve: s.listModels},
		{method: "GET", path: "/v1beta/models/*", format: gemini, serve: s.showModel},

		{method: "GET", path: "/", format: chat, serve: s.about, open: true},
		{method: "HEAD", path: "/", format: chat, serve: s.about, open: true},
		{method: "HEAD", path: "/api/hello", format: messages, serve: s.about, open: true},
		{method: "GET", path: "/healthz", format: chat, serve: s.healthz, open: true, always: true},
		{method: "GET", path: "/readyz", format: chat, serve: s.readyz, open: true, always: true},
		{method: "GET", path: "/metrics", format: chat, serve: s.showMetrics, open: true, always: true},
	}
}

// register puts the table into the router. What the table does not have is answered by
// the gateway too, in the format that the path suggests.
func (s *Server) register() {
	methods := map[string][]string{}
	for _, rt := range s.routes() {
		s.echo.Add(rt.method, rt.path, s.handler(&rt))
		methods[rt.path] = append(methods[rt.path], rt.method)
	}
	for path, allowed := range methods {
		slices.Sort(allowed)
		s.echo.RouteNotFound(path, s.handler(&route{
			dialect: pathDialect, open: true, serve: refuseMethod(strings.Join(allowed, ", ")),
		}))
	}
	unknown := s.handler(&route{dialect: pathDialect, open: true, serve: refuseRoute})
	// Handlers of the table return no errors, so the only one is echo's for no route at all.
	s.echo.HTTPErrorHandler = func(_ error, c echo.Context) { _ = unknown(c) }
}

func (s *Server) handler(rt *route) echo.HandlerFunc {
	return func(c echo.Context) error {
		in := newInbound(s, rt, c.Response(), c.Request())
		in.param = c.Param("id")
		defer in.finish()
		if err := in.run(); err != nil {
			in.refuse(err)
		}
		return nil
	}
}

// pathDialect guesses the format of a request that no route takes.
func pathDialect(r *http.Request) providers.Format {
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/v1beta/"), strings.HasPrefix(path, "/v1/models/") && strings.Contains(path, ":"):
		return providers.Gemini
	case strings.HasPrefix(path, "/v1/messages"):
		return providers.Anthropic
	case strings.HasPrefix(path, "/v1/responses"):
		return providers.OpenAIResponses
	default:
		return providers.OpenAIChat
	}
}

func refuseRoute(in *inbound) error {
	return &fault.Error{
		Status: http.StatusNotFound, Code: "unknown_route", Final: true,
		Message: "Unknown route: " + in.r.Method + " " + in.r.URL.Path + ".",
	}
}

func refuseMethod(allowed string) func(*inbound) error {
	return func(in *inbound) error {
		in.w.Header().Set("Allow", allowed)
		return &fault.Error{
			Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Final: true,
			Message: in.r.URL.Path + " takes " + allowed + ", not " + in.r.Method + ".",
		}
	}
}

// refuseWebSocket answers what should open a WebSocket and does not, or cannot. Clients that
// see 426 use HTTP at once, where others would be tried again first.
func (s *Server) refuseWebSocket(in *inbound) error {
	in.w.Header().Set("Upgrade", "websocket")
	return &fault.Error{
		Status: http.StatusUpgradeRequired, Code: "websocket_not_supported", Final: true,
		Message: "This request does not open a WebSocket. Use POST for a response over HTTP.",
	}
}

func (s *Server) about(in *inbound) error {
	text, err := json.Marshal(struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}{"understudy", s.options.Version})
	if err != nil {
		return err
	}
	in.write(http.StatusOK, "application/json", text)
	return nil
}

// healthz tells that the process serves at all.
func (s *Server) healthz(in *inbound) error {
	in.write(http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
	return nil
}

// readyz tells whether requests should be sent here.
func (s *Server) readyz(in *inbound) error {
	status, text := http.StatusOK, "ready\n"
	if s.gate.isDraining() {
		status, text = http.StatusServiceUnavailable, "shutting down\n"
	} else if _, in.err = s.pool.Models(in.ctx); in.err != nil {
		status, text = http.StatusServiceUnavailable, "engine not ready\n"
	}
	in.write(status, "text/plain; charset=utf-8", []byte(text))
	return nil
}
