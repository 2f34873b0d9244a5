package admin

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/config"
)

const sessionKeyHex = "01000000000000000000000000000000"

// example is one request and what comes of it.
type example struct {
	method, path, body string
	status             int
	code               string // of the error
}

// captureName is the file of a captured request that failed.
const captureName = "20300101T000000.000-failed-500-r1.txt"

func successes() []example {
	return []example{
		{"GET", "/status", "", 200, ""},
		{"GET", "/sessions", "", 200, ""},
		{"DELETE", "/sessions/" + sessionKeyHex, "", 200, ""},
		{"DELETE", "/sessions?credential=b", "", 200, ""},
		{"GET", "/credentials?limit=1", "", 200, ""},
		{"GET", "/credentials/a", "", 200, ""},
		{"PATCH", "/credentials/a", `{"disabled":false,"weight":1000000,"priority":-1,"max-concurrency":0}`, 200, ""},
		{"POST", "/credentials", `{"id":"a","provider":"up","api-key":"k"}`, 201, ""},
		{"POST", "/credentials/a/reset", `{"model":"m"}`, 200, ""},
		{"POST", "/credentials/a/drain", "", 200, ""},
		{"GET", "/models", "", 200, ""},
		{"GET", "/routing", "", 200, ""},
		{"PUT", "/routing", `{"strategy":"wrr"}`, 200, ""},
		{"GET", "/requests", "", 200, ""},
		{"GET", "/requests/r1", "", 200, ""},
		{"GET", "/usage", "", 200, ""},
		{"GET", "/logs/errors", "", 200, ""},
		{"GET", "/logs/errors/" + captureName, "", 200, ""},
		{"GET", "/config", "", 200, ""},
		{"PUT", "/config", "listen: y\n", 200, ""},
		{"GET", "/openapi.json", "", 200, ""},
		{"DELETE", "/credentials/a", "", 200, ""},
		// GET /events does not end: see TestEvents and the end-to-end tests.
	}
}

func failures() []example {
	return []example{
		{"GET", "/status?verbose=1", "", 400, "unknown_parameter"},
		{"GET", "/credentials?limit=0", "", 400, "invalid_parameter"},
		{"GET", "/credentials?limit=1001", "", 400, "invalid_parameter"},
		{"GET", "/credentials/none", "", 404, "not_found"},
		{"PATCH", "/credentials/a", `{"disabled":true,"color":1,"mood":2}`, 400, "unknown_field"},
		{"PATCH", "/credentials/a", `{}`, 400, "nothing_to_change"},
		{"PATCH", "/credentials/a", `{"disabled":1}`, 400, "invalid_field"},
		{"PATCH", "/credentials/a", `{"disabled":true,"disabled":false}`, 400, "invalid_json"},
		{"PATCH", "/credentials/a", `[]`, 400, "invalid_json"},
		{"PATCH", "/credentials/a", `null`, 400, "invalid_json"},
		{"PATCH", "/credentials/a", ``, 400, "invalid_json"},
		{"PATCH", "/credentials/none", `{"disabled":true}`, 404, "not_found"},
		{"POST", "/credentials", `{"id":"../x","provider":"up"}`, 400, "invalid_field"},
		{"POST", "/credentials", `{"id":"x","provider":"up","secret":"y"}`, 400, "unknown_field"},
		{"POST", "/credentials/a/reset", `{"modell":"m"}`, 400, "unknown_field"},
		{"POST", "/credentials/none/reset", ``, 404, "not_found"},
		{"POST", "/credentials/none/drain", ``, 404, "not_found"},
		{"DELETE", "/credentials/none", ``, 404, "not_found"},
		{"GET", "/sessions?after=zz", "", 400, "invalid_parameter"},
		{"DELETE", "/sessions/zz", "", 400, "invalid_parameter"},
		{"DELETE", "/sessions", "", 400, "missing_parameter"},
		{"DELETE", "/sessions?credential=none", "", 404, "not_found"},
		{"GET", "/models?limit=x", "", 400, "invalid_parameter"},
		{"GET", "/routing?x=1", "", 400, "unknown_parameter"},
		{"PUT", "/routing", `{"strategy":"best"}`, 400, "invalid_field"},
		{"PUT", "/routing", `{"session-affinity-ttl":"1"}`, 400, "invalid_field"},
		{"GET", "/requests?after=x", "", 400, "invalid_parameter"},
		{"GET", "/requests/none", "", 404, "not_found"},
		{"GET", "/usage?day=x", "", 400, "invalid_parameter"},
		{"GET", "/events?kind=x", "", 400, "invalid_parameter"},
		{"GET", "/logs/errors?after=x", "", 400, "invalid_parameter"},
		{"GET", "/logs/errors/none.txt", "", 404, "not_found"},
		{"GET", "/logs/errors/config.yaml", "", 404, "not_found"},
		{"GET", "/config?x=1", "", 400, "unknown_parameter"},
		{"PUT", "/config", "\xff", 400, "invalid_yaml"},
		{"GET", "/openapi.json?x=1", "", 400, "unknown_parameter"},
		{"GET", "/none", "", 404, "not_found"},
		{"PUT", "/status", "", 405, "method_not_allowed"},
	}
}

