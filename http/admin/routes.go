package admin

import "net/http"

// route is one line of the table that the router and the OpenAPI document are made from.
type route struct {
	method, path string // with {name} for a part of the path
	summary      string
	params       any // a struct whose fields have a path tag; nil = none
	query        any // a struct whose fields have a query tag; nil = none
	body         any // what it takes; nil = nothing
	bodyType     string
	answer       any    // what it returns
	contentType  string // of an answer that is not JSON
	errors       []int  // statuses besides those of the gate
	serve        func(*call) (any, error)
	stream       func(*call) error // in place of serve: writes its answer by itself
	status       int               // 0 = 200
}

func (rt route) statusOf() int {
	if rt.status == 0 {
		return http.StatusOK
	}
	return rt.status
}

// Parameters.
type (
	idParam struct {
		ID string `path:"id" description:"Credential id."`
	}
	keyParam struct {
		Key string `path:"key" description:"Hashed session key, 32 hexadecimal digits."`
	}
	requestParam struct {
		RequestID string `path:"id" description:"Request id, as in X-Request-Id."`
	}
	pageQuery struct {
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		After string `query:"after" description:"next of the page before."`
	}
)

const (
	yamlType   = "application/yaml"
	textType   = "text/plain; charset=utf-8"
	eventsType = "text/event-stream"
)

func (s *Server) routes() []route {
	return append(s.readingRoutes(), s.changingRoutes()...)
}

func (s *Server) readingRoutes() []route {
	return []route{
		{method: "GET", path: "/status", summary: "Version, uptime, counts, actors and mailboxes", answer: statusAnswer{}, serve: showStatus},
		{method: "GET", path: "/credentials", summary: "Credentials in the order of their ids", query: pageQuery{}, answer: credentialPage{}, serve: listCredentials},
		{method: "GET", path: "/credentials/{id}", summary: "One credential", params: idParam{}, answer: credentialView{}, errors: []int{404}, serve: showCredential},
		{method: "GET", path: "/sessions", summary: "Bound sessions in the order of their keys", query: sessionQuery{}, answer: sessionPage{}, serve: listSessions},
		{method: "GET", path: "/models", summary: "Models with their candidates and whether these are available", query: pageQuery{}, answer: modelPage{}, serve: listModels},
		{method: "GET", path: "/routing", summary: "Strategy and session affinity", answer: routingView{}, serve: showRouting},
		{method: "GET", path: "/requests", summary: "Decision records, latest first", query: requestQuery{}, answer: requestPage{}, serve: listRequests},
		{method: "GET", path: "/requests/{id}", summary: "The decision record of one request", params: requestParam{}, answer: requestView{}, errors: []int{404}, serve: showRequest},
		{method: "GET", path: "/usage", summary: "Requests and tokens by day, model, credential and client key, latest day first", query: usageQuery{}, answer: usagePage{}, serve: listUsage},
		{method: "GET", path: "/events", summary: "Facts as they happen, as server-sent events", query: eventQuery{}, answer: "", contentType: eventsType, stream: follow},
		{method: "GET", path: "/logs/errors", summary: "Failing requests that were captured, latest first", query: pageQuery{}, answer: capturePage{}, serve: listCaptures},
		{method: "GET", path: "/logs/errors/{name}", summary: "A captured request with its answer, secrets masked", params: nameParam{}, answer: "", contentType: textType, errors: []int{404}, serve: showCapture},
		{method: "GET", path: "/config", summary: "The configuration file, secrets masked", answer: "", contentType: yamlType, serve: showConfig},
		{method: "GET", path: "/openapi.json", summary: "This document", answer: map[string]any{}, contentType: "application/json", serve: func(c *call) (any, error) { return c.server.document() }},
	}
}

func (s *Server) changingRoutes() []route {
	return []route{
		{method: "POST", path: "/credentials", summary: "Add a credential, in a file of credentials-dir", body: newCredential{}, answer: changedCredential{}, status: http.StatusCreated, errors: []int{409, 413, 422}, serve: addCredential},
		{method: "PATCH", path: "/credentials/{id}", summary: "Change a credential's settings", params: idParam{}, body: credentialPatch{}, answer: changedCredential{}, errors: []int{404, 409, 413, 422}, serve: patchCredential},
		{method: "DELETE", path: "/credentials/{id}", summary: "Remove a credential with its file", params: idParam{}, answer: changed{}, errors: []int{404, 409, 422}, serve: removeCredential},
		{method: "POST", path: "/credentials/{id}/reset", summary: "End a credential's rests and its drain, or the rest of one model", params: idParam{}, body: resetBody{}, answer: credentialView{}, errors: []int{404, 413}, serve: resetCredential},
		{method: "POST", path: "/credentials/{id}/drain", summary: "Let no new request to a credential; those that run finish and its sessions move", params: idParam{}, answer: credentialView{}, errors: []int{404}, serve: drainCredential},
		{method: "DELETE", path: "/sessions/{key}", summary: "Forget one session", params: keyParam{}, answer: ended{}, errors: []int{404}, serve: endSession},
		{method: "DELETE", path: "/sessions", summary: "Forget all sessions of a credential", query: endQuery{}, answer: ended{}, errors: []int{404}, serve: endSessions},
		{method: "PUT", path: "/routing", summary: "Change strategy and session affinity", body: routingPatch{}, answer: changedRouting{}, errors: []int{409, 413, 422}, serve: changeRouting},
		{method: "PUT", path: "/config", summary: "Replace the configuration file", body: "", bodyType: yamlType, answer: changed{}, errors: []int{409, 413, 422}, serve: replaceConfig},
	}
}