func TestRoutes_AnswerAndRefuseAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	r := start(t, rightKey, false)
	document := loaded(t, r)
	router, err := legacy.NewRouter(document)
	require.NoError(t, err)
	r.serve(t)
	for _, e := range slices.Concat(successes(), failures()) {
		w := r.ask(e.method, e.path, e.body)
		require.Equal(t, e.status, w.Code, "%s %s: %s", e.method, e.path, w.Body)
		require.Equal(t, e.code, gjson.Get(w.Body.String(), "error.code").String(), "%s %s", e.method, e.path)
		require.NotContains(t, w.Body.String(), "upstream-secret")
		checkAnswer(t, router, e, w)
	}
}

// checkAnswer checks an answer against the document.
func checkAnswer(t *testing.T, router routers.Router, e example, w *httptest.ResponseRecorder) {
	t.Helper()
	req := httptest.NewRequest(e.method, e.path, nil)
	route, params, err := router.FindRoute(req)
	if e.status == http.StatusMethodNotAllowed || e.path == "/none" {
		require.Error(t, err)
		return
	}
	require.NoError(t, err, e.path)
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: w.Code, Header: w.Header(), Body: readCloser{bytes.NewReader(w.Body.Bytes())},
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: !strings.Contains(w.Header().Get("Content-Type"), "json")},
	})
	require.NoError(t, err, "%s %s: %s", e.method, e.path, w.Body)
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// loaded returns the document as a client reads it, without where it is mounted.
func loaded(t *testing.T, r *rig) *openapi3.T {
	t.Helper()
	w := r.ask("GET", "/openapi.json", "")
	require.Equal(t, 200, w.Code)
	document, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	require.NoError(t, err)
	require.NoError(t, document.Validate(context.Background()))
	document.Servers = nil
	return document
}

func TestOpenAPI_HasEveryRouteAndNoneMore(t *testing.T) {
	t.Parallel()
	r := start(t, rightKey, false)
	var said, served []string
	for path, item := range loaded(t, r).Paths.Map() {
		for method := range item.Operations() {
			said = append(said, method+" "+echoPath(path))
		}
	}
	for _, rt := range r.server.echo.Routes() {
		if strings.ToUpper(rt.Method) == rt.Method { // else it is how echo notes what is not there
			served = append(served, rt.Method+" "+rt.Path)
		}
	}
	require.ElementsMatch(t, served, said)

	var tried []string
	for _, e := range successes() {
		path, _, _ := strings.Cut(e.path, "?")
		for _, rt := range r.server.routes() {
			if rt.method == e.method && sampleMatches(rt.path, path) {
				tried = append(tried, rt.method+" "+echoPath(rt.path))
			}
		}
	}
	tried = append(tried, "GET /events")
	slices.Sort(tried)
	require.ElementsMatch(t, served, slices.Compact(tried), "every route has a success test")
}

// sampleMatches reports whether path is one of a route's.
func sampleMatches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, func(want, got string) bool { return want == got || strings.HasPrefix(want, "{") })
}

func TestRoutes_NameWhatIsUnknown(t *testing.T) {
	t.Parallel()
	r := start(t, rightKey, false)
	w := r.ask("PATCH", "/credentials/a", `{"mood":1,"color":2,"disabled":true}`)
	require.Equal(t, `Unknown: "color", "mood".`, gjson.Get(w.Body.String(), "error.message").String())
}

func TestMG10_WeightsAreWholeAndBounded(t *testing.T) {
	t.Parallel()
	r := start(t, rightKey, false)
	for _, weight := range []string{"1000001", "-1", "1.5", `"x"`, "1e9", "true"} {
		require.Equal(t, 400, r.ask("PATCH", "/credentials/a", `{"weight":`+weight+`}`).Code, weight)
	}
}

func TestRoutes_TellWhatIsWrongWithAConfiguration(t *testing.T) {
	t.Parallel()
	r := start(t, rightKey, false)
	r.books.err = config.Errors{{Line: 3, Path: "retry.rounds", Problem: "must not be negative"}}
	w := r.ask("PUT", "/config", "retry: {rounds: -1}")
	require.Equal(t, 422, w.Code)
	require.JSONEq(t, `[{"line":3,"path":"retry.rounds","problem":"must not be negative"}]`, gjson.Get(w.Body.String(), "error.problems").Raw)
	r.books.err = Conflict("it is read-only")
	require.Equal(t, 409, r.ask("PUT", "/config", "").Code)
}

func TestRoutes_AuditEveryChangeAndNothingElse(t *testing.T) {
	t.Parallel()
	r := start(t, rightKey, false)
	r.serve(t)
	changes := 0
	for _, e := range successes() {
		if e.method != "GET" {
			changes++
		}
		r.ask(e.method, e.path, e.body)
	}
	for _, e := range failures() {
		r.ask(e.method, e.path, e.body)
	}
	lines := strings.Count(r.log.String(), `msg="management change"`)
	require.Equal(t, changes, lines, r.log.String())
	require.Contains(t, r.log.String(), "peer=127.0.0.1")
}

func TestRoutes_RefuseGiantBodies(t *testing.T) {
	t.Parallel()
	r := start(t, rightKey, false)
	require.Equal(t, 413, r.ask("PUT", "/config", strings.Repeat("x", maxBodyBytes+1)).Code)
}

// No body or path may make the API panic, and no id with a path in it may become a file.
func FuzzServer_SurvivesAnyBodyAndPath(f *testing.F) {
	for _, e := range slices.Concat(successes(), failures()) {
		f.Add(e.method, e.path, e.body)
	}
	f.Add("POST", "/credentials", `{"id":"..%2fx","provider":"up","oauth":{"a":[{}]}}`)
	r := start(f, rightKey, false)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		if strings.Contains(path, "events") {
			return // it does not end
		}
		req, err := http.NewRequestWithContext(t.Context(), method, "http://x/", strings.NewReader(body))
		if err != nil {
			return
		}
		path, query, _ := strings.Cut(path, "?")
		req.URL.Path, req.URL.RawQuery, req.RemoteAddr = path, query, here
		req.Header.Set("X-Management-Key", rightKey)
		w := httptest.NewRecorder()
		r.server.ServeHTTP(w, req)
		require.NotEqual(t, 500, w.Code, w.Body.String())
		for _, id := range r.books.added {
			require.NoError(t, config.CheckCredentialFileID(id))
			require.NotContains(t, id, "/")
		}
		r.books.added = nil
	})
}
